"""Triton's kernels as machine code of GPUs, compiled where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton has no wheels for this platform")

ROOT = Path(__file__).parents[2]
Counts = dict[str, dict[str, int]]


def compiled(architecture: int, which: str, limit: int) -> Counts:
    """Counts of what the machine text of kernels holds, by what they are of."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.engines.triton_compiled", str(architecture), which],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TRITON_INTERPRET": "0"},
    )
    assert result.returncode == 0, result.stderr
    found: Counts = json.loads(result.stdout)
    return found


def check(kernels: Counts, stack: int = 0) -> None:
    """Correctly rounded, without memory of its own, with loads of sixteen bytes.

    The assembler may put so many bytes of a thread on its stack.
    """
    for unwanted, limit in {"approximate": 0, "local": 0, "stack": stack, "spilled": 0}.items():
        beyond = {name for name, counts in kernels.items() if counts[unwanted] > limit}
        assert beyond == set(), unwanted
    assert all(counts["wide_loads"] for counts in kernels.values())


def test_a_few_kernels_for_one_architecture() -> None:
    kernels = compiled(90, "few", 300)
    check(kernels)
    adamw = kernels["AdamW float32"]
    blocks = 2  # of 16 bytes for each of 128 threads, in one of 1,024 numbers
    assert adamw["wide_loads"] == 4 * blocks
    assert adamw["wide_stores"] % blocks == 0
    assert adamw["divisions"] == adamw["roots"] == 2 * 1024 // 128


@pytest.mark.long
@pytest.mark.parametrize("architecture", [80, 90, 100])
def test_every_kernel(architecture: int) -> None:
    check(compiled(architecture, "every", 3000), stack=8)
