"""Intervals of predictions over many seeds, for runs that follow the laws."""

from __future__ import annotations

import numpy as np
import pytest

import glideslope as gs
from glideslope.training import Predictor

from .predicting import Truth, losses_of, records_of

WARM = 60
UPDATES = Truth("updates", 1.2, 0.9, 0.5, 0.3, 40.0)
SLOW = Truth("updates", 1.2, 0.9, 0.5, 0.3, 150.0)
PROGRESS = Truth("progress", 1.2, 0.9, 0.5, 0.3, 30.0)
STEEP = Truth("progress", 2.0, 30.0, 0.8, 0.5, 100.0)
RUNS = {
    "wsd": "hold(390) >> linear(150)",
    "linear": "linear(540, end=0.1)",
    "cosine": "cosine(540)",
    "restarts": "cosine(180) >> cosine(180) >> cosine(180)",
    "steps": "hold(200) >> 0.3*hold(200) >> 0.1*hold(140)",
}
OTHERS = ("hold(540)", "linear(540)", "hold(270) >> 0.3*hold(270)", "hold(690) >> linear(150)")
CASES = [
    (UPDATES, "wsd", 0.05, 0.0),
    (SLOW, "wsd", 0.01, 0.0),
    (PROGRESS, "wsd", 0.01, 0.0),
    (PROGRESS, "linear", 0.01, 0.0),
    (STEEP, "linear", 0.01, 0.0),
    (PROGRESS, "cosine", 0.05, 0.0),
    (UPDATES, "restarts", 0.05, 0.0),
    (PROGRESS, "steps", 0.05, 0.0),
    (UPDATES, "wsd", 0.01, 0.013),
    (PROGRESS, "cosine", 0.01, 0.013),
]
"""The law, the run, the noise of a batch, and that of a seed as a share of the loss."""
SEEDS = 200


@pytest.mark.long
@pytest.mark.parametrize(("truth", "run", "noise", "seed_noise"), CASES, ids=str)
def test_intervals_hold_nine_of_ten(
    truth: Truth, run: str, noise: float, seed_noise: float
) -> None:
    schedule = warmed(RUNS[run])
    losses = losses_of(truth, schedule, WARM)[1:]
    right = {other: losses_of(truth, warmed(other), WARM)[-1] for other in OTHERS}
    held = []
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        measured = losses * (1 + seed_noise * random.normal())
        measured = measured + noise * random.normal(size=len(losses))
        predictor = Predictor(records_of(schedule, measured))
        for other in OTHERS:
            final = predictor.predict(warmed(other)).final
            loss = right[other] * (1 + seed_noise * random.normal())
            held.append(final.low <= loss <= final.high)
    assert np.mean(held) >= 0.9, np.mean(np.reshape(held, (SEEDS, -1)), axis=0)


def warmed(rest: str) -> gs.Schedule:
    return gs.parse(f"warmup({WARM}, start=0.1) >> {rest}")
