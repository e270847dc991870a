"""Reading a checkpoint by one process, or by several ranks that agree on whether it is whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from glideslope.distributed import exchanged, has_peers, own_rank, rank_count
from glideslope.errors import CheckpointError

from .._checkpoint import open_checkpoint, read_checkpoint, verify_checkpoint
from .rank_file import assembled, files_of

T = TypeVar("T")

TOGETHER = "look for a checkpoint"


def read_alone(path: Path, *, mmap: bool = False) -> Any:
    """Verify a checkpoint and load it.

    Args:
        path: a file of one process, or the folder of several ranks.
        mmap: read tensors when they are used.

    Raises:
        CheckpointError: it is damaged, or cannot be read.
    """
    if not path.is_dir():
        return read_checkpoint(path, mmap=mmap)
    files = files_of(path)
    _verify(files)
    return _opened(path, files, 0, 1, lazy=mmap)


def read_together(path: Path) -> Any:
    """Verify a checkpoint and load it, on all ranks or on none.

    Each file is verified by one rank, and read by those that need what it holds.

    Raises:
        CheckpointError: it is damaged, or cannot be read, on one rank.
    """
    rank, ranks = own_rank(), rank_count()
    files = agreed_on(lambda: files_of(path) if path.is_dir() else [path])
    agreed_on(partial(_verify, files[rank::ranks]))
    return agreed_on(lambda: _opened(path, files, rank, ranks, lazy=ranks > 1))


def agreed_on(work: Callable[[], T]) -> T:
    """The result of some work that all ranks do; the error of the first that fails, on all.

    Raises:
        CheckpointError: a rank failed.
    """
    result = failure = None
    try:
        result = work()
    except CheckpointError as error:
        failure = error
    failures = exchanged(failure, TOGETHER)
    for first in failures:
        if first is not None:
            raise first
    return cast(T, result)


def of_rank_0(work: Callable[[], T]) -> T:
    """The result of rank 0, on all; see `agreed_on`."""
    result = agreed_on(work)
    return exchanged(result, TOGETHER)[0] if has_peers() else result


def _verify(files: Sequence[Path]) -> None:
    for file in files:
        verify_checkpoint(file)


def _opened(path: Path, files: Sequence[Path], rank: int, ranks: int, lazy: bool) -> Any:
    contents = [open_checkpoint(file) for file in files]
    if not path.is_dir():
        return contents[0]
    return assembled(files, contents, rank, ranks, lazy)
