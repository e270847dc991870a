"""The loader for Lightning, used as its trainer does, which iterates before it loads a state."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from glideslope import training
from glideslope.integrations.lightning import ResumableLoader

LENGTH = 5


def loader(kind: Any, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return kind(DataLoader(range(LENGTH), batch_size=None, shuffle=True, generator=generator))


def numbers(of: Any) -> list[int]:
    return [int(number) for number in of]


def part(iterator: Any, count: int) -> list[int]:
    """Some batches, without asking whether there are more."""
    return [int(next(iterator)) for _ in range(count)]


@pytest.mark.parametrize("used", [1, 4, LENGTH, LENGTH + 1, 2 * LENGTH])
def test_the_batches_after_a_resume_are_those_of_a_straight_run(used: int) -> None:
    straight = loader(ResumableLoader)
    epochs, rest = divmod(used - 1, LENGTH)
    running = iter(straight)
    for _ in range(epochs):
        part(running, LENGTH)
        running = iter(straight)
    part(running, rest + 1)
    state = straight.state_dict()
    expected = part(running, LENGTH - rest - 1) + part(iter(straight), LENGTH)

    resumed = loader(ResumableLoader, seed=9)
    iter(resumed)  # Lightning checks so that it can be iterated over
    resumed.load_state_dict(state)
    iter(resumed)
    got = part(iter(resumed), LENGTH - rest - 1 or LENGTH)
    assert (got + part(iter(resumed), LENGTH))[: len(expected)] == expected


@pytest.mark.parametrize("kind", [training.ResumableLoader, ResumableLoader])
def test_an_iterator_without_a_batch_begins_no_epoch(kind: Any) -> None:
    resumable = loader(kind)
    running = iter(resumable)
    part(running, 2)
    state = resumable.state_dict()
    resumable.load_state_dict(state)
    iter(resumable)
    assert repr(resumable) == f"ResumableLoader(DataLoader, epoch 0, batch 2 of {LENGTH})"
    assert len(numbers(resumable)) == LENGTH - 2
    assert len(numbers(resumable)) == LENGTH


def test_after_the_last_batch_a_loop_by_hand_has_an_empty_rest() -> None:
    resumable = loader(training.ResumableLoader)
    running = iter(resumable)
    part(running, LENGTH)
    state = resumable.state_dict()
    again = loader(training.ResumableLoader)
    again.load_state_dict(state)
    assert numbers(again) == []
    assert len(numbers(again)) == LENGTH
