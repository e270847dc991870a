"""The step in the backward pass on two processes."""

from __future__ import annotations

from pathlib import Path

from . import ranks


def test_sharded_gradients_are_released_and_others_refused(tmp_path: Path) -> None:
    for rank in ranks.run("releasing.py", tmp_path):
        assert rank["same"]
        assert not rank["left"]
        assert "DistributedDataParallel averages" in rank["parallel"]
        assert "not sharded" in rank["plain"]
        assert "LAMB takes sums" in rank["sums"]
        assert "whole matrices" in rank["matrices"]
