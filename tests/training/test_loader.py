"""A loader that resumes in the middle of an epoch."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    IterDataPipe,
    RandomSampler,
)

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue, StateMismatch
from glideslope.training import ResumableLoader
from glideslope.training._nest import Buffers
from glideslope.training._random import global_state, set_global_state

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


def test_after_break_a_loop_starts_an_epoch_as_without_resuming() -> None:
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


# -- loaders that no state could restore are refused -----


class Pipe(IterDataPipe[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(5))


class OtherLoader(DataLoader[Any]):
    def __iter__(self) -> Any:
        return super().__iter__()


def persistent(dataset: Any, **options: Any) -> DataLoader[Any]:
    return DataLoader(dataset, 2, num_workers=1, persistent_workers=True, **options)


def with_stream(stream: Any) -> Callable[[Any], Any]:
    return lambda items: (items, stream.random())


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "an iterator": (
        lambda: iter([1]),
        InvalidType,
        "`loader` must restart at each epoch, which an iterator cannot",
    ),
    "no iterable": (lambda: 3, InvalidType, "`loader` must be iterable, got 3"),
    "any order": (
        lambda: DataLoader(Noisy(), num_workers=2, in_order=False),
        InvalidValue,
        "`loader.in_order` must be True with several workers: else the order of batches is random",
    ),
    "a generator in a function of workers that stay": (
        lambda: persistent(Noisy(), collate_fn=with_stream(random.Random(1))),
        InvalidValue,
        "`loader.collate_fn.stream` must be held by the data set, where persistent workers can "
        "seed it, or persistent_workers be False",
    ),
    "a pipe in workers that stay": (
        lambda: persistent(Pipe()),
        InvalidValue,
        "`loader.dataset` must be no IterDataPipe, or persistent_workers be False",
    ),
    "another loop over workers that stay": (
        lambda: OtherLoader(Noisy(), 2, num_workers=1, persistent_workers=True),
        InvalidValue,
        "`loader` must be iterated over as torch does it, or persistent_workers be False",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_when_the_loader_is_built(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        ResumableLoader(make())
    assert str(caught.value).startswith(message)


def test_a_generator_that_is_made_on_the_way_is_refused_when_the_state_is_taken() -> None:
    class Late(Noisy):
        def __getitem__(self, index: int) -> float:
            if not hasattr(self, "stream"):
                self.stream = random.Random(1)
            return self.stream.random()

    loader = ResumableLoader(DataLoader(Late(), 2))
    batches = iter(loader)
    next(batches)
    taken = loader.state_dict()
    rest = list(batches)
    again = ResumableLoader(DataLoader(Late(), 2))
    again.load_state_dict(taken)
    assert same(list(again), rest)
    message = r"`loader\.dataset\.stream` was made after the loader was built: .*constructor"
    with pytest.raises(StateMismatch, match=message):
        loader.state_dict()


def test_a_loader_with_other_generators_is_refused_and_nothing_changes() -> None:
    state = ResumableLoader(LOADERS["shuffled by a generator"]()).state_dict()
    loader = ResumableLoader(LOADERS["in order"]())
    message = r"this loader's generators are none; the state holds loader\.generator"
    with pytest.raises(StateMismatch, match=message):
        loader.load_state_dict(state)
    assert (loader.epoch, loader.batch) == (0, 0)


def test_a_load_that_fails_changes_nothing() -> None:
    loader = ResumableLoader(LOADERS["shuffled by a generator"]())
    batches = iter(loader)
    next(batches)
    state = loader.state_dict()
    state["batch"] = 99
    again = ResumableLoader(LOADERS["shuffled by a generator"]())
    wanted = again.state_dict()
    with pytest.raises(StateMismatch, match="99 batches were used, but the loader has 5"):
        again.load_state_dict(state)
    assert same(again.state_dict(), wanted)


# -- generators that other code draws from, too -----


def test_the_global_generator_given_by_name_stays_the_global_one() -> None:
    def make() -> Any:
        return DataLoader(Noisy(), 2, shuffle=True, generator=torch.default_generator)

    seed(1)
    loader = ResumableLoader(make())
    next(iter(loader))
    assert loader.state_dict()["generators"] == {}
    before = torch.get_rng_state()
    ResumableLoader(make()).load_state_dict(loader.state_dict())
    assert torch.equal(torch.get_rng_state(), before)


def test_an_order_does_not_depend_on_training_that_draws_from_its_generator() -> None:
    def build() -> gs.training.TrainingState:
        shared = torch.Generator().manual_seed(3)
        sampler = RandomSampler(range(1000), True, 100, generator=shared)
        loader = DataLoader(range(1000), 3, sampler=sampler)  # type: ignore[arg-type]
        return gs.training.TrainingState(noise=shared, loader=ResumableLoader(loader))

    def batches(run: Any) -> Iterator[Any]:
        for _ in range(run.loader.epoch, 2):
            for batch in run.loader:
                yield batch, torch.rand(run.loader.batch % 3, generator=run.noise)

    run, taken, states = build(), [], []
    for batch in batches(run):
        taken.append(batch)
        states.append(Buffers().snapshot(run.state_dict()))
    for stop in range(0, len(states), 5):
        again = build()
        again.load_state_dict(states[stop])
        assert same(list(batches(again)), taken[stop + 1 :])


def test_training_does_not_draw_the_numbers_of_an_order_that_is_drawn_as_it_goes() -> None:
    class Draws:
        def __iter__(self) -> Iterator[Any]:
            for _ in range(3):
                yield random.random(), float(np.random.rand()), torch.rand(()).item()

    def drawn() -> tuple[float, ...]:
        return random.random(), float(np.random.rand()), torch.rand(()).item()

    seed(1)
    batches = iter(ResumableLoader(Draws()))
    first = next(batches)
    now = global_state()
    numbers = [number for batch in chain([first], batches) for number in (*batch, *drawn())]
    assert len(set(numbers)) == 18
    set_global_state(now)
    assert [drawn() for _ in range(3)] == [tuple(numbers[i : i + 3]) for i in (3, 9, 15)]


def test_every_epoch_of_a_loader_that_draws_as_it_goes_is_another() -> None:
    class Draws:
        def __iter__(self) -> Iterator[int]:
            for _ in range(3):
                yield random.randrange(10**9)

    loader = ResumableLoader(Draws())
    assert list(loader) != list(loader)


def test_loops_over_one_loader_at_once_have_orders_of_their_own() -> None:
    generator = torch.Generator().manual_seed(1)
    loader = ResumableLoader(DataLoader(range(50), 50, shuffle=True, generator=generator))  # type: ignore[arg-type]
    ((first, second),) = zip(loader, loader, strict=True)
    assert not torch.equal(first, second)


# -- persistent workers ---------------------------------------------------------------


def test_workers_that_stay_are_the_same_processes_and_draw_new_numbers_each_epoch() -> None:
    class Pids(Noisy):
        def __getitem__(self, index: int) -> Any:
            return os.getpid(), random.random(), float(np.random.rand()), torch.rand(()).item()

    loader = ResumableLoader(DataLoader(Pids(), 2, num_workers=2, persistent_workers=True))
    epochs = [torch.cat([torch.stack(batch, 1) for batch in loader]) for _ in range(3)]
    assert len({*torch.cat(epochs)[:, 0].tolist()}) == 2
    drawn = torch.cat(epochs)[:, 1:].flatten().tolist()
    assert len(set(drawn)) == len(drawn) == 90


def test_a_loop_over_the_loader_itself_does_no_harm() -> None:
    def run(looks: bool) -> list[Any]:
        seed(1)
        inner = DataLoader(Noisy(), 2, num_workers=1, persistent_workers=True)
        loader = ResumableLoader(inner)
        found = list(loader)
        if looks:
            list(inner)
        return [*found, *loader]

    assert same(run(True), run(False))


def test_a_loader_in_use_goes_back() -> None:
    loader = ResumableLoader(DataLoader(Noisy(), 2, num_workers=1, persistent_workers=True))
    list(loader)
    batches = iter(loader)
    next(batches)
    state = Buffers().snapshot(loader.state_dict())
    rest = list(batches)
    list(loader)
    loader.load_state_dict(state)
    assert same(list(loader), rest)
