"""The target of the default run of `glideslope train`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import glideslope as gs


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_the_default_run_reaches_its_target(glideslope: Callable[..., Any], seed: int) -> None:
    assert glideslope("train", "--seed", seed, "--out", "run").code == 0
    assert json.loads(Path("run/result.json").read_text())["val_loss"] <= 1.38


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_a_merge_of_a_run_at_a_constant_rate_is_as_good_as_a_cooldown(
    glideslope: Callable[..., Any], seed: int
) -> None:
    """Within 15 thousandths of a nat, and both far below the run as it is."""
    begin = "warmup(60, start=0.1) >> "
    words = ("--optimizer", "AdamW", "--seed", seed, "--save-every", 5, "--keep", 40)
    glideslope("train", *words, "--schedule", f"{begin}hold(540)", "--out", "constant")
    glideslope("train", *words, "--schedule", f"{begin}hold(420) >> linear(120)", "--out", "real")
    glideslope("merge", "constant", "linear(20%)", "--out", "merged.pt")
    constant, real = (
        json.loads(Path(folder, "result.json").read_text())["val_loss"]
        for folder in ("constant", "real")
    )
    merged = gs.load_checkpoint("merged.pt")["val_loss"]
    assert abs(merged - real) < 0.015
    assert merged < constant - 0.03
