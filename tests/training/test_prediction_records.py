"""Records that predictions are made from: their forms, and what they do not tell."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import glideslope as gs
from glideslope.errors import InvalidType, PredictionError, UnboundError
from glideslope.training import History, Predictor, predict, recommend

from .predicting import PEAK, Truth, losses_of, made_by, records_of

WARM = 60
TRUTH = Truth("progress", 1.2, 0.9, 0.5, 0.3, 30.0)
WSD = gs.parse(f"warmup({WARM}, start=0.1) >> hold(390) >> linear(150)")
LINEAR = f"warmup({WARM}, start=0.1) >> linear(540)"
GOOD = made_by(TRUTH, WSD, WARM, noise=0.01)
Records = list[dict[str, Any]]


def changed(name: str, change: Callable[[Any], Any]) -> Records:
    return [{**record, name: change(record[name])} for record in GOOD]


def resumed() -> Records:
    """A run that went wrong at update 400, and was made again from there on."""
    wrong = [{**record, "loss": 9.0, "lr": PEAK} for record in GOOD[400:450]]
    return [*GOOD[:400], *wrong, *GOOD[400:]]


def in_two_lines() -> Records:
    losses = [{"step": record["step"], "loss": record["loss"]} for record in GOOD]
    rates = [{"step": record["step"], "lr": record["lr"]} for record in GOOD]
    return rates + losses


SAME: dict[str, Records] = {
    "losses of NumPy": changed("loss", np.float64),
    "tensors": changed("loss", lambda loss: torch.tensor(loss, dtype=torch.float64)),
    "steps of NumPy": changed("step", np.int64),
    "steps that are floats": changed("step", float),
    "a resumed run": resumed(),
    "a resumed run, at once": [*GOOD[:400], *GOOD[300:]],
    "rates and losses apart": in_two_lines(),
    "rates of a frozen group too": [
        {"step": r["step"], "loss": r["loss"], "lr/body": r["lr"], "lr/a": 0.1} for r in GOOD
    ],
    "rates in another unit": changed("lr", lambda lr: lr * 2.0**10),
    "other columns": [{**r, "note": "x", "nest": [1], 5: None, "lr_max": "1"} for r in GOOD],
}


@pytest.mark.parametrize("records", SAME.values(), ids=SAME)
def test_forms_of_one_run_are_one_run(records: Records) -> None:
    assert predict(records, LINEAR).final == predict(GOOD, LINEAR).final


NEARLY: dict[str, Records] = {
    "float32 losses": changed("loss", np.float32),
    "float32 rates": changed("lr", lambda lr: float(np.float32(lr))),
}


@pytest.mark.parametrize("records", NEARLY.values(), ids=NEARLY)
def test_float32_changes_nothing_that_is_seen(records: Records) -> None:
    right = predict(GOOD, LINEAR).final.loss
    assert predict(records, LINEAR).final.loss == pytest.approx(right, rel=1e-5)


THINNED: dict[str, Records] = {
    "every tenth": GOOD[::10],
    "irregular": [GOOD[k] for k in sorted(random.Random(0).sample(range(600), 200))],
    "a tenth without a number": [
        {**r, "loss": [math.nan, math.inf, None][r["step"] % 3]} if r["step"] % 10 == 7 else r
        for r in GOOD
    ],
}


@pytest.mark.parametrize("records", THINNED.values(), ids=THINNED)
def test_intervals_of_fewer_losses_hold_the_truth(records: Records) -> None:
    final = predict(records, LINEAR).final
    right = losses_of(TRUTH, gs.parse(LINEAR), WARM)[-1]
    assert final.low < right < final.high


def test_a_history_is_read_as_its_records(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    for record in GOOD[::4]:
        history.append(record)
    assert predict(history, LINEAR).final == predict(GOOD[::4], LINEAR).final


def test_predictions_are_the_same_each_time_and_draw_no_random_numbers() -> None:
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    first, second = recommend(GOOD, 600), recommend(GOOD, 600)
    assert first == second
    assert states == (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
    )


@pytest.mark.parametrize("truth", [TRUTH, TRUTH._replace(clock="updates")], ids=str)
def test_updates_at_a_rate_of_zero_change_nothing(truth: Truth) -> None:
    predictor = Predictor(made_by(truth, WSD, WARM))
    short, idle = (
        predictor.predict(f"{WSD} {rest}").laws for rest in (">> hold(0)", ">> 0*hold(300)")
    )
    for name, estimate in short.items():
        assert idle[name].loss == pytest.approx(estimate.loss, abs=2e-3)


@pytest.mark.parametrize(("clock", "error"), [("updates", 0.015), ("progress", 0.03)])
@pytest.mark.parametrize("period", [97, 250])
def test_cycles_shorter_than_the_knots_act_by_their_mean(
    period: int, clock: str, error: float
) -> None:
    steps, warm = 60_000, 6_000
    at = np.arange(steps)
    waves = 1 - 0.4 * (1 - np.cos(2 * np.pi * np.maximum(at - warm, 0) / period))
    rise = np.minimum(1, 0.1 + 0.9 * at / warm)
    eta = rise * waves * np.minimum(1, (steps - at) / 15_000)
    losses = streamed(clock, eta, warm)
    records = [
        {"step": step, "lr": float(eta[step]), "loss": float(losses[step])}
        for step in range(0, steps, 5)
    ]
    found = predict(records, f"warmup({warm}, start=0.1) >> hold(42000) >> linear(12000)")
    right = streamed(clock, rise * np.minimum(1, (steps - at) / 12_000), warm)[-1]
    assert found.final.loss == pytest.approx(right, rel=error)


def streamed(clock: str, eta: np.ndarray, warm: int, memory: float = 4000.0) -> np.ndarray:
    """The losses of a law after each update, by recursion."""
    removed, level, pending = [], 0.0, 0.0
    for step, rate in enumerate(eta.tolist()):
        drop = float(eta[step - 1]) - rate if step > warm else 0.0
        level += drop
        pending = (pending + drop) * math.exp(-(rate if clock == "progress" else 1) / memory)
        removed.append(level - pending)
    return np.asarray(1.2 + 9 * np.cumsum(eta) ** -0.5 - 0.3 * np.array(removed))


CONSTANT = gs.parse(f"warmup({WARM}) >> hold(540)")
EARLY = gs.parse("warmup(10) >> hold(40) >> 0.5*hold(550)")
REFUSED: dict[str, tuple[Any, Any, dict[str, Any], type[Exception], str]] = {
    "nothing": (None, LINEAR, {}, InvalidType, "`history` must be records, each a dict"),
    "a path": ("history.jsonl", LINEAR, {}, InvalidType, "`history` must be records"),
    "columns": ({"step": [1], "lr": [1]}, LINEAR, {}, InvalidType, "got 'step'"),
    "numbers": ([1, 2], LINEAR, {}, InvalidType, "`history` must be records"),
    "no steps": ([{"lr": 1.0, "loss": 1.0}], LINEAR, {}, PredictionError, "have no `step`"),
    "no rates": ([{"step": 1, "loss": 1.0}], LINEAR, {}, PredictionError, "no learning rate"),
    "newest first": (GOOD[::-1], LINEAR, {}, PredictionError, "too few values of `loss`"),
    "the first part is lost": (GOOD[200:], LINEAR, {}, PredictionError, "before step 200"),
    "losses below 0": (
        changed("loss", lambda loss: loss - 5),
        LINEAR,
        {},
        PredictionError,
        "`loss` is 0 or below",
    ),
    "an accuracy": (
        changed("loss", lambda loss: 1 - loss / 4),
        LINEAR,
        {},
        PredictionError,
        "it rises as the rate falls",
    ),
    "a fall after the last loss": (
        [*made_by(TRUTH, CONSTANT, WARM), {"step": 600, "lr": 0.0}],
        LINEAR,
        {},
        PredictionError,
        "does not change from update 152 to 599",
    ),
    "a fall in the first quarter": (
        made_by(TRUTH, EARLY, 10, noise=0.01),
        LINEAR,
        {},
        PredictionError,
        "does not change from update 152 to 599",
    ),
    "a fall that is lost in noise": (
        made_by(TRUTH, gs.parse("hold(560) >> linear(40, end=0.9)"), 0, noise=0.05),
        "linear(600)",
        {},
        PredictionError,
        "the run does not tell the loss of `linear(600)`",
    ),
    "a number as schedule": (GOOD, 5, {}, InvalidType, "`schedule` must be a schedule"),
    "no schedule": (GOOD, None, {}, InvalidType, "`schedule` must be a schedule"),
    "percent": (GOOD, "cosine(100%)", {}, UnboundError, "unbound length '100%'"),
    "lr as text": (GOOD, LINEAR, {"lr": "0.1"}, InvalidType, "`lr` must be a number, got '0.1'"),
    "metric as number": (GOOD, LINEAR, {"metric": 3}, InvalidType, "`metric` must be text, got 3"),
    "another metric": (GOOD, LINEAR, {"metric": "los"}, PredictionError, "have no `los`"),
}


@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED)
def test_what_does_not_tell_is_refused_in_words(
    row: tuple[Any, Any, dict[str, Any], type[Exception], str],
) -> None:
    history, schedule, options, error, sentence = row
    with pytest.raises(error) as caught:
        predict(history, schedule, **options)
    assert sentence in str(caught.value)


FAMILIES = {
    "wsd": WSD,
    "cosine": gs.parse(LINEAR.replace("linear", "cosine")),
    "steps": gs.parse("hold(200) >> 0.3*hold(200) >> 0.1*hold(200)"),
    "restarts": gs.parse("cosine(200) >> cosine(200) >> cosine(200, end=0.05)"),
}


@pytest.mark.parametrize("steps", [400, 600, 1000])
@pytest.mark.parametrize("schedule", FAMILIES.values(), ids=FAMILIES)
def test_a_recommendation_is_a_schedule_that_is_kept(schedule: gs.Schedule, steps: int) -> None:
    records = records_of(schedule, losses_of(TRUTH, schedule, schedule(0) < 1 and WARM)[1:])
    found = recommend(records, steps)
    assert found.gain >= 0
    assert found.prediction.lr == pytest.approx(PEAK)
    for kept in (found.schedule, found.unchanged.schedule):
        assert gs.parse(str(kept)) == kept
        assert gs.Schedule.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept
        assert kept.steps == steps
        assert len(str(kept)) < 800
    again = Predictor(records).predict(str(found.schedule))
    assert again.final == found.prediction.final


@pytest.mark.parametrize("schedule", FAMILIES.values(), ids=FAMILIES)
def test_its_own_rates_over_as_many_updates_are_those_of_the_run(schedule: gs.Schedule) -> None:
    records = records_of(schedule, losses_of(TRUTH, schedule, schedule(0) < 1 and WARM)[1:])
    own = recommend(records, 600).unchanged
    assert own.final.loss == pytest.approx(records[-1]["loss"], rel=0.01)
    assert float(np.sum(own.schedule(np.arange(600)))) == pytest.approx(
        sum(record["lr"] for record in records) / PEAK, rel=0.01
    )
