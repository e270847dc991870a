"""Values that all ranks exchange, apart from what training exchanges."""

from __future__ import annotations

import atexit
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Timer
from typing import Any, TypeVar
from weakref import ref

import torch
import torch.distributed as dist

from glideslope.errors import RankFailed

from ._agreement import has_peers, own_rank, rank_count
from ._connecting import group_beside
from ._sharing import own_store

T = TypeVar("T")

PATIENCE = 30.0
"""The seconds after which a rank that waits says for which ranks; it continues to wait."""

_beside: dict[str, Any] = {}
"""The default process group, under "default", and what was made beside it.

Process groups are weak references: `destroy_process_group` removes the last reference, and then
ends their threads. A thread that outlives the interpreter aborts the process when it releases a
tensor.
"""


def exchanged(value: T, call: str) -> list[T]:
    """The values of all ranks, in the order of the ranks; of one process, its own.

    Every rank calls it, in the same order. The ranks use a process group of their own on the CPU,
    made at the first call, so that a rank that does not call it disturbs no exchange of training.
    It has the time-out of the default process group. A rank that waits for 30 s warns of it.

    Args:
        value: anything that can be pickled.
        call: what the user calls on every rank, such as ``"`Checkpointer.save`"``, for messages.

    Raises:
        RankFailed: a rank has ended, has not called this in time, or made another call.

    >>> exchanged({"step": 5}, "`save`")  # of one process
    [{'step': 5}]
    """
    if not has_peers():
        return [value]
    arrivals = _Arrivals(call)
    pairs: list[Any] = [None] * rank_count()
    try:
        arrivals.begin()
        dist.all_gather_object(pairs, (call, value), group=_group())
    except RuntimeError as error:
        raise RankFailed(arrivals.failure()) from error
    finally:
        arrivals.end()
    _check_calls([call for call, _ in pairs])
    return [value for _, value in pairs]


def time_out() -> timedelta:
    """The time-out of the default process group."""
    default = dist.group.WORLD
    for device in ("cpu", torch.accelerator.current_accelerator() or "cpu"):
        try:
            limit: timedelta = default._get_backend(torch.device(device)).options._timeout  # type: ignore[union-attr]
        except (RuntimeError, AttributeError):  # no backend for this device
            continue
        return limit
    return dist.default_pg_timeout


def named_ranks(ranks: Sequence[int]) -> str:
    """Ranks in a sentence.

    >>> named_ranks([0, 2, 3])
    'ranks 0, 2 and 3'
    """
    *others, last = map(str, ranks)
    return f"ranks {', '.join(others)} and {last}" if others else f"rank {last}"


class _Arrivals:
    """The ranks that have come to an exchange, counted in the store of the default process group.

    Args:
        call: what they call.
    """

    def __init__(self, call: str) -> None:
        self._call, self._began = call, time.monotonic()
        self._limit = time_out().total_seconds()
        self._number = _beside["number"] = _own("number", lambda: 0) + 1
        self._timer = Timer(PATIENCE, self._warn)
        self._timer.daemon = True

    def begin(self) -> None:
        """Tell the others that this rank has come."""
        _own("store", own_store).set(_key(own_rank()), str(self._number))
        self._timer.start()

    def end(self) -> None:
        """End the wait."""
        self._timer.cancel()

    def failure(self) -> str:
        """A sentence about the exchange, which has failed."""
        limit = f"within {self._limit:g} s, the time-out of the process group"
        is_late = time.monotonic() - self._began > 0.9 * self._limit
        try:
            missing = self._missing()
        except dist.DistError:  # the rank that holds the store has ended
            return f"another rank ended, or did not call {self._call} {limit}"
        if not missing:
            return f"another rank ended during {self._call}"
        if not is_late:
            return f"{named_ranks(missing)} ended before the call of {self._call}"
        return f"{named_ranks(missing)} did not call {self._call} {limit}: every rank must call it"

    def _missing(self) -> list[int]:
        store = own_store()
        others = [rank for rank in range(rank_count()) if rank != own_rank()]
        return [rank for rank in others if _count(store, rank) < self._number]

    def _warn(self) -> None:
        try:
            missing = self._missing()
        except RuntimeError:  # the exchange fails, too
            return
        if missing:
            told = f"rank {own_rank()} has waited {PATIENCE:g} s in {self._call} for"
            warnings.warn(f"{told} {named_ranks(missing)}: every rank must call it", stacklevel=1)


def _check_calls(calls: list[str]) -> None:
    """Refuse what ranks exchanged in different calls."""
    if len(set(calls)) > 1:
        made = ", ".join(f"{call} on rank {rank}" for rank, call in enumerate(calls))
        raise RankFailed(f"the ranks made different calls: {made}")


def _key(rank: int) -> str:
    return f"glideslope/exchange/{rank}"


def _count(store: Any, rank: int) -> int:
    """The number of exchanges to which a rank has come."""
    return int(store.get(_key(rank))) if store.check([_key(rank)]) else 0


def _own(what: str, make: Callable[[], Any]) -> Any:
    """Something that was made once beside the present default process group."""
    default = dist.group.WORLD
    if default is None or _beside.get("default", _nothing)() is not default:
        _beside.clear()
        _beside["default"] = ref(default)
    if what not in _beside:
        _beside[what] = make()
    return _beside[what]


def _nothing() -> None:
    """The reference to no process group."""


def _group() -> dist.ProcessGroup:
    group: dist.ProcessGroup = _own("group", _new_group)()
    return group


def _new_group() -> ref[dist.ProcessGroup]:
    group = ref(group_beside(own_store(), time_out()))
    atexit.register(_destroy, group)
    return group


def _destroy(group: ref[dist.ProcessGroup]) -> None:
    """Destroy a process group that its owner has not destroyed."""
    found = group()
    if found is not None and dist.is_initialized():
        dist.destroy_process_group(found)
