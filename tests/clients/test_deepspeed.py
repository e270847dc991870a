"""DeepSpeed on the CPU, stages 0 to 3, with our optimizers and schedulers as a client's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import glideslope as gs

from ..distributed import ranks
from .deepspeed_ranks import BATCHES, REFUSED, SETTINGS, TEXT, WAYS, theirs

pytestmark = pytest.mark.long

NAMES = [f"{way}, stage {s}, accumulate {a}" for way in WAYS for s, a in SETTINGS]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[dict[str, Any]]]:
    """The results of `deepspeed_ranks` on every rank, of one process and of two."""
    program = Path(__file__).with_name("deepspeed_ranks.py")
    folder = tmp_path_factory.mktemp("deepspeed")
    return {world: ranks.run(program, folder, world) for world in (1, 2)}


def one_cycle(updates: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01, momentum=0.9)
    scheduler = theirs.OneCycleLR(optimizer, 0.05, total_steps=13)
    rates = []
    for _ in range(updates):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def expected(way: str, updates: int) -> list[float]:
    if "OneCycleLR" in way:
        return one_cycle(updates)
    schedule, base = gs.parse(TEXT), 1.0 if way == "totals" else 0.01
    return [base * schedule(t) for t in range(updates)]


def weights(result: dict[str, Any]) -> torch.Tensor:
    return torch.tensor(result["weights"])


@pytest.mark.parametrize("name", NAMES)
def test_every_update_runs_at_the_schedules_rate(name: str, runs: dict[int, Any]) -> None:
    way, accumulate = name.split(", ")[0], int(name[-1])
    for rank in [*runs[1], *runs[2]]:
        assert rank[name]["rates"] == pytest.approx(expected(way, BATCHES // accumulate), rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_all_stages_and_numbers_of_processes_train_alike(name: str, runs: dict[int, Any]) -> None:
    way, _, accumulate = name.split(", ")
    control = weights(runs[1][0][f"{way}, stage 0, {accumulate}"])
    for rank in [*runs[1], *runs[2]]:
        torch.testing.assert_close(weights(rank[name]), control, rtol=0, atol=2e-6)


@pytest.mark.parametrize(("stage", "accumulate"), SETTINGS)
def test_ours_trains_as_torchs(stage: int, accumulate: int, runs: dict[int, Any]) -> None:
    ours, control = (
        weights(runs[2][0][f"{way}, stage {stage}, accumulate {accumulate}"])
        for way in ("OneCycleLR", "torch's OneCycleLR")
    )
    torch.testing.assert_close(ours, control, rtol=0, atol=2e-6)


@pytest.mark.parametrize(("stage", "accumulate"), SETTINGS)
def test_a_function_trains_as_the_scheduler_that_it_makes(
    stage: int, accumulate: int, runs: dict[int, Any]
) -> None:
    for rank in runs[2]:
        function, control = (
            rank[f"{way}, stage {stage}, accumulate {accumulate}"]
            for way in ("function", "Scheduler")
        )
        assert function == control


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("stage", [0, 1, 3])
@pytest.mark.parametrize("way", WAYS)
def test_its_checkpoint_resumes_bit_for_bit(
    way: str, stage: int, world: int, runs: dict[int, Any]
) -> None:
    for rank in runs[world]:
        assert rank[f"{way}, stage {stage}, resumed"] == rank[f"{way}, stage {stage}, accumulate 1"]


@pytest.mark.parametrize("stage", [1, 2, 3])
@pytest.mark.parametrize("name", REFUSED)
def test_what_parts_would_make_wrong_is_refused(
    name: str, stage: int, runs: dict[int, Any]
) -> None:
    for rank in [*runs[1], *runs[2]]:
        text, is_unchanged = rank[f"{name}, stage {stage}, refused"]
        assert text.startswith(REFUSED[name][1])
        assert is_unchanged
