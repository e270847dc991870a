"""Runs of `glideslope train` on two ranks and on one, in float64, and how each rank ended.

python ranks_of_runs.py FILE
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
from forked_runs import fork, fork_ranks, make_quick, nothing, output, run_here, wait

from glideslope.demo import Record, Training, _corpus
from glideslope.errors import CheckpointError
from glideslope.runs import RunFolder

STEPS = 12
RUN = f"train --batch-size 4 --steps {STEPS} --save-every 3".split()
RESUME = ["train", "--resume"]
OPTIMIZERS = ("MuonWithAuxAdam", "AdamWScheduleFree", "LBFGS")

Ended = list[tuple[int, str, str]]


def after_five(act: Callable[[], None]) -> Callable[[], None]:
    """Something that a process does after five updates."""
    train = Training.train

    def train_and_act(training: Training) -> Iterator[Record]:
        for record in train(training):
            if record.step + 1 == 5:
                act()
            yield record

    def prepare() -> None:
        Training.train = train_and_act  # type: ignore[method-assign]

    return prepare


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def no_disk() -> None:
    raise CheckpointError("there is no disk any more")


def begin_late() -> None:
    """Make the folder later than the other rank would save into it."""
    made = RunFolder.made

    def made_late(folder: RunFolder) -> AbstractContextManager[None]:
        time.sleep(0.3)
        return made(folder)

    RunFolder.made = made_late  # type: ignore[method-assign]


def read_other_text() -> None:
    _corpus.topics = dict([*topics.items()][:2])  # type: ignore[attr-defined]


def on_ranks(words: list[str], out: str, **happen: Callable[[], None]) -> Ended:
    """How a run on two ranks ends, of which rank0 or rank1 first does something."""
    by_rank = {int(name.removeprefix("rank")): act for name, act in happen.items()}
    log = Path(f"{out}-{len(list(Path().glob('*.out')))}")
    codes = [wait(pid) for pid in fork_ranks(log, [*words, "--out", out], by_rank)]
    return [(code, *output(log.with_suffix(f".{rank}"))) for rank, code in enumerate(codes)]


def alone(words: list[str], out: str, act: Callable[[], None] = nothing) -> Ended:
    """How a run of one process ends."""
    log = Path(f"{out}-{len(list(Path().glob('*.out')))}")
    return [(wait(fork(log, [*words, "--out", out], act)), *output(log))]


def curves() -> None:
    """Each optimizer on one rank and on two."""
    for optimizer in OPTIMIZERS:
        words = [*RUN, "--optimizer", optimizer]
        run_here([*words, "--out", f"{optimizer}-1"])
        on_ranks(words, f"{optimizer}-2", rank0=begin_late)


def stops() -> Iterator[tuple[str, Ended]]:
    """Runs that Ctrl-C stops on one rank, resumed on as many ranks, on fewer and on more."""
    for name in ("2-2", "2-1"):
        yield f"stop {name}", on_ranks(RUN, name, rank1=after_five(ctrl_c))
    yield "stop 1-2", alone(RUN, "1-2", after_five(ctrl_c))
    for name in ("2-2", "1-2"):
        yield f"resume {name}", on_ranks(RESUME, name)
    yield "resume 2-1", alone(RESUME, "2-1")


def troubles() -> Iterator[tuple[str, Ended]]:
    """Runs that cannot begin, and runs in which one rank fails."""
    yield "share", on_ranks([*RUN, "--batch-size", "3"], "refused")
    yield "option", on_ranks([*RUN, "--steps", "x"], "refused")
    yield "optimizer", on_ranks([*RUN, "--optimizer", "Rprop", "--weight-decay", "1"], "refused")
    yield "text", on_ranks(RUN, "text", rank1=read_other_text)
    yield "ended", on_ranks(RESUME, "MuonWithAuxAdam-2")
    yield "first fails", on_ranks(RUN, "first-fails", rank0=after_five(no_disk))
    yield "second fails", on_ranks(RUN, "second-fails", rank1=after_five(no_disk))
    yield "first killed", on_ranks(RUN, "first-killed", rank0=after_five(kill))
    yield "second killed", on_ranks(RUN, "second-killed", rank1=after_five(kill))
    yield "resume second killed", on_ranks(RESUME, "second-killed")


def main(file: Path) -> None:
    make_quick()
    os.chdir(file.parent)
    torch.set_default_dtype(torch.float64)
    curves()
    results: dict[str, Any] = {**dict(stops()), **dict(troubles())}
    file.write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
