"""Plain tensors that are shared out to ranks: sums over all of them are one process's."""

from __future__ import annotations

from typing import Any

import pytest

from . import ranks, shared_out

TOLERANCE = 1e-6  # of weights of about 0.3: gradients differ by rounding between the wrappers
OTHERS = "rank 0 holds other parameters than this one, and `max_grad_norm` takes the norm"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return ranks.once(tmp_path_factory, "shared_out.py")


@pytest.mark.parametrize("label", shared_out.TABLE)
def test_sums_are_those_of_one_process(label: str, results: list[dict[str, Any]]) -> None:
    for rank in results:
        found = rank[label]
        assert found["moved"] > 1e-5
        assert found["apart"] <= (2e-3 if "Muon" in label else TOLERANCE)
        assert found["own"] == pytest.approx(found["alone"], rel=1e-5)
        assert found["own"]["skipped"] == ("skipping" in label)


@pytest.mark.parametrize("label", ["same", "one rank alone", "other shapes, no sums"])
def test_nothing_is_said_where_nothing_is_wrong(label: str, results: list[dict[str, Any]]) -> None:
    assert [rank[f"warned: {label}"] for rank in results] == [[], []]


def test_other_parameters_on_other_ranks_are_warned_of(results: list[dict[str, Any]]) -> None:
    (_,), (text,) = (rank["warned: other shapes"] for rank in results)
    assert OTHERS in text
    assert "give `process_group=`" in text
    assert [rank["warned: other shapes, given"] for rank in results] == [[], []]


@pytest.mark.parametrize("label", ["copies, given", "unsharded"])
def test_a_group_of_copies_is_warned_of(label: str, results: list[dict[str, Any]]) -> None:
    for rank in results:
        (text,) = rank[f"warned: {label}"]
        assert "hold the same parameters, and sums count each of them 2 times" in text


def test_a_group_of_the_mesh_itself_is_refused(results: list[dict[str, Any]]) -> None:
    texts = [rank["twice"] for rank in results]
    assert all("`process_group` must be of ranks that hold other parameters" in t for t in texts)


def test_parts_that_replace_parameters_are_refused_at_the_step(
    results: list[dict[str, Any]],
) -> None:
    assert all("give `process_group=model.process_group`" in rank["replaced"] for rank in results)


def test_the_verdict_on_parts_is_left_to_their_scaler(results: list[dict[str, Any]]) -> None:
    assert [rank["scaled"] for rank in results] == [False, False]


def test_a_group_that_is_none_is_refused(results: list[dict[str, Any]]) -> None:
    rule = "`process_group` must be None or a group of torch.distributed that this rank is in"
    assert all(rank["no group"] == f"{rule}, got 'all'" for rank in results)


def test_heads_of_sharded_weights_are_clipped_as_whole_ones(results: list[dict[str, Any]]) -> None:
    assert [rank["clipped heads"] for rank in results] == [0.0, 0.0]
