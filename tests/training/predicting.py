"""Runs for tests of predictions: made by a law, and recorded by `glideslope train`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import glideslope as gs

FOLDER = Path(__file__).parent / "recorded_runs"
PEAK = 0.005


class Truth(NamedTuple):
    """The coefficients of a law; ``clock`` is ``"updates"`` or ``"progress"``."""

    clock: str
    level: float
    power: float
    exponent: float
    noise: float
    memory: float


def losses_of(truth: Truth, schedule: gs.Schedule, warm: int) -> np.ndarray:
    """The loss after each update, by the sum over all falls of the rate, one by one."""
    steps = math.ceil(schedule.steps)
    eta = [float(schedule(step)) for step in range(steps)]
    progress = np.cumsum([0.0, *eta])
    clock = progress if truth.clock == "progress" else np.arange(steps + 1.0)
    removed = np.zeros(steps + 1)
    for k in range(warm + 1, steps):
        late = np.arange(steps + 1) >= k
        shares = 1 - np.exp(-np.maximum(clock - clock[k], 0) / truth.memory)
        removed += (eta[k - 1] - eta[k]) * shares * late
    with np.errstate(divide="ignore"):
        return truth.level + truth.power * progress**-truth.exponent - truth.noise * removed


def made_by(
    truth: Truth, schedule: gs.Schedule, warm: int, *, noise: float = 0.0, seed: int = 0
) -> list[dict[str, Any]]:
    """The records of a run that follows a law, up to the noise of a batch."""
    losses = losses_of(truth, schedule, warm)[1:]
    return records_of(
        schedule, losses + noise * np.random.default_rng(seed).normal(size=len(losses))
    )


def records_of(schedule: gs.Schedule, losses: np.ndarray) -> list[dict[str, Any]]:
    """The records of a run with some losses."""
    return [
        {"step": step, "lr": PEAK * schedule(step), "loss": loss}
        for step, loss in enumerate(losses.tolist())
    ]


class Recorded(NamedTuple):
    """A run of `glideslope train`."""

    schedule: gs.Schedule
    records: list[dict[str, Any]]
    final: float


def recorded(name: str) -> Recorded:
    """A run that is kept as data: its schedule and its losses on the held-out text."""
    content = json.loads((FOLDER / f"{name}.json").read_text())
    schedule = gs.parse(content["schedule"])
    measured = dict(content["val_loss"])
    records = [
        {"step": step, "lr": PEAK * schedule(step)}
        | ({"val_loss": measured[step]} if step in measured else {})
        for step in range(int(schedule.steps))
    ]
    return Recorded(schedule, records, content["val_loss"][-1][1])
