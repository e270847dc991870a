"""A preview agrees with a run under the controller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue
from glideslope.optim.lr_scheduler import ReduceLROnPlateau, Scheduler
from glideslope.training import EarlyStopping, History, preview

LOSSES = [0.9, 0.5, 0.6, 0.7, 0.6, 0.25, 0.3]


def optimizer_at(*rates: float) -> torch.optim.SGD:
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in rates]
    groups = [{"params": [w], "lr": lr} for w, lr in zip(weights, rates, strict=True)]
    return torch.optim.SGD(groups, lr=1.0)


def test_where_it_stops_and_the_cost() -> None:
    found = preview(LOSSES, EarlyStopping(patience=2))
    assert (found.stop, found.best_step, found.best, found.given_up) == (3, 1, 0.5, 0.25)
    assert found.reason == "no improvement on 0.5 in 2 values"
    assert found.spared == pytest.approx(3 / 7)


def test_without_a_stop_nothing_is_given_up() -> None:
    found = preview(LOSSES, EarlyStopping(patience=9))
    assert (found.stop, found.reason, found.best_step, found.given_up) == (None, None, 5, 0)
    assert found.spared == 0
    assert str(found) == "it does not stop; the best is 0.25, at step 5"


def test_more_is_better_where_it_is() -> None:
    found = preview([0.1, 0.4, 0.3, 0.9], EarlyStopping(patience=1, mode="max"))
    assert (found.stop, found.best, found.given_up) == (2, 0.4, 0.5)


def test_nothing_finite_gives_nothing_up() -> None:
    found = preview([math.nan, 1.0], EarlyStopping(patience=1))
    assert (found.stop, found.best, found.best_step, found.given_up) == (0, None, None, 0)
    assert str(found) == "it stops at step 0: nan is not finite; 50% of the run is spared"


def test_a_history_has_steps_of_its_own(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    for step in range(70):
        measured = {"val_loss": LOSSES[step // 10]} if step % 10 == 9 else {}
        history.append({"step": step, "loss": 1.0, **measured})
    found = preview(history, EarlyStopping(patience=2))
    assert (found.stop, found.best_step) == (39, 19)
    assert found.steps == (9, 19, 29, 39, 49, 59, 69)
    assert preview(history, EarlyStopping(patience=1), name="loss").stop == 1


def test_the_controller_is_left_as_it_is() -> None:
    model = torch.nn.Linear(1, 1)
    stopping = EarlyStopping(patience=2, model=model)
    stopping.step(3.0)
    before = stopping.state_dict()
    preview(LOSSES, stopping)
    assert stopping.state_dict() == before
    optimizer = optimizer_at(1.0)
    plateau = ReduceLROnPlateau(optimizer, patience=0)
    state = plateau.state_dict()
    preview(LOSSES, plateau)
    assert plateau.state_dict() == state
    assert optimizer.param_groups[0]["lr"] == 1.0


SETTINGS = st.fixed_dictionaries(
    {
        "factor": st.sampled_from([0.0, 0.5, 0.9]),
        "patience": st.integers(0, 2),
        "cooldown": st.integers(0, 2),
        "threshold": st.sampled_from([0.0, 0.3]),
        "mode": st.sampled_from(["min", "max"]),
        "min_lr": st.sampled_from([0.0, 0.2]),
    }
)
VALUES = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=20)


@given(SETTINGS, VALUES, st.sampled_from([None, gs.linear(30), gs.cosine(20, end=0.1)]))
def test_the_curve_is_that_of_a_run(
    settings: dict[str, Any], values: Sequence[float], schedule: gs.Schedule | None
) -> None:
    found = preview(values, ReduceLROnPlateau(optimizer_at(0.5), **settings), schedule=schedule)
    optimizer = optimizer_at(0.5)
    scheduler = None if schedule is None else Scheduler(optimizer, lr=schedule)
    plateau = ReduceLROnPlateau(optimizer, **settings)
    lrs = []
    for value in values:
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        plateau.step(value)
        end = optimizer.param_groups[0]["lr"]
        if scheduler is not None:
            scheduler.step()
    assert found.lrs == pytest.approx(lrs, rel=1e-12)
    assert found.end == pytest.approx(end, rel=1e-12)


def test_the_cuts_of_torchs_own_controller() -> None:
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer_at(0.1, 1.0), factor=0.5, patience=1, min_lr=[0.0, 0.4]
    )
    found = preview([*LOSSES, 0.3, 0.3, 0.3], plateau)
    assert found.cuts == (3, 7)
    assert found.lrs == (1.0,) * 4 + (0.5,) * 4 + (0.4,) * 2
    assert str(found) == "it cuts the rate after steps 3, 7, to 0.4"
    assert str(preview([1.0], plateau)) == "it never cuts the rate, which ends at 1"


def test_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidType, match="be an EarlyStopping or a ReduceLROnPlateau"):
        preview(LOSSES, "patience")  # type: ignore[call-overload]
    for nothing in ([], History(tmp_path / "none.jsonl")):
        with pytest.raises(InvalidValue, match="`metric` must have at least one value"):
            preview(nothing, EarlyStopping(patience=1))
