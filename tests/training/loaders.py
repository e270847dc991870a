"""Data loaders whose order and items come from wherever random numbers can come from."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
    default_collate,
    get_worker_info,
)

SIZE = 7
MODULE_STREAM = random.Random(0)


def torch_stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


STREAMS: dict[str, Callable[[int], Any]] = {
    "torch": torch_stream,
    "NumPy": np.random.default_rng,
    "NumPy's old": np.random.RandomState,
    "Python": random.Random,
}


def draw(stream: Any, below: int) -> int:
    if isinstance(stream, torch.Generator):
        return int(torch.randint(below, (), generator=stream))
    if isinstance(stream, random.Random):
        return stream.randrange(below)
    return int(stream.integers(below) if hasattr(stream, "integers") else stream.randint(below))


class Plain(Dataset[int]):
    def __len__(self) -> int:
        return SIZE

    def __getitem__(self, index: int) -> int:
        return index


class Noisy(Dataset[Any]):
    """Items with noise from the global generators."""

    def __len__(self) -> int:
        return SIZE

    def __getitem__(self, index: int) -> Any:
        return index, random.random(), float(np.random.rand()), torch.rand(()).item()


class Own(Dataset[Any]):
    """Items with noise from a generator of its own."""

    def __init__(self, stream: Any) -> None:
        self.transforms = [str, partial(draw, stream)]

    def __len__(self) -> int:
        return SIZE

    def __getitem__(self, index: int) -> Any:
        return index, self.transforms[1](1000)


class OfTheWorker(Plain):
    """Items that the seed of their worker decides, as a `worker_init_fn` may use it."""

    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        return index, 0 if info is None else info.seed


def closing_over(stream: Any) -> Dataset[Any]:
    """A data set whose class knows a generator that none of its attributes holds."""

    class Closing(Plain):
        def __getitem__(self, index: int) -> Any:
            return index, draw(stream, 1000)

    return Closing()


class OfTheModule(Plain):
    def __getitem__(self, index: int) -> Any:
        return index, MODULE_STREAM.random()


class Shuffling(IterableDataset[int]):
    """A stream through a buffer, from which items are drawn at random."""

    def __init__(self, stream: Any = random) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[int]:
        left = list(range(SIZE))
        while left:
            yield left.pop(int(self.stream.random() * len(left)))


class Eager(IterableDataset[int]):
    """A stream that draws when it is begun."""

    def __iter__(self) -> Iterator[int]:
        return iter(random.sample(range(100), SIZE))


class Lazy(Sampler[int]):
    """Draws each index when it is asked for."""

    def __init__(self, draw: Callable[[int], int]) -> None:
        self.draw = draw

    def __len__(self) -> int:
        return SIZE

    def __iter__(self) -> Iterator[int]:
        left = list(range(SIZE))
        while left:
            yield left.pop(self.draw(len(left)))


class LazyBatches(Lazy):
    """Draws each batch, and how long it is, when it is asked for."""

    def __iter__(self) -> Iterator[Any]:
        left = list(range(SIZE))
        while left:
            yield [left.pop(self.draw(len(left))) for _ in range(min(len(left), 2))]

    def __len__(self) -> int:
        return (SIZE + 1) // 2


class AtOnce(Lazy):
    """Draws its order, with its call."""

    def __init__(self) -> None: ...

    def __iter__(self) -> Iterator[int]:
        return iter(random.sample(range(SIZE), SIZE))


class InPlace(AtOnce):
    """Shuffles the order of the epoch before."""

    def __init__(self, indices: Any) -> None:
        self.indices = indices

    def __iter__(self) -> Iterator[int]:
        np.random.shuffle(self.indices)
        return iter([int(index) for index in self.indices])


class Counting(AtOnce):
    """Counts epochs by itself, and decides by the count."""

    def __init__(self) -> None:
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        self.epoch += 1
        return iter(random.Random(self.epoch).sample(range(SIZE), SIZE))


def global_torch(below: int) -> int:
    return int(torch.randint(below, ()))


def global_numpy(below: int) -> int:
    return int(np.random.randint(below))


def noisy_collate(stream: Any, items: list[Any]) -> Any:
    return default_collate(items), draw(stream, 1000)


def distributed() -> DistributedSampler[Any]:
    return DistributedSampler(Plain(), num_replicas=1, rank=0, seed=3)


class Batches:
    """An iterable that is no DataLoader, and draws its batches when they are used."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[int]:
        for _ in range(4):
            yield int(self.stream.random() * 1000)


# Each takes the number of workers and other options, and makes a new loader.
Make = Callable[..., Any]
LOADERS: dict[str, Make] = {
    "in order": lambda **o: DataLoader(Noisy(), 2, **o),
    "shuffled": lambda **o: DataLoader(Noisy(), 2, shuffle=True, **o),
    "shuffled by a generator": lambda **o: DataLoader(
        Noisy(), 2, shuffle=True, generator=torch_stream(7), **o
    ),
    "replacing, by a generator of the sampler": lambda **o: DataLoader(
        Noisy(), 2, sampler=RandomSampler(Plain(), True, 7, generator=torch_stream(7)), **o
    ),
    "weighted": lambda **o: DataLoader(
        Noisy(), 2, sampler=WeightedRandomSampler([0.5] * SIZE, SIZE), **o
    ),
    "a subset": lambda **o: DataLoader(
        Plain(), 2, sampler=SubsetRandomSampler(range(SIZE), torch_stream(2)), **o
    ),
    "distributed": lambda **o: DataLoader(Noisy(), 2, sampler=distributed(), **o),
    "without batches": lambda **o: DataLoader(Noisy(), None, shuffle=True, **o),
    "in batches of a sampler": lambda **o: DataLoader(
        Noisy(), batch_sampler=BatchSampler(RandomSampler(Plain()), 2, True), **o
    ),
    "at once, by Python": lambda **o: DataLoader(Noisy(), 2, sampler=AtOnce(), **o),
    "lazy, by torch": lambda **o: DataLoader(Noisy(), 2, sampler=Lazy(global_torch), **o),
    "lazy, by NumPy": lambda **o: DataLoader(Noisy(), 2, sampler=Lazy(global_numpy), **o),
    "lazy, by Python": lambda **o: DataLoader(Noisy(), 2, sampler=Lazy(random.randrange), **o),
    "lazy batches": lambda **o: DataLoader(Noisy(), batch_sampler=LazyBatches(global_torch), **o),
    **{
        f"lazy, by a generator of {kind}": lambda make=make, **o: DataLoader(
            Noisy(), 2, sampler=Lazy(partial(draw, make(3))), **o
        )
        for kind, make in STREAMS.items()
    },
    **{
        f"items by a generator of {kind}": lambda make=make, **o: DataLoader(
            Own(make(3)), 2, shuffle=True, **o
        )
        for kind, make in STREAMS.items()
    },
    "items by a generator that is closed over": lambda **o: DataLoader(
        closing_over(random.Random(3)), 2, **o
    ),
    "items by a generator of the module": lambda **o: DataLoader(OfTheModule(), 2, **o),
    "items by the seed of the worker": lambda **o: DataLoader(OfTheWorker(), 2, **o),
    "shuffled in place": lambda **o: DataLoader(
        Noisy(), 2, sampler=InPlace(list(range(SIZE))), **o
    ),
    "an array shuffled in place": lambda **o: DataLoader(
        Noisy(), 2, sampler=InPlace(np.arange(SIZE)), **o
    ),
    "counting": lambda **o: DataLoader(Noisy(), 2, sampler=Counting(), **o),
    "a stream": lambda **o: DataLoader(Shuffling(), 2, **o),
    "a stream with a generator": lambda **o: DataLoader(Shuffling(random.Random(5)), 2, **o),
    "a stream that draws when it is begun": lambda **o: DataLoader(Eager(), 2, **o),
    "collated with a generator": lambda **o: DataLoader(
        Plain(), 2, collate_fn=partial(noisy_collate, random.Random(4)), **o
    ),
}
OTHERS: dict[str, Make] = {
    "a list": lambda: [1, 2, 3, 4],
    "batches by Python": lambda: Batches(random),
    "batches by NumPy": lambda: Batches(np.random),
    "batches by a generator": lambda: Batches(random.Random(4)),
}
WORKERS: dict[str, dict[str, Any]] = {
    "no workers": {},
    "1 worker": {"num_workers": 1},
    "2 workers": {"num_workers": 2},
    "1 that stays": {"num_workers": 1, "persistent_workers": True},
    "2 that stay": {"num_workers": 2, "persistent_workers": True},
}
REFUSED = {
    ("collated with a generator", "1 that stays"),
    ("collated with a generator", "2 that stay"),
}
