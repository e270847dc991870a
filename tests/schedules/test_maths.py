"""Scalar equals array: one formula, evaluated on a float and by NumPy, torch and JAX.

Python and NumPy take their sines and powers from different libraries, each within an ulp of the
truth, so two evaluations of one formula differ by a few ulps at most. Where arithmetic alone is at
work (lines, holds, boundaries, cycles) they are the same to the last bit; not in JAX, whose
compiler multiplies by a rounded reciprocal where a division is written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from numpy.typing import NDArray

import glideslope as gs
from glideslope import Schedule
from glideslope.errors import GlideslopeError, InvalidType, InvalidValue, UnboundError

from .references import Row, table
from .strategies import schedules, steps_of

Floats = NDArray[np.float64]
ULP = 2.0**-52
COMPOSITION = 8 * ULP
"""The bound for any composition; 3 ulps is the most seen in 10,000 of them."""
CURVE = 4 * ULP
"""The bound for one curve; 2 ulps is the most seen."""

EXACT = [
    gs.linear(97, start=0.3, end=2.0),
    gs.warmup(13) >> gs.hold(20) >> gs.linear(50),
    gs.piecewise([(0, 1), (30, 0.3), (77, 0.0)], shape="linear"),
    gs.piecewise([(0, 1), (30, 0.3), (77, 0.0)]),
    gs.linear(10).repeat(decay=0.5),
    gs.linear(10).repeat(stretch=3),
    gs.linear(7).repeat(4, stretch=1.5, decay=0.8),
    gs.linear(97).staircase(5),
    gs.linear(97).reverse().shift(3).take(50),
    gs.linear(97).branch(40, gs.linear(7)),
    (gs.linear(97) * 0.3 + 0.1).clip(0.15, 0.3),
    gs.growing_polynomial(10),
    gs.rex(97),
]


def scalars(schedule: Schedule, steps: list[float]) -> Floats:
    return np.array([schedule(t) for t in steps])


def distance(a: Any, b: Floats) -> float:
    """The largest relative difference."""
    a = np.asarray(a)
    apart = np.abs(a - b)
    return float(
        np.max(np.divide(apart, np.maximum(np.abs(b), 1e-300), where=apart > 0, out=0 * b))
    )


@contextmanager
def jax_in_double_precision() -> Iterator[None]:
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


# -- double precision ------------------------------------------------------------------------------


@given(schedules())
def test_numpy_agrees_with_the_scalar(schedule: Schedule) -> None:
    steps = steps_of(schedule)
    assert distance(schedule(np.array(steps)), scalars(schedule, steps)) <= COMPOSITION


@given(schedules())
def test_torch_agrees_with_the_scalar(schedule: Schedule) -> None:
    steps = steps_of(schedule)
    values = schedule(torch.tensor(steps, dtype=torch.float64))
    assert values.dtype == torch.float64
    assert distance(values.numpy(), scalars(schedule, steps)) <= COMPOSITION


@pytest.mark.parametrize("row", [row for row in table() if row.steps in (1, 100, 1000)], ids=str)
def test_one_curve_agrees_more_closely(row: Row) -> None:
    steps = [float(t) for t in row.points()]
    expected = scalars(row.schedule, steps)
    assert distance(row.schedule(np.array(steps)), expected) <= CURVE
    assert distance(row.schedule(torch.tensor(steps, dtype=torch.float64)), expected) <= CURVE


@pytest.mark.parametrize("schedule", EXACT, ids=repr)
def test_where_only_arithmetic_is_used_every_bit_agrees(schedule: Schedule) -> None:
    steps = [-3.0, *range(200), 39.999, 40.001, 1e6, 1e12]
    expected = scalars(schedule, steps).tolist()
    assert schedule(np.array(steps)).tolist() == expected
    assert schedule(torch.tensor(steps, dtype=torch.float64)).tolist() == expected


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint64"])
def test_integer_steps_are_worked_on_in_double_precision(dtype: str) -> None:
    schedule = gs.warmup(10) >> gs.cosine(90, end=0.1)
    steps = np.arange(120)
    expected = schedule(steps.astype(np.float64))
    assert schedule(steps.astype(dtype)).tolist() == expected.tolist()
    assert schedule(steps.astype(dtype)).dtype == np.float64
    if hasattr(torch, dtype):
        values = schedule(torch.tensor(steps).to(getattr(torch, dtype)))
        assert values.dtype == torch.float64
        assert distance(values.numpy(), expected) <= CURVE


# -- JAX -------------------------------------------------------------------------------------------

TRACED = [
    gs.warmup(10) >> gs.cosine(90, end=0.1),
    gs.cosine(10).repeat(3, decay=0.5, stretch=2),
    gs.linear(10).repeat(decay=0.5),
    gs.rectifier() * gs.wsd(9, 9, 9, "sqrt"),
    gs.polynomial(90, power=0.9).branch(40, gs.linear(7)),
    gs.piecewise([(0, 1), (30, 0.3), (77, 0.0)], shape="cosine"),
    gs.step(10, gamma=0.5).clip(0.1),
    gs.growing_polynomial(10) + gs.noam(64, 9),
    gs.exponential(0.0, every=3) + gs.noam_clamped(64, 9.5),
]


@pytest.mark.parametrize("schedule", TRACED, ids=repr)
def test_jax_agrees_under_jit(schedule: Schedule) -> None:
    steps = np.arange(-2, 150)
    expected = scalars(schedule, steps.tolist())
    single = jax.jit(schedule)(jnp.array(steps))
    assert single.dtype == jnp.float32
    assert np.max(np.abs(single - expected)) <= 2e-6 * np.max(np.abs(expected))
    with jax_in_double_precision():
        double = jax.jit(schedule)(jnp.array(steps))
        assert double.dtype == jnp.float64
        assert distance(double, expected) <= COMPOSITION


def test_jax_agrees_without_jit_and_under_vmap() -> None:
    schedule, steps = gs.warmup(10) >> gs.cosine(90), jnp.arange(-2, 110)
    expected = pytest.approx(jax.jit(schedule)(steps).tolist(), abs=1e-6)
    assert schedule(steps).tolist() == expected
    assert jax.vmap(schedule)(steps).tolist() == expected


@pytest.mark.parametrize("steps", [3, 10, 97])
def test_jax_meets_every_boundary_of_a_cycle(steps: int) -> None:
    saw = jax.jit(gs.linear(steps).repeat())
    stairs = jax.jit(gs.step(steps, gamma=0.9))
    growing = jax.jit(gs.growing_polynomial(steps))
    edges = steps * np.unique(np.linspace(1, 2**23 // steps, 1000).astype(np.int64))
    for double in (False, True):
        with jax_in_double_precision() if double else nullcontext():
            t = jnp.array(edges)
            assert np.all(np.abs(saw(t) - 1) < 1e-6)
            assert np.all(np.abs(saw(t - 1) - 1 / steps) < 1e-6)
            assert np.all(growing(t) == 0)
            assert stairs(t[:9]) == pytest.approx(0.9 ** (edges[:9] // steps), rel=1e-5)


def test_a_traced_scalar_step() -> None:
    schedule = gs.warmup(10) >> gs.cosine(90)
    values = [float(jax.jit(schedule)(jnp.int32(t))) for t in (0, 5, 10, 55, 100)]
    assert values == pytest.approx([0, 0.5, 1, 0.5, 0], abs=1e-6)
    _, carried = jax.lax.scan(lambda t, _: (t + 1, schedule(t)), 0, None, length=100)
    assert carried.tolist() == pytest.approx(schedule.values().tolist(), abs=1e-6)


# -- torch -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", TRACED, ids=repr)
def test_torch_in_single_precision_stays_within_its_own(schedule: Schedule) -> None:
    steps = torch.arange(-2, 150, dtype=torch.float32)
    expected = scalars(schedule, steps.tolist())
    values = schedule(steps)
    assert values.dtype == torch.float32
    assert np.max(np.abs(values.numpy() - expected)) <= 2e-6 * np.max(np.abs(expected))


@pytest.mark.parametrize("schedule", TRACED, ids=repr)
def test_torch_steps_that_lie_scattered_in_memory(schedule: Schedule) -> None:
    steps = torch.arange(300, dtype=torch.float64).reshape(100, 3).T
    assert schedule(steps).tolist() == schedule(steps.contiguous()).tolist()
    assert torch.vmap(schedule)(steps).tolist() == schedule(steps).tolist()


def test_torch_compiles_a_schedule_into_one_graph() -> None:
    schedule = gs.warmup(10) >> gs.cosine(20).repeat(3, decay=0.5, stretch=2) * gs.rectifier()
    steps = torch.arange(150)
    expected = schedule(steps)  # the first question fills what Python 3.11 locks while it is filled
    compiled = torch.compile(lambda t: schedule(t), backend="eager", fullgraph=True)
    assert compiled(steps).tolist() == expected.tolist()


# -- the shape and kind of what is given -----------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 4), (0, 3), (2, 3, 2)])
@pytest.mark.parametrize("schedule", [*EXACT, gs.function(math.sqrt)], ids=repr)
def test_an_array_keeps_its_shape(schedule: Schedule, shape: tuple[int, ...]) -> None:
    steps = np.arange(math.prod(shape), dtype=np.float64).reshape(shape)
    expected = [schedule(t) for t in steps.ravel().tolist()]
    values = schedule(steps)
    assert values.shape == shape
    assert values.ravel().tolist() == expected
    if "function" not in repr(schedule):
        tensor = schedule(torch.tensor(steps))
        assert tuple(tensor.shape) == shape
        assert tensor.ravel().tolist() == expected


NUMBERS = [
    3,
    3.0,
    np.int64(3),
    np.uint8(3),
    np.float32(3),
    np.float64(3),
    Fraction(3),
    -0.0,
    10**30,
]


@pytest.mark.parametrize("t", NUMBERS, ids=repr)
def test_a_number_gives_a_python_float(t: Any) -> None:
    for schedule in (*EXACT, gs.rectifier(), gs.exponential(0.9), gs.noam(64, 9)):
        value = schedule(t)
        assert type(value) is float
        assert value == schedule(int(t))


REFUSED: list[tuple[Any, type[GlideslopeError], str]] = [
    (None, InvalidType, "`t` must be a number or an array of steps, got None"),
    ("3", InvalidType, "`t` must be a number or an array of steps, got '3'"),
    (True, InvalidType, "`t` must be a number or an array of steps, got True"),
    ([1, 2], InvalidType, "`t` must be a number or an array of steps, got [1, 2]"),
    ((1, 2), InvalidType, "`t` must be a number or an array of steps, got (1, 2)"),
    (range(3), InvalidType, "`t` must be a number or an array of steps, got range(0, 3)"),
    ({1}, InvalidType, "`t` must be a number or an array of steps, got {1}"),
    (1j, InvalidType, "`t` must be a number or an array of steps, got 1j"),
    (Decimal(3), InvalidType, "`t` must be a number or an array of steps"),
    (torch.float32, InvalidType, "`t` must be a number or an array of steps, got torch.float32"),
    (math.nan, InvalidValue, "`t` must be a number, got nan"),
    (np.float64("nan"), InvalidValue, "`t` must be"),
    (np.True_, InvalidType, "`t` must be an array of real numbers"),
    (np.complex128(1), InvalidType, "`t` must be an array of real numbers"),
    (np.array([True]), InvalidType, "`t` must be an array of real numbers"),
    (np.array([1j]), InvalidType, "`t` must be an array of real numbers"),
    (np.array([None]), InvalidType, "`t` must be an array of real numbers"),
    (np.array(["3"]), InvalidType, "`t` must be an array of real numbers"),
    (np.array([3], dtype="datetime64[s]"), InvalidType, "`t` must be an array of real numbers"),
    (torch.tensor([True]), InvalidType, "`t` must be an array of real numbers"),
    (torch.tensor([1j]), InvalidType, "`t` must be an array of real numbers"),
    (jnp.array([True]), InvalidType, "`t` must be an array of real numbers"),
]


@pytest.mark.parametrize(("t", "error", "sentence"), REFUSED, ids=lambda value: repr(value)[:40])
def test_what_is_not_a_step_is_refused(t: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as caught:
        gs.cosine(10)(t)
    assert str(caught.value).startswith(sentence)


def test_infinity_is_after_the_end() -> None:
    assert gs.cosine(10, end=0.1)(math.inf) == 0.1
    assert gs.cosine(10, end=0.1)(-math.inf) == 1.0
    assert gs.exponential(0.5).take(2)(math.inf) == 0.25
    assert gs.cosine(10, end=0.1)(np.array([-math.inf, math.inf])).tolist() == [1.0, 0.1]


def test_a_step_beyond_every_double() -> None:
    assert gs.cosine(10, end=0.1)(10**400) == 0.1


def test_what_overflows_is_refused_at_the_step() -> None:
    with pytest.raises(InvalidValue, match=r"`exponential\(2\)` is not finite at step 2000: inf"):
        gs.exponential(2.0)(2000)


def test_an_unbound_length_is_named() -> None:
    for t in (3, 3.0, np.arange(3), torch.arange(3)):
        with pytest.raises(UnboundError, match=r"`warmup\(\"5%\"\)` has the unbound length '5%'"):
            gs.warmup("5%")(t)


def test_lengths_beyond_any_integer_type() -> None:
    schedule = gs.linear(10**30) >> gs.cosine(1e25).repeat(stretch=10**9)
    expected = [1.0, 1.0, 0.5]
    assert [schedule(t) for t in (0, 5, 5e29)] == expected
    steps = [0.0, 5.0, 5e29]
    assert schedule(np.array(steps)).tolist() == expected
    assert schedule(torch.tensor(steps, dtype=torch.float64)).tolist() == expected
    assert schedule(jnp.array(steps)).tolist() == pytest.approx(expected)


def test_arrays_and_schedules_do_not_mix_in_the_algebra() -> None:
    for array in (np.arange(3.0), torch.arange(3.0), jnp.arange(3.0), [1.0]):
        with pytest.raises(TypeError):
            array * gs.linear(10)
        with pytest.raises(TypeError):
            gs.linear(10) + array
    assert np.float64(2) * gs.linear(10) == gs.linear(10) * 2 == gs.linear(10) * np.float32(2)
