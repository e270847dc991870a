"""Every kind of loader resumes, from every stop, with the batches of the uninterrupted run."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glideslope.training import ResumableLoader, TrainingState
from glideslope.training._nest import Buffers

from .loaders import LOADERS, MODULE_STREAM, OTHERS, REFUSED, WORKERS
from .values import same

EPOCHS = 3
CASES: dict[str, Callable[[], Any]] = {
    **OTHERS,
    **{
        f"{kind}, {workers}": lambda make=make, options=options: make(**options)
        for kind, make in LOADERS.items()
        for workers, options in WORKERS.items()
        if (kind, workers) not in REFUSED
    },
}


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)
    MODULE_STREAM.seed(number)


def train() -> None:
    """Draws that a model may make between two batches."""
    torch.rand(3)
    np.random.rand(random.randrange(1, 5))


def batches(run: Any, breaks: int | None = None) -> Iterator[Any]:
    """Those of all epochs; the second one is left after ``breaks`` batches."""
    while run.loop < EPOCHS:
        sampler = getattr(run.loader.loader, "sampler", None)
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(run.loop)
        for batch in run.loader:
            train()
            yield batch
            if run.loop == 1 and run.loader.batch == breaks:
                break
        run.loop += 1


def build(make: Callable[[], Any]) -> TrainingState:
    return TrainingState(loader=ResumableLoader(make()), loop=0)


def stops(make: Callable[[], Any], breaks: int | None = None) -> tuple[list[Any], list[Any]]:
    """The batches of a run, and its states after each of them."""
    seed(1)
    run = build(make)
    taken, states = [], []
    for batch in batches(run, breaks):
        taken.append(batch)
        states.append(Buffers().snapshot(run.state_dict()))
    return taken, states


def resumed(make: Callable[[], Any], state: Any, breaks: int | None = None) -> list[Any]:
    seed(2)
    run = build(make)
    run.load_state_dict(state)
    return list(batches(run, breaks))


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_a_few_stops(make: Callable[[], Any]) -> None:
    """Workers start slowly: two stops of them, in the second epoch and at its end."""
    taken, states = stops(make)
    has_workers = getattr(make(), "num_workers", 0) > 0
    for stop in (4, len(states) * 2 // 3 - 1) if has_workers else range(len(states)):
        assert same(resumed(make, states[stop]), taken[stop + 1 :]), stop


@pytest.mark.long
@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_every_stop(make: Callable[[], Any]) -> None:
    taken, states = stops(make)
    for stop, state in enumerate(states):
        assert same(resumed(make, state), taken[stop + 1 :]), stop


TRANSPARENT = ("in order", "shuffled", "shuffled by a generator", "weighted", "without batches")


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("kind", TRANSPARENT)
def test_torchs_loaders_give_the_same_batches_without_it(kind: str, workers: str) -> None:
    """Except persistent workers after their first epoch."""

    def epochs(wrap: Callable[[Any], Any]) -> list[list[Any]]:
        seed(1)
        loader = wrap(LOADERS[kind](**WORKERS[workers]))
        return [list(loader) for _ in range(2)]

    (first, second), (ours, after) = epochs(lambda loader: loader), epochs(ResumableLoader)
    assert same(ours, first)
    if "stay" in workers:
        second, after = ([batch[0] for batch in epoch] for epoch in (second, after))
    assert same(after, second)


@settings(max_examples=max(10, settings().max_examples // 20))
@given(st.sampled_from(sorted(CASES)), st.integers(1, 4), st.integers(0, 9))
def test_epochs_that_are_left_early(case: str, breaks: int, stop: int) -> None:
    taken, states = stops(CASES[case], breaks)
    stop = min(stop, len(states) - 1)
    assume((states[stop]["loop"], states[stop]["loader"]["batch"]) != (1, breaks))
    assert same(resumed(CASES[case], states[stop], breaks), taken[stop + 1 :])
    gc.collect()
