"""`Scheduler`: any key, any group, any optimizer; composed, edited, grown, saved and resumed."""

from __future__ import annotations

import copy
import gc
import itertools
import json
import math
import pickle
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue, ParseError, StateMismatch, UnboundError
from glideslope.optim.lr_scheduler import Absolute, ReduceLROnPlateau, Scheduler, StepLR

from ...round_trip import through_a_file
from ...schedules.strategies import schedules
from .driving import rates_of

TRIANGLE = gs.warmup(4) >> gs.linear(6)
FACTORS = [0.0, 0.25, 0.5, 0.75, 1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0.0, 0.0]


def groups(*rates: float) -> list[dict[str, Any]]:
    return [
        {"params": [torch.nn.Parameter(torch.ones(2))], "lr": rate, "name": f"g{index}"}
        for index, rate in enumerate(rates)
    ]


def adamw(*rates: float, **options: Any) -> torch.optim.AdamW:
    return torch.optim.AdamW(groups(*(rates or (0.1,))), **options)


def step(optimizer: Any, *schedulers: Any) -> None:
    optimizer.step()
    for scheduler in schedulers:
        scheduler.step()


# -- values --------------------------------------------------------------------------------------


def test_update_t_runs_at_the_base_times_the_schedule() -> None:
    optimizer = adamw(0.1, 0.02)
    scheduler = Scheduler(optimizer, lr=TRIANGLE)
    for factor in FACTORS:
        assert rates_of(optimizer) == pytest.approx([0.1 * factor, 0.02 * factor], rel=1e-15)
        assert scheduler.get_last_lr() == rates_of(optimizer)
        assert scheduler.get_lr() == rates_of(optimizer)
        step(optimizer, scheduler)


SPECS: list[tuple[str, Any, list[float]]] = [
    ("a schedule", gs.linear(4), [0.05, 0.01]),
    ("its text", "linear(4)", [0.05, 0.01]),
    ("a number", 0.5, [0.05, 0.01]),
    ("a list, one per group", [gs.linear(4), "linear(8)"], [0.05, 0.015]),
    ("a list with a group left alone", [None, "linear(4)"], [0.1, 0.01]),
    ("a mapping by index", {1: "linear(4)"}, [0.1, 0.01]),
    ("a mapping by name", {"g0": "linear(4)"}, [0.05, 0.02]),
    ("an absolute schedule", Absolute("linear(4) * 3"), [1.5, 1.5]),
    ("an absolute one for one group", [Absolute(gs.linear(4)), None], [0.5, 0.02]),
]


@pytest.mark.parametrize(("spec", "expected"), [s[1:] for s in SPECS], ids=[s[0] for s in SPECS])
def test_what_can_be_given_for_a_key(spec: Any, expected: list[float]) -> None:
    optimizer = adamw(0.1, 0.02)
    scheduler = Scheduler(optimizer, spec)
    scheduler.step(2)
    assert rates_of(optimizer) == pytest.approx(expected, rel=1e-15)


def test_any_key_and_elements_of_a_tuple() -> None:
    optimizer = adamw(0.1, weight_decay=0.2, betas=(0.8, 0.9))
    scheduler = Scheduler(
        optimizer,
        weight_decay=gs.linear(4),
        betas=(None, Absolute(gs.linear(4, start=0.9, end=0.99))),
        eps="constant(10)",
    )
    scheduler.step(2)
    (group,) = optimizer.param_groups
    assert group["weight_decay"] == pytest.approx(0.1)
    assert group["betas"] == (0.8, pytest.approx(0.945))
    assert group["eps"] == pytest.approx(1e-7)
    assert rates_of(optimizer) == [0.1]
    assert scheduler.get_last_lr() == [0.1]
    assert list(scheduler.schedules) == ["weight_decay", "betas[1]", "eps"]


def test_a_key_in_brackets_is_the_same_element() -> None:
    optimizer = adamw()
    Scheduler(optimizer, **{"betas[0]": "linear(4, start=0.5)"}).step(0)
    assert optimizer.param_groups[0]["betas"] == (pytest.approx(0.45), 0.999)


def test_values_are_python_floats_and_tensors_are_filled_in_place() -> None:
    optimizer = adamw(lr=torch.tensor(0.1), betas=(0.9, 0.999))
    optimizer.param_groups[0]["lr"] = held = torch.tensor(0.1)
    scheduler = Scheduler(optimizer, lr=gs.linear(4), weight_decay=gs.linear(4))
    scheduler.step(1)
    assert optimizer.param_groups[0]["lr"] is held
    assert held.item() == pytest.approx(0.075)
    assert type(optimizer.param_groups[0]["weight_decay"]) is float
    assert type(scheduler.get_last_lr()[0]) is float


# -- with others ---------------------------------------------------------------------------------


def test_schedulers_multiply_in_any_order() -> None:
    makers: list[Callable[[Any], Any]] = [
        lambda optimizer: Scheduler(optimizer, lr=TRIANGLE),
        lambda optimizer: StepLR(optimizer, 3, gamma=0.5),
        lambda optimizer: Scheduler(optimizer, lr=gs.exponential(0.9)),
    ]
    for order in itertools.permutations(makers):
        optimizer = adamw(0.1, 0.02)
        schedulers = [make(optimizer) for make in order]
        for t, factor in enumerate(FACTORS):
            due = factor * 0.5 ** (t // 3) * 0.9**t
            assert rates_of(optimizer) == pytest.approx([0.1 * due, 0.02 * due], rel=1e-14)
            step(optimizer, *schedulers)


def test_a_plateau_controller_multiplies() -> None:
    optimizer = adamw(0.1)
    plateau = ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    scheduler = Scheduler(optimizer, lr=TRIANGLE)
    for t, factor in enumerate(FACTORS):
        cuts = max(t - 1, 0)  # the first metric is the best one, every other one is a bad epoch
        assert rates_of(optimizer) == pytest.approx([0.1 * factor * 0.5**cuts], rel=1e-14)
        optimizer.step()
        plateau.step(1.0)
        scheduler.step()


def test_torchs_own_scheduler_beside_it_multiplies() -> None:
    optimizer = adamw(0.1)
    theirs = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    scheduler = Scheduler(optimizer, lr=gs.linear(10))
    for t in range(5):
        assert rates_of(optimizer) == pytest.approx([0.1 * 0.5**t * (1 - t / 10)], rel=1e-14)
        step(optimizer, theirs, scheduler)


def test_a_hand_edit_is_respected_and_scheduled_from_there() -> None:
    optimizer = adamw(0.1)
    scheduler = Scheduler(optimizer, lr=gs.linear(10))
    scheduler.step(5)
    optimizer.param_groups[0]["lr"] /= 2
    for t in range(6, 10):
        step(optimizer, scheduler)
        assert rates_of(optimizer) == pytest.approx([0.05 * (1 - t / 10)], rel=1e-14)


def test_a_scheduler_that_is_gone_leaves_its_last_factor() -> None:
    optimizer = adamw(0.1)
    scheduler = Scheduler(optimizer, lr=gs.linear(10))
    scheduler.step(5)
    scheduler = Scheduler(optimizer, lr=gs.linear(2))
    scheduler.step(1)
    assert rates_of(optimizer) == pytest.approx([0.1 * 0.5 * 0.5])


def test_a_late_group_joins_at_the_current_step_with_its_own_base() -> None:
    optimizer = adamw(0.1)
    scheduler = Scheduler(optimizer, lr=gs.linear(10))
    scheduler.step(4)
    optimizer.add_param_group(groups(0.5)[0] | {"name": "late"})
    for t in range(5, 10):
        step(optimizer, scheduler)
        factor = 1 - t / 10
        assert rates_of(optimizer) == pytest.approx([0.1 * factor, 0.5 * factor], rel=1e-14)


def test_a_group_taken_away_is_no_trouble() -> None:
    optimizer = adamw(0.1, 0.2)
    scheduler = Scheduler(optimizer, lr=gs.linear(10))
    del optimizer.param_groups[1]
    step(optimizer, scheduler)
    assert rates_of(optimizer) == pytest.approx([0.09])


# -- what is driven ------------------------------------------------------------------------------


class Duck:
    """An optimizer of no library: groups, and a count of its notifications."""

    def __init__(self) -> None:
        self.param_groups: list[dict[str, Any]] = [{"lr": 0.1}, {"lr": 0.2}]
        self.told = 0

    def _sync_hyperparams(self) -> None:
        self.told += 1


def test_any_object_with_groups() -> None:
    duck = Duck()
    scheduler = Scheduler(duck, lr=gs.linear(4))
    duck.param_groups = [dict(group) for group in duck.param_groups]  # as loading a state does
    scheduler.step()
    assert rates_of(duck) == pytest.approx([0.075, 0.15])
    assert duck.told == 2


def test_an_optimizer_with_a_plain_rate() -> None:
    optimizer = SimpleNamespace(lr=0.1)
    scheduler = Scheduler(optimizer, lr=gs.linear(4))
    scheduler.step()
    assert optimizer.lr == pytest.approx(0.075)


def test_it_is_torchs_kind_of_scheduler_and_leaves_the_optimizer_alone() -> None:
    optimizer = adamw()
    before = set(vars(optimizer)), set(optimizer.param_groups[0])
    scheduler = Scheduler(optimizer, lr=gs.linear(4))
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    assert "step" not in vars(optimizer)
    attributes, keys = before
    assert (set(vars(optimizer)), set(optimizer.param_groups[0])) == (
        attributes,
        keys | {"initial_lr"},
    )
    assert not hasattr(scheduler, "total_steps")


def test_neither_keeps_the_other_alive() -> None:
    optimizer = adamw()
    scheduler = Scheduler(optimizer, lr=gs.linear(4))
    gone = weakref.ref(scheduler), weakref.ref(optimizer)
    gc.disable()
    try:
        del scheduler, optimizer
        assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copied_pair_continues_by_itself(duplicate: Callable[[Any], Any]) -> None:
    optimizer = adamw(0.1, 0.2)
    scheduler = Scheduler(optimizer, lr=TRIANGLE, weight_decay=gs.linear(10))
    scheduler.step(5)
    optimizer2, scheduler2 = duplicate((optimizer, scheduler))
    for t in range(6, 10):
        step(optimizer2, scheduler2)
        assert rates_of(optimizer2) == pytest.approx(
            [0.1 * FACTORS[t], 0.2 * FACTORS[t]], rel=1e-14
        )
    assert rates_of(optimizer) == pytest.approx([0.1 * FACTORS[5], 0.2 * FACTORS[5]], rel=1e-14)


# -- saved and resumed ---------------------------------------------------------------------------

ORDERS = ["build, scheduler", "build, optimizer, scheduler", "build, scheduler, optimizer"]
ORDERS += ["optimizer, build, scheduler"]


def resumed(order: str, saved: dict[str, Any], **schedules: Any) -> tuple[Any, Scheduler]:
    optimizer, scheduler = adamw(0.1, 0.02), None
    for what in order.split(", "):
        if what == "build":
            scheduler = Scheduler(optimizer, **schedules)
        elif what == "optimizer":
            optimizer.load_state_dict(saved["optimizer"])
        else:
            assert scheduler is not None
            scheduler.load_state_dict(saved["scheduler"])
    assert scheduler is not None
    return optimizer, scheduler


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("stop", range(12))
def test_resume_at_every_step_in_every_order(order: str, stop: int) -> None:
    schedules = {"lr": TRIANGLE, "weight_decay": gs.linear(7), "betas": (None, gs.exponential(0.9))}
    optimizer, scheduler = adamw(0.1, 0.02), None
    scheduler = Scheduler(optimizer, **schedules)
    for _ in range(stop):
        step(optimizer, scheduler)
    saved = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    optimizer2, scheduler2 = resumed(order, through_a_file(saved), **schedules)
    for _ in range(12):
        for key in ("lr", "weight_decay", "betas"):
            mine = [group[key] for group in optimizer2.param_groups]
            assert mine == [group[key] for group in optimizer.param_groups]
        assert scheduler2.get_last_lr() == scheduler.get_last_lr()
        step(optimizer, scheduler)
        step(optimizer2, scheduler2)


@pytest.mark.parametrize("order", ORDERS)
def test_resume_keeps_a_hand_edit(order: str) -> None:
    optimizer = adamw(0.1, 0.02)
    scheduler = Scheduler(optimizer, lr=gs.linear(10))
    scheduler.step(3)
    optimizer.param_groups[0]["lr"] *= 0.5
    saved = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    optimizer2, scheduler2 = resumed(order, saved, lr=gs.linear(10))
    assert rates_of(optimizer2) == pytest.approx([0.035, 0.014], rel=1e-14)
    step(optimizer2, scheduler2)
    assert rates_of(optimizer2) == pytest.approx([0.03, 0.012], rel=1e-14)


def test_a_state_is_plain_and_shares_nothing() -> None:
    scheduler = Scheduler(adamw(0.1, 0.02), lr={"g1": "cosine(9)"}, betas=(Absolute(0.9), None))
    scheduler.step(3)
    state = scheduler.state_dict()
    assert json.loads(json.dumps(state)) == state
    assert through_a_file(state) == state
    kept = copy.deepcopy(state)
    scheduler.step(5)
    scheduler.load_state_dict(state)
    assert state == kept


def checkpoint(**schedules: Any) -> dict[str, Any]:
    optimizer = adamw(0.1, 0.02)
    scheduler = Scheduler(optimizer, **schedules)
    scheduler.step(4)
    return scheduler.state_dict()


def test_another_schedule_is_refused_with_both_in_the_message_and_nothing_changes() -> None:
    optimizer = adamw(0.1, 0.02)
    scheduler = Scheduler(optimizer, lr="cosine(20)")
    with pytest.raises(StateMismatch) as refused:
        scheduler.load_state_dict(checkpoint(lr="cosine(10)"))
    assert "cosine(20) in the code, cosine(10) in the checkpoint" in str(refused.value)
    assert 'on_mismatch="keep"' in str(refused.value)
    assert rates_of(optimizer) == [0.1, 0.02]
    assert scheduler.last_epoch == 0


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("keep", gs.cosine(20)), ("adopt", gs.cosine(10))],
)
def test_another_schedule_is_kept_or_adopted(policy: str, expected: gs.Schedule) -> None:
    optimizer = adamw(0.1, 0.02)
    scheduler = Scheduler(optimizer, lr="cosine(20)", on_mismatch=policy)
    scheduler.load_state_dict(checkpoint(lr="cosine(10)"))
    assert scheduler.schedules == {"lr": expected}
    for t in range(4, 12):
        assert rates_of(optimizer) == pytest.approx(
            [0.1 * expected(t), 0.02 * expected(t)], rel=1e-14
        )
        step(optimizer, scheduler)


def test_adopting_takes_every_key_of_the_checkpoint_and_no_other() -> None:
    optimizer = adamw(0.1, 0.02, weight_decay=0.2)
    scheduler = Scheduler(
        optimizer, lr="cosine(20)", betas=("linear(9)", None), on_mismatch="adopt"
    )
    saved = checkpoint(weight_decay={"g1": "linear(8)"}, lr=Absolute("linear(10)"))
    scheduler.load_state_dict(saved)
    assert scheduler.schedules == {
        "lr": Absolute(gs.linear(10)),
        "weight_decay": {"g1": gs.linear(8)},
    }
    assert rates_of(optimizer) == [0.6, 0.6]


def test_a_users_function_resumes_but_cannot_be_adopted() -> None:
    def halving(t: float) -> float:
        return 0.5**t

    saved = checkpoint(lr=gs.function(halving))
    optimizer = adamw(0.1, 0.02)
    Scheduler(optimizer, lr=gs.function(halving)).load_state_dict(saved)
    assert rates_of(optimizer) == pytest.approx([0.1 / 16, 0.02 / 16])
    adopting = Scheduler(adamw(0.1, 0.02), lr="linear(3)", on_mismatch="adopt")
    with pytest.raises(StateMismatch, match="cannot be adopted"):
        adopting.load_state_dict(saved)


def test_another_base_is_a_mismatch_too() -> None:
    saved = checkpoint(lr="linear(8)")
    with pytest.raises(StateMismatch, match=r"begins at 0\.3 in the code, 0\.1 in the checkpoint"):
        Scheduler(adamw(0.3, 0.02), lr="linear(8)").load_state_dict(saved)
    for policy, expected in [("keep", [0.15, 0.01]), ("adopt", [0.05, 0.01])]:
        optimizer = adamw(0.3, 0.02)
        Scheduler(optimizer, lr="linear(8)", on_mismatch=policy).load_state_dict(saved)
        assert rates_of(optimizer) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("share", "is_another"),
    [(1.009, True), (1 - 1e-4, True), (1 + 1e-6, True), (1 + 1e-9, False), (1.0, False)],
)
def test_a_base_is_another_unless_a_float32_rounds_it(share: float, is_another: bool) -> None:
    saved = checkpoint(lr="linear(8)")
    refused = pytest.raises(StateMismatch, match="begins at") if is_another else nullcontext()
    with refused:
        Scheduler(adamw(0.1 * share, 0.02), lr="linear(8)").load_state_dict(saved)


NOT_STATES: list[Any] = [
    None,
    {},
    [],
    {"last_epoch": 3, "base_lrs": [0.1]},
    {"format": 99, "last_epoch": 3, "keys": {}},
    {"format": 1, "last_epoch": -1, "keys": {}},
    {"format": 1, "last_epoch": 2.5, "keys": {}},
    {"format": 1, "last_epoch": 2, "keys": {"lr": None}},
    {"format": 1, "last_epoch": 2, "keys": {"lr": {"schedules": "linear(4)"}}},
    {
        "format": 1,
        "last_epoch": 2,
        "keys": {
            "lr": {"schedules": "linear(4)", "built": [0.1], "bases": [math.nan], "values": [0.1]}
        },
    },
]


@pytest.mark.parametrize("state", NOT_STATES)
def test_what_is_not_a_state_is_refused(state: Any) -> None:
    optimizer = adamw(0.1)
    scheduler = Scheduler(optimizer, lr="linear(4)", on_mismatch="adopt")
    with pytest.raises(StateMismatch):
        scheduler.load_state_dict(state)
    assert rates_of(optimizer) == [0.1]


def test_the_state_of_a_torch_scheduler_is_refused() -> None:
    theirs = torch.optim.lr_scheduler.StepLR(adamw(), 3)
    with pytest.raises(StateMismatch, match="not a state of Scheduler"):
        Scheduler(adamw(), lr="linear(4)").load_state_dict(theirs.state_dict())


# -- a run that grows ----------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 3, 6, 9])
def test_extending_keeps_the_past_does_not_jump_and_ends_later(at: int) -> None:
    optimizer = adamw(1.0)
    scheduler = Scheduler(optimizer, lr=TRIANGLE, weight_decay=gs.exponential(0.9))
    scheduler.step(at)
    before = rates_of(optimizer)
    scheduler.extend(10)
    scheduler.step(at)
    assert rates_of(optimizer) == pytest.approx(before, rel=1e-14)
    longer = scheduler.schedules["lr"]
    assert longer.steps == 20
    assert longer.end == 0.0
    assert [longer(t) for t in range(at)] == [TRIANGLE(t) for t in range(at)]
    middle = (at + 20) / 2
    assert longer(middle) == pytest.approx(TRIANGLE((at + 10) / 2), rel=1e-14)
    assert scheduler.schedules["weight_decay"] == gs.exponential(0.9)


def test_an_extended_run_resumes_by_adopting() -> None:
    optimizer = adamw(0.1, 0.02)
    scheduler = Scheduler(optimizer, lr=gs.linear(10))
    scheduler.step(5)
    scheduler.extend(5)
    again = Scheduler(adamw(0.1, 0.02), lr=gs.linear(10), on_mismatch="adopt")
    again.load_state_dict(scheduler.state_dict())
    assert again.schedules == scheduler.schedules


def test_an_ended_schedule_cannot_be_extended() -> None:
    scheduler = Scheduler(adamw(), lr=gs.linear(10))
    scheduler.step(10)
    with pytest.raises(InvalidValue, match=r"before the end of `linear\(10\)`, got 'step 10'"):
        scheduler.extend(5)


# -- refused -------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({}, InvalidValue, "name at least one key"),
    ({"lr": object()}, InvalidType, "`lr` must be a schedule"),
    ({"lr": True}, InvalidType, "`lr` must be a schedule"),
    ({"lr": [object()]}, InvalidType, "`lr` must be a schedule"),
    ({"momentum": 0.5}, InvalidType, "`momentum` must be in every parameter group"),
    ({"betas": (1, 1, 1)}, InvalidType, r"`betas\[2\]` must be in every parameter group"),
    ({"lr": ["linear(3)"] * 2}, InvalidValue, "name groups of the optimizer"),
    ({"lr": {"body": "linear(3)"}}, InvalidValue, "name groups of the optimizer"),
    ({"lr": "linear(3"}, ParseError, "expected"),
    ({"lr": "linear(5%)"}, UnboundError, "unbound length '5%'"),
    ({"lr": "linear(3)", "on_mismatch": "guess"}, InvalidValue, "`on_mismatch` must be one of"),
]


@pytest.mark.parametrize(("schedules", "error", "told"), REFUSED)
def test_bad_arguments_are_refused_and_nothing_is_written(
    schedules: dict[str, Any], error: type[Exception], told: str
) -> None:
    optimizer = adamw(0.1)
    before = copy.deepcopy(optimizer.param_groups)
    with pytest.raises(error, match=told):
        Scheduler(optimizer, **schedules)
    assert str(optimizer.param_groups) == str(before)


@pytest.mark.parametrize("optimizer", [None, 3, "adam", object()])
def test_what_cannot_be_driven_is_refused(optimizer: Any) -> None:
    with pytest.raises(InvalidType, match="`optimizer` must have `param_groups`"):
        Scheduler(optimizer, lr="linear(3)")


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1j, "fast", None])
def test_a_function_that_gives_no_number_is_refused_by_name_and_step(bad: Any) -> None:
    def shaky(t: float) -> Any:
        return 1.0 if t < 3 else bad

    optimizer = adamw(0.1, weight_decay=0.2)
    scheduler = Scheduler(optimizer, weight_decay="linear(9)", lr=gs.function(shaky))
    scheduler.step(2)
    before = rates_of(optimizer), optimizer.param_groups[0]["weight_decay"]
    with pytest.raises((InvalidType, InvalidValue), match=r"shaky\(3\)"):
        scheduler.step()
    assert (rates_of(optimizer), optimizer.param_groups[0]["weight_decay"]) == before
    assert scheduler.last_epoch == 2


def test_verbose_prints_one_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    optimizer = adamw(0.1)
    step(optimizer, Scheduler(optimizer, lr="linear(4)", verbose=True))
    assert capsys.readouterr().out == (
        "Epoch 0: setting learning rate to 0.1.\nEpoch 1: setting learning rate to 0.075.\n"
    )


# -- properties ----------------------------------------------------------------------------------


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    stop=st.integers(0, 24),
    edit=st.floats(0.1, 10.0),
)
def test_resume_equals_the_uninterrupted_run(lengths: list[int], stop: int, edit: float) -> None:
    curve = gs.warmup(lengths[0])
    for length in lengths[1:]:
        curve = curve >> gs.cosine(length, end=0.1)
    optimizer = adamw(0.1, 0.02)
    scheduler = Scheduler(optimizer, lr=curve)
    scheduler.step(stop)
    optimizer.param_groups[1]["lr"] *= edit
    again = adamw(0.1, 0.02)
    follower = Scheduler(again, lr=curve)
    follower.load_state_dict(scheduler.state_dict())
    for _ in range(6):
        assert rates_of(again) == pytest.approx(rates_of(optimizer), rel=1e-12)
        step(optimizer, scheduler)
        step(again, follower)


@given(schedule=schedules(), data=st.data())
def test_any_schedule_resumes_at_every_step(schedule: gs.Schedule, data: st.DataObject) -> None:
    optimizer, scheduler = adamw(0.1, 0.02), None
    scheduler = Scheduler(optimizer, lr=schedule)
    stop = data.draw(st.integers(0, 40))
    scheduler.step(stop)
    state = through_a_file(scheduler.state_dict())
    again = adamw(0.1, 0.02)
    follower = Scheduler(again, lr=schedule)
    follower.load_state_dict(state)
    for _ in range(3):
        assert rates_of(again) == rates_of(optimizer)
        step(optimizer, scheduler)
        step(again, follower)
