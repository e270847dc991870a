"""A loader that goes on in the middle of an epoch."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset

import glideslope as gs
from glideslope.errors import StateMismatch
from glideslope.training import ResumableLoader
from glideslope.training._nest import Buffers

from .values import same


class Noisy(Dataset[float]):
    """Items that draw random numbers when they are read."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> float:
        return index + 0.1 * random.random() + 0.1 * torch.rand(()).item()


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(10))


class PythonShuffle:
    """A sampler that shuffles with Python's global random numbers."""

    def __len__(self) -> int:
        return 10

    def __iter__(self) -> Iterator[int]:
        return iter(random.sample(range(10), 10))


def distributed() -> DataLoader[Any]:
    sampler = DistributedSampler(range(20), num_replicas=2, rank=1, seed=3)  # type: ignore[arg-type]
    return DataLoader(range(20), 2, sampler=sampler)  # type: ignore[arg-type]


def distributed_batches() -> DataLoader[Any]:
    loader = distributed()
    return DataLoader(loader.dataset, batch_sampler=loader.batch_sampler)


LOADERS: dict[str, Callable[[], Any]] = {
    "a range": lambda: range(5),
    "in order": lambda: DataLoader(Noisy(), 2),
    "shuffled": lambda: DataLoader(Noisy(), 2, shuffle=True),
    "shuffled by a generator": lambda: DataLoader(
        Noisy(), 2, shuffle=True, generator=torch.Generator().manual_seed(7)
    ),
    "sampled by its own generator": lambda: DataLoader(
        Noisy(),
        2,
        sampler=torch.utils.data.RandomSampler(
            Noisy(), replacement=True, generator=torch.Generator().manual_seed(7)
        ),
    ),
    "shuffled by Python": lambda: DataLoader(Noisy(), 2, sampler=PythonShuffle()),  # type: ignore[arg-type]
    "a stream": lambda: DataLoader(Stream(), 2),
    "distributed": distributed,
    "distributed in batches": distributed_batches,
}


def epochs(loader: ResumableLoader[Any], count: int) -> Iterator[Any]:
    """Batches of epochs, as a training loop takes them, with their numbers."""
    for epoch in range(loader.epoch, count):
        batch_sampler = getattr(loader.loader, "batch_sampler", None)
        if isinstance(getattr(batch_sampler, "sampler", None), DistributedSampler):
            batch_sampler.sampler.set_epoch(epoch)  # as torch asks of every loop
        for batch in loader:
            yield loader.epoch, loader.batch, batch


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
def test_the_rest_is_the_same_after_any_batch(make: Callable[[], Any]) -> None:
    seed(1)
    run = gs.training.TrainingState(loader=ResumableLoader(make()))
    batches, states = [], []
    for batch in epochs(run.loader, 3):
        batches.append(batch)
        states.append(Buffers().snapshot(run.state_dict()))
    assert len(batches) == 15
    for used, state in enumerate(states, start=1):
        seed(2)
        again = gs.training.TrainingState(loader=ResumableLoader(make()))
        again.load_state_dict(state)
        assert same(list(epochs(again.loader, 3)), batches[used:])


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
def test_between_epochs_the_next_one_begins(make: Callable[[], Any]) -> None:
    seed(1)
    run = gs.training.TrainingState(loader=ResumableLoader(make()))
    list(run.loader)
    state = run.state_dict()
    second = list(run.loader)
    again = gs.training.TrainingState(loader=ResumableLoader(make()))
    again.load_state_dict(state)
    assert (again.loader.epoch, again.loader.batch) == (1, 0)
    assert same(list(again.loader), second)


def test_after_break_a_loop_begins_anew_as_without_resuming() -> None:
    loader = ResumableLoader(range(5))
    for number in loader:
        if number == 2:
            break
    again = ResumableLoader(range(5))
    again.load_state_dict(loader.state_dict())
    assert list(loader) == list(again) == [0, 1, 2, 3, 4]


def test_looking_at_the_first_batch_counts_for_nothing() -> None:
    loader = ResumableLoader(range(3))
    assert next(iter(loader)) == 0
    assert (loader.epoch, loader.batch) == (0, 0)
    assert list(loader) == [0, 1, 2]
    assert loader.epoch == 1


def test_an_iterator_left_over_does_not_disturb_the_next() -> None:
    loader = ResumableLoader(range(5))
    left_over = iter(loader)
    next(left_over)
    batches = iter(loader)
    next(batches)
    next(batches)
    del left_over
    assert loader.batch == 2
    assert loader.state_dict()["beginning"] is not None


def test_a_state_just_loaded_can_be_saved_again() -> None:
    loader = ResumableLoader(range(5))
    batches = iter(loader)
    next(batches)
    first = ResumableLoader(range(5))
    first.load_state_dict(loader.state_dict())
    second = ResumableLoader(range(5))
    second.load_state_dict(first.state_dict())
    assert list(second) == [1, 2, 3, 4]


def test_loading_draws_no_global_random_numbers() -> None:
    seed(1)
    loader = ResumableLoader(LOADERS["shuffled"]())
    batches = iter(loader)
    next(batches)
    seed(2)
    before = random.getstate(), torch.get_rng_state()
    ResumableLoader(LOADERS["shuffled"]()).load_state_dict(loader.state_dict())
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


def test_a_loader_that_has_become_shorter_is_refused() -> None:
    loader = ResumableLoader(range(5))
    for number in loader:
        if number == 3:
            state = loader.state_dict()
    with pytest.raises(StateMismatch, match="4 batches were used, but the loader has 2"):
        ResumableLoader(range(2)).load_state_dict(state)


def test_its_length_is_the_loaders() -> None:
    assert len(ResumableLoader(DataLoader(Noisy(), 3))) == 4
