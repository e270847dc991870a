"""Runs of `glideslope train` in processes of their own, forked so that none pays for imports.

Their text is short and their picture empty.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from pydoc_data.topics import topics
from typing import NoReturn

import torch.distributed as dist
import torch.distributed.checkpoint.default_planner  # noqa: F401 (each fork has it, then)

from glideslope.cli import main
from glideslope.demo import _corpus, _ranks, _run

sys.path.insert(0, str(Path(__file__).parents[1] / "distributed"))
from ranks import environment

TIMEOUT = timedelta(seconds=10)
"""How long a rank waits for another."""


stores: list[dist.Store] = []
"""The store of the ranks that were started last."""


def make_quick() -> None:
    """Make the runs of this process and of its forks quick."""
    _corpus.topics = dict([*topics.items()][:3])  # type: ignore[attr-defined]
    _run.draw_curves = lambda records, title, path: path.touch()
    _ranks.TIMEOUT = TIMEOUT


def nothing() -> None:
    """Leave a run alone."""


def fork(log: Path, words: list[str], happen: Callable[[], None] = nothing) -> int:
    """The process of a program, of which the output goes to files; it first does something."""
    pid = os.fork()
    if pid == 0:
        happen()
        _be(log, words)
    return pid


def fork_ranks(
    log: Path, words: list[str], happen: dict[int, Callable[[], None]] | None = None
) -> list[int]:
    """The processes of two ranks, of which some first do something.

    The store by which they find each other is of this process, as it is of `torchrun`.
    """
    store = dist.TCPStore("localhost", 0, None, is_master=True, wait_for_workers=False)
    stores[:] = [store]
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"

    def be(rank: int) -> None:
        os.environ.update(environment(rank, 2, str(store.port)))
        (happen or {}).get(rank, nothing)()

    return [fork(log.with_suffix(f".{rank}"), words, partial(be, rank)) for rank in range(2)]


def wait(pid: int) -> int:
    """The exit code of a process; negative if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def output(log: Path) -> tuple[str, str]:
    """The text that a process printed, and its errors."""
    return log.with_name(log.name + ".out").read_text(), log.with_name(
        log.name + ".err"
    ).read_text()


def run_here(words: list[str]) -> None:
    """Run the program in this process, so that forked ones find modules and kernels ready."""
    sys.argv = ["glideslope", *words]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main()


def _be(log: Path, words: list[str]) -> NoReturn:
    for number, stream in enumerate(("out", "err"), start=1):
        name = log.with_name(f"{log.name}.{stream}")
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.argv = ["glideslope", *words]
    try:
        main()
    except SystemExit as ending:
        sys.stdout.flush()
        os._exit(int(ending.code or 0))
    os._exit(70)
