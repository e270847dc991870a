"""Checkpoints of several ranks are merged on all of them, and by one process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import glideslope as gs

from . import ranks
from .merging import COOLDOWN, STEPS, merged, model, move


@pytest.mark.long
def test_a_sharded_run_is_merged_on_every_rank_and_by_one_process(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    first, second = ranks.run("merging.py", tmp_path, 2, [str(folder)])
    assert first == second == merged(folder)
    net, states = model(), []
    for step in STEPS:
        move(net, step)
        states.append({name: value.double() for name, value in net.state_dict().items()})
    weights = gs.parse(COOLDOWN).merge_weights(STEPS)
    assert first.pop("steps") == [1, 2, 3, 4]
    assert first.keys() == net.state_dict().keys()
    for name, found in first.items():
        expected = sum(w * s[name] for w, s in zip(weights, states, strict=True))
        torch.testing.assert_close(torch.tensor(found).double(), expected, rtol=1e-6, atol=0)
