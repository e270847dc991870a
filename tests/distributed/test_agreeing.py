"""Ranks that are given different metrics act alike."""

from __future__ import annotations

import math
from typing import Any

import pytest

from glideslope.distributed import agreed
from glideslope.errors import InvalidValue
from glideslope.optim.lr_scheduler import ReduceLROnPlateau
from glideslope.training import EarlyStopping

from . import agreeing, ranks

MEANS = [sum(pair) / 2 for pair in agreeing.METRICS]
FIRST = [pair[0] for pair in agreeing.METRICS]
MAKERS = {"plateau": agreeing.plateau, "greedy": agreeing.greedy, "chained": agreeing.chained}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return ranks.once(tmp_path_factory, "agreeing.py")


@pytest.mark.parametrize(("agree", "metrics"), [("mean", MEANS), ("rank0", FIRST)])
@pytest.mark.parametrize("name", MAKERS)
def test_schedulers_use_one_metric(
    name: str, agree: str, metrics: list[float], results: list[dict[str, Any]]
) -> None:
    alone = agreeing.stepped(MAKERS[name](None), metrics)
    assert [rank[f"{name} {agree}"] for rank in results] == [alone, alone]


@pytest.mark.parametrize("name", MAKERS)
def test_each_uses_its_own_if_asked(name: str, results: list[dict[str, Any]]) -> None:
    for rank, found in enumerate(results):
        own = [pair[rank] for pair in agreeing.METRICS]
        assert found[f"{name} None"] == agreeing.stepped(MAKERS[name](None), own)


@pytest.mark.parametrize(("agree", "metrics"), [("mean", MEANS), ("rank0", FIRST)])
def test_all_stop_at_once(agree: str, metrics: list[float], results: list[dict[str, Any]]) -> None:
    alone = list(agreeing.stopped(None, metrics))
    assert [rank[f"stopping {agree}"] for rank in results] == [alone, alone]


def test_a_range_test_ends_on_all_ranks_at_once(results: list[dict[str, Any]]) -> None:
    for losses, reason in (rank["range test"] for rank in results):
        assert losses == [1.0 + step / 2 for step in range(20)]
        assert reason == "the batches are used up"


def test_a_rank_without_a_number_ends_the_step_of_all(results: list[dict[str, Any]]) -> None:
    good, bad = results
    assert "no number" in bad["bad metric"]
    assert "no number" in bad["bad value"]
    assert good["bad metric"] == "`metrics` was refused on rank 1, which says why"
    assert good["bad value"] == "`value` was refused on rank 1, which says why"


def test_each_rank_has_random_numbers_of_its_own(results: list[dict[str, Any]]) -> None:
    first, second = (rank["random"] for rank in results)
    assert first["own"]
    assert second["own"]
    pairs = zip(first["of rank 0"], second["of rank 0"], strict=True)
    assert all(one != other for one, other in pairs)
    assert first["warnings"] == []
    (text,) = second["warnings"]
    assert "the random states are those of rank 0: rank 1 resumes with others" in text


@pytest.mark.parametrize("label", agreeing.FLAT)
def test_parts_that_hide_the_whole_are_refused_where_it_is_needed(
    label: str, results: list[dict[str, Any]]
) -> None:
    for rank in results:
        text = rank["flat"][label]
        assert bool(text) == (label != "AdamW")
        assert label == "AdamW" or "use `torch.distributed.fsdp.fully_shard`" in text


def test_a_norm_whose_squares_overflow_is_that_of_all_shards(results: list[dict[str, Any]]) -> None:
    for rank in results:
        assert rank["huge"] == pytest.approx(math.hypot(*agreeing.HUGE), rel=1e-12)


def test_one_process_agrees_with_itself() -> None:
    assert agreed("value", lambda: 0.1, "mean") == 0.1


@pytest.mark.parametrize(
    "make",
    [
        lambda: EarlyStopping(patience=1, agree="max"),  # type: ignore[arg-type]
        lambda: ReduceLROnPlateau(agreeing.optimizer(), agree="max"),  # type: ignore[arg-type]
    ],
)
def test_an_unknown_way_is_refused(make: Any) -> None:
    with pytest.raises(InvalidValue, match="`agree` must be 'mean', 'rank0' or None, got 'max'"):
        make()
