"""Schedules that an optimizer owns: their values, of every key and every group."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import glideslope as gs
from glideslope.errors import InvalidType, UnboundError
from glideslope.optim import SGD, AdamW

from .owned import Factor, curves, near, update, values_of, weight


@curves
@pytest.mark.parametrize("at", [None, 0, 3])
def test_a_number_beside_a_schedule_is_its_value_at_the_peak(
    schedule: gs.Schedule, value: Factor, peak: float, at: int | None
) -> None:
    second = {"params": [weight()], "lr": 0.05}
    given = [{"params": [weight()]}, *([second] if at is None else [])]
    optimizer = SGD(given, lr=schedule)
    for t in range(12):
        if t == at:
            optimizer.add_param_group(second)
        expected = [value(t), 0.05 * value(t) / peak][: 1 + (at is None or t >= at)]
        assert values_of(optimizer) == near(expected), f"update {t}"
        before = [group["params"][0].clone() for group in optimizer.param_groups]
        update(optimizer)
        for group, old, rate in zip(optimizer.param_groups, before, expected, strict=True):
            assert group["params"][0].tolist() == near((old * (1 - 2 * rate)).tolist())


def test_each_key_and_each_group_has_its_own_schedule() -> None:
    first = {"params": [weight()], "lr": gs.linear(20, start=0.3, end=0.1)}
    second = {"params": [weight()], "weight_decay": 0.02}
    optimizer = AdamW(
        [first, second],
        lr=0.1,
        weight_decay=0.1 * gs.linear(10),
        betas=(gs.linear(10, start=0.8, end=0.9), 0.99),
    )
    for t in range(14):
        assert values_of(optimizer) == near([0.3 - min(t, 20) / 100, 0.1])
        fall = 1 - min(t, 10) / 10
        assert values_of(optimizer, "weight_decay") == near([0.1 * fall, 0.02 * fall])
        beta = 0.8 + min(t, 10) / 100
        assert [group["betas"] for group in optimizer.param_groups] == [near((beta, 0.99))] * 2
        update(optimizer)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_continues_by_itself(duplicate: Any) -> None:
    optimizer = update(SGD([weight()], lr=gs.linear(8)), 3)
    again = update(duplicate(optimizer), 2)
    assert values_of(again) == near([1 - 5 / 8])
    assert values_of(optimizer) == near([1 - 3 / 8])


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a function": ({"lr": lambda t: 0.1}, InvalidType, "`lr` must be .* or a schedule"),
    "a function in a tuple": ({"betas": (len, 0.9)}, InvalidType, "`betas` must be"),
    "a text": ({"lr": "linear(3)"}, InvalidType, "`lr` must be .* or a schedule"),
    "no length": ({"lr": gs.warmup("5%")}, UnboundError, "unbound length '5%'"),
}


@pytest.mark.parametrize(("options", "error", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_schedule_is_refused(
    options: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        AdamW([weight()], **options)
