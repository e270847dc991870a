"""The milestones of `MultiStepLR`, a Counter, through files and torch's distributed checkpoint."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp

from glideslope.optim import lr_scheduler as lrs

from ...round_trip import through_a_file

pytestmark = [
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning"),
    pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning"),
]
BASE, GAMMA, STEPS = 0.8, 0.5, 14
MILESTONES: dict[str, list[Any]] = {
    "one": [4],
    "some": [2, 5, 9],
    "one of them twice": [5, 2, 5],
    "their texts are in another order": [2, 10],  # "10" < "2"
    "thrice and 0": [0, 7, 7, 7],
    "halves of a step": [2.5, 6],
}
milestones = pytest.mark.parametrize("steps", MILESTONES.values(), ids=MILESTONES)
stops = pytest.mark.parametrize("stop", [0, 2, 5, 12])


def sgd() -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=BASE)


def due(steps: list[Any], t: int) -> Any:
    return pytest.approx(BASE * GAMMA ** sum(step <= t for step in steps), rel=1e-12)


def stepped(scheduler: Any, stop: int) -> Any:
    for _ in range(stop):
        scheduler.step()
    return scheduler


def follow(scheduler: Any, steps: list[Any], start: int) -> None:
    for t in range(start, STEPS):
        assert scheduler.optimizer.param_groups[0]["lr"] == due(steps, t), f"step {t}"
        scheduler.step()


def read_back(saved: dict[str, Any], into: Any, path: Path) -> Any:
    return through_a_file(saved)


def through_json(saved: dict[str, Any], into: Any, path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(json.dumps(saved))
    return loaded


def through_dcp(saved: dict[str, Any], into: Any, path: Path) -> dict[str, Any]:
    """The state after the distributed checkpoint, which loads into an existing state."""
    dcp.save({"scheduler": saved}, checkpoint_id=path, no_dist=True)
    loaded = {"scheduler": into.state_dict()}
    dcp.load(loaded, checkpoint_id=path, no_dist=True)
    return loaded["scheduler"]


Through = Callable[[dict[str, Any], Any, Path], dict[str, Any]]
FILES: dict[str, Through] = {
    "a file": read_back,
    "JSON": through_json,
    "a distributed checkpoint": through_dcp,
}
files = pytest.mark.parametrize("through", FILES.values(), ids=FILES)


@milestones
@stops
@files
def test_a_saved_state_continues(
    steps: list[Any], stop: int, through: Through, tmp_path: Path
) -> None:
    saved = stepped(lrs.MultiStepLR(sgd(), steps, GAMMA), stop).state_dict()
    scheduler = lrs.MultiStepLR(sgd(), steps, GAMMA)
    scheduler.load_state_dict(through(saved, scheduler, tmp_path))
    assert scheduler.milestones == Counter(steps)
    assert scheduler.last_epoch == stop
    follow(scheduler, steps, stop)


@milestones
@stops
def test_it_is_a_part_of_a_distributed_checkpoint(
    steps: list[Any], stop: int, tmp_path: Path
) -> None:
    scheduler = stepped(lrs.MultiStepLR(sgd(), steps, GAMMA), stop)
    dcp.save({"scheduler": scheduler}, checkpoint_id=tmp_path, no_dist=True)
    again = lrs.MultiStepLR(sgd(), steps, GAMMA)
    dcp.load({"scheduler": again}, checkpoint_id=tmp_path, no_dist=True)
    assert again.milestones == Counter(steps)
    follow(again, steps, stop)
    follow(scheduler, steps, stop)  # the saved run continues as it was


@stops
@files
def test_a_state_inside_a_sequence_continues(stop: int, through: Through, tmp_path: Path) -> None:
    steps = [1, 4, 4]

    def sequence() -> Any:
        optimizer = sgd()
        members = [lrs.ConstantLR(optimizer, 1.0, 9), lrs.MultiStepLR(optimizer, steps, GAMMA)]
        return lrs.SequentialLR(optimizer, members, [3])

    saved = stepped(sequence(), stop).state_dict()
    scheduler = sequence()
    scheduler.load_state_dict(through(saved, scheduler, tmp_path))
    follow(scheduler, [step + 3 for step in steps], stop)


def test_torchs_own_state_of_a_distributed_checkpoint_loads(tmp_path: Path) -> None:
    steps = [2, 5, 5]
    theirs = torch.optim.lr_scheduler.MultiStepLR(sgd(), steps, GAMMA)
    saved = stepped(theirs, 4).state_dict()
    scheduler = lrs.MultiStepLR(sgd(), steps, GAMMA)
    scheduler.load_state_dict(through_dcp(saved, scheduler, tmp_path))
    follow(scheduler, steps, 4)
