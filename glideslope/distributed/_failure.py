"""One ending for all ranks: the failure of one reaches the others, wherever they are."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from threading import Event, Thread
from typing import Any

import torch.distributed as dist

from glideslope.errors import RankFailed, require

from ._agreement import has_peers, own_rank, rank_count
from ._sharing import own_store

LONG = timedelta(days=365)
MESSAGE = 2000
"""The most characters of a message that other ranks repeat."""
GRACE = 2.0
"""The seconds in which the message of a rank whose connection has broken must have arrived."""

_numbers = count()


@contextmanager
def fail_together(timeout: float = 30.0) -> Iterator[None]:
    """Ends a block on all ranks when it fails on one, with the message of that rank.

    A rank that raises an error tells all others through the store of the default process group, and
    then leaves the block with its error. Each of the others leaves it with `RankFailed`, as soon as
    what it waits for fails: gloo fails at once when the first rank ends. One that is still in the
    block after ``timeout`` seconds, in an exchange of NCCL or in long work of its own, prints the
    message, and its process ends with the exit code 1.

    Every rank enters the block, after ``torch.distributed.init_process_group``. With one process it
    does nothing. A rank that is killed leaves no message: what others wait for fails as ever, and
    `torchrun` ends them.

    Args:
        timeout: the most seconds from the failure of one rank to the end of all.

    Raises:
        RankFailed: another rank failed; the message has its number and its error.
        InvalidValue: ``timeout`` is not above 0.

    Example:
        >>> from glideslope.distributed import fail_together
        >>> with fail_together(timeout=10):
        ...     print("training")
        training
    """
    require(timeout > 0, "timeout", "be more than 0", timeout)
    if not has_peers():
        yield
        return
    notices = _Notices(timeout)
    try:
        yield
    except BaseException as error:
        if not _is_failure(error):
            raise
        if (failed := notices.of_others(error)) is not None:
            raise failed from error
        notices.send(error)
        raise
    finally:
        notices.close()


def _is_failure(error: BaseException) -> bool:
    """True unless a block ends on purpose, or by an interrupt, which reaches all ranks."""
    is_end = isinstance(error, SystemExit) and not error.code
    return not is_end and not isinstance(error, RankFailed | KeyboardInterrupt | GeneratorExit)


class _Notices:
    """Notices of the ranks of a block in the store: the first failure, and that it was read."""

    def __init__(self, timeout: float) -> None:
        self._prefix = f"glideslope/failure/{next(_numbers)}"
        self._rank, self._ranks, self._timeout = own_rank(), rank_count(), timeout
        self._store: Any = own_store()
        self._text = ""
        self._came, self._is_over = Event(), Event()
        self._thread = Thread(target=self._watch, name="glideslope-failure", daemon=True)
        self._thread.start()

    def of_others(self, error: BaseException) -> RankFailed | None:
        """The failure of another rank, if this one is its consequence."""
        broken = isinstance(error, RuntimeError)  # as torch.distributed raises it
        if self._came.wait(min(GRACE, self._timeout) if broken else 0) and self._text:
            return RankFailed(self._text)
        return None

    def send(self, error: BaseException) -> None:
        """Write this rank's failure for all others, and wait until they have read it."""
        text = f"rank {self._rank} failed: {type(error).__name__}: {error}"[:MESSAGE]
        ends = time.monotonic() + self._timeout
        others = [rank for rank in range(self._ranks) if rank != self._rank]
        with suppress(dist.DistError):
            for rank in others:
                self._store.set(self._key("failed", rank), text)
            for rank in others:
                left = max(0.0, ends - time.monotonic())
                self._store.wait([self._key("read", rank)], timedelta(seconds=left))

    def close(self) -> None:
        """End the watch of this rank."""
        self._is_over.set()
        with suppress(dist.DistError):
            self._store.set(self._key("read", self._rank), "")
            if not self._came.is_set():
                self._store.set(self._key("failed", self._rank), "")  # wakes the watch
        self._thread.join(self._timeout)

    def _key(self, what: str, rank: int) -> str:
        return f"{self._prefix}/{what}/{rank}"

    def _watch(self) -> None:
        """Wait for a failure of another rank, and see that this one ends."""
        store = own_store()
        with suppress(dist.DistError):
            store.wait([self._key("failed", self._rank)], LONG)
            self._text = store.get(self._key("failed", self._rank)).decode()
            store.set(self._key("read", self._rank), "")
        self._came.set()
        if self._text and not self._is_over.wait(self._timeout):
            late = f"rank {self._rank} ends: it has not left the block within {self._timeout:g} s"
            print(f"{self._text}\n{late}", file=sys.stderr, flush=True)
            os._exit(1)
