"""Ranks connect, or fail, within the time-out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from . import connecting, ranks

ATTEMPTS = 4


def test_a_rank_that_stops_while_ranks_connect_costs_the_others_one_time_out(
    tmp_path: Path,
) -> None:
    # Of two ranks one opens the connection, which of them depends on their ports: only the other
    # one has to wait.
    for _ in range(ATTEMPTS):
        first, _ = ranks.run("connecting.py", tmp_path, may_fail=True, timeout=60)
        if first["error"]:
            break
    assert first["seconds"] < 2 * connecting.TIMEOUT.total_seconds()  # gloo takes five of them


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads in /proc")
def test_a_group_that_is_destroyed_leaves_no_thread(tmp_path: Path) -> None:
    """One that is left aborts the process when it releases a tensor while the interpreter ends."""
    for found in ranks.run("ending.py", tmp_path, timeout=60):
        before, inside, after = found["threads"]
        assert before == after < inside
