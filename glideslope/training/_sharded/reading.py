"""Reading a checkpoint by one process, or by several ranks that agree on whether it is whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from glideslope.distributed import exchanged, own_rank, rank_count
from glideslope.errors import CheckpointError, GlideslopeError, StateMismatch, shortened

from .._checkpoint import open_checkpoint, read_checkpoint, verify_checkpoint
from .._seal import Damaged
from .rank_file import assembled, files_of

T = TypeVar("T")

LOADING = "`Checkpointer.resume`, `latest`, `best` or `load`"


def read_alone(path: Path, step: int | None, *, mmap: bool = False) -> Any:
    """Verify a checkpoint and load it.

    Args:
        path: a file of one process, or the folder of several ranks.
        step: the number that it must have; None for a file of any content.
        mmap: read tensors when they are used.

    Raises:
        CheckpointError: it is damaged, or cannot be read.
    """
    if not path.is_dir():
        content = read_checkpoint(path, mmap=mmap)
    else:
        files = files_of(path)
        _verify(files)
        content = _opened(path, files, 0, 1, lazy=mmap)
    _check(content, path, step)
    return content


def read_together(path: Path, step: int | None) -> Any:
    """Verify a checkpoint and load it, on all ranks or on none.

    Each file is verified by one rank, and read by those that need what it holds.

    Args:
        path: a file of one process, or the folder of several ranks.
        step: the number that it must have; None for a file of any content.

    Raises:
        CheckpointError: it is damaged, or cannot be read, on one rank.
    """
    rank, ranks = own_rank(), rank_count()
    files = of_rank_0(lambda: files_of(path) if path.is_dir() else [path])
    agreed_on(lambda: _verify(files[rank::ranks]))

    def read() -> Any:
        content = _opened(path, files, rank, ranks, lazy=ranks > 1)
        _check(content, path, step)
        return content

    return agreed_on(read)


def agreed_on(work: Callable[[], T], call: str = LOADING) -> T:
    """The result of some work that all ranks do; the error of the first that fails, on all.

    Args:
        work: what this rank does.
        call: what all ranks call, see `exchanged`.

    Raises:
        GlideslopeError: a rank failed.
    """
    result, failure = _attempt(work)
    _raise_first(exchanged(_sent(failure), call), failure)
    return cast(T, result)


def of_rank_0(work: Callable[[], T]) -> T:
    """The result of rank 0, on all; see `agreed_on`."""
    result, failure = _attempt(work)
    outcomes = exchanged((result if own_rank() == 0 else None, _sent(failure)), LOADING)
    _raise_first([failure for _, failure in outcomes], failure)
    return cast(T, outcomes[0][0])


def _attempt(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return work(), None
    except Exception as error:  # whatever it is, the other ranks do not wait for this one
        return None, error


def _sent(failure: Exception | None) -> GlideslopeError | None:
    """A failure as the other ranks raise it."""
    if failure is None or isinstance(failure, CheckpointError):
        return failure
    kind = type(failure) if isinstance(failure, StateMismatch) else CheckpointError
    return kind(f"rank {own_rank()} failed: {type(failure).__name__}: {failure}")


def _raise_first(failures: Sequence[GlideslopeError | None], own: Exception | None) -> None:
    """Raise the failure of this rank if it is not a checkpoint's, else the first of all."""
    if own is not None and not isinstance(own, CheckpointError):
        raise own
    for failure in failures:
        if failure is not None:
            raise failure


def _verify(files: Sequence[Path]) -> None:
    for file in files:
        verify_checkpoint(file)


def _opened(path: Path, files: Sequence[Path], rank: int, ranks: int, lazy: bool) -> Any:
    contents = [open_checkpoint(file) for file in files]
    if not path.is_dir():
        return contents[0]
    return assembled(files, contents, rank, ranks, lazy)


def _check(content: Any, path: Path, step: int | None) -> None:
    """Refuse the content of a checkpoint that is not that of a step."""
    if step is None:
        return
    if not isinstance(content, Mapping) or not {"step", "metrics", "state"} <= content.keys():
        raise CheckpointError(f"{path} was not saved by a Checkpointer")
    number, metrics = content["step"], content["metrics"]
    if "rank" in content:
        raise Damaged(f"{path} is damaged: it is the file of one rank, of several")
    if type(number) is not int or number != step:
        raise Damaged(f"{path} is damaged: it is of step {shortened(number)}")
    if not isinstance(metrics, Mapping) or not all(map(_is_metric, metrics.items())):
        raise Damaged(f"{path} is damaged: its metrics are {shortened(metrics)}")


def _is_metric(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], float)
