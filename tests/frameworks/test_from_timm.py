"""Schedules read from timm's schedulers, against timm's own values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm.scheduler as timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import GlideslopeError
from glideslope.integrations.timm import from_timm

STEPS = 70


def optimizer(*rates: float, **keys: float) -> torch.optim.SGD:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} | keys for lr in rates]
    return torch.optim.SGD(groups)


def written(scheduler: Any, steps: int, group: int) -> list[float]:
    """The rates that timm writes, epoch by epoch or update by update."""
    found = []
    for t in range(steps):
        (scheduler.step if scheduler.t_in_epochs else scheduler.step_update)(t)
        found.append(scheduler.optimizer.param_groups[group]["lr"])
    return found


def assert_same(scheduler: Any, group: int = 1) -> None:
    schedule = from_timm(scheduler, group)
    expected = written(scheduler, STEPS, group)
    assert schedule.values(STEPS).tolist() == pytest.approx(expected, rel=1e-10, abs=1e-13)
    assert gs.Schedule.from_json(schedule.to_json()) == schedule


counts = st.integers(2, 40)
warmups = st.fixed_dictionaries(
    {
        "warmup_t": st.integers(0, 10),
        "warmup_lr_init": st.sampled_from([0.0, 1e-3]),
        "t_in_epochs": st.booleans(),
    }
)
prefixes = st.booleans()
floors = st.sampled_from([0.0, 1e-4])
cycles = st.fixed_dictionaries(
    {
        "cycle_limit": st.integers(0, 3),
        "cycle_decay": st.sampled_from([1.0, 0.5]),
        "cycle_mul": st.sampled_from([1.0, 1.0, 1.5, 2.0]),
    }
)


@st.composite
def cyclical(draw: Any) -> Any:
    """A cosine, a polynomial or a hyperbolic tangent."""
    kind = draw(st.sampled_from(["CosineLR", "PolyLR", "TanhLR"]))
    options = draw(warmups) | draw(cycles) | {"lr_min": draw(floors), "t_initial": draw(counts)}
    options["warmup_prefix"] = draw(prefixes)
    if kind != "TanhLR":
        options["k_decay"] = draw(st.sampled_from([1.0, 2.0]))
    if kind == "PolyLR":
        options["power"] = draw(st.sampled_from([0.5, 1.0, 2.0]))
    return getattr(timm, f"{kind}Scheduler")(optimizer(0.3, 0.1), **options)


@settings(max_examples=150)
@given(cyclical())
def test_cycles(scheduler: Any) -> None:
    assert_same(scheduler)


@given(counts, st.sampled_from([0.1, 0.5]), warmups, prefixes)
def test_steps(every: int, rate: float, warmup: Any, prefix: bool) -> None:
    options = warmup | {"warmup_prefix": prefix}
    assert_same(timm.StepLRScheduler(optimizer(0.3, 0.1), every, rate, **options))


@given(st.lists(st.integers(1, 40), unique=True).map(sorted), warmups, prefixes)
def test_several_steps(milestones: list[int], warmup: Any, prefix: bool) -> None:
    options = warmup | {"warmup_prefix": prefix}
    assert_same(timm.MultiStepLRScheduler(optimizer(0.3, 0.1), milestones, 0.5, **options))


@given(
    counts,
    st.integers(1, 30),
    st.sampled_from(["constant", "rsqrt", "power"]),
    st.sampled_from(["linear", "1-sqrt", "cosine", "power", "exp"]),
    floors,
    warmups,
)
def test_warmup_stable_decay(
    steps: int, decay: int, stable: str, shape: str, floor: float, warmup: Any
) -> None:
    scheduler = timm.scheduler_factory.WSDLRScheduler(
        optimizer(0.3, 0.1),
        steps,
        min(decay, steps),
        floor,
        stable,
        stable_timescale=7.0,
        stable_power=0.7,
        decay_fn=shape,
        decay_power=2.0,
        **warmup,
    )
    assert_same(scheduler)


def test_a_scaled_group() -> None:
    assert_same(timm.StepLRScheduler(optimizer(0.3, 0.1, lr_scale=0.25), 10, 0.5))


UNKNOWN: list[tuple[Callable[[Any], Any], str]] = [
    (lambda o: timm.CosineLRScheduler(o, 10, noise_range_t=3), "it adds noise"),
    (lambda o: timm.CosineLRScheduler(o, 40, cycle_mul=0.5, cycle_limit=2), "its cycles shrink"),
    (
        lambda o: timm.CosineLRScheduler(o, 1, cycle_mul=3.0, cycle_limit=6),
        "its logarithm gives step 121 to another cycle",
    ),
    (lambda o: timm.CosineLRScheduler(o, 5, cycle_limit=5000), "more than 1000 cycles"),
    (
        lambda o: timm.scheduler_factory.WSDLRScheduler(o, 20, 10, decay_fn=lambda x: 1 - x),
        "its decay is a function",
    ),
]


@pytest.mark.parametrize(("make", "reason"), UNKNOWN)
def test_an_unknown_formula_is_refused_or_recorded(make: Callable[[Any], Any], reason: str) -> None:
    scheduler = make(optimizer(0.3, 0.1))
    with pytest.raises(GlideslopeError, match=reason):
        from_timm(scheduler)
    recorded = from_timm(scheduler, 1, sampled=True, steps=30)
    assert recorded.values().tolist() == written(scheduler, 30, 1)


def test_a_plateau_and_what_is_none_of_timms_are_refused() -> None:
    plateau = timm.PlateauLRScheduler(optimizer(0.1))
    with pytest.raises(GlideslopeError, match="follow the step: this one follows a metric"):
        from_timm(plateau)
    with pytest.raises(GlideslopeError, match="must be a scheduler of timm"):
        from_timm(torch.optim.lr_scheduler.StepLR(optimizer(0.1), 3))
