"""The program of the page about several processes runs on two of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..documents import BLOCK, ROOT


def test_the_program_of_the_page_runs_under_torchrun(tmp_path: Path) -> None:
    found = BLOCK.search((ROOT / "docs" / "several-processes.md").read_text())
    assert found is not None
    program = tmp_path / "program.py"
    program.write_text(found["code"])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node", "2", str(program)]
    for _ in range(2):  # the second one finds the checkpoints of the first
        run = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout == "finished after 40 updates\n"
    assert sorted(path.name for path in (tmp_path / "run" / "step-00000040").iterdir()) == [
        "rank-00000.pt",
        "rank-00001.pt",
    ]
