"""Schedules as learning rates of Keras, in training, in configurations and in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import glideslope as gs
from glideslope.errors import GlideslopeError
from glideslope.integrations.keras import LearningRateSchedule

from .curves import CURVES, STEPS

curves = pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES.keys())


def model(rate: Any) -> Any:
    """One weight whose gradient is 1."""
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    network.compile(keras.optimizers.SGD(rate), loss=lambda _, out: out)
    return network


def moved(network: Any, steps: int) -> list[float]:
    """How far each update moves the weight."""
    found = []
    for _ in range(steps):
        before = network.get_weights()[0].item()
        network.fit(np.ones((1, 1)), np.ones((1, 1)), verbose=0)
        found.append(before - network.get_weights()[0].item())
    return found


@curves
def test_the_rate_of_a_count(curve: gs.Schedule) -> None:
    rate = LearningRateSchedule(0.1 * curve)
    found = [float(rate(keras.ops.convert_to_tensor(t))) for t in range(STEPS)]
    np.testing.assert_allclose(found, (0.1 * curve).values(STEPS), rtol=3e-6, atol=3e-7)


def test_training_and_a_file_that_continues(tmp_path: Path) -> None:
    curve = 0.1 * (gs.warmup(2) >> gs.cosine(6))
    network = model(LearningRateSchedule(curve))
    np.testing.assert_allclose(moved(network, 4), curve.values(4), atol=1e-6)
    network.compile(network.optimizer, loss="mse")  # a lambda cannot be saved
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.optimizer._learning_rate.schedule == curve
    again.compile(again.optimizer, loss=lambda _, out: out)
    expected = [curve(4 + t) for t in range(3)]
    np.testing.assert_allclose(moved(again, 3), expected, atol=1e-6)


@curves
def test_configurations(curve: gs.Schedule) -> None:
    optimizer = keras.optimizers.Adam(LearningRateSchedule(curve))
    data = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(data)
    assert again._learning_rate.schedule == curve


def test_refusals() -> None:
    with pytest.raises(GlideslopeError, match="`schedule` must be a schedule or the text of one"):
        LearningRateSchedule(0.1)  # type: ignore[arg-type]
    with pytest.raises(GlideslopeError, match="unbound length"):
        LearningRateSchedule(gs.cosine("5ep"))
    with pytest.raises(GlideslopeError, match="function"):
        LearningRateSchedule(gs.function(lambda t: 0.5)).get_config()
