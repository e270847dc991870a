"""Schedules in 50 digits, each formula written from its source and not from the code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from mpmath import mp, mpf

import glideslope as gs

mp.dps = 70  # the formulas below cancel up to 20 digits near an end; 50 remain

TOLERANCE = 1e-15
"""Relative, against the exact value for the very doubles that the schedule was given."""

SMALLEST = mpf(2) ** -1022
"""Below it doubles lose digits one by one, and are compared with it."""

Formula = Callable[[mpf], mpf]


@dataclass(frozen=True)
class Row:
    """A schedule, the formula it must give, and where to look."""

    schedule: gs.Schedule
    formula: Formula
    steps: float
    """Where its last boundary is, or a typical time for an endless curve."""
    tolerance: float = TOLERANCE
    boundaries: tuple[float, ...] = ()

    def __str__(self) -> str:
        return repr(self.schedule)[:100]

    def points(self) -> list[float]:
        """0, every boundary and one step either side, points inside, and far past the end."""
        edges = (0, self.steps, *self.boundaries)
        near = [edge + side for edge in edges for side in (-1, 0, 1)]
        inside = [self.steps // 2, self.steps // 3, self.steps * 0.77, 0.5, 1]
        return sorted({*near, *inside, 10 * self.steps})

    def exact(self, t: float) -> mpf:
        return self.formula(mpf(t))

    def error(self, value: float, t: float) -> float:
        """How far ``value`` is from the exact one, relative to it."""
        exact = self.exact(t)
        distance = abs(mpf(value) - exact)
        return float(distance / max(abs(exact), SMALLEST)) if distance else 0.0


def clamp(t: mpf, low: float, high: float) -> mpf:
    return min(max(t, mpf(low)), mpf(high))


# -- ramps -----------------------------------------------------------------------------------------

LENGTHS = (1, 2, 3, 7, 100, 12345, 10**6, 10**9, 33.5)
ENDS = ((1.0, 0.0), (1.0, 0.1), (0.0, 1.0), (2.5e-4, 3e-5), (0.5, 20.0))

# What is left of the way at the share x of the time, by the name of the curve and its arguments.
SHAPES: list[tuple[str, dict[str, Any], Formula]] = [
    ("linear", {}, lambda x: 1 - x),
    ("cosine", {}, lambda x: (1 + mp.cos(mp.pi * x)) / 2),
    ("cosine", {"power": 2}, lambda x: ((1 + mp.cos(mp.pi * x)) / 2) ** 2),
    ("cosine", {"power": 0.5}, lambda x: mp.sqrt((1 + mp.cos(mp.pi * x)) / 2)),
    ("cosine", {"k_decay": 1.5}, lambda x: (1 + mp.cos(mp.pi * x ** mpf(1.5))) / 2),
    ("polynomial", {}, lambda x: 1 - x),
    ("polynomial", {"power": 2}, lambda x: (1 - x) ** 2),
    ("polynomial", {"power": 0.5}, lambda x: mp.sqrt(1 - x)),
    ("polynomial", {"power": 0.9}, lambda x: (1 - x) ** mpf(0.9)),
    ("polynomial", {"power": 2, "mirrored": True}, lambda x: 1 - x**2),
    ("polynomial", {"power": 0.5, "mirrored": True}, lambda x: 1 - mp.sqrt(x)),
    ("polynomial", {"power": 2, "k_decay": 1.5}, lambda x: (1 - x ** mpf(1.5)) ** 2),
    ("polynomial", {"power": 2, "k_decay": 0.7}, lambda x: (1 - x ** mpf(0.7)) ** 2),
    ("relaxation", {}, lambda x: 2 * mpf(0.5) ** x - 1),
    ("relaxation", {"ratio": 0.01}, lambda x: (mpf(0.01) ** x - mpf(0.01)) / (1 - mpf(0.01))),
    ("rex", {}, lambda x: (1 - x) / (mpf(0.5) + (1 - x) / 2)),
]


def ramp_formula(down: Formula, steps: float, start: float, end: float, include: bool) -> Formula:
    span = mpf(steps) - include
    return lambda t: mpf(end) + (mpf(start) - mpf(end)) * down(clamp(t, 0, span) / span)


def ramps() -> Iterator[Row]:
    for (name, options, down), steps, (start, end) in product(SHAPES, LENGTHS, ENDS):
        # The fourth power of a sine carries its error four times.
        tolerance = 2e-15 if (name, options.get("power")) == ("cosine", 2) else TOLERANCE
        for include in (False, True) if steps > 1 else (False,):
            curve = getattr(gs, name)(steps, start=start, end=end, include_end=include, **options)
            formula = ramp_formula(down, steps, start, end, include)
            yield Row(curve, formula, steps, tolerance)


def geometric(steps: float, start: float, end: float) -> Row:
    def formula(t: mpf) -> mpf:
        return mpf(start) * (mpf(end) / mpf(start)) ** (clamp(t, 0, steps) / mpf(steps))

    return Row(gs.geometric(steps, start=start, end=end), formula, steps)


def half_life(steps: float, start: float, end: float) -> Row:
    def formula(t: mpf) -> mpf:
        x = clamp(t, 0, steps) / mpf(steps)
        return mp.exp(1 / ((1 - x) / mp.log(mpf(start)) + x / mp.log(mpf(end))))

    return Row(gs.half_life(steps, start=start, end=end), formula, steps)


def logarithmic(steps: float, start: float, end: float, include: bool) -> Row:
    def formula(t: mpf) -> mpf:
        span = mpf(steps) - include
        up = mp.log(1 + clamp(t, 0, span)) / mp.log(1 + span)
        return mpf(start) + (mpf(end) - mpf(start)) * up

    curve = gs.logarithmic(steps, start=start, end=end, include_end=include)
    return Row(curve, formula, steps)


# -- curves that need no end -----------------------------------------------------------------------


def exponential(gamma: float, every: float) -> Row:
    curve = gs.exponential(gamma, every=every)
    return Row(curve, lambda t: mpf(gamma) ** (max(t, mpf(0)) / mpf(every)), 100 * every)


def power_law(timescale: float, power: float) -> Row:
    def formula(t: mpf) -> mpf:
        return (1 + max(t, mpf(0)) / mpf(timescale)) ** -mpf(power)

    return Row(gs.power_law(timescale, power=power), formula, timescale)


def saturation(timescale: float) -> Row:
    def formula(t: mpf) -> mpf:
        return 1 - mp.exp(-(max(t, mpf(0)) + 1) / mpf(timescale))

    return Row(gs.saturation(timescale), formula, timescale)


def rho(k: int, beta: mpf) -> mpf:
    return 2 / (1 - beta) - 1 - 2 * k * beta**k / (1 - beta**k)


def rectifier(beta2: float) -> Row:
    """RAdam, Algorithm 2, from the first step where the variance is tractable."""
    beta = mpf(beta2)
    first = next(k for k in range(1, 10**6) if rho(k, beta) > 4)
    limit = 2 / (1 - beta) - 1

    def formula(t: mpf) -> mpf:
        now = rho(max(t, mpf(0)) + first, beta)
        return mp.sqrt((now - 4) * (now - 2) * limit / ((limit - 4) * (limit - 2) * now))

    return Row(gs.rectifier(beta2), formula, round(2 / (1 - beta2)))


# -- published shapes ------------------------------------------------------------------------------


def tanh(steps: float, lower: float, upper: float) -> Row:
    def formula(t: mpf) -> mpf:
        x = clamp(t, 0, steps) / mpf(steps)
        return (1 - mp.tanh(mpf(lower) * (1 - x) + mpf(upper) * x)) / 2

    return Row(gs.tanh(steps, lower=lower, upper=upper), formula, steps)


def hyperbola(t: mpf, steps: float, bound: float) -> mpf:
    n, u = mpf(steps), mpf(bound)
    return mp.sqrt((n - t) / u * (2 - (n + t) / u))


def hyperbolic(steps: float, bound: float) -> Row:
    def formula(t: mpf) -> mpf:
        now, first = (hyperbola(s, steps, bound) for s in (clamp(t, 0, steps), mpf(0)))
        return 1 + now - first

    return Row(gs.hyperbolic(steps, bound), formula, steps)


def exp_hyperbolic(steps: float, bound: float, floor: float) -> Row:
    def formula(t: mpf) -> mpf:
        now, first = (hyperbola(s, steps, bound) for s in (clamp(t, 0, steps), mpf(0)))
        return mpf(floor) ** (first - now)

    return Row(gs.exp_hyperbolic(steps, bound, floor=floor), formula, steps)


def growing_polynomial(period: float, power: float) -> Row:
    def formula(t: mpf) -> mpf:
        t = max(t, mpf(0))
        whole = mpf(period) * max(mp.ceil(t / mpf(period)), mpf(1))
        return (1 - t / whole) ** mpf(power)

    boundaries = tuple(k * period for k in range(1, 6))
    curve = gs.growing_polynomial(period, power=power)
    return Row(curve, formula, 100 * period, boundaries=boundaries)


# -- points ----------------------------------------------------------------------------------------

POINTS = ((0, 1.0), (30, 0.25), (31, 0.3), (90, 0.0), (1000, 7.5))


def piecewise(shape: str) -> Row:
    weights = {
        "hold": lambda x: 0 * x,
        "linear": lambda x: x,
        "cosine": lambda x: (1 - mp.cos(mp.pi * x)) / 2,
    }

    def formula(t: mpf) -> mpf:
        if t >= 1000:
            return mpf(7.5)
        t = max(t, mpf(0))
        k = max(i for i, (step, _) in enumerate(POINTS) if step <= t)
        (start, a), (stop, b) = POINTS[k], POINTS[k + 1]
        weight = weights[shape]((t - start) / (stop - start))
        return mpf(a) + (mpf(b) - mpf(a)) * weight

    return Row(gs.piecewise(POINTS, shape=shape), formula, 1000, boundaries=(30, 31, 90))


# -- recipes and compositions ----------------------------------------------------------------------


def line(t: mpf, steps: mpf, start: float = 1.0, end: float = 0.0) -> mpf:
    return mpf(start) + (mpf(end) - mpf(start)) * clamp(t, 0, steps) / mpf(steps)


def wave(t: mpf, steps: mpf, start: float = 1.0, end: float = 0.0) -> mpf:
    shape = (1 + mp.cos(mp.pi * clamp(t, 0, steps) / mpf(steps))) / 2
    return mpf(end) + (mpf(start) - mpf(end)) * shape


def warmup_cosine(t: mpf) -> mpf:
    return line(t, 500, 0.0, 1.0) if t < 500 else wave(t - 500, 9500, 1.0, 0.1)


def wsd(t: mpf) -> mpf:
    if t < 50:
        return line(t, 50, 0.0, 1.0)
    return mpf(1) if t < 800 else 1 - mp.sqrt(min(t - 800, mpf(200)) / 200)


def wsd_s(t: mpf) -> mpf:
    if t < 10:
        return line(t, 10, 0.0, 1.0)
    inside = (t - 10) % 100 if t < 310 else mpf(100)
    return mpf(1) if inside < 80 else line(inside - 80, 20, 1.0, 0.1)


def noam(t: mpf) -> mpf:
    return mpf(512) ** -0.5 * min(mpf(t) ** -0.5, t * mpf(4000) ** -1.5) if t > 0 else mpf(0)


def noam_clamped(size: float, warmup: float, factor: float) -> Row:
    """The largest of 1 and t in the formula, as AllenNLP's ``NoamLR`` has it."""

    def exact(t: mpf) -> mpf:
        u = max(mpf(1), t)
        return mpf(factor) * mpf(size) ** -0.5 * min(u**-0.5, u * mpf(warmup) ** -1.5)

    schedule = gs.noam_clamped(size, warmup, factor)  # type: ignore[arg-type]
    return Row(schedule, exact, max(warmup, 1), boundaries=(1, 1.5))


def one_cycle(t: mpf) -> mpf:
    """torch's OneCycleLR over a largest rate of 1: ``cos``, two phases, the same defaults."""
    t, low, lowest = clamp(t, 0, 999), 0.04, 4e-6
    return wave(t, 299, low, 1.0) if t <= 299 else wave(t - 299, 700, 1.0, lowest)


def one_cycle_three_phases(t: mpf) -> mpf:
    t = clamp(t, 0, 999)
    if t <= 299:
        return line(t, 299, 0.04, 1.0)
    return line(t - 299, 299, 1.0, 0.04) if t <= 598 else line(t - 598, 401, 0.04, 4e-6)


def cosine_waves(t: mpf) -> mpf:
    return (1 + mp.cos(2 * mp.pi * mpf(2.5) * clamp(t, 0, 1000) / 1000)) / 2


def restarts(t: mpf) -> mpf:
    """SGDR with T_0 = 10, T_mult = 3, each peak 0.8 of the last."""
    t, start, length, peak = max(t, mpf(0)), mpf(0), mpf(10), mpf(1)
    while t >= start + length:
        start, length, peak = start + length, length * 3, peak * mpf(0.8)
    return peak * wave(t - start, length)


def triangular2(t: mpf) -> mpf:
    """Smith's triangular2 between 0.1 and 1 with 7 steps up and 13 down."""
    cycle = mp.floor(max(t, mpf(0)) / 20)
    inside = max(t, mpf(0)) - 20 * cycle
    height = inside / 7 if inside < 7 else (20 - inside) / 13
    return mpf(0.1) + mpf(0.9) * height * mpf(0.5) ** cycle


def slanted_triangular(t: mpf) -> mpf:
    t, cut = clamp(t, 0, 1000), 100
    share = t / cut if t < cut else 1 - (t - cut) / (cut * (mpf(10) - 1))
    return (1 + share * 31) / 32


def chebyshev(t: mpf) -> mpf:
    return (1 + mp.cos((2 * clamp(t, 0, mpf(99.5)) + 1) * mp.pi / 200)) / 2


def stairs(t: mpf) -> mpf:
    return mpf(0.1) ** mp.floor(max(t, mpf(0)) / 30)


def compositions() -> Iterator[Row]:
    cosine, triangle = gs.cosine(10), gs.triangular(7, 13)
    yield Row(gs.warmup_cosine(500, 9500, end=0.1), warmup_cosine, 10_000, boundaries=(500,))
    yield Row(gs.wsd(50, 750, 200, shape="sqrt"), wsd, 1000, boundaries=(50, 800))
    yield Row(
        gs.wsd_s(10, 80, 20, n=3, end=0.1), wsd_s, 310, boundaries=(10, 90, 110, 190, 210, 290)
    )
    yield Row(gs.noam(512, 4000), noam, 4000)
    for warmup in (4000, 4000.7, 2, 1.5, 1, 0.3):
        yield noam_clamped(512, warmup, 1)
        yield noam_clamped(48.5, warmup, 2.2)
    yield Row(gs.one_cycle(1000), one_cycle, 1000, boundaries=(299, 999))
    yield Row(
        gs.one_cycle(1000, shape="linear", three_phase=True),
        one_cycle_three_phases,
        1000,
        boundaries=(299, 598, 999),
    )
    # A zero of the wave is approached as the square of a difference of rounded times.
    waves = gs.cosine_waves(1000, cycles=2.5)
    yield Row(waves, cosine_waves, 1000, boundaries=(200, 400, 600, 800))
    yield Row(
        cosine.repeat(decay=0.8, stretch=3), restarts, 1210, boundaries=(10, 40, 130, 400, 3640)
    )
    yield Row(
        0.1 + 0.9 * triangle.repeat(decay=0.5), triangular2, 60, boundaries=(7, 20, 27, 40, 47)
    )
    stretched = gs.cosine(10, end=0.0, include_end=True).stretch(10**6)
    yield Row(stretched, lambda t: wave(t, 900_000), 10**6, boundaries=(900_000,))
    yield Row(gs.slanted_triangular(1000), slanted_triangular, 1000, boundaries=(100,))
    yield Row(gs.chebyshev(100), chebyshev, 99)
    yield Row(gs.step(30), stairs, 300, boundaries=(30, 60, 90, 120, 150))
    yield Row(
        gs.multistep([30, 80]), lambda t: mpf(0.1) ** ((t >= 30) + (t >= 80)), 80, boundaries=(30,)
    )
    yield Row(gs.step(30, gamma=0.0), lambda t: mpf(t < 30), 30)
    yield Row(
        gs.natural_exponential(0.01),
        lambda t: mp.exp(-mpf(0.01) * max(t, mpf(0))),
        100,
        tolerance=5e-15,  # the exponent, here up to 10, carries its rounding into the value
    )
    yield Row(gs.inverse_time(0.01), lambda t: 1 / (1 + mpf(0.01) * max(t, mpf(0))), 1000)
    yield Row(
        gs.inverse_sqrt(100),
        lambda t: line(t, 100, 0.0, 1.0) if t < 100 else mp.sqrt(100 / t),
        100,
    )


# -- the table -------------------------------------------------------------------------------------


def endless() -> Iterator[Row]:
    for gamma, every in product((0.0, 0.1, 0.5, 0.95, 0.999, 1.001, 2.0), (1, 7, 1000, 30.5)):
        yield exponential(gamma, every)
    for timescale, power in product((1, 100, 10**6, 0.7), (0.5, 1, 0.51, 3)):
        yield power_law(timescale, power)
    yield from map(saturation, (1, 1000, 10**7, 0.7))
    yield from map(rectifier, (0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 1 - 1e-7))
    for beta2 in (0.61, 0.7):  # the first ρ - 4 is a small difference, known only as well as β₂
        yield replace(rectifier(beta2), tolerance=1e-14)


def published() -> Iterator[Row]:
    for steps, (lower, upper) in product((1, 7, 100, 10**6), ((-7, 3), (-3, 3), (3, -7))):
        yield tanh(steps, lower, upper)
    # e^(2·50): an exponent of 100 carries its rounding into the value.
    yield replace(tanh(100, -50, 50), tolerance=2e-14)
    for steps in (1, 100, 10**6):
        for bound in (steps, steps + 1, 1.1 * steps, 2 * steps, 100 * steps):
            yield hyperbolic(steps, bound)
            yield exp_hyperbolic(steps, bound, 0.9)
            yield exp_hyperbolic(steps, bound, 0.01)
            # log(1e-7) = -16 carries the rounding of the exponent into the value.
            yield replace(exp_hyperbolic(steps, bound, 1e-7), tolerance=4e-15)
    for period, power in product((1, 100, 10**6, 33.5), (0.5, 1, 2)):
        yield growing_polynomial(period, power)


def table() -> list[Row]:
    rows = [*ramps(), *endless(), *published(), *compositions()]
    ends = ((1, 0.1), (1, 0.01), (1e-4, 1e-5), (0.5, 0.4), (1, 8), (1e-3, 1))
    rows += [geometric(steps, *pair) for steps, pair in product(LENGTHS, ends)]
    # 18 = log(10 / 1e-7) carries the rounding of the share of the way into the value.
    decays = [(0.9, 0.9999), (0.999, 0.5)]
    rows += [half_life(steps, *pair) for steps, pair in product(LENGTHS, decays)]
    rows += [replace(geometric(steps, 1e-7, 10), tolerance=4e-15) for steps in LENGTHS]
    rows += [
        logarithmic(steps, *pair, include)
        for steps, pair, include in product(LENGTHS, ENDS, (False, True))
        if steps > include
    ]
    return rows + [piecewise(shape) for shape in ("hold", "linear", "cosine")]
