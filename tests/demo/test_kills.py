"""`glideslope train`, killed at random moments and resumed, ends with the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "killing_runs.py"


def kill(folder: Path, ranks: int, kills: int) -> None:
    command = [sys.executable, str(PROGRAM), str(folder), str(ranks), str(kills), "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_handful_of_kills(tmp_path: Path) -> None:
    kill(tmp_path, 1, 3)


@pytest.mark.long
@pytest.mark.parametrize(("ranks", "kills"), [(1, 200), (2, 100)])
def test_many_kills(ranks: int, kills: int, tmp_path: Path) -> None:
    kill(tmp_path, ranks, kills)
