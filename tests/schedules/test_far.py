"""Far out: a number, NumPy, torch and JAX agree at every step that a run can have, up to 2^53."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope import Schedule

from .test_maths import distance, jax_in_double_precision, scalars

DOUBLE = 1e-14
LAST = 2**53
"""The last step to which a double can count."""

Make = Callable[[int, int], Schedule]
MADE: dict[str, Make] = {  # of a length of billions and a short one
    "linear": lambda n, k: gs.linear(n, start=0.1, end=1.0, include_end=True),
    "cosine": lambda n, k: gs.cosine(n, power=0.5),
    "cosine, k-decay": lambda n, k: gs.cosine(n, start=0.0, end=1.0, k_decay=1.5),
    "polynomial": lambda n, k: gs.polynomial(n, power=3, k_decay=0.5),
    "square root": lambda n, k: gs.polynomial(n, power=0.5, mirrored=True),
    "geometric": lambda n, k: gs.geometric(n),
    "half-life": lambda n, k: gs.half_life(n),
    "relaxation": lambda n, k: gs.relaxation(n),
    "logarithmic": lambda n, k: gs.logarithmic(n, start=0.0, end=1.0),
    "rex": lambda n, k: gs.rex(n),
    "tanh": lambda n, k: gs.tanh(n),
    "hyperbolic": lambda n, k: gs.hyperbolic(n, n + 1),
    "exp-hyperbolic": lambda n, k: gs.exp_hyperbolic(n, 2 * n),
    "points": lambda n, k: gs.piecewise({0: 1, n // 3: 0.5, n: 0.1}),
    "lines": lambda n, k: gs.piecewise({0: 1, n // 3: 0.5, n: 0.1}, shape="linear"),
    "waves": lambda n, k: gs.piecewise({0: 1, n // 3: 0.5, n: 0.1}, shape="cosine"),
    "exponential": lambda n, k: gs.exponential(1 - 1 / n),
    "exponential, every": lambda n, k: gs.exponential(0.5, every=n),
    "power law": lambda n, k: gs.power_law(n),
    "saturation": lambda n, k: gs.saturation(n),
    "rectifier": lambda n, k: gs.rectifier(1 - 1e-7),
    "growing polynomial": lambda n, k: gs.growing_polynomial(k, power=2),
    "stairs": lambda n, k: gs.step(k, gamma=1 - k / n),
    "saw": lambda n, k: gs.linear(k).repeat(),
    "saw that decays": lambda n, k: gs.cosine(k).repeat(n // k, decay=1 - k / n),
    "doubled": lambda n, k: gs.cosine(k).repeat(stretch=2),
    "grown": lambda n, k: gs.linear(k).repeat(stretch=1.5, decay=0.9),
    "staircase": lambda n, k: (gs.warmup(n // 3) >> gs.cosine(n)).staircase(k),
    "triangles": lambda n, k: gs.triangular(k, 7 * k).repeat(),
    "sequence": lambda n, k: gs.warmup(k) >> gs.hold(n) >> gs.cosine(k) >> gs.step(k),
    "late saw": lambda n, k: gs.hold(n) >> gs.cosine(k).repeat(stretch=2),
    "stretched": lambda n, k: (gs.warmup(k) >> gs.multistep([k, 7 * k])).stretch(n),
    "stretched more": lambda n, k: (gs.warmup(n // 7) >> gs.step(k).take(n // 3)).stretch(n),
    "backwards": lambda n, k: (gs.warmup(k) >> gs.cosine(n - 2 * k)).reverse().shift(-1),
    "branch": lambda n, k: gs.linear(n).branch(n // 2, gs.cosine(k)),
    "take": lambda n, k: gs.exponential(0.9, every=k).take(100 * k),
    "recipes": lambda n, k: gs.wsd(k, n, k) * gs.noam(64, n),
}


def steps_far_out(schedule: Schedule, n: int, k: int, drawn: list[int]) -> list[int]:
    """Every boundary and cycle's end with a step either side, and steps of every size."""
    edges = {edge for phase in schedule.phases() for edge in (phase.start, phase.stop)}
    whole = {math.floor(edge) for edge in edges if edge < LAST}
    whole |= {n, n // 3, 2 * n // 3, *(c * k for c in (1, 1000, n // k, LAST // k - 1))}
    near = {edge + side for edge in whole for side in (-1, 0, 1)}
    return sorted(t for t in near | {0, LAST, LAST - 1, *drawn} if 0 <= t <= LAST)


LENGTHS = st.sampled_from([10**9, 2**31, 2**40, 10**15]) | st.integers(10**9, LAST // 2)
SHORT = st.integers(2, 10**8)
DRAWN = st.lists(st.integers(0, 53).flatmap(lambda bits: st.integers(0, 2**bits)), max_size=20)


@given(st.sampled_from(sorted(MADE)), LENGTHS, SHORT, DRAWN)
def test_integer_arrays_agree_with_the_scalar(kind: str, n: int, k: int, drawn: list[int]) -> None:
    schedule = MADE[kind](n, k)
    steps = steps_far_out(schedule, n, k, drawn)
    expected = scalars(schedule, steps)  # type: ignore[arg-type]
    assert distance(scalars(schedule, list(map(float, steps))), expected) <= DOUBLE
    assert distance(schedule(np.array(steps)), expected) <= DOUBLE
    assert distance(schedule(torch.tensor(steps)).numpy(), expected) <= DOUBLE
    short = [t for t in steps if t < 2**31]
    expected = expected[: len(short)]
    assert distance(schedule(np.array(short, dtype=np.int32)), expected) <= DOUBLE
    assert distance(schedule(torch.tensor(short, dtype=torch.int32)).numpy(), expected) <= DOUBLE


def test_a_stretched_boundary_is_met_where_the_product_is_rounded() -> None:
    cycles, short, long = 10**7 + 19, 97, 1009
    saw = gs.linear(short).repeat(cycles).stretch(cycles * long)
    edges = long * np.unique(np.geomspace(1, cycles - 1, 2000).astype(np.int64))
    for steps, expected in ((edges, 1.0), (edges - 1, 1 / long)):
        for values in (saw(steps), saw(torch.tensor(steps)), scalars(saw, steps.tolist())):
            assert np.asarray(values) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", MADE)
def test_jax_agrees_with_the_scalar(kind: str) -> None:
    n, k = 10**12 + 39, 10**6 + 3
    schedule = MADE[kind](n, k)
    steps = steps_far_out(schedule, n, k, [3**e for e in range(33)])
    expected = scalars(schedule, steps)  # type: ignore[arg-type]
    # A small value is the difference of larger ones, which XLA rounds once where others do twice.
    with jax_in_double_precision():
        values = np.asarray(jax.jit(schedule)(jnp.array(steps)))
    assert np.abs(values - expected).max() <= DOUBLE * np.abs(expected).max()


JUMPS = ("points", "stairs", "saw", "doubled", "grown", "triangles", "stretched", "take", "late")
SMOOTH = [kind for kind in MADE if not kind.startswith(JUMPS)]


@pytest.mark.parametrize("n", [10**9, 2**40, LAST // 2])
@pytest.mark.parametrize("kind", SMOOTH)
def test_single_precision_is_as_exact_as_its_steps(kind: str, n: int) -> None:
    schedule = MADE[kind](n, 100)
    steps = np.geomspace(1, 1.1 * n, 300).astype(np.float32)
    around = [np.nextafter(steps, np.float32(side)) for side in (0, np.inf)]
    near = [scalars(schedule, list(map(float, t))) for t in (steps, *around)]
    moved = np.max(near, axis=0) - np.min(near, axis=0)
    allowed = 4 * moved + 2e-6 * np.max(np.abs(near))
    arrays: list[Any] = [steps, torch.tensor(steps), jnp.array(steps)]
    for array in arrays:
        values = schedule(array)
        assert str(values.dtype).endswith("float32")
        assert np.all(np.abs(np.asarray(values, dtype=np.float64) - near[0]) <= allowed)
