"""Sharded parameters end where those of one process do, whatever adds up over them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from . import ranks
from . import training_sharded as training

Results = dict[str, dict[str, Any]]

LABELS = [f"{label}: {case}" for label, (_, _, cases) in training.LAYOUTS.items() for case in cases]
TOLERANCE = 1e-7  # of parameters of about 0.3: the order of additions, where a norm is taken

ON_TWO = [  # Prodigy diverges on gradients that do not depend on the parameters, on one process too
    label
    for label in LABELS
    if training.LAYOUTS[label.split(":")[0]][1] == (2,) and "Prodigy" not in label
]
HUNDRED, RELATIVE = 100, 1e-6  # steps; of the largest parameter


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    """Of each rank: one program on two processes, one on four."""
    sizes = sorted({math.prod(shape) for _, shape, _ in training.LAYOUTS.values()})
    by_size = [
        ranks.run("training_sharded.py", tmp_path_factory.mktemp(f"ranks{size}"), size)
        for size in sizes
    ]
    return [{**two, **four} for two, four in zip(by_size[0], by_size[1], strict=False)]


@pytest.mark.parametrize("label", LABELS)
def test_a_sharded_step_is_that_of_one_process(label: str, results: list[Results]) -> None:
    for rank in results:
        found = rank[label]
        assert found["moved"] > 1e-4
        assert found["apart"] <= TOLERANCE
        for alone, sharded in (found["norms"], found["found"]):
            assert sharded == pytest.approx(alone, rel=1e-6)
        assert found["engines"] == ["tensor" if "lists" in label else "fused"]


@pytest.mark.parametrize("label", [label for label in LABELS if "copies:" not in label])
def test_state_is_sharded_as_its_parameter(label: str, results: list[Results]) -> None:
    assert all(rank[label]["is_sharded"] for rank in results)


@pytest.fixture(scope="module")
def long_results(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    folder = tmp_path_factory.mktemp("hundred")
    return ranks.run("training_sharded.py", folder, 2, [str(HUNDRED)])


@pytest.mark.long
@pytest.mark.parametrize("label", ON_TWO)
def test_a_hundred_sharded_steps_are_those_of_one_process(
    label: str, long_results: list[Results]
) -> None:
    for rank in long_results:
        assert rank[label]["apart"] <= RELATIVE * rank[label]["largest"]
