"""The target of the default run of `glideslope train`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_the_default_run_reaches_its_target(glideslope: Callable[..., Any], seed: int) -> None:
    assert glideslope("train", "--seed", seed, "--out", "run").code == 0
    assert json.loads(Path("run/result.json").read_text())["val_loss"] <= 1.65
