"""The failure of one rank ends all, with its message, within the time that was stated."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from glideslope.distributed import fail_together
from glideslope.errors import InvalidValue

from . import failing, ranks

SLACK = 10.0  # of a busy machine, to end its processes


def ended(way: str, folder: Path, count: int = 2) -> list[dict[str, Any]]:
    """How each rank ended; all have, within the time, counted from when the last of them began."""
    place = folder / way
    place.mkdir()
    found = ranks.run("failing.py", place, count, may_fail=True)
    limit = failing.LATE if way == "late" else failing.LIMIT
    assert time.time() - max(rank["began"] for rank in found) < limit + SLACK
    return found


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.long)])
def test_the_message_of_one_rank_ends_all(count: int, tmp_path: Path) -> None:
    *others, first = ended("fails in Python", tmp_path, count)
    assert first["ending"] == ["ValueError", "no such batch"]
    for rank in others:
        assert rank["ending"] == [
            "RankFailed",
            f"rank {count - 1} failed: ValueError: no such batch",
        ]


@pytest.mark.long
def test_the_rank_that_keeps_the_store_tells_all(tmp_path: Path) -> None:
    first, *others = ended("first rank fails", tmp_path, 4)
    assert first["ending"] == ["ValueError", "no such batch"]
    for rank in others:
        assert rank["ending"] == ["RankFailed", "rank 0 failed: ValueError: no such batch"]


@pytest.mark.long
def test_an_error_of_torch_is_the_rank_s_own(tmp_path: Path) -> None:
    other, first = ended("runtime error", tmp_path)
    assert first["ending"][0] == "RuntimeError"
    assert other["ending"][1].startswith("rank 1 failed: RuntimeError: inconsistent tensor size")


def test_a_rank_that_is_late_is_ended(tmp_path: Path) -> None:
    late, first = ended("late", tmp_path)
    assert first["ending"] == ["ValueError", "no such batch"]
    assert late["ending"] == ["ended", ""]
    assert late["code"] == 1
    assert "rank 1 failed: ValueError: no such batch\nrank 0 ends: it has not left" in late["text"]


@pytest.mark.long
def test_a_killed_rank_leaves_torch_s_message(tmp_path: Path) -> None:
    other, killed = ended("killed", tmp_path)
    assert killed["code"] == 9
    assert other["ending"][0] == "RuntimeError"
    assert "Connection closed" in other["ending"][1]


@pytest.mark.parametrize(
    ("way", "ending"),
    [
        pytest.param("ends", ["", ""], marks=pytest.mark.long),
        ("all leave", ["SystemExit", "0"]),
    ],
)
def test_a_block_that_ends_is_left_as_it_is(way: str, ending: list[str], tmp_path: Path) -> None:
    for rank in ended(way, tmp_path):
        assert rank["ending"] == ending


@pytest.mark.long
def test_ranks_that_all_fail_give_an_error_of_one(tmp_path: Path) -> None:
    for rank in ended("all fail", tmp_path):
        assert rank["ending"][1].endswith("no such batch")


def test_one_process_fails_as_ever() -> None:
    with pytest.raises(KeyError, match="lost"), fail_together():
        raise KeyError("lost")


def test_a_time_must_be_left() -> None:
    with (
        pytest.raises(InvalidValue, match="`timeout` must be more than 0, got 0"),
        fail_together(0),
    ):
        pass
