"""A rank killed at a random moment loses no checkpoint, and the other one ends with a message."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("killing_ranks.py")


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.long)])
def test_no_checkpoint_is_lost(kills: int, tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), str(kills), "1", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
