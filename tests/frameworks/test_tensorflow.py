"""Schedules of steps in TensorFlow's tensors, in compiled functions too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glideslope as gs
from glideslope.errors import GlideslopeError

from .curves import CURVES, KINDS, STEPS

tf = pytest.importorskip("tensorflow")

ALL = pytest.mark.parametrize("text", [*KINDS, *map(str, CURVES.values())])


@ALL
def test_in_double_precision(text: str) -> None:
    curve = gs.parse(text)
    found = curve(tf.range(STEPS, dtype=tf.float64))
    np.testing.assert_allclose(found.numpy(), curve.values(STEPS), rtol=1e-13, atol=1e-15)


@ALL
def test_of_integers(text: str) -> None:
    curve = gs.parse(text)
    found = curve(tf.reshape(tf.range(STEPS), [4, -1]))
    assert (found.dtype, found.shape) == (tf.float32, (4, STEPS // 4))
    expected = curve.values(STEPS).reshape(4, -1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("name", ["sequence", "restarts", "piecewise", "stairs"])
def test_compiled(name: str, xla: bool) -> None:
    curve = CURVES[name]
    compiled = tf.function(lambda t: curve(t), jit_compile=xla)
    found = [compiled(tf.constant(t)).numpy() for t in range(STEPS)]
    np.testing.assert_allclose(found, curve.values(STEPS), rtol=3e-6, atol=3e-6)


def test_of_a_variable() -> None:
    assert gs.linear(4)(tf.Variable(3)).numpy() == 0.25


@pytest.mark.parametrize("value", [True, 1j, "a"])
def test_what_is_no_real_number_is_refused(value: Any) -> None:
    with pytest.raises(GlideslopeError, match="`t` must be an array of real numbers"):
        gs.linear(4)(tf.constant(value))
