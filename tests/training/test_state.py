"""The state of a run: which parts it may have, and which states fit it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from glideslope.errors import InvalidType, InvalidValue, StateMismatch
from glideslope.training import TrainingState


def test_counters_are_counted_on_it() -> None:
    run = TrainingState(step=0, losses=[], best=None)
    run.step += 2
    run.losses.append(0.5)
    again = TrainingState(step=0, losses=[], best=1.0)
    again.load_state_dict(run.state_dict())
    assert (again.step, again.losses, again.best) == (2, [0.5], None)
    again.losses.append(0.25)
    assert run.losses == [0.5]


def test_a_misspelt_counter_is_an_error() -> None:
    run = TrainingState(step=0)
    with pytest.raises(AttributeError, match="`stpe` is no part of this run"):
        run.stpe = 1


def test_a_part_may_be_replaced() -> None:
    run = TrainingState(model=nn.Linear(1, 1))
    run.model = nn.Linear(2, 2)
    assert run.state_dict()["model"]["weight"].shape == (2, 2)


@pytest.mark.parametrize("part", [DataLoader([1]), object(), len, [object()]])
def test_a_part_without_a_state_is_refused(part: Any) -> None:
    with pytest.raises(InvalidType, match=r"`loader` must have `state_dict` and `load_state_dict`"):
        TrainingState(loader=part)


@pytest.mark.parametrize("name", ["environment", "state_dict", "load_state_dict"])
def test_a_name_in_use_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match=f"TrainingState uses, got '{name}'"):
        TrainingState(**{name: 1})


@pytest.mark.parametrize("other", [{}, {"step": 0}, {"step": 0, "epoch": 0, "more": 0}])
def test_a_state_with_other_parts_is_refused(other: dict[str, int]) -> None:
    state = TrainingState(**other).state_dict()
    run = TrainingState(step=1, epoch=1)
    with pytest.raises(StateMismatch, match=r"this run consists of step, epoch; the state holds"):
        run.load_state_dict(state)
    assert (run.step, run.epoch) == (1, 1)


def test_a_nest_that_is_no_state_of_a_run_is_refused() -> None:
    with pytest.raises(StateMismatch, match="the state holds step"):
        TrainingState(step=1).load_state_dict({"step": 2})


def test_loading_leaves_the_state_as_it_was() -> None:
    """torch's optimizers go on writing into the tensors they were given."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    run = TrainingState(model=model, optimizer=optimizer)
    state = run.state_dict()
    momentum = state["optimizer"]["state"][0]["momentum_buffer"]
    run.load_state_dict(state)
    before = momentum.clone()
    optimizer.step()
    assert torch.equal(momentum, before)


@pytest.mark.parametrize(
    ("name", "before", "message"),
    [
        ("threads", 99, r"saved with threads 99, goes on with \d+: the last bits may differ"),
        ("torch", "1.0", r"saved with torch 1.0, goes on with \d.*: the last bits may differ"),
    ],
)
def test_another_environment_is_a_warning(name: str, before: object, message: str) -> None:
    run = TrainingState(step=1)
    state = run.state_dict()
    state["environment"][name] = before
    with pytest.warns(UserWarning, match=message) as caught:
        run.load_state_dict(state)
    assert caught[0].filename == __file__


def test_other_devices_are_a_warning() -> None:
    run = TrainingState(step=1)
    state = run.state_dict()
    state["environment"]["random"]["cuda"] = [torch.zeros(16, dtype=torch.uint8)] * 99
    message = r"saved with 99 CUDA devices, restored with \d+: random numbers on them will differ"
    with pytest.warns(UserWarning, match=message) as caught:
        run.load_state_dict(state)
    assert caught[0].filename == __file__
