"""Kills `glideslope train` at random moments until runs have got to their end.

    python killing_runs.py FOLDER KILLS SEED

Each run is the program in a process of its own, forked from this one, so that none pays for
importing torch; its text is short, and its picture empty. Prints how many kills there were, and how
many came while a file was being written.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import sys
import time
import warnings
from pathlib import Path
from pydoc_data.topics import topics
from typing import NoReturn

from glideslope.cli import main
from glideslope.demo import _corpus, _run
from glideslope.training import Checkpointer

sys.path.insert(0, str(Path(__file__).parent))
from run_digest import digest

STEPS = 24
RUN = f"train --batch-size 1 --steps {STEPS} --save-every 1".split()


def fork(folder: Path, words: list[str]) -> int:
    """The process of a program that trains in a folder."""
    pid = os.fork()
    if pid == 0:
        train(folder, words)
    return pid


def train(folder: Path, words: list[str]) -> NoReturn:
    """Be the program; what it says goes into a file."""
    log = os.open(folder.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = ["glideslope", *words, "--out", str(folder)]
    try:
        main()
    except SystemExit as ending:
        sys.stdout.flush()
        os._exit(int(ending.code or 0))
    os._exit(70)


def wait(pid: int) -> int:
    """The exit code of a process; negative if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def steps(folder: Path) -> list[int]:
    """The numbers of the checkpoints."""
    return Checkpointer(folder / "checkpoints").steps()


def kill_run(folder: Path, longest: float, chance: random.Random) -> tuple[int, int]:
    """Start a run, kill it, resume it, until it gets to its end: kills, and those in a write."""
    kills = torn = reached = 0
    while not (folder / "result.json").exists():
        if not steps(folder):
            shutil.rmtree(folder, ignore_errors=True)
        pid = fork(folder, ["train", "--resume"] if steps(folder) else RUN)
        time.sleep(chance.uniform(0, longest))
        os.kill(pid, signal.SIGKILL)
        code = wait(pid)
        assert code in (0, -signal.SIGKILL), folder.with_suffix(".log").read_text()
        kills += code != 0
        torn += any(folder.rglob("*.tmp"))
        assert not reached or newest(folder) >= reached, f"step {reached} was saved, and is lost"
        reached = newest(folder)
    return kills, torn


def newest(folder: Path) -> int:
    """The number of the newest checkpoint; a damaged one, told by a warning, is an error here."""
    with warnings.catch_warnings(action="error"):
        found = Checkpointer(folder / "checkpoints").latest()
    return found.step if found else 0


def kill_runs(folder: Path, kills: int, chance: random.Random) -> None:
    """Kill runs so many times, and compare their ends with that of a run that was left alone."""
    straight = folder / "straight"
    train_here(folder / "first")  # so that the next ones find every module imported
    began = time.monotonic()
    assert wait(fork(straight, RUN)) == 0
    longest = (time.monotonic() - began) / 3
    done = torn = number = 0
    while done < kills:
        number += 1
        run = folder / str(number)
        more = kill_run(run, longest, chance)
        done, torn = done + more[0], torn + more[1]
        assert digest(run) == digest(straight), f"{run} ended with other bits"
        shutil.rmtree(run)
    print(f"{done} kills, {torn} of them in a write, {number} runs")


def train_here(folder: Path) -> None:
    """Run the program in this process."""
    sys.argv = ["glideslope", *RUN, "--out", str(folder)]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main()


if __name__ == "__main__":
    _corpus.topics = dict([*topics.items()][:3])  # type: ignore[attr-defined]
    _run.draw_curves = lambda records, title, path: path.touch()
    kill_runs(Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3])))
