"""Predictions of the loss under another schedule, against laws and recorded runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import InvalidValue, PredictionError
from glideslope.training import Predictor, predict, recommend
from glideslope.training._prediction.recommendation import family

from .predicting import PEAK, Truth, losses_of, made_by, recorded

WARM = 60
WSD = gs.parse(f"warmup({WARM}, start=0.1) >> hold(390) >> linear(150)")
OTHERS = [
    f"warmup({WARM}, start=0.1) >> {rest}"
    for rest in (
        "hold(540)",
        "cosine(540)",
        "linear(540)",
        "hold(360) >> polynomial(180, power=0.5, mirrored=True)",
        "hold(270) >> 0.3*hold(270)",
        "hold(210) >> linear(80)",
    )
]
TRUTHS = [
    Truth("updates", 1.2, 0.9, 0.5, 0.3, 40.0),
    Truth("updates", 0.3, 1.5, 0.35, 0.1, 8.0),
    Truth("progress", 1.2, 0.9, 0.5, 0.3, 30.0),
    Truth("progress", 2.0, 30.0, 0.8, 0.5, 100.0),
]
"""Powers are of the progress itself, so ``power`` is what remains after one full update."""


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_a_law_is_recovered_from_its_own_losses(truth: Truth) -> None:
    name = {"updates": "annealing law", "progress": "relaxation law"}[truth.clock]
    predictor = Predictor(made_by(truth, WSD, WARM))
    for text in OTHERS:
        schedule = gs.parse(text)
        right = losses_of(truth, schedule, WARM)[-1]
        assert abs(predictor.predict(schedule).laws[name].loss - right) < 0.004, text


@pytest.mark.parametrize("truth", TRUTHS[::2], ids=str)
@pytest.mark.parametrize(("noise", "mean_error"), [(0.01, 0.025), (0.05, 0.12)])
def test_intervals_hold_the_truth_under_the_noise_of_batches(
    truth: Truth, noise: float, mean_error: float
) -> None:
    held, errors = 0, []
    for seed in range(4):
        predictor = Predictor(made_by(truth, WSD, WARM, noise=noise, seed=seed))
        for text in OTHERS:
            schedule = gs.parse(text)
            right = losses_of(truth, schedule, WARM)[-1]
            final = predictor.predict(schedule).final
            held += final.low <= right <= final.high
            errors.append(abs(final.loss - right))
    assert held >= 0.9 * 4 * len(OTHERS)
    assert np.mean(errors) < mean_error


@pytest.mark.parametrize("steps", [300, 600, 900])
def test_a_recommendation_is_near_the_best_that_the_law_allows(steps: int) -> None:
    truth = Truth("progress", 1.2, 0.9, 0.5, 0.3, 30.0)
    found = recommend(made_by(truth, WSD, WARM), steps)
    assert found.schedule.steps == steps
    candidates = [
        gs.parse(f"warmup({WARM}, start=0.1) >> hold({steps - WARM - decay}) >> linear({decay})")
        for decay in range(75, steps - WARM, 15)
    ]
    best = min(losses_of(truth, schedule, WARM)[-1] for schedule in candidates)
    assert losses_of(truth, found.schedule, WARM)[-1] < best + 0.003
    assert found.gain == found.unchanged.final.loss - found.prediction.final.loss


@pytest.mark.parametrize(
    ("truth", "own", "clear"),
    [
        (TRUTHS[2], "cosine(540)", False),
        (TRUTHS[3], "cosine(540)", False),  # more than the noise of a seed, less than the interval
        (TRUTHS[2], "hold(500) >> linear(40)", True),
    ],
)
def test_a_gain_within_the_interval_is_not_clear(truth: Truth, own: str, clear: bool) -> None:
    run = gs.parse(f"warmup({WARM}, start=0.1) >> {own}")
    found = recommend(made_by(truth, run, WARM), 600)
    assert found.gain > 0.01
    assert found.is_clear is clear
    assert ("within the interval" in str(found)) is not clear


def test_a_recommendation_stays_near_what_the_run_has_seen() -> None:
    cosine = gs.parse(f"warmup({WARM}, start=0.1) >> cosine(540, end=0.15)")
    found = recommend(made_by(TRUTHS[2], cosine, WARM, noise=0.01), 600).schedule
    assert found(600) >= 0.13
    fall = max(found(step) - found(step + 1) for step in range(100, 599))
    assert fall < 3 * max(cosine(step) - cosine(step + 1) for step in range(100, 599))


def test_a_longer_run_is_less_certain() -> None:
    predictor = Predictor(made_by(TRUTHS[0], WSD, WARM, noise=0.01))
    same, longer = (
        predictor.predict(f"warmup({WARM}, start=0.1) >> hold({hold}) >> linear(150)").final
        for hold in (390, 1200)
    )
    assert longer.loss < same.loss
    assert longer.high - longer.low > same.high - same.low


def test_the_rate_is_what_counts_not_how_it_is_written() -> None:
    predictor = Predictor(made_by(TRUTHS[0], WSD, WARM))
    schedule = gs.parse("hold(400) >> linear(100)")
    same = [predictor.predict(schedule), predictor.predict(schedule, PEAK)]
    same += [predictor.predict(schedule * PEAK, 1.0), predictor.predict(str(schedule), PEAK)]
    assert len({prediction.final.loss for prediction in same}) == 1
    assert predictor.predict(schedule, PEAK * 0.95).final.loss > same[0].final.loss


@pytest.mark.parametrize("name", ["lr/encoder", "lr"])
def test_rates_between_records_change_evenly(name: str) -> None:
    records = made_by(TRUTHS[0], WSD, WARM)
    dense = predict(records, WSD)
    sparse = [{name: r["lr"]} | r for r in records if r["step"] % 5 == 0]
    sparse = [{key: r[key] for key in ("step", "loss", name)} for r in sparse]
    assert predict(sparse, WSD).final.loss == pytest.approx(dense.final.loss, abs=0.01)


def test_a_metric_that_cannot_be_fitted_is_not_chosen() -> None:
    slow = gs.parse("warmup(400, start=0.1) >> linear(200)")
    records = made_by(TRUTHS[0], slow, 400)
    for record in records[::30]:
        record["val_loss"] = record["loss"] + 0.1
    assert predict(records, slow).metric == "loss"
    for record in records[400::10]:
        record["val_loss"] = record["loss"] + 0.1
    assert predict(records, slow).metric == "val_loss"


RISING = [{"step": t, "lr": 1 - t / 900, "loss": 1 + 1e-3 * t} for t in range(600)]
JUMPING = [{"step": t, "lr": 1 - t / 900, "loss": 1 + (t // 50) % 2} for t in range(600)]
GOOD = made_by(TRUTHS[0], WSD, WARM)
REFUSED: list[tuple[list[dict[str, Any]], str, dict[str, Any], type[Exception], str]] = [
    ([], "linear(9)", {}, PredictionError, "there are no records"),
    ([{"step": 1, "lr": 0.0}], "linear(9)", {}, PredictionError, "is 0 or below"),
    ([{"step": 1, "lr": -1.0}], "linear(9)", {}, PredictionError, "is 0 or below"),
    ([{"step": 2**60, "lr": 1.0}], "linear(9)", {}, PredictionError, "more than 20,000,000"),
    (GOOD[:70], "linear(9)", {}, PredictionError, "too few values of `loss`"),
    (GOOD, "linear(9)", {"metric": "val_loss"}, PredictionError, "have no `val_loss`"),
    (made_by(TRUTHS[0], gs.hold(600), 0), "linear(9)", {}, PredictionError, "never falls"),
    (RISING, "linear(9)", {}, PredictionError, "no law describes `loss`"),
    (JUMPING, "linear(9)", {}, PredictionError, "no law describes `loss`"),
    (GOOD, "1.2*linear(600)", {}, PredictionError, "is 0.006, that of the run 0.005"),
    (GOOD, "linear(600)", {"lr": 1.0}, PredictionError, "is 1, that of the run 0.005"),
    (GOOD, "linear(600)", {"lr": PEAK / 2}, PredictionError, "is 0.0025, that of the run 0.005"),
    (GOOD, "hold(5000)", {}, PredictionError, "times the sum of rates of the run"),
    (GOOD, "hold(50)", {}, PredictionError, "predictions reach from 0.2"),
    (GOOD, "0*hold(600)", {}, PredictionError, "is 0, that of the run 0.005"),
    (GOOD, "linear(600)", {"lr": 0.0}, InvalidValue, "`lr` must be more than 0 and finite, got 0"),
    (GOOD, "linear(600)", {"lr": -1.0}, InvalidValue, "`lr` must be more than 0 and finite"),
    (GOOD, "linear(600)", {"lr": math.nan}, InvalidValue, "`lr` must be more than 0 and finite"),
    (GOOD, "linear(600)", {"lr": math.inf}, InvalidValue, "`lr` must be more than 0 and finite"),
    (GOOD, "inverse_sqrt(100)", {}, InvalidValue, "`schedule` must have an end"),
    (GOOD, "hold(9) - 2", {}, InvalidValue, "`schedule` must have no rate below 0"),
]


@pytest.mark.parametrize(
    ("records", "schedule", "options", "error", "sentence"),
    REFUSED,
    ids=[row[4] for row in REFUSED],
)
def test_a_run_that_does_not_tell_is_refused(
    records: list[dict[str, Any]],
    schedule: str,
    options: dict[str, Any],
    error: type[Exception],
    sentence: str,
) -> None:
    with pytest.raises(error) as caught:
        predict(records, schedule, **options)
    assert sentence in str(caught.value)


NUMBERS = st.floats() | st.integers() | st.none() | st.booleans() | st.text(max_size=2)


@settings(max_examples=20)  # a fit takes a fifth of a second
@given(
    records=st.lists(
        st.fixed_dictionaries(
            {}, optional={"step": st.integers(0, 99) | NUMBERS, "lr": NUMBERS, "loss": NUMBERS}
        ),
        max_size=60,
    ),
    losses=st.lists(st.floats(allow_nan=False), min_size=60, max_size=60),
)
def test_any_records_are_predicted_or_refused(
    records: list[dict[str, Any]], losses: list[float]
) -> None:
    rates = np.linspace(1, 0.1, 60).tolist()
    steady = [{"step": t, "lr": rates[t], "loss": loss} for t, loss in enumerate(losses)]
    for history in (records, steady + records):
        try:
            final = predict(history, "linear(60)", lr=0.5).final
        except (PredictionError, InvalidValue):
            continue
        assert math.isfinite(final.loss)
        assert final.low <= final.loss <= final.high


OTHER_RUNS = ("const", "cosine", "linear", "sqrt", "twostep")


@pytest.mark.parametrize("seed", [0, 1])
def test_recorded_runs_end_where_one_of_them_predicts(seed: int) -> None:
    predictor = Predictor(recorded(f"wsd-{seed}").records)
    errors = [
        abs(predictor.predict(run.schedule).final.loss - run.final)
        for run in (recorded(f"{name}-{seed}") for name in OTHER_RUNS)
    ]
    assert np.mean(errors) < 0.025


def test_intervals_hold_nine_of_ten_recorded_runs_of_any_seed() -> None:
    held, unseen = [], []
    for seed in (0, 1, 2):
        predictor = Predictor(recorded(f"wsd-{seed}").records)
        for name in ("wsd", *OTHER_RUNS, "short", "long"):
            for number in (0, 1, 2) if name in ("wsd", "cosine") else (0, 1):
                other = recorded(f"{name}-{number}")
                final = predictor.predict(other.schedule).final
                inside = final.low <= other.final <= final.high
                (unseen if 2 in (seed, number) else held).append(inside)
    assert np.mean(held) >= 0.9
    assert np.mean(unseen) >= 0.9, "the noise of a seed was not taken from these"


@pytest.mark.parametrize("steps", [61, 100, 2000])
def test_a_recommendation_for_a_run_of_another_size_is_refused(steps: int) -> None:
    with pytest.raises(PredictionError, match=f"{steps} updates are too far from the 600"):
        recommend(GOOD, steps)
    with pytest.raises(InvalidValue, match="more than the 60 of the run's warm-up, got 60"):
        recommend(GOOD, 60)


def test_a_recommendation_is_never_worse_than_the_run_itself() -> None:
    for truth in TRUTHS:
        for text in OTHERS[1:3]:
            assert recommend(made_by(truth, gs.parse(text), WARM), 600).gain >= 0


def test_no_candidate_falls_much_faster_than_the_run() -> None:
    slow = gs.parse(f"warmup({WARM}, start=0.1) >> cosine(540)")
    recorded_run = Predictor(made_by(TRUTHS[0], slow, WARM)).recorded
    steepest = max(slow(step) - slow(step + 1) for step in range(WARM, 599))
    mean_falls = [
        (1 - schedule(600)) / (600 - max(t for t in range(600) if schedule(t) > 0.9999))
        for schedule in family(recorded_run, 600)
    ]
    assert 0 < max(mean_falls) <= 2.05 * steepest
