"""Ranks of a run that differ in what must be the same on all say so, and in which value."""

from __future__ import annotations

from typing import Any

import pytest

from . import ranks

RATE = "`optimizer.param_groups[0].lr` is 0.1 on ranks 0 and 2, 0.2 on rank 1"
COUNTER = "`step` is 3 on ranks 0 and 2, 4 on rank 1"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return ranks.run("comparing.py", tmp_path_factory.mktemp("comparing"), ranks=3)


@pytest.mark.parametrize(
    ("way", "reported"), [("same", ""), ("rate", RATE), ("counter", COUNTER)], ids=str
)
def test_all_ranks_report_a_difference(
    way: str, reported: str, results: list[dict[str, Any]]
) -> None:
    for rank in results:
        assert rank[way] == (
            reported and f"StateMismatch: the ranks of this run differ: {reported}"
        )
        assert rank[f"saved: {way}"] == (
            [f"the ranks save other runs: {reported}"] if reported else []
        )


def test_all_ranks_report_models_of_other_shapes(results: list[dict[str, Any]]) -> None:
    for rank in results:
        assert "StateMismatch: the ranks of this run differ: `tensors of model` is" in rank["shape"]
        assert rank["shape"].endswith("on rank 1")
