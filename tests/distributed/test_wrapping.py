"""Two ranks give the numbers of one process: in DDP, with ZeRO, and sharded by Accelerate."""

from __future__ import annotations

from typing import Any

import pytest

from . import ranks, wrapping

LABELS = [
    *(f"DDP {name}" for name in [*wrapping.OPTIMIZERS, *wrapping.SUMMED, *wrapping.SCHEDULERS]),
    *(f"swapped {name}" for name in wrapping.SWAPPED),
    *(f"ZeRO {name}" for name in [*wrapping.OPTIMIZERS, *wrapping.SCHEDULERS]),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return ranks.once(tmp_path_factory, "wrapping.py")


@pytest.mark.parametrize("label", LABELS)
def test_two_ranks_are_one_process(label: str, results: list[dict[str, Any]]) -> None:
    first, second = (rank[label] for rank in results)
    assert first["apart"] < 1e-6
    assert first["same rates"]
    assert second == first
