"""Schedules read from transformers' schedulers, against the rates that it writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers as theirs
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import GlideslopeError
from glideslope.integrations.transformers import from_transformers


def optimizer(lr: float = 0.1) -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


warm, rest, cycles = st.integers(0, 20), st.integers(1, 40), st.sampled_from([0.5, 1.0, 1.5])
shapes, floors = st.sampled_from(["linear", "cosine", "1-sqrt"]), st.sampled_from([0.0, 0.1])
rates = st.sampled_from([1.0, 0.1, 3e-4])


@st.composite
def made(draw: Any) -> tuple[Any, int]:
    """A scheduler and the number of its steps."""
    w, n, waves, floor, lr = draw(warm), draw(rest), draw(cycles), draw(floors), draw(rates)
    total, o = w + n, optimizer(lr)
    up, down, stable = draw(shapes), draw(shapes), draw(warm)
    kinds: list[Callable[[], Any]] = [
        lambda: theirs.get_constant_schedule(o),
        lambda: theirs.get_constant_schedule_with_warmup(o, w),
        lambda: theirs.get_linear_schedule_with_warmup(o, w, total),
        lambda: theirs.get_cosine_schedule_with_warmup(o, w, total, waves),
        lambda: theirs.get_cosine_with_hard_restarts_schedule_with_warmup(o, w, total, 2),
        lambda: theirs.get_polynomial_decay_schedule_with_warmup(o, w, total, 1e-5, 2.0),
        lambda: theirs.get_inverse_sqrt_schedule(o, w),
        lambda: theirs.get_cosine_with_min_lr_schedule_with_warmup(
            o, w, total, waves, min_lr_rate=floor
        ),
        lambda: theirs.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
            o, max(w, 2), max(w, 2) + n, min_lr_rate=floor
        ),
        lambda: theirs.get_wsd_schedule(
            o, w, n, num_stable_steps=stable, warmup_type=up, decay_type=down, min_lr_ratio=floor
        ),
    ]
    return draw(st.sampled_from(kinds))(), total


@given(made())
def test_the_rates_of_all_steps(case: tuple[Any, int]) -> None:
    scheduler, steps = case
    schedule = from_transformers(scheduler)
    base, function = scheduler.base_lrs[0], scheduler.lr_lambdas[0]
    expected = [base * function(t) for t in range(steps)]
    assert schedule.values(steps).tolist() == pytest.approx(expected, rel=1e-11, abs=1e-15 * base)
    assert gs.Schedule.from_json(schedule.to_json()) == schedule


NAMES = ["linear", "cosine", "cosine_with_restarts", "polynomial", "inverse_sqrt", "constant"]


@pytest.mark.parametrize("name", NAMES)
def test_by_the_name_that_a_trainer_takes(name: str) -> None:
    scheduler = theirs.get_scheduler(name, optimizer(), 5, 25)
    schedule = gs.from_torch(scheduler)
    for t in range(25):
        assert schedule(t) == pytest.approx(scheduler.get_last_lr()[0], rel=1e-12, abs=1e-17)
        scheduler.optimizer.step()
        scheduler.step()


def test_what_follows_a_metric_is_refused() -> None:
    for name in ("reduce_lr_on_plateau", "greedy"):
        with pytest.raises(GlideslopeError, match="follow the step: this one follows a metric"):
            from_transformers(theirs.get_scheduler(name, optimizer()), sampled=True, steps=3)


def test_no_steps_left_is_refused() -> None:
    scheduler = theirs.get_cosine_schedule_with_warmup(optimizer(), 5, 0)
    with pytest.raises(GlideslopeError, match="`num_training_steps` must be at least 1"):
        from_transformers(scheduler)
