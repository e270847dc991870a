"""Saves and runs killed at random moments lose nothing, and every run ends with the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "killing.py"


def kill(what: str, folder: Path, kills: int) -> None:
    command = [sys.executable, str(PROGRAM), what, str(folder), str(kills), "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("what", ["saves", "runs", "calls"])
def test_a_handful_of_kills(what: str, tmp_path: Path) -> None:
    kill(what, tmp_path, 5)


@pytest.mark.long
@pytest.mark.parametrize("what", ["saves", "runs"])
def test_two_hundred_kills(what: str, tmp_path: Path) -> None:
    kill(what, tmp_path, 200)
