"""Early stopping: when, why, and with which weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import glideslope as gs
from glideslope.errors import InvalidValue, StateMismatch
from glideslope.training import EarlyStopping, TrainingState, preview

NAN, INF = math.nan, math.inf
HALF = {"patience": 1, "min_delta": 0.5}
QUARTER = {"patience": 1, "min_delta": 0.25, "min_delta_mode": "rel"}
BASELINE = {"patience": 2, "baseline": 1.0}
LIMIT = {"patience": 9, "divergence_limit": 4.0}
TWICE = {"patience": 9, "non_finite_limit": 2}

# Options, values, the index of the value it stops at (None: it does not), and the reason.
CASES: list[tuple[dict[str, Any], Sequence[float], int | None, str | None]] = [
    ({"patience": 1}, [3, 2, 1], None, None),
    ({"patience": 1}, [3, 2, 2], 2, "no improvement on 2 in 1 value"),
    ({"patience": 2}, [3, 2, 2, 1, 1, 1], 5, "no improvement on 1 in 2 values"),
    ({"patience": 2, "mode": "max"}, [1, 2, 2, 1], 3, "no improvement on 2 in 2 values"),
    # An improvement must be more than min_delta.
    (HALF, [3, 2.5], 1, "no improvement on 3 in 1 value"),
    (HALF, [3, 2.25, 1.5], None, None),
    ({**HALF, "mode": "max"}, [1, 1.5], 1, "no improvement on 1 in 1 value"),
    # Small steps add up to one that counts.
    ({"patience": 3, "min_delta": 0.5}, [3, 2.75, 2.5, 2.25, 2.25], None, None),
    # Relative, and right for negative values and for zero.
    (QUARTER, [4, 3], 1, "no improvement on 4 in 1 value"),
    (QUARTER, [4, 2.5], None, None),
    (QUARTER, [-4, -6], None, None),
    (QUARTER, [-4, -4.5], 1, "no improvement on -4 in 1 value"),
    (QUARTER, [-4, -3], 1, "no improvement on -4 in 1 value"),
    (QUARTER, [0, -1e-9], None, None),
    # A baseline must be improved on too, however the values improve on each other.
    (BASELINE, [3, 2], 1, "no improvement on the baseline of 1 in 2 values"),
    (BASELINE, [3, 0.5, 0.5, 0.4, 0.5], None, None),
    (BASELINE, [0.5, 2, 2], 2, "no improvement on 0.5 in 2 values"),
    # The first values are not compared.
    ({"patience": 1, "start_after": 2}, [1, 5, 4, 3], None, None),
    ({"patience": 1, "start_after": 2}, [1, 5, 4, 4], 3, "no improvement on 4 in 1 value"),
    ({"patience": 1, "start_after": 2, "divergence_limit": 4.5}, [9, 9, 4], None, None),
    ({"patience": 9, "start_after": 2}, [1, NAN], 1, "nan is not finite"),
    # Limits.
    (LIMIT, [3, 4, 4.5], 2, "4.5 is worse than the limit of 4"),
    ({**LIMIT, "mode": "max"}, [4, 3.5], 1, "3.5 is worse than the limit of 4"),
    ({"patience": 9}, [3, INF], 1, "inf is not finite"),
    ({"patience": 9, "mode": "max"}, [3, -INF], 1, "-inf is not finite"),
    (TWICE, [3, NAN, 2, NAN, 2, NAN, INF], 6, "inf is not finite, 2 times in a row"),
    ({"patience": 2, "non_finite_limit": 9}, [3, NAN, NAN], 2, "no improvement on 3 in 2 values"),
    ({"patience": 2, "non_finite_limit": None}, [NAN, INF], 1, "no finite value in 2 values"),
    ({"patience": 2, "non_finite_limit": None}, [3, NAN, 2, NAN, 1], None, None),
]  # fmt: skip


def stop_at(stopping: EarlyStopping, values: Sequence[float]) -> int | None:
    return next((i for i, value in enumerate(values) if stopping.step(value)), None)


@pytest.mark.parametrize(("options", "values", "index", "reason"), CASES)
def test_when_and_why(
    options: dict[str, Any], values: Sequence[float], index: int | None, reason: str | None
) -> None:
    stopping = EarlyStopping(**options)
    assert preview(values, stopping).stop == index
    assert stopping.values == 0, "a preview leaves no trace"
    assert stop_at(stopping, values) == index
    assert stopping.reason == reason


VALUES = st.lists(st.integers(0, 5).map(float) | st.just(NAN), max_size=20)
OPTIONS = st.fixed_dictionaries(
    {
        "patience": st.integers(1, 4),
        "mode": st.sampled_from(["min", "max"]),
        "min_delta": st.sampled_from([0.0, 0.5, 1.0]),
        "min_delta_mode": st.sampled_from(["abs", "rel"]),
        "baseline": st.none() | st.just(2.0),
        "start_after": st.integers(0, 3),
        "divergence_limit": st.none() | st.just(4.5),
        "non_finite_limit": st.none() | st.integers(1, 2),
    }
)


@given(OPTIONS, VALUES, st.integers(0, 20))
def test_it_resumes_from_its_state(options: dict[str, Any], values: list[float], at: int) -> None:
    straight = EarlyStopping(**options)
    stops = [straight.step(value) for value in values]
    before, after = EarlyStopping(**options), EarlyStopping(**options)
    first = [before.step(value) for value in values[:at]]
    after.load_state_dict(before.state_dict())
    assert first + [after.step(value) for value in values[at:]] == stops
    assert after.state_dict() == straight.state_dict()


@given(OPTIONS, VALUES.filter(bool))
def test_more_patience_never_stops_earlier(options: dict[str, Any], values: list[float]) -> None:
    sooner = preview(values, EarlyStopping(**options)).stop
    patient = EarlyStopping(**{**options, "patience": options["patience"] + 1})
    later = preview(values, patient).stop
    assert later is None or (sooner is not None and sooner <= later)


def trained(stopping: EarlyStopping, model: nn.Linear, values: Sequence[float]) -> None:
    """Each value comes with weights that are its index."""
    for index, value in enumerate(values):
        nn.init.constant_(model.weight, index)
        if stopping.step(value):
            break


def test_the_best_weights_are_restored_when_it_stops() -> None:
    model = nn.Linear(1, 1)
    trained(EarlyStopping(patience=2, model=model), model, [3, 1, 2, 2, 0])
    assert model.weight.item() == 1


def test_the_best_weights_are_restored_on_request() -> None:
    model = nn.Linear(1, 1)
    stopping = EarlyStopping(patience=9, model=model)
    stopping.restore_best()  # there are none yet
    trained(stopping, model, [3, 1, 2])
    assert model.weight.item() == 2
    stopping.restore_best()
    assert (model.weight.item(), stopping.best, stopping.best_index) == (1, 1, 1)


def test_the_best_weights_survive_a_checkpoint(tmp_path: Any) -> None:
    model = nn.Linear(1, 1)
    run = TrainingState(stopping=EarlyStopping(patience=2, model=model), model=model)
    trained(run.stopping, model, [3, 1, 2])
    gs.save_checkpoint(run.state_dict(), tmp_path / "a.pt")
    other = nn.Linear(1, 1)
    again = TrainingState(stopping=EarlyStopping(patience=2, model=other), model=other)
    again.load_state_dict(gs.load_checkpoint(tmp_path / "a.pt"))
    assert again.stopping.step(2)
    assert other.weight.item() == 1


def test_values_may_be_tensors() -> None:
    stopping = EarlyStopping(patience=1)
    loss = nn.Parameter(torch.ones(1)).sum()
    assert not stopping.step(loss)
    assert type(stopping.best) is float


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: EarlyStopping(0), "`patience` must be at least 1, got 0"),
    (lambda: EarlyStopping(1, mode="least"), "`mode` must be 'min' or 'max', got 'least'"),
    (lambda: EarlyStopping(1, min_delta=-1), "`min_delta` must be at least 0, got -1"),
    (lambda: EarlyStopping(1, min_delta=NAN), "`min_delta` must be at least 0, got nan"),
    (
        lambda: EarlyStopping(1, min_delta_mode="relative"),
        "`min_delta_mode` must be 'abs' or 'rel', got 'relative'",
    ),
    (lambda: EarlyStopping(1, start_after=-1), "`start_after` must be at least 0, got -1"),
    (lambda: EarlyStopping(1, non_finite_limit=0), "`non_finite_limit` must be at least 1, got 0"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_arguments_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        make()
    assert str(caught.value) == message


def test_the_state_of_another_class_is_refused() -> None:
    with pytest.raises(
        StateMismatch, match="not a state of EarlyStopping: it holds best, patience"
    ):
        EarlyStopping(1).load_state_dict({"best": 1, "patience": 2})
