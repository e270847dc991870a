"""Saves and loads checkpoints on several ranks, and writes down what each finds."""

from __future__ import annotations

import errno
import json
import os
import random
import sys
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.distributed as dist

import glideslope as gs
from glideslope.distributed import _peers
from glideslope.errors import GlideslopeError
from glideslope.files import open_regular
from glideslope.training import _checkpoint
from glideslope.training._sharded import rendezvous
from tests.training.crafting import damage
from tests.training.values import same as is_same

TIME_OUT = timedelta(seconds=20)
SHORT = 6


def build(rank: int) -> Any:
    """A run whose weights all ranks share, and whose random numbers and losses are a rank's own."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8))
    optimizer = gs.optim.AdamW(model.parameters(), lr=0.01)
    for value in (random.seed, np.random.seed, torch.manual_seed):
        value(100 + rank)
    own = torch.Generator().manual_seed(rank)
    return gs.training.TrainingState(
        model=model, optimizer=optimizer, own=own, step=0, losses=[], rank=[rank]
    )


def train(run: Any, steps: int) -> None:
    for _ in range(steps):
        batch = torch.rand(8, 4, generator=torch.Generator().manual_seed(run.step))
        run.optimizer.zero_grad()
        run.model(batch).square().mean().backward()
        run.optimizer.step()
        run.losses.append(random.random() + float(np.random.rand()) + float(torch.rand(())))
        run.losses.append(float(torch.rand((), generator=run.own)))
        run.step += 1


def told(run: Any) -> dict[str, Any]:
    return {
        "losses": run.losses,
        "weights": run.model[0].weight.flatten().tolist(),
        "means": run.model[1].running_mean.tolist(),
        "rank": run.rank[0],
    }


def straight(rank: int) -> dict[str, Any]:
    run = build(rank)
    train(run, 6)
    return told(run)


def resumed(rank: int, folder: Path) -> dict[str, Any]:
    """The same, with a stop after three steps."""
    run = build(rank)
    with gs.training.Checkpointer(folder, keep=2, keep_best=("loss", "min")) as saved:
        for loss in (0.0, 2.0, 3.0):
            train(run, 1)
            saved.save(run.step, run.state_dict(), loss=loss + rank)
        steps = saved.steps()
    again, names = build(50 + rank), sorted(path.name for path in folder.iterdir())
    saved = gs.training.Checkpointer(folder, keep_best=("loss", "min"))
    found, best = saved.latest(), saved.best()
    assert found is not None
    assert best is not None
    again.load_state_dict(found.state)
    train(again, 3)
    return {
        **told(again),
        "steps": steps,
        "names": names,
        "found": [found.step, found.metrics, best.step, best.metrics],
    }


def refused(work: Any) -> str:
    try:
        work()
    except (GlideslopeError, MemoryError) as error:
        return str(error)
    return ""


def refusals(rank: int, folder: Path) -> dict[str, str]:
    """Saves that one rank refuses, or that differ by rank."""
    saved = gs.training.Checkpointer(folder)
    saved.save(5, {})
    saved.wait()
    states: list[Any] = [{}, {"file": folder}]
    return {
        "state": refused(lambda: saved.save(6, states[rank])),
        "steps": refused(lambda: saved.save(6 + rank, {})),
        "back": refused(lambda: saved.save(4, {})),
        "folders": refused(lambda: gs.training.Checkpointer(folder / str(rank)).save(7, {})),
        "missing": refused(lambda: saved.load(8)),
        "leftovers": str(sorted(path.name for path in folder.rglob("*"))),
    }


def damaged(rank: int, folder: Path) -> dict[str, Any]:
    """The newest checkpoint has a damaged file, which one rank verifies."""
    run = build(rank)
    with gs.training.Checkpointer(folder) as saved:
        for _ in range(2):
            train(run, 1)
            saved.save(run.step, run.state_dict())
    if rank == 0:
        damage(folder / "step-00000002" / "rank-00001.pt")
    dist.barrier()
    return found_by(rank, folder)


def unreadable(rank: int, folder: Path, error: Exception) -> dict[str, Any]:
    """One rank cannot read a file of the newest checkpoint, which is undamaged."""

    def failing(path: Any) -> Any:
        if rank == 1 and "step-00000003" in str(path):
            raise error
        return open_regular(path)

    with patch.object(_checkpoint, "open_regular", failing):
        return found_by(rank, folder)


def found_by(rank: int, folder: Path) -> dict[str, Any]:
    """The effect of resuming."""
    run = build(rank)
    before = deepcopy(run.state_dict())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        refusal = refused(lambda: gs.training.Checkpointer(folder).resume(run))
    return {
        "step": run.step,
        "rank": run.rank[0],
        "losses": len(run.losses),
        "refusal": refusal,
        "is as before": is_same(before, run.state_dict()),
        "warnings": [str(each.message) for each in caught],
    }


def absent(rank: int, folder: Path) -> dict[str, Any]:
    """Only rank 0 saves; then each makes another call."""
    _peers.PATIENCE = 1.0
    saved, done = gs.training.Checkpointer(folder), folder.with_name("done")
    saved.save(1, {})
    saved.wait()
    first = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if rank == 0:
            first = refused(lambda: saved.save(2, {}))
            done.touch()
    while not done.exists():
        time.sleep(0.05)
    return {
        "told": first,
        "warnings": [str(each.message) for each in caught],
        "leftovers": str(sorted(path.name for path in folder.rglob("*"))),
    }


def other_disks(rank: int, folder: Path) -> dict[str, Any]:
    """A save into one path that is another folder for each rank, as with disks of two machines."""
    own, before = folder / str(rank), Path.cwd()
    own.mkdir(parents=True)
    os.chdir(own)
    saved = gs.training.Checkpointer("/proc/self/cwd/saved")
    with patch.object(rendezvous, "PATIENCE", 0.5):
        text = refused(lambda: saved.save(1, {}))
    os.chdir(before)
    return {"text": text, "left": sorted(path.name for path in (own / "saved").iterdir())}


def different_calls(rank: int, folder: Path) -> str:
    saved = gs.training.Checkpointer(folder)
    return refused(lambda: saved.latest() if rank else saved.save(1, {}))


def with_short_time_out(folder: Path, work: Callable[[int, Path], Any]) -> Any:
    """The result of some work in another process group."""
    rank, ranks = dist.get_rank(), dist.get_world_size()
    dist.barrier()
    dist.destroy_process_group()
    place = f"file://{folder}/store {work.__name__}"
    short = timedelta(seconds=SHORT)
    dist.init_process_group("gloo", init_method=place, rank=rank, world_size=ranks, timeout=short)
    return work(rank, folder / work.__name__)


def main(file: Path) -> None:
    dist.init_process_group("gloo", timeout=TIME_OUT)
    rank, folder = dist.get_rank(), file.parent
    results = {
        "straight": straight(rank),
        "resumed": resumed(rank, folder / "resumed"),
        "refusals": refusals(rank, folder / "refusals"),
        "damaged": damaged(rank, folder / "damaged"),
        "other disks": other_disks(rank, folder / "disks") if sys.platform == "linux" else None,
        "unreadable": unreadable(
            rank, folder / "resumed", OSError(errno.EIO, "Input/output error")
        ),
        "no memory": unreadable(rank, folder / "resumed", MemoryError("no memory")),
        "different calls": different_calls(rank, folder / "calls"),
        "absent": with_short_time_out(folder, absent),
    }
    file.write_text(json.dumps(results))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
