"""Kills `glideslope train` at random moments until runs have got to their end.

    python killing_runs.py FOLDER RANKS KILLS SEED

Each run is forked from this process; of two ranks a random one is killed, and the other must end by
itself. One time in ten it is stopped instead, and does not answer until the other one has ended.
Prints how many kills there were, how many came while a file was being written, and how long a rank
waited for another at most.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from forked_runs import TIMEOUT, fork, fork_ranks, make_quick, run_here, wait
from run_digest import digest

from glideslope.training import Checkpointer

STEPS = 24
RUN = f"train --batch-size 2 --steps {STEPS} --save-every 1".split()
RESUME = ["train", "--resume"]
STOPS = 0.1
"""The share of ends in which a rank is stopped and not killed."""
LOST = 2
"""The exit code of a rank that has lost another."""
LONGEST_WAIT = TIMEOUT.total_seconds() + 5
"""Of a rank, in seconds: the time-out, and what it takes to start and to end."""


def start(folder: Path, words: list[str], ranks: int) -> list[int]:
    """The processes of a run that trains in a folder."""
    words, log = [*words, "--out", str(folder)], folder.with_suffix(".log")
    return [fork(log, words)] if ranks == 1 else fork_ranks(log, words)


def steps(folder: Path) -> list[int]:
    """The numbers of the checkpoints."""
    return Checkpointer(folder / "checkpoints").steps()


class Found:
    """The numbers that are printed."""

    def __init__(self) -> None:
        self.kills = self.stops = self.torn = 0
        self.longest = 0.0

    def __str__(self) -> str:
        ends = f"{self.kills} kills and {self.stops} stops, {self.torn} of them in a write"
        return f"{ends}, the longest wait {self.longest:.1f} s"


def kill_run(folder: Path, ranks: int, longest: float, chance: random.Random, found: Found) -> None:
    """Start a run, kill it, resume it, until it gets to its end."""
    reached = 0
    while not (folder / "result.json").exists():
        if not steps(folder):
            shutil.rmtree(folder, ignore_errors=True)
        processes = start(folder, RESUME if steps(folder) else RUN, ranks)
        time.sleep(chance.uniform(0, longest))
        victim, codes = strike(processes, chance, found)
        check(folder, codes, victim)
        found.torn += any(folder.rglob("*.tmp*"))
        assert not reached or newest(folder) >= reached, f"step {reached} was saved, and is lost"
        reached = newest(folder)


def strike(processes: list[int], chance: random.Random, found: Found) -> tuple[int, dict[int, int]]:
    """Kill or stop one rank: its process, and the exit codes of all."""
    victim = chance.choice(processes)
    stops = len(processes) > 1 and chance.random() < STOPS
    os.kill(victim, signal.SIGSTOP if stops else signal.SIGKILL)
    began = time.monotonic()
    codes = {pid: wait(pid) for pid in processes if pid != victim}
    found.longest = max(found.longest, time.monotonic() - began)
    assert found.longest < LONGEST_WAIT, "a rank waited too long"
    if stops:
        os.kill(victim, chance.choice((signal.SIGKILL, signal.SIGCONT)))
    codes[victim] = wait(victim)
    found.stops += stops
    found.kills += not stops and codes[victim] == -signal.SIGKILL
    return victim, codes


def check(folder: Path, codes: dict[int, int], victim: int) -> None:
    """Refuse another end than that of a kill, of a loss of contact, or of the run."""
    logs = sorted(folder.parent.glob(f"{folder.name}.log*.err"))
    for pid, code in codes.items():
        expected = (0, LOST, -signal.SIGKILL) if pid == victim else (0, LOST)
        assert code in expected, "".join(log.read_text() for log in logs)


def newest(folder: Path) -> int:
    """The number of the newest checkpoint; a damaged one, told by a warning, is an error here."""
    with warnings.catch_warnings(action="error"):
        found = Checkpointer(folder / "checkpoints").latest()
    return found.step if found else 0


def kill_runs(folder: Path, ranks: int, kills: int, chance: random.Random) -> None:
    """Kill runs so many times, and compare their ends with that of a run that was left alone."""
    straight = folder / "straight"
    run_here([*RUN, "--out", str(folder / "first")])
    began = time.monotonic()
    assert {wait(pid) for pid in start(straight, RUN, ranks)} == {0}
    longest = (time.monotonic() - began) * ranks / 3
    found, number = Found(), 0
    while found.kills < kills:
        number += 1
        run = folder / str(number)
        kill_run(run, ranks, longest, chance, found)
        assert digest(run) == digest(straight), f"{run} ended with other bits"
        shutil.rmtree(run)
    print(f"{found}, {number} runs")


if __name__ == "__main__":
    make_quick()
    ranks, kills, seed = map(int, sys.argv[2:])
    kill_runs(Path(sys.argv[1]), ranks, kills, random.Random(seed))
