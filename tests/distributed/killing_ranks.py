"""Kills or stops one of two ranks in a run that saves, and starts the run again.

    killing_ranks.py KILLS STOPS SEED FOLDER

A rank is killed at a random moment, or before a random file operation of a save. A stopped rank
does not answer; it is killed when the other one has ended, or continues. Every second save replaces
the one before, and two steps are kept. A rank's acknowledgement is the name of a file: the number
of the save that `wait` said to be on disk. Prints what was found.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
import torch._dynamo  # takes seconds, and each fork has it, then
import torch.distributed as dist
import torch.distributed.checkpoint.default_planner
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from glideslope.distributed import connect
from glideslope.training import Checkpoint, Checkpointer, TrainingState

sys.path.insert(0, str(Path(__file__).parent))
from ranks import environment

RANKS, KEEP = 2, 2
TIMEOUT = 5.0
"""The time-out of the process group, in seconds."""
SLACK = 5.0
"""The seconds beyond it that a rank of a busy machine may take to end."""
OPERATIONS = 400
"""The most file operations before which a rank is killed: those of some ten saves."""
OF_FILES = {"open", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir"}
REFUSALS = ("glideslope.errors.CheckpointError: ", "glideslope.errors.RankFailed: ")


class Fate(NamedTuple):
    """A signal that a rank gets before a file operation with a number."""

    signal: signal.Signals
    operation: int


class Folder:
    """The folder of the runs, as the program that kills sees it."""

    def __init__(self, path: Path) -> None:
        self.path, self.checkpoints = path, path / "checkpoints"
        self._acknowledged = path / "acknowledged"
        self._acknowledged.mkdir(exist_ok=True)

    def acknowledge(self, number: int) -> None:
        (self._acknowledged / str(number)).touch()

    def acknowledged(self) -> int:
        """The number of the newest save that was said to be on disk."""
        return max((int(path.name) for path in self._acknowledged.iterdir()), default=0)

    def check(self) -> None:
        """Refuse a folder that has lost a checkpoint, or that has one which is not whole."""
        with warnings.catch_warnings(action="error"), opened(self) as saved:
            steps = saved.steps()
            numbers = [number_of(saved.load(step)) for step in steps]
        promised = self.acknowledged()
        assert max(numbers, default=0) >= promised, f"save {promised} is lost: {numbers}"
        assert len(steps) >= min(KEEP, step_of(promised)), f"of {promised}, {steps} are left"

    def clean(self) -> None:
        """Save once more, and refuse what killed saves left behind."""
        with opened(self) as saved:
            saved.save(max(saved.steps(), default=0) + 1, {})
        assert not self.leftovers()

    def leftovers(self) -> list[str]:
        """The names of what is neither a checkpoint nor a lock."""
        names = (path.name for path in self.checkpoints.rglob("*"))
        return [name for name in names if any(part in name for part in ("tmp", "saving", "old"))]


def opened(folder: Folder) -> Checkpointer:
    return Checkpointer(folder.checkpoints, keep=KEEP)


def step_of(number: int) -> int:
    """The step of a save: two saves have the same."""
    return (number + 1) // 2


def number_of(found: Checkpoint) -> int:
    """The number of a save, which is in every element."""
    (number,) = {int(value) for p in found.state["model"].values() for value in p.unique()}
    assert step_of(number) == found.step
    return number


def be_a_rank(folder: Folder, ready: Path, fate: Fate | None) -> None:
    """Save until something ends this."""
    connect(timedelta(seconds=TIMEOUT))
    model = nn.Linear(64, 64)
    fully_shard(model, mesh=init_device_mesh("cpu", (RANKS,)))
    run = TrainingState(model=model, number=0)
    dist.barrier()
    ready.touch()
    if fate is not None:
        meet(fate)
    with opened(folder) as saved:
        found = saved.latest()
        if found is not None:
            run.load_state_dict(found.state)
        while True:
            run.number += 1
            with torch.no_grad():
                for p in model.parameters():
                    p.fill_(run.number)
            saved.save(step_of(run.number), run.state_dict())
            if run.number % 3 == 0:
                saved.wait()
                folder.acknowledge(run.number)


def meet(fate: Fate) -> None:
    """Let this process get a signal before a file operation."""
    operations = count()

    def hook(event: str, _: Any) -> None:
        if event in OF_FILES and next(operations) == fate.operation:
            os.kill(os.getpid(), fate.signal)

    sys.addaudithook(hook)


class Ranks:
    """The processes of a run, forked from this one, which has what they import.

    The store by which they find each other is of this process, as it is of `torchrun`.
    """

    def __init__(self, folder: Folder, fates: dict[int, Fate]) -> None:
        self._store = dist.TCPStore("localhost", 0, None, is_master=True, wait_for_workers=False)
        self._logs = [folder.path / f"rank{rank}.log" for rank in range(RANKS)]
        self._ready = [folder.path / f"rank{rank}.ready" for rank in range(RANKS)]
        for path in self._ready:
            path.unlink(missing_ok=True)
        self._codes: dict[int, int] = {}
        self._pids = [
            self._fork(rank, partial(be_a_rank, folder, self._ready[rank], fates.get(rank)))
            for rank in range(RANKS)
        ]

    def await_ready(self) -> None:
        """Return when all ranks have connected, which they have within the time-out."""
        limit = time.monotonic() + TIMEOUT + SLACK
        while not all(path.exists() for path in self._ready):
            for rank in range(RANKS):
                self._look_at(rank)
                assert rank not in self._codes, self.text(rank)
            assert time.monotonic() < limit, "the ranks have not connected"
            time.sleep(0.002)

    def signal(self, rank: int, number: signal.Signals) -> None:
        if rank not in self._codes:
            os.kill(self._pids[rank], number)

    def await_signal(self, rank: int, seconds: float) -> None:
        """Return when a rank is stopped or has ended, which it is within so many seconds."""
        limit = time.monotonic() + seconds
        while rank not in self._codes:
            assert time.monotonic() < limit, f"rank {rank} has not ended: {self.text(rank)}"
            if self._look_at(rank):
                return
            time.sleep(0.002)

    def code(self, rank: int, seconds: float) -> int:
        """The exit code of a rank, which ends within so many seconds."""
        while rank not in self._codes:
            self.await_signal(rank, seconds)
        return self._codes[rank]

    def text(self, rank: int) -> str:
        return self._logs[rank].read_text()

    def kill(self) -> None:
        for rank in range(RANKS):
            self.signal(rank, signal.SIGKILL)
            self.code(rank, TIMEOUT)

    def _look_at(self, rank: int) -> bool:
        """Note the exit code of a rank that has ended; true if it is stopped."""
        pid, status = os.waitpid(self._pids[rank], os.WNOHANG | os.WUNTRACED)
        if pid and not os.WIFSTOPPED(status):
            self._codes[rank] = os.waitstatus_to_exitcode(status)
        return bool(pid) and os.WIFSTOPPED(status)

    def _fork(self, rank: int, be: Callable[[], None]) -> int:
        pid = os.fork()
        if pid == 0:
            os.environ.update(environment(rank, RANKS, str(self._store.port)))
            os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"
            _run(be, self._logs[rank])
        return pid


def _run(be: Callable[[], None], log: Path) -> NoReturn:
    """Be a forked process to its end."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(descriptor, number)
    try:
        be()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def check_message(ranks: Ranks, rank: int) -> None:
    """Refuse a rank that ended with something other than a sentence about another rank."""
    text = ranks.text(rank)
    last = text.splitlines()[-1]
    assert last.startswith(REFUSALS), text
    assert "rank" in last.partition(": ")[2], text


def kill_one(folder: Folder, chance: random.Random) -> float:
    """Kill a rank of a run: the seconds that the other one took to end, with its message."""
    with struck(folder, signal.SIGKILL, chance) as (ranks, victim):
        assert ranks.code(victim, TIMEOUT) == -signal.SIGKILL, ranks.text(victim)
        return seconds_to_end(ranks, 1 - victim)


def stop_one(folder: Folder, chance: random.Random) -> float:
    """Stop a rank of a run: the seconds that the other one took to end, with its message."""
    with struck(folder, signal.SIGSTOP, chance) as (ranks, victim):
        seconds = seconds_to_end(ranks, 1 - victim)
        folder.check()
        if chance.choice((True, False)):
            ranks.signal(victim, signal.SIGCONT)
            seconds = max(seconds, seconds_to_end(ranks, victim))
        return seconds


@contextmanager
def struck(
    folder: Folder, number: signal.Signals, chance: random.Random
) -> Iterator[tuple[Ranks, int]]:
    """A run of which one rank has got a signal, and that rank; at the end all are killed."""
    victim, by_time = chance.randrange(RANKS), chance.choice((True, False))
    fate = Fate(number, chance.randrange(OPERATIONS))
    ranks = Ranks(folder, {} if by_time else {victim: fate})
    try:
        ranks.await_ready()
        if by_time:
            time.sleep(chance.uniform(0, 1))
            ranks.signal(victim, number)
        ranks.await_signal(victim, 60)
        yield ranks, victim
    finally:
        ranks.kill()


def seconds_to_end(ranks: Ranks, rank: int) -> float:
    begin = time.monotonic()
    ranks.code(rank, TIMEOUT + SLACK)
    check_message(ranks, rank)
    return time.monotonic() - begin


def main(kills: int, stops: int, chance: random.Random, path: Path) -> None:
    folder, left = Folder(path), Counter[str]()
    longest = {kill_one: 0.0, stop_one: 0.0}
    for end in chance.sample([kill_one] * kills + [stop_one] * stops, kills + stops):
        longest[end] = max(longest[end], end(folder, chance))
        folder.check()
        left["files"] = max(left["files"], len(folder.leftovers()))
        left["ends that left some"] += bool(folder.leftovers())
    folder.clean()
    print(f"{kills} kills, the longest wait {longest[kill_one]:.2f} s")
    print(f"{stops} stops, the longest wait {longest[stop_one]:.2f} s")
    print(f"{folder.acknowledged()} saves; left over at most {dict(left)}")


if __name__ == "__main__":
    kills, stops, seed = map(int, sys.argv[1:4])
    main(kills, stops, random.Random(seed), Path(sys.argv[4]))
