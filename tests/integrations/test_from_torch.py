"""Schedules read from torch's schedulers, against the rates that torch writes step by step."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler as theirs
from torch.optim.swa_utils import SWALR

import glideslope as gs
from glideslope.errors import GlideslopeError
from glideslope.integrations.torch import from_torch, to_lambda_lr

STEPS = 40
Make = Callable[[Any], Any]


def optimizer(*rates: float) -> torch.optim.SGD:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in rates or (0.1,)]
    return torch.optim.SGD(groups, momentum=0.9)


def rates(scheduler: Any, steps: int, group: int = 0) -> list[float]:
    """The rates that torch writes, and warnings of torch's that are none of ours."""
    found = []
    for _ in range(steps):
        found.append(float(scheduler.optimizer.param_groups[group]["lr"]))
        scheduler.optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler.step()
    return found


def assert_same(make: Make, base: float, steps: int = STEPS) -> None:
    """The schedule of the second of two groups has torch's rates, and survives JSON."""
    scheduler = make(optimizer(0.3, base))
    schedule = from_torch(scheduler, 1)
    expected = rates(scheduler, steps, 1)
    peak = max(map(abs, expected))
    assert schedule.values(steps).tolist() == pytest.approx(expected, rel=1e-11, abs=1e-13 * peak)
    assert from_torch(scheduler, 1) == schedule, "it does not depend on the present step"
    assert gs.Schedule.from_json(schedule.to_json()) == schedule
    assert gs.parse(str(schedule)) == schedule


bases = st.sampled_from([1.0, 0.1, 3e-4, 0.7])
counts = st.integers(1, 30)
factors = st.sampled_from([0.1, 0.5, 1 / 3, 0.9, 1.0])
floors = st.sampled_from([0.0, 1e-5, 0.01])


@st.composite
def factor_schedulers(draw: Any, floor: bool = True) -> Make:
    """One of the classes whose rates are a factor of the base, with its arguments."""
    n, factor, eta_min = draw(counts), draw(factors), draw(floors) if floor else 0.0
    several = draw(st.lists(counts, min_size=1, max_size=4))
    end, power = draw(factors), draw(st.sampled_from([0.5, 1.0, 2.0]))
    return draw(
        st.sampled_from(
            [
                lambda o: theirs.ConstantLR(o, factor, n),
                lambda o: theirs.LinearLR(o, factor, end, n),
                lambda o: theirs.ExponentialLR(o, 0.5 + factor / 2),
                lambda o: theirs.PolynomialLR(o, n, power),
                lambda o: theirs.StepLR(o, n, factor),
                lambda o: theirs.MultiStepLR(o, several, factor),
                lambda o: theirs.CosineAnnealingLR(o, max(n, 2), eta_min),
            ]
        )
    )


@given(factor_schedulers(), bases)
def test_a_factor_of_the_base(make: Make, base: float) -> None:
    assert_same(make, base)


@given(counts, st.integers(1, 3), floors, bases)
def test_warm_restarts(first: int, ratio: int, floor: float, base: float) -> None:
    assert_same(lambda o: theirs.CosineAnnealingWarmRestarts(o, first, ratio, floor), base)


@given(
    st.integers(4, STEPS),
    st.sampled_from([0.3, 0.25, 0.45]),
    st.sampled_from(["cos", "linear"]),
    st.booleans(),
    st.sampled_from([10.0, 25.0]),
    bases,
)
def test_one_cycle(
    steps: int, share: float, shape: str, three: bool, above: float, base: float
) -> None:
    total = max(steps, int(1 / share) + 2)
    assert_same(
        lambda o: theirs.OneCycleLR(
            o,
            [0.3, base],
            total_steps=total,
            pct_start=share,
            anneal_strategy=shape,
            div_factor=above,
            final_div_factor=1e3,
            three_phase=three,
        ),
        base,
        total,
    )


@given(
    counts,
    counts,
    st.sampled_from(["triangular", "triangular2", "exp_range"]),
    st.sampled_from([1.0, 0.9]),
    bases,
)
def test_cyclic(up: int, down: int, mode: str, gamma: float, base: float) -> None:
    assert_same(
        lambda o: theirs.CyclicLR(o, [0.3, base / 10], [0.5, base], up, down, mode, gamma), base
    )


@given(counts, st.sampled_from(["cos", "linear"]), bases)
def test_swa(steps: int, shape: Any, base: float) -> None:
    scheduler = SWALR(optimizer(base), 0.05, steps, shape)
    schedule = from_torch(scheduler)
    # torch anneals by a recursion that divides by what remains.
    assert schedule.values(steps).tolist() == pytest.approx(rates(scheduler, steps), rel=1e-9)


@given(factor_schedulers(), counts, counts, bases)
def test_swa_after_another(first: Make, at: int, steps: int, base: float) -> None:
    assert_same(lambda o: theirs.SequentialLR(o, [first(o), SWALR(o, 0.05, steps)], [at]), base)


@given(factor_schedulers(), factor_schedulers(), counts, st.integers(1, 10), bases)
def test_a_sequence(first: Make, second: Make, at: int, more: int, base: float) -> None:
    assert_same(
        lambda o: theirs.SequentialLR(o, [first(o), second(o), first(o)], [at, at + more]), base
    )


@given(factor_schedulers(floor=False), counts, st.sampled_from([0.5, 0.95]), bases)
def test_a_chain(first: Make, warm: int, gamma: float, base: float) -> None:
    def make(o: Any) -> Any:
        return theirs.ChainedScheduler(
            [theirs.LinearLR(o, 0.1, 1.0, warm), theirs.ExponentialLR(o, gamma), first(o)]
        )

    scheduler = make(optimizer(base))
    steps = getattr(scheduler._schedulers[-1], "T_max", STEPS)  # torch's chain climbs otherwise
    assert from_torch(scheduler).values(steps).tolist() == pytest.approx(
        rates(scheduler, steps), rel=1e-11, abs=1e-15
    )


def test_a_lambda_lr_of_a_schedule_is_that_schedule() -> None:
    curve = gs.warmup(3) >> gs.cosine(7)
    assert from_torch(theirs.LambdaLR(optimizer(0.2), curve)) == curve * 0.2


def test_rates_that_are_tensors() -> None:
    scheduler = theirs.StepLR(torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(0.5)), 3)
    assert from_torch(scheduler) == gs.step(3) * 0.5


class Counting(theirs.LRScheduler):
    """A scheduler of a user's own, with state and the recursive form."""

    def __init__(self, optimizer: Any) -> None:
        self.calls = 0
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        self.calls += 1
        return [group["lr"] / self.calls for group in self.optimizer.param_groups]


UNKNOWN: list[Make] = [
    lambda o: theirs.LambdaLR(o, lambda t: 1 / (1 + t)),
    lambda o: theirs.MultiplicativeLR(o, lambda t: 0.5),
    lambda o: theirs.SequentialLR(
        o, [theirs.LinearLR(o, 0.5), theirs.LambdaLR(o, lambda t: 0.9**t)], [3]
    ),
    lambda o: theirs.SequentialLR(
        o, [theirs.LinearLR(o, 0.5), theirs.StepLR(o, 3), theirs.ExponentialLR(o, 0.9)], [9, 5]
    ),
    lambda o: theirs.ChainedScheduler([theirs.CosineAnnealingLR(o, 5, 0.01)]),
    Counting,
]


@pytest.mark.parametrize("make", UNKNOWN)
def test_an_unknown_formula_is_refused_or_recorded(make: Make) -> None:
    scheduler = make(optimizer(0.3, 0.8))
    before = scheduler.state_dict()
    with pytest.raises(GlideslopeError, match=r"known formula \(sampled=True, steps=n"):
        from_torch(scheduler)
    recorded = from_torch(scheduler, 1, sampled=True, steps=12)
    assert scheduler.state_dict() == before
    assert recorded.steps == 12
    assert recorded.values().tolist() == rates(scheduler, 12, 1)
    assert gs.Schedule.from_json(recorded.to_json()) == recorded
    with pytest.raises(GlideslopeError, match="`scheduler` must be at step 0 to be recorded"):
        from_torch(scheduler, sampled=True, steps=12)


def test_a_known_formula_is_read_also_where_a_table_would_do() -> None:
    scheduler = theirs.StepLR(optimizer(), 3)
    assert from_torch(scheduler, sampled=True, steps=2) == from_torch(scheduler)


def test_a_table_of_one_value() -> None:
    scheduler = theirs.LambdaLR(optimizer(0.3), lambda t: 1.0)
    assert from_torch(scheduler, sampled=True, steps=1) == gs.hold(1, 0.3)
    scheduler = theirs.LambdaLR(optimizer(0.3), lambda t: 1.0)
    assert from_torch(scheduler, sampled=True, steps=5) == gs.hold(5, 0.3)


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: from_torch(theirs.ReduceLROnPlateau(optimizer())),
        "follow the step: this one follows a metric",
    ),
    (lambda: from_torch(gs.Scheduler(optimizer(), lr="linear(3)")), "has the attribute `schedule`"),
    (lambda: from_torch(gs.optim.lr_scheduler.ReduceLROnPlateau(optimizer())), "`schedule`"),
    (lambda: from_torch(0.1), "must be a scheduler of torch.optim.lr_scheduler, got 0.1"),
    (lambda: from_torch(theirs.StepLR(optimizer(), 3), 1), "index of one of the 1 parameter"),
    (lambda: from_torch(theirs.StepLR(optimizer(), 3), -1), "index of one of the 1 parameter"),
    (lambda: from_torch(theirs.StepLR(optimizer(), 3), True), "`group` must be the index"),
    (lambda: from_torch(theirs.StepLR(optimizer(), 3), steps=3), "`steps` must be left out"),
    (lambda: from_torch(theirs.StepLR(optimizer(), 3), sampled=3), "`sampled` must be True or"),
    (lambda: from_torch(Counting(optimizer()), sampled=True), "`steps` must be the number"),
    (lambda: from_torch(Counting(optimizer()), sampled=True, steps=0), "at least 1, got 0"),
    (lambda: to_lambda_lr(optimizer(), lambda t: 1.0), "`schedule` must be a schedule"),
    (lambda: to_lambda_lr(optimizer(), gs.cosine("5ep")), "unbound length"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(GlideslopeError, match=message):
        call()


def test_a_swa_that_was_stepped_is_refused() -> None:
    scheduler = SWALR(optimizer(), 0.05)
    rates(scheduler, 2)
    with pytest.raises(GlideslopeError, match="known at step 0 only"):
        from_torch(scheduler)


def test_torchs_own_lambda_lr_from_a_schedule() -> None:
    curve = gs.warmup(3) >> gs.cosine(7, end=0.1)
    scheduler = to_lambda_lr(optimizer(0.1, 0.4), [curve, gs.linear(5)])
    assert type(scheduler) is theirs.LambdaLR
    assert rates(scheduler, 6, 1) == [0.4 * gs.linear(5)(t) for t in range(6)]
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [None, None], "a schedule would need unsafe loading"
    again = to_lambda_lr(optimizer(0.1, 0.4), curve)
    again.load_state_dict(state)
    assert again.last_epoch == 6
    with pytest.raises(ValueError, match="Expected 2 lr_lambdas"):
        to_lambda_lr(optimizer(0.1, 0.4), [curve])
