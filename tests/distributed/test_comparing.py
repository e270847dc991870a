"""Ranks of a run that differ in what must be the same on all say so, and in which value."""

from __future__ import annotations

from typing import Any

import pytest

from . import ranks

RATE = "`optimizer.param_groups[0].lr` is 0.1 on ranks 0 and 2, 0.2 on rank 1"
COUNTER = "`step` is 3 on ranks 0 and 2, 4 on rank 1"
SHAPE = "`model.weight` is (1, 2) float32 on ranks 0 and 2, (2, 2) float32 on rank 1"
NAME = "`model.weight` is (1, 2) float32 on ranks 0 and 2, missing on rank 1"
REPORTS = {"same": "", "rate": RATE, "counter": COUNTER, "shape": SHAPE, "name": NAME}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return ranks.once(tmp_path_factory, "comparing.py", ranks=3)


@pytest.mark.parametrize(("way", "report"), REPORTS.items())
def test_all_ranks_report_a_difference(
    way: str, report: str, results: list[dict[str, Any]]
) -> None:
    refusal = report and f"StateMismatch: the ranks of this run differ: {report}"
    for rank in results:
        assert rank[way] == {
            "checked": refusal,
            "begun": refusal,
            "saved": [f"the ranks save other runs: {report}"] if report else [],
        }


@pytest.mark.parametrize("way", ["shape", "name"])
def test_a_checkpoint_that_one_rank_refuses_is_loaded_by_none(
    way: str, results: list[dict[str, Any]]
) -> None:
    for number, rank in enumerate(results):
        refusal, same = rank[f"resumed: {way}"]
        assert refusal.startswith(
            "StateMismatch: " + ("" if number == 1 else "rank 1 failed: StateMismatch: ")
        )
        assert "`model` does not take its state: " in refusal
        assert same
