"""Kills `glideslope train` at random moments until runs have got to their end.

    python killing_runs.py FOLDER RANKS KILLS SEED

Each run is forked from this process; of two ranks a random one is killed, and the other must end by
itself. Prints how many kills there were, and how many came while a file was being written.
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
LOST = 2
"""The exit code of a rank that has lost another."""
LONGEST_WAIT = 6 * TIMEOUT.total_seconds()
"""Of a rank, in seconds: while ranks connect, gloo tries several times."""


def start(folder: Path, words: list[str], ranks: int) -> list[int]:
    """The processes of a run that trains in a folder."""
    words, log = [*words, "--out", str(folder)], folder.with_suffix(".log")
    return [fork(log, words)] if ranks == 1 else fork_ranks(log, words)


def steps(folder: Path) -> list[int]:
    """The numbers of the checkpoints."""
    return Checkpointer(folder / "checkpoints").steps()


def kill_run(folder: Path, ranks: int, longest: float, chance: random.Random) -> tuple[int, int]:
    """Start a run, kill it, resume it, until it gets to its end: kills, and those in a write."""
    kills = torn = reached = 0
    while not (folder / "result.json").exists():
        if not steps(folder):
            shutil.rmtree(folder, ignore_errors=True)
        processes = start(folder, RESUME if steps(folder) else RUN, ranks)
        time.sleep(chance.uniform(0, longest))
        killed = chance.choice(processes)
        os.kill(killed, signal.SIGKILL)
        began = time.monotonic()
        codes = {pid: wait(pid) for pid in processes}
        check(folder, codes, killed)
        assert time.monotonic() - began < LONGEST_WAIT, "a rank waited too long"
        kills += codes[killed] == -signal.SIGKILL
        torn += any(folder.rglob("*.tmp*"))
        assert not reached or newest(folder) >= reached, f"step {reached} was saved, and is lost"
        reached = newest(folder)
    return kills, torn


def check(folder: Path, codes: dict[int, int], killed: int) -> None:
    """Refuse another end than that of a kill, of a loss of contact, or of the run."""
    logs = sorted(folder.parent.glob(f"{folder.name}.log*.err"))
    for pid, code in codes.items():
        expected = (0, LOST, -signal.SIGKILL) if pid == killed else (0, LOST)
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
    done = torn = number = 0
    while done < kills:
        number += 1
        run = folder / str(number)
        more = kill_run(run, ranks, longest, chance)
        done, torn = done + more[0], torn + more[1]
        assert digest(run) == digest(straight), f"{run} ended with other bits"
        shutil.rmtree(run)
    print(f"{done} kills, {torn} of them in a write, {number} runs")


if __name__ == "__main__":
    make_quick()
    ranks, kills, seed = map(int, sys.argv[2:])
    kill_runs(Path(sys.argv[1]), ranks, kills, random.Random(seed))
