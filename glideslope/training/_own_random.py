"""Random streams of a data loader, separate from what training draws."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from ._batch_sampler import ScheduledBatchSampler
from ._random import GLOBAL_STREAMS, Stream, is_same_state, raw_state, seed_stream, set_raw_state

Batch = TypeVar("Batch")

AT_ONCE = (
    *(SequentialSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler),
    *(DistributedSampler, list, tuple, range),
)
"""Samplers that draw from the global generators before their first index, or not at all."""


class OwnRandom:
    """Separates the streams that decide the order of a loader from training.

    On resume, a loader repeats its batches without the training between them. So its draws must not
    depend on what training draws from the same generators. Inside ``with``, a shared generator has
    the state in which the loader left it; outside, the state in which training left it.

    Args:
        streams: the loader's own generators. Their states are exchanged only if other code draws
            from them too.
        drawn_as_it_goes: the loader may draw from the global generators after its first batch. Then
            an epoch uses separate streams instead, seeded from them at its beginning, as data
            workers do.
    """

    def __init__(self, streams: list[Stream], *, drawn_as_it_goes: bool) -> None:
        self._streams, self._inside = streams, [None] * len(streams)
        if drawn_as_it_goes:
            self._streams = [*streams, *GLOBAL_STREAMS]
            self._inside += [_seeded_from(stream) for stream in GLOBAL_STREAMS]
        self._outside: list[Any] = []

    def __enter__(self) -> None:
        self._outside = [raw_state(stream) for stream in self._streams]
        pairs = zip(self._inside, self._outside, strict=True)
        self._inside = [outside if inside is None else inside for inside, outside in pairs]
        for stream, inside in zip(self._streams, self._inside, strict=True):
            set_raw_state(stream, inside)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        before, self._inside = self._inside, [raw_state(stream) for stream in self._streams]
        for stream, outside, was in zip(self._streams, self._outside, before, strict=True):
            if not is_same_state(outside, was):
                set_raw_state(stream, outside)


class Drawn(Iterator[Batch], Generic[Batch]):
    """An iterator whose steps draw from a loader's own random streams."""

    def __init__(self, batches: Iterator[Batch], own: OwnRandom) -> None:
        self._batches, self._own = batches, own

    def __next__(self) -> Batch:
        with self._own:
            return next(self._batches)


def draws_as_it_goes(loader: Any) -> bool:
    """True if this process may draw from the global generators after the loader's first batch.

    torch's own samplers do not. Draws of data sets with indices do not affect later batches.
    """
    if not is_torchs(loader):
        return not isinstance(loader, list | tuple | range)
    if isinstance(loader.dataset, IterableDataset):
        return bool(loader.num_workers == 0)
    batches, sampler = loader.batch_sampler, loader.sampler
    if batches is not None and type(batches) not in (BatchSampler, ScheduledBatchSampler):
        return not isinstance(batches, list | tuple)
    return type(batches.sampler if batches is not None else sampler) not in AT_ONCE


def decide_order(loader: Any, streams: dict[str, Stream]) -> list[Stream]:
    """The streams of a loader on which its later batches depend."""
    if not is_torchs(loader) or isinstance(loader.dataset, IterableDataset):
        return list(streams.values())
    owners = ("loader.generator", "loader.sampler", "loader.batch_sampler")
    return [stream for place, stream in streams.items() if place.startswith(owners)]


def is_torchs(loader: Any) -> bool:
    """True for a `DataLoader` with torch's own ``__iter__``."""
    return isinstance(loader, DataLoader) and type(loader).__iter__ is DataLoader.__iter__


def _seeded_from(stream: Stream) -> Any:
    """The state of a new stream, seeded by a number drawn from this one."""
    before = raw_state(stream)
    seed_stream(stream, _drawn(stream))
    seeded = raw_state(stream)
    set_raw_state(stream, before)
    _drawn(stream)
    return seeded


def _drawn(stream: Any) -> int:
    if isinstance(stream, torch.Generator):
        number = torch.empty((), dtype=torch.int64, device="cpu").random_(generator=stream)
        return int(number)
    if hasattr(stream, "getrandbits"):
        return int(stream.getrandbits(63))
    return int(stream.randint(2**31))
