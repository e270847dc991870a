"""Random numbers that a data loader draws, apart from those that training draws in between."""

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

from ._random import GLOBAL_STREAMS, Stream, is_same_state, raw_state, seed_stream, set_raw_state

Batch = TypeVar("Batch")

AT_ONCE = (
    *(SequentialSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler),
    *(DistributedSampler, list, tuple, range),
)
"""What draws all that it takes from the global generators before its first index, or nothing."""


class OwnRandom:
    """The streams that decide the order of a loader, put aside while training runs.

    A loader is played back without the training that ran between its batches. What it draws must
    therefore not depend on what training draws, from generators they share. So, inside of ``with``,
    a shared generator is where the loader left it, and outside where training did.

    Args:
        streams: the loader's own generators: as long as nobody else draws from them, nothing is
            put aside.
        drawn_as_it_goes: the loader may draw from the global generators after its first batch. Then
            an epoch has streams of its own in their place, seeded from them at its beginning, as
            data workers have.
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
    """An iterator whose every step draws from a loader's own random numbers."""

    def __init__(self, batches: Iterator[Batch], own: OwnRandom) -> None:
        self._batches, self._own = batches, own

    def __next__(self) -> Batch:
        with self._own:
            return next(self._batches)


def draws_as_it_goes(loader: Any) -> bool:
    """The loader may draw from the global generators after its first batch, in this process.

    torch's own samplers do not. What data sets with indices draw there has no consequences for
    later batches.
    """
    if not is_torchs(loader):
        return not isinstance(loader, list | tuple | range)
    if isinstance(loader.dataset, IterableDataset):
        return bool(loader.num_workers == 0)
    batches, sampler = loader.batch_sampler, loader.sampler
    if batches is not None and type(batches) is not BatchSampler:
        return not isinstance(batches, list | tuple)
    return type(batches.sampler if batches is not None else sampler) not in AT_ONCE


def decide_order(loader: Any, streams: dict[str, Stream]) -> list[Stream]:
    """Those of a loader's streams on which its later batches depend."""
    if not is_torchs(loader) or isinstance(loader.dataset, IterableDataset):
        return list(streams.values())
    owners = ("loader.generator", "loader.sampler", "loader.batch_sampler")
    return [stream for place, stream in streams.items() if place.startswith(owners)]


def is_torchs(loader: Any) -> bool:
    """A `DataLoader` that is iterated over as torch does it."""
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
