"""Triton's kernels as machine code of GPUs, compiled where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from glideslope.optim import RuleOptimizer, available

pytest.importorskip("triton", reason="Triton has no wheels for this platform")

ROOT = Path(__file__).parents[2]
SHARED = {"Kron", "MuonWithAuxAdam"}
"""Optimizers whose rules are those of others."""
RULES = {row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)} - SHARED
Counts = dict[str, dict[str, int]]
BLOCKS = 2
"""Loads of sixteen bytes for each of 128 threads, in a block of 1,024 float32 numbers."""


class Compiled(NamedTuple):
    """Counts of what the machine text of kernels holds, by what they are of."""

    kernels: Counts
    sums: dict[str, int]


def compiled(architecture: int, which: str, limit: int) -> Compiled:
    """The kernels compiled for an architecture."""
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
    found = json.loads(result.stdout)
    return Compiled(found["kernels"], found["sums"])


def check(found: Compiled, stack: int = 0) -> None:
    """Correctly rounded, without memory of its own, with loads of sixteen bytes.

    The assembler may put so many bytes of a thread on its stack; spilled registers are
    counted apart.
    """
    kernels = {**found.kernels, "sums": found.sums}
    for unwanted, limit in {"approximate": 0, "local": 0, "stack": stack, "spilled": 0}.items():
        beyond = {name for name, counts in kernels.items() if counts[unwanted] > limit}
        assert beyond == set(), unwanted
    assert {name for name, counts in found.kernels.items() if not counts["wide_loads"]} == set()


def test_the_kernel_of_every_rule_for_one_architecture() -> None:
    found = compiled(90, "few", 300)
    check(found)
    assert {name.split()[0] for name in found.kernels} >= RULES
    adamw = found.kernels["AdamW float32, kernel 0"]
    assert adamw["wide_loads"] == 4 * BLOCKS
    assert adamw["wide_stores"] == 3 * BLOCKS
    assert adamw["divisions"] == adamw["roots"] == 2 * 1024 // 128


@pytest.mark.long
@pytest.mark.parametrize("architecture", [80, 90, 100])
def test_every_kernel(architecture: int) -> None:
    check(compiled(architecture, "every", 3000), stack=16)
