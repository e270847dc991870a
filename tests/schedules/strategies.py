"""Random schedules: every curve, every recipe, and whatever the algebra makes of them.

`schedules(values, lengths)` draws any of them. Values are not negative unless `SIGNED` is asked
for, so that sums do not cancel and results can be compared relatively.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import glideslope as gs
from glideslope.errors import UnboundError

Schedules = SearchStrategy[gs.Schedule]
Values = SearchStrategy[float]
Lengths = SearchStrategy[Any]

FACTORS = st.sampled_from([0.0, 0.1, 1.0]) | st.floats(1e-3, 4)
SIGNED = FACTORS | st.floats(-4, 4)
POWERS = st.sampled_from([0.5, 1, 2]) | st.floats(0.3, 3)
RATIOS = st.floats(0.01, 0.99)

STEPS = st.integers(1, 400) | st.sampled_from([1, 2, 3, 10, 12.5, 100, 10_000])
SHARES = st.integers(2, 60) | st.sampled_from([2.5, 33.3])
UNITS = st.one_of(
    st.builds("{}{}".format, SHARES, st.sampled_from(["ep", "%"])),
    st.builds("{}tok".format, st.integers(2_000, 90_000) | st.just(2e4)),
)
ANY_LENGTH = STEPS | UNITS
PLAN = {"steps_per_epoch": 7, "tokens_per_step": 512, "total_steps": 1000}
"""Arguments that bind every length of `UNITS` to one step or more."""


def calls(make: Callable[..., gs.Schedule], *needed: Any, **optional: Any) -> Schedules:
    """Calls of ``make`` with the needed arguments and some of the optional ones."""
    options = st.fixed_dictionaries({}, optional=optional)
    return st.builds(lambda args, named: make(*args, **named), st.tuples(*needed), options)


def climbs(least: int = 0) -> SearchStrategy[list[int]]:
    """Ascending steps."""
    return st.lists(st.integers(1, 300), min_size=least, max_size=5, unique=True).map(sorted)


# -- curves and recipes ----------------------------------------------------------------------------


@cache
def ramps(values: Values, lengths: Lengths) -> Schedules:
    """The curves from one value to another."""
    lengths = lengths | st.just(0)
    kinds: dict[Any, dict[str, Any]] = {
        gs.linear: {},
        gs.cosine: {"power": POWERS, "k_decay": POWERS},
        gs.polynomial: {"power": POWERS, "k_decay": POWERS, "mirrored": st.booleans()},
        gs.geometric: {"start": st.floats(1e-3, 4), "end": st.floats(1e-3, 4)},
        gs.half_life: {"start": st.floats(0.5, 0.99), "end": st.floats(0.5, 0.99)},
        gs.relaxation: {"ratio": RATIOS},
        gs.logarithmic: {},
        gs.rex: {},
    }
    drawn = []
    for kind, more in kinds.items():
        options = {"start": values, "end": values} | more
        drawn += [calls(kind, lengths, include_end=st.booleans(), **options)]
    return st.one_of(drawn)


@cache
def shapes(values: Values, lengths: Lengths) -> Schedules:
    """The other curves with an end."""
    points = climbs(1).flatmap(
        lambda steps: st.tuples(*[st.tuples(st.just(step), values) for step in (0, *steps)])
    )
    number, bounds, arguments = st.integers(1, 400), st.integers(400, 1000), st.floats(-7, 7)
    return st.one_of(
        calls(gs.piecewise, points, shape=st.sampled_from(["hold", "linear", "cosine"])),
        calls(gs.tanh, lengths | st.just(0), lower=arguments, upper=arguments),
        calls(gs.hyperbolic, number, bounds),
        calls(gs.exp_hyperbolic, number, bounds, floor=RATIOS),
    )


@cache
def recipes(lengths: Lengths) -> Schedules:
    """The recipes with an end."""
    own, lengths = lengths, lengths | st.just(0)
    low, number = st.sampled_from([0.0, 0.01, 0.5]), st.integers(20, 400)
    rise = st.sampled_from(["linear", "cosine", "square", "sqrt"])
    fall = st.sampled_from(["linear", "cosine", "sqrt", "square", "exponential", "rex"])
    return st.one_of(
        calls(gs.warmup, lengths, shape=rise, start=low),
        calls(gs.hold, lengths, value=FACTORS),
        calls(gs.cooldown, lengths, shape=fall, end=low),
        calls(gs.warmup_cosine, lengths, lengths, start=low, end=low),
        calls(gs.wsd, lengths, lengths, lengths, shape=fall, end=low),
        calls(gs.wsd_s, lengths, lengths, lengths, st.integers(1, 4), shape=fall, end=low),
        calls(gs.one_cycle, number, shape=st.sampled_from(["linear", "cosine"])),
        calls(gs.triangular, lengths, down_steps=lengths),
        calls(gs.slanted_triangular, number, ratio=st.floats(1, 64)),
        calls(gs.cosine_waves, number, cycles=st.sampled_from([0.5, 1, 2.5, 3])),
        calls(gs.chebyshev, own),
        calls(gs.range_test, number, shape=st.sampled_from(["linear", "geometric"])),
        calls(gs.fractal_chebyshev, st.sampled_from([2, 4, 8, 64])),
        calls(gs.multistep, climbs(1), gamma=RATIOS),
    )


@cache
def endless(lengths: Lengths) -> Schedules:
    """Curves and recipes without an end."""
    number = st.integers(1, 400)
    return st.one_of(
        calls(gs.constant, FACTORS),
        calls(gs.exponential, st.floats(0.5, 1) | st.sampled_from([0.0, 1.0001]), every=lengths),
        calls(gs.power_law, lengths, power=POWERS),
        calls(gs.saturation, lengths),
        calls(gs.rectifier, beta2=st.floats(0.9, 0.9999)),
        calls(gs.growing_polynomial, lengths, power=POWERS),
        calls(gs.step, lengths, gamma=RATIOS),
        calls(gs.natural_exponential, st.floats(1e-3, 0.1)),
        calls(gs.inverse_time, st.floats(1e-3, 0.1), every=number),
        calls(gs.inverse_sqrt, lengths),
        calls(gs.noam, number, number),
        calls(gs.noam_clamped, number, st.floats(0.1, 400), factor=RATIOS),
    )


# -- the algebra -----------------------------------------------------------------------------------


def unbound(schedule: gs.Schedule) -> bool:
    """True if some length still has a unit."""
    try:
        schedule.phases()
    except UnboundError:
        return True
    return False


Draw = st.DrawFn
GROWTHS = st.sampled_from([1, 1, 2, 3, 1.5])
DECAYS = st.sampled_from([1.0, 0.5, 0.9])
CYCLES = st.integers(1, 4)


def varied(
    draw: Draw, a: gs.Schedule, others: Schedules, values: Values, lengths: Lengths
) -> gs.Schedule:
    """Results of one step of algebra on ``a``, which has an end, and others like it."""
    ways: list[Callable[[], gs.Schedule]] = [
        lambda: a,
        lambda: a >> draw(others),
        lambda: a * draw(others),
        lambda: a + draw(others),
        lambda: a * draw(values),
        lambda: draw(values) + a,
        lambda: a.clip(*sorted([draw(values), draw(values)])),
        lambda: a.clip(hi=draw(values)),
        lambda: a.stretch(draw(lengths)),
        lambda: a.take(draw(lengths)),
        lambda: a.staircase(draw(lengths)),
        lambda: a.shift(draw(lengths)),
        lambda: a.reverse(),
        lambda: a.branch(draw(lengths), draw(others)),
    ]
    if unbound(a) or a.steps >= 1:
        ways.append(lambda: a.repeat(draw(CYCLES), decay=draw(DECAYS), stretch=draw(GROWTHS)))
    if not unbound(a) and a.steps > 1:
        ways.append(lambda: a.shift(-1))
    return draw(st.sampled_from(ways))()


@cache
def leaves(values: Values, lengths: Lengths) -> Schedules:
    return ramps(values, lengths) | shapes(values, lengths) | recipes(lengths)


@cache
def finite(values: Values = FACTORS, lengths: Lengths = STEPS, depth: int = 2) -> Schedules:
    """Any schedule with an end."""
    if depth == 0:
        return leaves(values, lengths)
    others = finite(values, lengths, depth - 1)

    @st.composite
    def drawn(draw: Draw) -> gs.Schedule:
        return varied(draw, draw(others), others, values, lengths)

    return drawn()


@st.composite
def schedules(draw: st.DrawFn, values: Values = FACTORS, lengths: Lengths = STEPS) -> gs.Schedule:
    """Any schedule."""
    a = draw(finite(values, lengths))
    b = draw(endless(lengths))
    at = draw(lengths)
    ways = [a, a, b, a >> b, a * b, b + a, b.take(at), b.branch(at, a)]
    if unbound(a) or a.steps >= 1:
        ways.append(a.repeat())
    return draw(st.sampled_from(ways))


def steps_of(schedule: gs.Schedule) -> list[float]:
    """Where to look: every boundary and a step either side, the middle, and far past the end."""
    edges = {float(edge) for phase in schedule.phases() for edge in (phase.start, phase.stop)}
    edges = {edge for edge in edges if math.isfinite(edge)} | {1000.0}
    near = {edge + side for edge in edges for side in (-1, -0.5, 0, 0.5, 1)}
    return sorted(near | {max(edges) / 3, 3 * max(edges), 1e6})
