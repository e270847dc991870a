"""A rank that is killed or stopped loses no checkpoint, and the other one ends with a message."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("killing_ranks.py")


@pytest.mark.parametrize(
    ("kills", "stops"), [(3, 1), pytest.param(100, 20, marks=pytest.mark.long)]
)
def test_no_checkpoint_is_lost(kills: int, stops: int, tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), str(kills), str(stops), "1", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
