"""Sharded parameters end where those of one process do, whatever adds up over them."""

from __future__ import annotations

from typing import Any

import pytest

from . import ranks
from . import training_sharded as training

Results = list[dict[str, Any]]

STEPS, HUNDRED = 8, 100
QUICK, ALL = training.labels(is_quick=True), training.labels(is_quick=False)
RELATIVE = 1e-6  # of the largest parameter: the order of additions, where sums are taken
NOISY = 3.0  # times what noise of 1e-7 on the gradients does to a rule that amplifies it


def by_size(
    folders: pytest.TempPathFactory, words: list[str], timeout: float
) -> dict[str, Results]:
    """By the label of a case, what each rank found: one program on two processes, one on four."""
    found: dict[str, Results] = {}
    for size in sorted({sharding.ranks for sharding in training.SHARDINGS.values()}):
        rows = ranks.once(folders, "training_sharded.py", size, words, timeout)
        found |= {label: [row[label] for row in rows] for label in rows[0]}
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Results]:
    return by_size(tmp_path_factory, [str(STEPS), "quick"], ranks.TIMEOUT)


@pytest.fixture(scope="module")
def long_results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Results]:
    return by_size(tmp_path_factory, [str(HUNDRED), "all"], 10 * ranks.TIMEOUT)


def check(found: dict[str, Any], label: str) -> None:
    """A case ends where one process does: its parameters, norms, verdicts and engines."""
    assert found["moved"] > 1e-4
    assert found["apart"] <= max(RELATIVE * found["largest"], NOISY * found["noisy"])
    for alone, sharded in (found["norms"], found["found"], found["skipped"]):
        assert sharded == pytest.approx(alone, rel=1e-5)
    assert (found["skipped"][0] > 0) == ("skipping" in label)
    assert found["engines"] == ["tensor" if "lists" in label else "fused"]


@pytest.mark.parametrize("label", QUICK)
def test_a_sharded_step_is_that_of_one_process(label: str, results: dict[str, Results]) -> None:
    for found in results[label]:
        check(found, label)
        assert found["apart"] <= RELATIVE * found["largest"]


@pytest.mark.parametrize("label", [label for label in QUICK if "copies:" not in label])
def test_state_is_sharded_as_its_parameter(label: str, results: dict[str, Results]) -> None:
    assert all(found["is_sharded"] for found in results[label])


@pytest.mark.long
@pytest.mark.parametrize("label", ALL)
def test_a_hundred_steps_are_those_of_one_process(
    label: str, long_results: dict[str, Results]
) -> None:
    for found in long_results[label]:
        check(found, label)


@pytest.mark.long
def test_lbfgs_is_as_far_from_one_process_as_noise(long_results: dict[str, Results]) -> None:
    for found in long_results["DDP: LBFGS"]:
        assert found["moved"] > 1e-2
        assert found["apart"] <= NOISY * found["noisy"]
