"""Lightning's ``ddp`` on two processes: rates count updates, and a plateau is one on all ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import glideslope as gs

from ..distributed import ranks
from .lightning_ranks import CASES, EPOCHS, METRICS, SAMPLES

UPDATES = EPOCHS * SAMPLES // 4
PLATEAUS = [name for name in CASES if "plateau" in name]
ALIKE = [name for name in CASES if name not in PLATEAUS]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[dict[str, Any]]]:
    """The results of `lightning_ranks` on every rank, of one process and of two."""
    program = Path(__file__).with_name("lightning_ranks.py")
    folder = tmp_path_factory.mktemp("lightning")
    return {world: ranks.run(program, folder, world) for world in (1, 2)}


@pytest.mark.parametrize("name", ALIKE)
def test_two_processes_train_as_one(name: str, runs: dict[int, Any]) -> None:
    (alone,), both = runs[1], runs[2]
    for rank in both:
        assert rank[name]["rates"] == alone[name]["rates"]
        pair = (torch.tensor(each[name]["weights"]) for each in (rank, alone))
        torch.testing.assert_close(*pair, rtol=0, atol=2e-6)
    assert both[0][name]["weights"] == both[1][name]["weights"]


@pytest.mark.parametrize("name", ["Scheduler", "given"])
def test_rates_count_updates(name: str, runs: dict[int, Any]) -> None:
    schedule = gs.parse("warmup(4) >> cosine(8)")
    expected = [0.01 * schedule(t) for t in range(UPDATES)]
    for rank in runs[2]:
        assert rank[name]["rates"] == pytest.approx(expected, rel=1e-12)


def halvings(metrics: list[float]) -> list[float]:
    """The rate of every epoch under a plateau with patience 0, halved where no metric is better."""
    rates, best, lr = [], float("inf"), 0.01
    for metric in metrics:
        rates.append(lr)
        lr = lr if metric < best * (1 - 1e-4) else lr / 2
        best = min(best, metric)
    return rates


MEAN = [sum(pair) / 2 for pair in zip(*METRICS, strict=True)]
DECIDED = {
    "plateau": (MEAN, MEAN),
    "plateau of rank 0": (METRICS[0], METRICS[0]),
    "plateau, each for itself": METRICS,
    "torch's plateau": METRICS,
}


@pytest.mark.parametrize("name", PLATEAUS)
def test_a_plateau_of_metrics_that_differ_by_rank(name: str, runs: dict[int, Any]) -> None:
    for rank, metrics in zip(runs[2], DECIDED[name], strict=True):
        assert rank[name]["rates"][:: UPDATES // EPOCHS] == pytest.approx(halvings(metrics))
