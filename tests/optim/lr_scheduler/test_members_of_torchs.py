"""Members of torch's own composites: the rates are those of torch's members, from 0 too."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch

from glideslope.optim import lr_scheduler as ours

theirs = torch.optim.lr_scheduler

MEMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "from zero": lambda lib, o: lib.LambdaLR(o, lambda t: t / 4),
    "to zero": lambda lib, o: lib.LambdaLR(o, lambda t: max(0.0, 1 - t / 2)),
    "warm-up": lambda lib, o: lib.LinearLR(o, 0.25, 1, 3),
    "cosine": lambda lib, o: lib.CosineAnnealingLR(o, 3),
    "step": lambda lib, o: lib.StepLR(o, 2, gamma=0.5),
}


def rates(lib: Any, names: tuple[str, str]) -> list[list[float]]:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.8, 0.2)]
    optimizer = torch.optim.SGD(groups)
    members = [MEMBERS[name](lib, optimizer) for name in names]
    scheduler = theirs.SequentialLR(optimizer, members, [3])
    found = []
    for _ in range(8):
        found.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("names", list(itertools.permutations(MEMBERS, 2)), ids=" then ".join)
def test_torchs_sequence_of_ours(names: tuple[str, str]) -> None:
    for got, right in zip(rates(ours, names), rates(theirs, names), strict=True):
        assert got == pytest.approx(right, rel=1e-12, abs=1e-15)
