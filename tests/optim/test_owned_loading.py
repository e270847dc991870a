"""Schedules that an optimizer owns, after a state is loaded."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import InvalidValue, StateMismatch
from glideslope.optim import SGD, AdamW
from glideslope.optim.lr_scheduler import ExponentialLR

from ..round_trip import through_a_file
from .owned import CURVES, Factor, cosine, curves, near, update, values_of, weight

STOP = 4
POLICIES = ["error", "keep", "adopt"]


@curves
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", [SGD, AdamW])
def test_a_saved_run_continues_bit_for_bit(
    schedule: gs.Schedule, value: Factor, peak: float, policy: str, kind: Any
) -> None:
    def run() -> Any:
        groups = [{"params": [weight()]}, {"params": [weight()], "lr": 0.05}]
        return kind(groups, lr=schedule, weight_decay=0.1 * gs.linear(9))

    whole = update(run(), STOP)
    saved = through_a_file(whole.state_dict())
    again = run()
    for group, other in zip(again.param_groups, whole.param_groups, strict=True):
        group["params"][0].data.copy_(other["params"][0])
    again.load_state_dict(saved, on_mismatch=policy)
    for t in range(STOP, 12):
        assert values_of(again) == near([value(t), 0.05 * value(t) / peak])
        assert str(again.param_groups) == str(whole.param_groups)
        update(again), update(whole)
        assert all(
            torch.equal(group["params"][0], other["params"][0])
            for group, other in zip(again.param_groups, whole.param_groups, strict=True)
        )


def number(t: int) -> float:
    return 0.3


SAVED, CODE = CURVES["linear"], CURVES["cosine"]
OTHERS: dict[str, tuple[Any, Factor, Any, Factor]] = {  # the state's and the code's
    "schedules": (*SAVED[:2], *CODE[:2]),
    "a schedule, a number": (*SAVED[:2], 0.3, number),
    "from 0, from 1": (*CURVES["from 0"][:2], *CURVES["linear"][:2]),
    "from 1, from 0": (*CURVES["linear"][:2], *CURVES["from 0"][:2]),
}
others = pytest.mark.parametrize(("saved", "theirs", "code", "ours"), OTHERS.values(), ids=OTHERS)


@others
@pytest.mark.parametrize("policy", ["keep", "adopt"])
def test_another_runs_schedule_is_kept_or_adopted_at_the_states_update(
    saved: Any, theirs: Factor, code: Any, ours: Factor, policy: str
) -> None:
    state = copy.deepcopy(update(SGD([weight()], lr=saved), STOP).state_dict())
    optimizer = SGD([weight()], lr=code)
    optimizer.load_state_dict(state, on_mismatch=policy)
    for t in range(STOP, 12):
        expected = ours(t) if policy == "keep" else theirs(t)
        assert values_of(optimizer) == near([expected]), f"update {t}"
        update(optimizer)


@pytest.mark.parametrize("policy", ["keep", "adopt"])
def test_a_scheduler_beside_it_multiplies_what_is_kept_or_adopted(policy: str) -> None:
    (saved, theirs, _), (code, ours, _) = SAVED, CODE
    state = copy.deepcopy(update(SGD([weight()], lr=saved), STOP).state_dict())
    optimizer = SGD([weight()], lr=code)
    scheduler = ExponentialLR(optimizer, 0.5)
    optimizer.load_state_dict(state, on_mismatch=policy)
    for t in range(STOP, 12):
        expected = ours(t) if policy == "keep" else theirs(t)
        assert values_of(optimizer) == near([expected * 0.5 ** (t - STOP)]), f"update {t}"
        update(optimizer)
        scheduler.step()


@curves
@pytest.mark.parametrize("stop", [0, STOP])
def test_the_number_beside_an_adopted_schedule_is_adopted_too(
    schedule: gs.Schedule, value: Factor, peak: float, stop: int
) -> None:
    groups = [{"params": [weight()]}, {"params": [weight()], "lr": 0.05}]
    state = copy.deepcopy(update(SGD(groups, lr=schedule), stop).state_dict())
    groups = [{"params": [weight()]}, {"params": [weight()], "lr": 0.4}]
    optimizer = SGD(groups, lr=gs.exponential(0.9))
    optimizer.load_state_dict(state, on_mismatch="adopt")
    for t in range(stop, 12):
        assert values_of(optimizer) == near([value(t), 0.05 * value(t) / peak]), f"update {t}"
        update(optimizer)


@others
def test_another_runs_schedule_is_refused_and_nothing_changes(
    saved: Any, theirs: Factor, code: Any, ours: Factor
) -> None:
    state = copy.deepcopy(update(SGD([weight()], lr=saved), STOP).state_dict())
    optimizer = SGD([weight()], lr=code)
    with pytest.raises(StateMismatch, match="`lr` of parameter group 0 is under") as refused:
        optimizer.load_state_dict(state)
    assert str(saved) in str(refused.value)
    assert str(code if isinstance(code, gs.Schedule) else "no schedule") in str(refused.value)
    for t in range(6):
        assert values_of(optimizer) == near([ours(t)])
        update(optimizer)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_state_without_schedules_leaves_the_codes_at_their_own_update(policy: str) -> None:
    state = update(torch.optim.SGD([weight()], lr=0.7), STOP).state_dict()
    optimizer = SGD([weight()], lr=gs.linear(8))
    optimizer.load_state_dict(state, on_mismatch=policy)
    for t in range(10):
        assert values_of(optimizer) == near([1 - min(t, 8) / 8])
        update(optimizer)


PARTS = [{"lr": 0.1 * gs.linear(8)}, {"lr": 0.3}]


@pytest.mark.parametrize("policy", ["keep", "adopt"])
def test_schedules_of_other_groups_are_kept_or_adopted(policy: str) -> None:
    def run(*options: dict[str, Any]) -> Any:
        return SGD([{"params": [weight()], **each} for each in options], lr=0.5)

    state = copy.deepcopy(update(run(*PARTS), STOP).state_dict())
    optimizer = run({"lr": 0.2}, {"lr": 0.4 * gs.cosine(10)})
    optimizer.load_state_dict(state, on_mismatch=policy)
    for t in range(STOP, 12):
        kept = [0.2, 0.4 * cosine(t / 10)]
        adopted = [0.1 * (1 - min(t, 8) / 8), 0.3]
        assert values_of(optimizer) == near(kept if policy == "keep" else adopted)
        update(optimizer)


@pytest.mark.parametrize("policy", ["keep", "adopt"])
def test_other_keys_are_kept_or_adopted(policy: str) -> None:
    state = update(AdamW([weight()], lr=0.1, weight_decay=0.1 * gs.linear(8)), STOP).state_dict()
    optimizer = AdamW([weight()], lr=0.2 * gs.linear(16), weight_decay=0.05)
    optimizer.load_state_dict(copy.deepcopy(state), on_mismatch=policy)
    for t in range(STOP, 12):
        kept = ([0.2 * (1 - t / 16)], [0.05])
        adopted = ([0.1], [0.1 * (1 - min(t, 8) / 8)])
        expected = kept if policy == "keep" else adopted
        assert values_of(optimizer) == near(expected[0]), f"update {t}"
        assert values_of(optimizer, "weight_decay") == near(expected[1]), f"update {t}"
        update(optimizer)


@given(
    stop=st.integers(0, 10), edit=st.sampled_from([1.0, 0.5, 3.0]), policy=st.sampled_from(POLICIES)
)
def test_a_hand_edit_goes_with_the_state(stop: int, edit: float, policy: str) -> None:
    optimizer = update(SGD([weight()], lr=0.1 * gs.linear(12)), stop)
    optimizer.param_groups[0]["lr"] *= edit
    again = SGD([weight()], lr=0.1 * gs.linear(12))
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()), on_mismatch=policy)
    for t in range(stop, 12):
        assert values_of(again) == near([0.1 * edit * (1 - t / 12)])
        update(again)


def test_an_unknown_policy_and_a_function_that_cannot_be_adopted_are_refused() -> None:
    state = SGD([weight()], lr=gs.function(math.exp)).state_dict()
    optimizer = SGD([weight()], lr=0.1)
    with pytest.raises(InvalidValue, match="`on_mismatch` must be one of"):
        optimizer.load_state_dict(state, on_mismatch="guess")
    with pytest.raises(StateMismatch, match="of `lr` cannot be adopted"):
        optimizer.load_state_dict(state, on_mismatch="adopt")
