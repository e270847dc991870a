"""Accelerate with the schedulers and optimizers of Glideslope, on one process and on two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as torchs
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.scheduler import AcceleratedScheduler
from accelerate.utils import FullyShardedDataParallelPlugin

import glideslope as gs
from glideslope import optim
from glideslope.optim import lr_scheduler as lrs

from ..distributed import ranks
from .accelerating import LR, ROWS, SAVED, SCHEDULERS, start
from .expected import by_torch, cosine, near, warmup_cosine

ONE_CYCLE = by_torch(
    lambda o: torchs.OneCycleLR(o, 0.05, total_steps=60, cycle_momentum=False), 60, LR
)
SHORT_CYCLE = by_torch(
    lambda o: torchs.OneCycleLR(o, 0.05, total_steps=10, cycle_momentum=False), 10, LR
)

RATES: dict[str, Callable[[int], float]] = {
    "Scheduler": lambda t: LR * warmup_cosine(t, 4, 44),
    "CosineAnnealingLR": lambda t: LR * cosine(t, 48),
    "OneCycleLR": lambda t: ONE_CYCLE[t],
    "SequentialLR": lambda t: LR * (0.1 + 0.9 * t / 4 if t < 4 else cosine(t - 4, 44)),
    "LambdaLR": lambda t: LR / (1 + t),
}
assert RATES.keys() == SCHEDULERS.keys()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[dict[str, Any]]]:
    """The results of `accelerating` on every rank, of one process and of two."""
    program = Path(__file__).with_name("accelerating.py")
    folder = tmp_path_factory.mktemp("accelerate")
    return {world: ranks.run(program, folder, world) for world in (1, 2)}


@pytest.fixture(params=[1, 2], ids=["one process", "two processes"])
def found(request: pytest.FixtureRequest, runs: dict[int, Any]) -> list[dict[str, Any]]:
    return runs[request.param]


@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_prepared_scheduler_counts_the_batches_of_all_processes(
    name: str, accumulated: int, found: list[dict[str, Any]]
) -> None:
    world = len(found)
    updates = ROWS // world // accumulated
    right = near([RATES[name](t * world) for t in range(updates)], rel=1e-12, abs=1e-18)
    for rank in found:
        for stepped in ("each batch", "each update"):
            run = rank[f"{name}, {accumulated}, True, {stepped}"]
            assert run["rates"] == right
            assert run["last_epoch"] == updates * world


@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_apart_from_the_optimizer_counts_its_calls(
    name: str, accumulated: int, found: list[dict[str, Any]]
) -> None:
    updates = ROWS // len(found) // accumulated
    each_update = near([RATES[name](t) for t in range(updates)], rel=1e-12, abs=1e-18)
    before = [t * accumulated + accumulated - 1 for t in range(updates)]
    each_batch = near([RATES[name](t) for t in before], rel=1e-12, abs=1e-18)
    for rank in found:
        assert rank[f"{name}, {accumulated}, False, each update"]["rates"] == each_update
        assert rank[f"{name}, {accumulated}, False, each batch"]["rates"] == each_batch


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_of_the_prepared_optimizer(name: str, found: list[dict[str, Any]]) -> None:
    for rank in found:
        assert rank[f"{name} of the wrapper"] == near([RATES[name](t) for t in range(10)])


def test_a_schedule_given_to_the_optimizer_counts_updates(found: list[dict[str, Any]]) -> None:
    updates = ROWS // len(found)
    right = near([LR * warmup_cosine(t, 4, 44) for t in range(updates)], rel=1e-12, abs=1e-18)
    assert [rank["schedule"]["rates"] for rank in found] == [right] * len(found)


@pytest.mark.parametrize("is_prepared", [False, True])
def test_a_plateau(is_prepared: bool, found: list[dict[str, Any]]) -> None:
    """One that was prepared is stepped once for each process."""
    is_cut_early = is_prepared and len(found) == 2
    right = [1.0, 0.5, 0.25, 0.125] if is_cut_early else [1.0, 1.0, 0.5, 0.5]
    for rank in found:
        assert rank[f"plateau, {is_prepared}"] == right
        assert rank[f"torch's plateau, {is_prepared}"] == right


@pytest.mark.parametrize("name", SAVED)
def test_a_loaded_state_continues_bit_for_bit(name: str, found: list[dict[str, Any]]) -> None:
    for rank in found:
        run = rank[f"resumed {name}"]
        assert run["resumed"] == run["straight"]
        assert len(run["resumed"][0]) == ROWS // len(found) - 5


def test_clipping(found: list[dict[str, Any]]) -> None:
    for rank in found:
        assert rank["clip, True"]["weights"] == near(rank["clip, False"]["weights"], abs=1e-6)


def test_one_cycle_stays_at_its_end(found: list[dict[str, Any]]) -> None:
    world = len(found)
    right = [SHORT_CYCLE[min(t * world, 9)] for t in range(ROWS // world)]
    assert [rank["past the end"]["rates"] for rank in found] == [near(right)] * world


def test_all_ranks_have_the_same_weights(found: list[dict[str, Any]]) -> None:
    for label, run in found[0].items():
        if isinstance(run, dict) and "weights" in run:
            assert [rank[label]["weights"] for rank in found] == [run["weights"]] * len(found)


def test_two_processes_train_as_one(runs: dict[int, list[dict[str, Any]]]) -> None:
    one, two = (runs[world][0]["the whole batch"]["weights"] for world in (1, 2))
    assert two == near(one, abs=1e-6)


# The wrapper.


def prepared(**arguments: Any) -> tuple[torch.nn.Parameter, Any]:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = optim.SGD([parameter], lr=1.0, **arguments)
    return parameter, start().prepare(optimizer)


def update(parameter: torch.nn.Parameter, optimizer: Any, gradient: float = 1.0) -> None:
    parameter.grad = torch.full((1,), gradient)
    optimizer.step()


def test_what_the_wrapper_hides_is_in_its_optimizer() -> None:
    parameter, optimizer = prepared(ema_decay=0.5, max_grad_norm=10.0, skip_nonfinite=True)
    for gradient in (1.0, float("inf"), 2.0):
        update(parameter, optimizer, gradient)
    for name in ("averaged", "engine_report", "grad_norm", "skipped_steps"):
        assert not hasattr(optimizer, name)
    with optimizer.optimizer.averaged():
        assert parameter.item() == near(0.5 * (0.5 * -1) + 0.5 * -3)
    assert parameter.item() == -3
    assert optimizer.optimizer.skipped_steps == 1
    assert optimizer.optimizer.grad_norm == 2
    assert "fused" in str(optimizer.optimizer.engine_report())


def test_zeroing_in_the_step_is_asked_of_the_optimizer() -> None:
    parameter, optimizer = prepared()
    parameter.grad = torch.ones(1)
    with pytest.raises(TypeError, match="zero_grad"):
        optimizer.step(zero_grad=True)
    optimizer.optimizer.step(zero_grad=True)
    assert not parameter.grad.any()


def test_schedule_free_weights() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = start().prepare(optim.SGDScheduleFree([parameter], lr=1.0))
    for _ in range(3):
        update(parameter, optimizer)
    trained = parameter.item()
    optimizer.eval()
    evaluated = parameter.item()
    optimizer.train()
    assert parameter.item() == near(trained)
    assert evaluated == near((-1 - 2 - 3) / 3)  # the mean of SGD's own points


SCALED: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "torch's AdamW": (lambda ps: torch.optim.AdamW(ps, lr=1.0, weight_decay=0.0), True),
    # Those that unscale in their step are stepped always, and Accelerate counts the calls.
    "torch's AdamW, fused": (
        lambda ps: torch.optim.AdamW(ps, lr=1.0, weight_decay=0.0, fused=True),
        False,
    ),
    "AdamW on the CPU": (lambda ps: optim.AdamW(ps, lr=1.0, weight_decay=0.0), False),
}


@pytest.mark.parametrize("kind", [lrs, torchs])
@pytest.mark.parametrize(("make", "is_noticed"), SCALED.values(), ids=SCALED)
def test_updates_that_the_scaler_skips(
    make: Callable[[Any], Any], is_noticed: bool, kind: Any
) -> None:
    start()
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = make([parameter])
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    wrapper = AcceleratedOptimizer(optimizer, scaler=scaler)
    scheduler = AcceleratedScheduler(kind.StepLR(optimizer, 1, 0.5), wrapper)
    skipped, rates, moves = [], [], []
    for factor in (float("inf"), 1.0, float("inf"), 1.0):
        rates.append(optimizer.param_groups[0]["lr"])
        before = parameter.item()
        scaler.scale(factor * parameter.sum()).backward()
        wrapper.step()
        scheduler.step()
        wrapper.zero_grad()
        skipped.append(wrapper.step_was_skipped)
        moves.append(before - parameter.item())
    assert skipped == [is_noticed, False, is_noticed, False]
    assert rates == ([1.0, 1.0, 0.5, 0.5] if is_noticed else [1.0, 0.5, 0.25, 0.125])
    assert moves == near([0.0, rates[1], 0.0, rates[3]])


def test_groups_that_are_added_later() -> None:
    first, late = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = optim.AdamW([first], lr=LR)
    accelerator = start()
    optimizer, scheduler = accelerator.prepare(
        optimizer, lrs.Scheduler(optimizer, lr="cosine(10)", weight_decay="linear(10)")
    )
    for t in range(10):
        if t == 4:
            optimizer.add_param_group({"params": [late], "lr": LR / 2})
        optimizer.step()
        scheduler.step()
        rates = [group["lr"] for group in optimizer.param_groups]
        right = LR * cosine(t + 1, 10)
        assert rates == near([right, right / 2][: len(rates)], abs=1e-17)


def test_a_range_test_and_a_monitor_of_a_prepared_optimizer() -> None:
    model = torch.nn.Linear(1, 1)
    optimizer = start().prepare(optim.AdamW(model.parameters(), lr=0.1))
    used: list[float] = []

    def train_step(model: torch.nn.Module, batch: Any) -> float:
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        return 1.0

    result = gs.training.lr_range_test(
        model, optimizer, 1e-3, 1.0, 10, train_step=train_step, batches=[0]
    )
    assert used == near(result.lrs)
    records: list[Any] = []
    gs.training.LRMonitor(optimizer, records).record(0)
    assert records[0]["lr"] == 0.1


def test_the_default_sharding_is_the_first_version() -> None:
    assert FullyShardedDataParallelPlugin().fsdp_version == 1
