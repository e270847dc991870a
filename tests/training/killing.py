"""Programs that kill saves and runs at random moments, and check the files that remain.

    python killing.py saves FOLDER KILLS SEED     kill a process that saves over one file
    python killing.py runs FOLDER KILLS SEED      kill runs until they have got to their end
    python killing.py calls FOLDER KILLS SEED     kill a save before and after each of its calls

Each child is forked from this process, so that none pays for importing torch.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

import glideslope as gs
from glideslope.training import _checkpoint

sys.path.insert(0, str(Path(__file__).parent))
import example_run

Acknowledge = Callable[[int], object]


class Child:
    """A forked process that runs ``work`` and acknowledges numbers."""

    def __init__(self, work: Callable[[Acknowledge], object]) -> None:
        self._reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            work(lambda number: os.write(writer, number.to_bytes(8, "big")))
            os._exit(0)
        os.close(writer)

    def wait_for_one(self) -> None:
        """Return when the child has acknowledged something, or has ended."""
        self.seen = os.read(self._reader, 8)

    def kill(self) -> bool:
        """True if the child was killed before it ended."""
        os.kill(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) == -signal.SIGKILL

    def last(self) -> int:
        """The last number that was acknowledged."""
        with open(self._reader, "rb") as pipe:
            everything = self.seen + pipe.read()
        return int.from_bytes(everything[-8:], "big")


def save_over_and_over(path: Path, number: int, acknowledge: Acknowledge) -> None:
    while True:
        number += 1
        gs.save_checkpoint({"number": number, "weight": torch.full((1 << 17,), number)}, path)
        acknowledge(number)


def kill_saves(folder: Path, kills: int, chance: random.Random) -> None:
    path, number = folder / "last.pt", 0
    for kill in range(kills):
        child = Child(
            lambda acknowledge, after=number: save_over_and_over(path, after, acknowledge)
        )
        child.wait_for_one()
        time.sleep(chance.uniform(0, 0.03))
        assert child.kill()
        saved = gs.load_checkpoint(path)
        number = saved["number"]
        assert number >= child.last(), f"kill {kill}: an acknowledged save is gone"
        assert (saved["weight"] == number).all(), f"kill {kill}: two saves are mixed"
        assert len(list(folder.iterdir())) <= 2, f"kill {kill}: leftovers pile up"
    gs.save_checkpoint({}, path)
    assert list(folder.iterdir()) == [path]


CALLS = [
    *((os, name) for name in ("open", "fsync", "replace", "fstat", "close")),
    *((fcntl, "flock"), (torch, "save"), (_checkpoint, "seal")),
]


def save_until_call(path: Path, last: int, before: bool, _: Acknowledge) -> None:
    """Save over ``path``, and be killed right before or after the call with number ``last``."""
    calls = 0

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            number = calls
            if before and number == last:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*arguments, **options)
            if number == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counted

    for module, name in CALLS:
        setattr(module, name, counting(getattr(module, name)))
    gs.save_checkpoint({"weight": torch.ones(5000), "number": 1}, path)


def kill_calls(folder: Path, kills: int, chance: random.Random) -> None:
    """However few ``kills`` are asked for, each call gets its two."""
    path = folder / "last.pt"
    for before in (True, False):
        for last in itertools.count(1):
            gs.save_checkpoint({"weight": torch.zeros(5000), "number": 0}, path)
            child = Child(partial(save_until_call, path, last, before))
            child.wait_for_one()
            killed = child.kill()
            saved = gs.load_checkpoint(path)
            assert (saved["weight"] == saved["number"]).all(), f"call {last}: two saves are mixed"
            if not killed:
                assert saved["number"] == 1
                assert last > len(CALLS)
                break
    gs.save_checkpoint({}, path)
    assert list(folder.iterdir()) == [path]


def train_on(folder: Path, seed: int, acknowledge: Acknowledge) -> None:
    """Train from the newest checkpoint to the end, saving after each step."""
    path = folder / "history.jsonl"
    with gs.training.Checkpointer(folder / "checkpoints", keep=2) as checkpoints:
        found = checkpoints.latest()
        if found is None:
            path.unlink(missing_ok=True)
        # With a checkpoint, another seed: it may not affect the end.
        run: Any = example_run.build(seed if found else 0, history=gs.training.History(path))
        if found is not None:
            run.load_state_dict(found.state)

        def after_step() -> None:
            checkpoints.save(run.step, run.state_dict())  # which waits for the one before
            acknowledge(run.step - 1)

        example_run.train(run, after_step)
        checkpoints.wait()
    (folder / "digest").write_text(example_run.digest(run))


def kill_run(folder: Path, chance: random.Random) -> int:
    """Start a run, kill it, and start it again, until it gets to its end: the number of kills."""
    kills = reached = 0
    while True:
        seed = chance.randrange(2**31)
        child = Child(partial(train_on, folder, seed))
        child.wait_for_one()
        time.sleep(chance.uniform(0, 0.3))
        if not child.kill():
            return kills
        kills += 1
        reached = max(reached, child.last())
        latest = gs.training.Checkpointer(folder / "checkpoints").latest()
        assert reached == 0 or (latest is not None and latest.step >= reached), (
            f"kill {kills}: step {reached} was saved, but the newest is {latest}"
        )


def kill_runs(folder: Path, kills: int, chance: random.Random) -> None:
    straight, number = folder / "straight", 0
    straight.mkdir()
    train_on(straight, 0, lambda _: None)  # here, so that children find every module imported
    while kills > 0:
        number += 1
        path = folder / str(number)
        path.mkdir()
        kills -= kill_run(path, chance)
        for name in ("digest", "history.jsonl"):
            assert (path / name).read_bytes() == (straight / name).read_bytes(), f"{path}: {name}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    program = {"saves": kill_saves, "runs": kill_runs, "calls": kill_calls}[sys.argv[1]]
    program(Path(sys.argv[2]), int(sys.argv[3]), random.Random(int(sys.argv[4])))
