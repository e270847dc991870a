"""GreedyLR against transformers' recorded rates, a transcription of the rule, and its promises."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterable
from typing import Any

import pytest
import torch

from glideslope.errors import InvalidType, InvalidValue, StateMismatch
from glideslope.optim.lr_scheduler import (
    ChainedScheduler,
    GreedyLR,
    LambdaLR,
    ReduceLROnPlateau,
    SequentialLR,
)

from ...round_trip import through_a_file
from .driving import rates_of

PARAMETERS = [torch.nn.Parameter(torch.zeros(1)) for _ in range(3)]


def sgd(*rates: float | torch.Tensor) -> torch.optim.SGD:
    groups = [{"params": [p], "lr": lr} for p, lr in zip(PARAMETERS, rates, strict=False)]
    return torch.optim.SGD(groups, lr=0.1)


def run(optimizer: torch.optim.Optimizer, scheduler: Any, metrics: Iterable[float]) -> list[float]:
    seen = []
    for metric in metrics:
        scheduler.step(metric)
        seen.append(rates_of(optimizer)[0])
    return seen


# -- the rule ------------------------------------------------------------------------------------

# fmt: off
LOSSES = [5, 4.5, 4, 3.5, 3, 3.25, 3.5, 3, 2.75, 2.5, 2.25, *[2] * 14, 1.5, 1, 0.75, 0.5, 0.25]
# What transformers 5.23's class made of these losses, from 0.1.
RECORDED: list[tuple[dict[str, Any], list[float]]] = [
    (
        {"factor": 0.5, "patience": 1, "min_lr": 0.01},
        [0.1, 0.2, 0.2, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.4, 0.4, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1,
         0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.0125, 0.025, 0.025, 0.05, 0.05],
    ),
    (
        {"factor": 0.5, "patience": 1, "min_lr": 0.01, "cooldown": 2, "warmup": 1},
        [0.1, 0.2, 0.2, 0.2, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.2, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.2,
         0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.1, 0.1, 0.1, 0.2],
    ),
    (
        {"factor": 0.5, "patience": 1, "min_lr": 0.01, "max_lr": 0.3, "smooth": True,
         "window_size": 4},
        [0.1, 0.2, 0.2, *[0.3] * 13, 0.15, 0.15, 0.075, 0.075, 0.0375, 0.0375, 0.01875, 0.01875,
         0.01, 0.01, 0.02, 0.02, 0.04, 0.04],
    ),
    (
        {"factor": 0.8, "patience": 2, "threshold": 0.1, "threshold_mode": "rel", "min_lr": 0.05,
         "reset_start": 2},
        [*[0.1] * 4, *[0.125] * 3, *[0.1] * 7, *[0.08] * 3, *[0.064] * 3, *[0.0512] * 3,
         *[0.05] * 4, *[0.0625] * 3],
    ),
    (
        {"mode": "max", "factor": 0.9, "patience": 0, "min_lr": 0.02},
        [0.111111111, 0.1, 0.09, 0.081, 0.0729, 0.06561, 0.059049, 0.0531441, 0.04782969,
         0.043046721, 0.038742049, 0.034867844, 0.03138106, 0.028242954, 0.025418658, 0.022876792,
         0.020589113, *[0.02] * 13],
    ),
]
# fmt: on


@pytest.mark.parametrize(("kwargs", "expected"), RECORDED)
def test_what_transformers_gives(kwargs: dict[str, Any], expected: list[float]) -> None:
    optimizer = sgd(0.1)
    scheduler = GreedyLR(optimizer, **kwargs)
    assert run(optimizer, scheduler, LOSSES) == pytest.approx(expected, abs=1e-9)


def transcription(
    start: list[float],
    metrics: list[float],
    *,
    mode: str,
    factor: float,
    patience: int,
    threshold: float,
    threshold_mode: str,
    cooldown: int,
    warmup: int,
    min_lr: list[float],
    max_lr: list[float],
    window: int,
    reset_start: int,
) -> list[list[float]]:
    """The published rule in one loop; a loss is a metric with its sign turned in mode "max"."""
    sign = 1 if mode == "min" else -1
    lr, best, good, bad, rest, left = list(start), math.inf, 0, 0, [0, 0], reset_start
    recent: list[float] = []
    seen = []
    for metric in metrics:
        recent = [*recent, metric][-window:]
        loss = sign * sum(recent) / len(recent)
        if any(rest):
            rest = [rest[0] - 1, rest[1]] if rest[0] else [0, rest[1] - 1]
            good = bad = 0
        else:
            margin = threshold * (abs(best) if threshold_mode == "rel" else 1)
            improved = best == math.inf or loss < best - margin
            best = loss if improved else best
            good, bad = (good + 1, 0) if improved else (0, bad + 1)
            if good > patience:
                lr = [max(r, min(r / factor, high)) for r, high in zip(lr, max_lr, strict=True)]
                good, rest[1], left = 0, warmup, reset_start
            elif bad > patience:
                lr = [min(r, max(r * factor, low)) for r, low in zip(lr, min_lr, strict=True)]
                bad, rest[0] = 0, cooldown
                left -= all(r <= low for r, low in zip(lr, min_lr, strict=True))
                if left == 0:
                    lr, best, good, left, recent = list(start), math.inf, 0, reset_start, []
        seen.append(lr)
    return seen


def random_settings(rng: random.Random) -> dict[str, Any]:
    return {
        "mode": rng.choice(["min", "max"]),
        "factor": rng.choice([0.5, 0.9, 0.95]),
        "patience": rng.choice([0, 1, 3]),
        "threshold": rng.choice([0.0, 1e-6, 0.01, 0.1]),
        "threshold_mode": rng.choice(["rel", "abs"]),
        "cooldown": rng.choice([0, 1, 3]),
        "warmup": rng.choice([0, 1, 3]),
        "min_lr": rng.choice([[0.001, 0.001], [0.01, 0.002]]),
        "max_lr": rng.choice([[0.5, 0.5], [0.3, 0.2]]),
        "reset_start": rng.choice([1, 2, 5]),
    }


def random_metrics(rng: random.Random, count: int) -> list[float]:
    """A walk with a drift that changes; in 64ths, so that sums of them are exact."""
    value, drift, metrics = rng.choice([-5.0, 5.0, 0.0]), 0.0, []
    for _ in range(count):
        drift = rng.choice([-0.1, 0.0, 0.1]) if rng.random() < 0.05 else drift
        value += drift + rng.gauss(0, 0.05)
        metrics.append(round(value * 64) / 64)
    return metrics


@pytest.mark.parametrize("seed", range(100))
def test_the_rule_as_it_is_published(seed: int) -> None:
    rng = random.Random(seed)
    settings, metrics = random_settings(rng), random_metrics(rng, 300)
    window = rng.choice([1, 1, 3, 50])
    optimizer = sgd(0.1, 0.05)
    scheduler = GreedyLR(optimizer, eps=0, smooth=window > 1, window_size=window, **settings)
    expected = transcription([0.1, 0.05], metrics, window=window, **settings)
    for metric, due in zip(metrics, expected, strict=True):
        scheduler.step(metric)
        assert rates_of(optimizer) == pytest.approx(due, rel=1e-13)


def test_a_negative_metric_is_better_by_the_same_share() -> None:
    """transformers asks for less than ``best · 0.9``: at -10 for -9, so that -9.5 is better."""
    optimizer = sgd(0.1)
    scheduler = GreedyLR(optimizer, threshold=0.1, threshold_mode="rel", factor=0.5, patience=1)
    run(optimizer, scheduler, [-10.0, -9.5, -10.5])
    assert scheduler.num_bad_epochs == 0  # counted two, and the rate came down
    assert rates_of(optimizer) == [0.05]
    scheduler.step(-11.5)
    assert scheduler.best == -11.5


def test_a_rate_within_eps_of_its_bound_is_at_the_bound() -> None:
    """transformers can neither lower it nor count it as low, and so never starts again."""
    optimizer = sgd(0.1)
    scheduler = GreedyLR(optimizer, factor=0.5, patience=0, min_lr=0.025 - 1e-9, reset_start=3)
    seen = run(optimizer, scheduler, [1.0] * 6)
    assert seen == [0.2, 0.1, 0.05, 0.025, 0.025, 0.1]


def test_an_infinite_metric_leaves_the_mean_when_it_leaves_the_window() -> None:
    """transformers keeps a running sum, which is NaN from then on."""
    optimizer = sgd(0.1)
    scheduler = GreedyLR(optimizer, factor=0.5, patience=0, smooth=True, window_size=2, warmup=1)
    run(optimizer, scheduler, [4.0, math.inf, 3.0, 2.0])
    assert scheduler._streaming_avg is not None
    assert scheduler._streaming_avg.values == [3.0, 2.0]
    assert scheduler.best == 2.5


@pytest.mark.parametrize("smooth", [False, True])
def test_a_metric_that_is_not_a_number_counts_for_nothing(smooth: bool) -> None:
    with_nan, without = sgd(0.1), sgd(0.1)
    kwargs: dict[str, Any] = {"factor": 0.5, "patience": 1, "smooth": smooth}
    one, other = GreedyLR(with_nan, **kwargs), GreedyLR(without, **kwargs)
    for metric in LOSSES:
        one.step(metric)
        other.step(metric)
        with pytest.warns(UserWarning, match="GreedyLR, step .* is not a number"):
            one.step(math.nan)
        assert rates_of(with_nan) == rates_of(without)


# -- with others ---------------------------------------------------------------------------------


def factor(t: int) -> float:
    """A warm-up from 0 and a decay."""
    return min(t / 8, 4 / (t + 1))


def test_other_schedulers_multiply_also_while_they_hold_the_rate_at_zero() -> None:
    alone, together = sgd(0.1, 0.05), sgd(0.1, 0.05)
    kwargs: dict[str, Any] = {"factor": 0.5, "patience": 0, "min_lr": 0.01, "reset_start": 2}
    greedy, schedule = GreedyLR(alone, **kwargs), LambdaLR(together, factor)
    composed = GreedyLR(together, **kwargs)
    run(alone, greedy, [])
    for t, metric in enumerate(LOSSES, start=1):
        greedy.step(metric)
        together.step()
        composed.step(metric)
        schedule.step()
        due = [rate * factor(t) for rate in rates_of(alone)]
        assert rates_of(together) == pytest.approx(due, rel=1e-13)
        assert composed.num_bad_epochs == greedy.num_bad_epochs


@pytest.mark.parametrize("composite", ["chained", "sequential"])
def test_as_a_member(composite: str) -> None:
    alone, together = sgd(0.1), sgd(0.1)
    kwargs: dict[str, Any] = {"factor": 0.5, "patience": 0, "min_lr": 0.01, "reset_start": 2}
    greedy = GreedyLR(alone, **kwargs)
    members = [LambdaLR(together, lambda _: 0.5), GreedyLR(together, **kwargs)]
    scheduler: Any
    if composite == "chained":
        scheduler = ChainedScheduler(members)
    else:
        scheduler = SequentialLR(together, members, [1])
        together.step()
        scheduler.step()
    for metric in LOSSES:
        greedy.step(metric)
        together.step()
        scheduler.step(metric)
        half = 0.5 if composite == "chained" else 1.0
        assert rates_of(together) == pytest.approx([half * rates_of(alone)[0]], rel=1e-13)


def test_a_member_begins_from_the_rates_of_a_resumed_composite() -> None:
    optimizer = sgd(0.025)
    optimizer.param_groups[0]["initial_lr"] = 0.1
    greedy = GreedyLR(optimizer, factor=0.5, patience=0, min_lr=0.02, reset_start=1)
    scheduler = SequentialLR(optimizer, [LambdaLR(optimizer, lambda _: 0.25), greedy], [5], 2)
    optimizer.step()
    scheduler.step()
    assert run(optimizer, scheduler, [1.0] * 6) == [0.1, 0.2, 0.1, 0.05, 0.025, 0.1]


def test_a_rate_set_by_hand_continues_from_there() -> None:
    optimizer = sgd(0.1)
    scheduler = GreedyLR(optimizer, factor=0.5, patience=0, min_lr=0.01)
    run(optimizer, scheduler, [1.0, 1.0])
    optimizer.param_groups[0]["lr"] = 0.4
    assert run(optimizer, scheduler, [1.0] * 6) == [0.2, 0.1, 0.05, 0.025, 0.0125, 0.01]


def test_a_rate_of_zero_by_hand_is_not_the_end() -> None:
    optimizer = sgd(0.1)
    scheduler = GreedyLR(optimizer, factor=0.5, patience=0, min_lr=0.01)
    optimizer.param_groups[0]["lr"] = 0.0
    assert run(optimizer, scheduler, [1.0, 1.0]) == [0.0, 0.0]
    optimizer.param_groups[0]["lr"] = 0.4
    assert run(optimizer, scheduler, [1.0, 0.5]) == [0.2, 0.4]


def test_a_group_that_comes_later() -> None:
    optimizer = sgd(0.1)
    scheduler = GreedyLR(optimizer, factor=0.5, patience=0, min_lr=0.05, reset_start=2)
    scheduler.step(1.0)
    optimizer.add_param_group({"params": [PARAMETERS[1]], "lr": 0.3})
    scheduler.step(0.5)
    assert rates_of(optimizer) == [0.4, 0.6]
    for _ in range(5):
        scheduler.step(0.5)
    assert rates_of(optimizer) == [0.1, 0.3]  # started again


@pytest.mark.parametrize("bound", ["min_lr", "max_lr"])
def test_a_list_of_bounds_has_none_for_a_group_that_comes_later(bound: str) -> None:
    optimizer = sgd(0.1)
    value = [0.01] if bound == "min_lr" else [0.5]
    scheduler = GreedyLR(optimizer, patience=0, **{bound: value})  # type: ignore[arg-type]
    optimizer.add_param_group({"params": [PARAMETERS[1]], "lr": 0.3})
    with pytest.raises((RuntimeError, InvalidValue), match=f"{bound}s"):
        scheduler.step(1.0)


def test_a_tensor_is_filled() -> None:
    tensor = torch.tensor(0.1, dtype=torch.float64)
    optimizer = sgd(tensor)
    scheduler = GreedyLR(optimizer, factor=0.5, patience=0)
    scheduler.step(torch.tensor(1.0))  # type: ignore[arg-type]
    assert optimizer.param_groups[0]["lr"] is tensor
    assert rates_of(optimizer) == scheduler.get_last_lr() == [0.2]


def test_a_plain_rate() -> None:
    class Plain:
        lr = 0.1

    scheduler = GreedyLR(Plain(), factor=0.5, patience=0)
    scheduler.step(1.0)
    assert scheduler.optimizer.lr == 0.2


def test_it_is_torchs_plateau_scheduler() -> None:
    """By that, training loops of others know that its step takes a metric."""
    scheduler = GreedyLR(sgd(0.1))
    assert isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)


def test_what_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    scheduler = GreedyLR(sgd(0.1), factor=0.5, patience=0, verbose=True)
    scheduler.step(1.0)
    assert capsys.readouterr().out == "Epoch 1: setting learning rate to 0.2.\n"


# -- state ---------------------------------------------------------------------------------------

# The keys of a state of transformers 5.23; the last only with ``smooth``.
# fmt: off
KEYS = [
    "_init_lrs", "_last_lr", "best", "cooldown", "cooldown_counter", "eps", "factor", "last_epoch",
    "max_lrs", "min_lrs", "mode", "num_bad_epochs", "num_good_epochs", "patience", "reset_start",
    "reset_start_original", "smooth", "threshold", "threshold_mode", "verbose", "warmup",
    "warmup_counter", "window_size", "_streaming_avg",
]
# fmt: on
SETTINGS: dict[str, Any] = {
    "factor": 0.5,
    "patience": 1,
    "cooldown": 1,
    "warmup": 1,
    "min_lr": [0.02, 0.01],
    "max_lr": [0.8, 0.3],
    "smooth": True,
    "window_size": 3,
    "reset_start": 2,
}


@pytest.mark.parametrize("smooth", [False, True])
def test_the_state_is_transformers(smooth: bool) -> None:
    scheduler = GreedyLR(sgd(0.1, 0.05), smooth=smooth, window_size=2)
    for metric in (1.0, 3.0, 2.0):
        scheduler.step(metric)
    state = through_a_file(scheduler.state_dict())
    assert set(state) == {*(KEYS if smooth else KEYS[:-1]), "_own_lrs"}
    assert state["_init_lrs"] == [0.1, 0.05]
    if smooth:
        assert state["_streaming_avg"] == {"window_size": 2, "values": [3.0, 2.0], "sum": 5.0}


@pytest.mark.parametrize("optimizer_first", [True, False, None])
def test_it_resumes_at_every_step(optimizer_first: bool | None) -> None:
    """In either order of loading, and without the optimizer's state: as transformers saves it."""
    straight = sgd(0.1, 0.05)
    scheduler = GreedyLR(straight, **SETTINGS)
    metrics = [*LOSSES, *[1.0] * 30]
    saved, expected = [], []
    for metric in metrics:
        saved.append(through_a_file({"o": straight.state_dict(), "s": scheduler.state_dict()}))
        scheduler.step(metric)
        expected.append(rates_of(straight))
    assert [0.1, 0.05] in expected[expected.index([0.02, 0.01]) :]  # it has started again
    for stop, state in enumerate(saved):
        optimizer = sgd(0.1, 0.05)
        resumed = GreedyLR(optimizer, **SETTINGS)
        if optimizer_first is None:
            del state["s"]["_own_lrs"]
        if optimizer_first:
            optimizer.load_state_dict(state["o"])
        resumed.load_state_dict(state["s"])
        if optimizer_first is False:
            optimizer.load_state_dict(state["o"])
        for metric, due in zip(metrics[stop:], expected[stop:], strict=True):
            resumed.step(metric)
            assert rates_of(optimizer) == due


def test_it_resumes_beside_a_schedule() -> None:
    def build() -> tuple[torch.optim.SGD, LambdaLR, GreedyLR]:
        optimizer = sgd(0.1, 0.05)
        return optimizer, LambdaLR(optimizer, factor), GreedyLR(optimizer, **SETTINGS)

    def train(
        optimizer: torch.optim.SGD, schedule: LambdaLR, greedy: GreedyLR, loss: float
    ) -> None:
        optimizer.step()
        schedule.step()
        greedy.step(loss)

    straight = build()
    saved, expected = [], []
    for metric in LOSSES:
        saved.append(through_a_file({"all": [part.state_dict() for part in straight]})["all"])
        train(*straight, metric)
        expected.append(rates_of(straight[0]))
    for stop, states in enumerate(saved):
        resumed = build()
        for part, state in zip(resumed, states, strict=True):
            part.load_state_dict(state)
        for metric, due in zip(LOSSES[stop:], expected[stop:], strict=True):
            train(*resumed, metric)
            assert rates_of(resumed[0]) == pytest.approx(due, rel=1e-13)


def test_a_state_shares_nothing_and_is_not_changed() -> None:
    optimizer = sgd(0.1)
    scheduler = GreedyLR(optimizer, smooth=True, patience=0)
    scheduler.step(1.0)
    state = scheduler.state_dict()
    before = copy.deepcopy(state)
    other = GreedyLR(sgd(0.1), smooth=True, patience=0)
    other.load_state_dict(state)
    run(optimizer, scheduler, LOSSES)
    run(other.optimizer, other, LOSSES)
    assert state == before


def test_a_state_of_an_older_version_keeps_what_it_does_not_have() -> None:
    scheduler = GreedyLR(sgd(0.1))
    scheduler.load_state_dict({"best": 5.0, "num_bad_epochs": 3, "patience": 10})
    assert (scheduler.best, scheduler.num_bad_epochs, scheduler.cooldown_counter) == (5.0, 3, 0)


def test_the_settings_of_a_state_are_adopted_and_told() -> None:
    scheduler = GreedyLR(sgd(0.1), factor=0.5, smooth=True)
    with pytest.warns(UserWarning, match=r"factor=0.95 \(was 0.5\).*smooth=False \(was True\)"):
        scheduler.load_state_dict(GreedyLR(sgd(0.1)).state_dict())
    assert scheduler._streaming_avg is None


def test_the_state_of_another_class_is_refused() -> None:
    with pytest.raises(StateMismatch, match="not a state of GreedyLR: it has default_min_lr"):
        GreedyLR(sgd(0.1)).load_state_dict(ReduceLROnPlateau(sgd(0.1)).state_dict())
    with pytest.raises(StateMismatch, match="not a state of ReduceLROnPlateau"):
        ReduceLROnPlateau(sgd(0.1)).load_state_dict(GreedyLR(sgd(0.1)).state_dict())


def test_a_copy_continues_alike() -> None:
    optimizer = sgd(0.1)
    scheduler = GreedyLR(optimizer, **(SETTINGS | {"min_lr": 0.01, "max_lr": 1.0}))
    run(optimizer, scheduler, LOSSES[:5])
    twin_optimizer, twin = copy.deepcopy((optimizer, scheduler))
    expected = run(optimizer, scheduler, LOSSES[5:])
    assert run(twin_optimizer, twin, LOSSES[5:]) == expected


# -- mistakes ------------------------------------------------------------------------------------

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"factor": 1.0}, "Factor should be < 1.0, got 1.0"),
    ({"factor": 0.0}, "`factor` must be more than 0, got 0.0"),
    ({"mode": "low"}, "mode low is unknown!"),
    ({"threshold_mode": "both"}, "threshold mode both is unknown!"),
    ({"patience": -1}, "`patience` must be at least 0, got -1"),
    ({"cooldown": -1}, "`cooldown` must be at least 0, got -1"),
    ({"warmup": -1}, "`warmup` must be at least 0, got -1"),
    ({"window_size": 0}, "`window_size` must be at least 1, got 0"),
    ({"reset_start": 0}, "`reset_start` must be at least 1, got 0"),
    ({"min_lr": [0.1]}, "expected 2 min_lrs, got 1"),
    ({"max_lr": [0.1]}, "expected 2 max_lrs, got 1"),
    ({"min_lr": 0.02, "max_lr": 0.01}, "`min_lr` must be at most max_lr = 0.01, got 0.02"),
    ({"min_lr": 0.03}, "`min_lr` must be at most the rate of parameter group 1, 0.01, got 0.03"),
]


@pytest.mark.parametrize(("kwargs", "message"), MISTAKES)
def test_a_mistake_is_named(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        GreedyLR(sgd(0.1, 0.01), **kwargs)
    assert str(caught.value) == message


def test_a_frozen_group_stays_frozen() -> None:
    optimizer = sgd(0.1, 0.0)
    scheduler = GreedyLR(optimizer, factor=0.5, patience=0)
    for metric in LOSSES:
        scheduler.step(metric)
        assert rates_of(optimizer)[1] == 0.0


def test_what_is_no_optimizer() -> None:
    with pytest.raises(InvalidType, match="`optimizer` must have `param_groups`"):
        GreedyLR("not an optimizer")
