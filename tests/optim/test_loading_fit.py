"""A saved state held against what each optimizer keeps: shapes, names, kinds, missing entries."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from glideslope.errors import StateMismatch
from glideslope.optim import SGD, SOAP, Adam, AdamW, MuonWithAuxAdam, RMSprop, create

from .cases import is_for, shapes_of
from .test_every_optimizer import NAMES, every_name, give_gradients

ARGUMENTS: dict[str, dict[str, Any]] = {"SGD": {"lr": 0.1, "momentum": 0.9}}
COMPANIONS = {"ema_decay": 0.9, "rounding": "compensated"}

Saved = dict[str, Any]


def built(name: str, shapes: list[tuple[int, ...]], **arguments: Any) -> Any:
    torch.manual_seed(0)
    params = [(f"p{i}", torch.randn(shape).requires_grad_()) for i, shape in enumerate(shapes)]
    return create(name, params, **{**ARGUMENTS.get(name, {}), **arguments})


def stepped(optimizer: Any, steps: int = 3) -> Any:
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for step in range(steps):
        give_gradients(params, step)
        optimizer.step()
    return optimizer


def content(optimizer: Any) -> Any:
    """Everything that a refused load must leave as it was."""
    groups = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    params = [p.detach().clone() for g in optimizer.param_groups for p in g["params"]]
    return copy.deepcopy((optimizer.state_dict(), groups, params))


def are_same(a: Any, b: Any) -> bool:
    """Equal bits, dtypes and structure."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(are_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(are_same, a, b))
    return bool(a == b)


def assert_refused(optimizer: Any, saved: Saved, match: str, **arguments: Any) -> None:
    before, objects = content(optimizer), [id(optimizer.state), id(optimizer.param_groups)]
    theirs = copy.deepcopy(saved)
    with pytest.raises(StateMismatch, match=match):
        optimizer.load_state_dict(saved, **arguments)
    assert are_same(content(optimizer), before)
    assert [id(optimizer.state), id(optimizer.param_groups)] == objects
    assert str(saved) == str(theirs)


# Shapes --------------------------------------------------------------------------------------

OTHER_SHAPES = {"larger": (50, 40), "smaller": (3, 4), "turned": (4, 5), "flat": (20,)}


@pytest.mark.parametrize("shape", OTHER_SHAPES.values(), ids=OTHER_SHAPES)
@every_name
def test_a_state_of_another_size_is_refused_with_both_shapes(
    name: str, shape: tuple[int, ...]
) -> None:
    if not is_for(name, shape):
        pytest.skip(f"{name} is for matrices")
    saved = stepped(built(name, [(5, 4), *shapes_of(name)[1:]])).state_dict()
    optimizer = stepped(built(name, [shape, *shapes_of(name)[1:]]), 1)
    assert_refused(optimizer, saved, r"parameter `p0` does not fit: ")
    if saved["state"][0].keys() != optimizer.state_dict()["state"][0].keys():
        return  # other entries altogether, which the message names
    with pytest.raises(StateMismatch, match=rf"has the shape \(\d.*{optimizer.__class__.__name__}"):
        optimizer.load_state_dict(saved)


def entries() -> list[tuple[str, str]]:
    """Every entry that any optimizer keeps for a matrix or a vector."""
    rows = []
    for name in NAMES:
        state = stepped(built(name, shapes_of(name), **COMPANIONS)).state_dict()["state"]
        rows += sorted({(name, entry) for kept in state.values() for entry in kept})
    return rows


every_entry = pytest.mark.parametrize(("name", "entry"), entries())


class Damage(NamedTuple):
    """A wrong value made of a right one, and what is said of it."""

    make: Callable[[Tensor], Any]
    told: str


DAMAGES = {
    "0-dim": Damage(lambda v: v.sum(), r"has the shape \(\)"),
    "empty": Damage(lambda v: v.new_zeros(0), r"has the shape \(0,\)"),
    "one row more": Damage(
        lambda v: torch.cat([v, v[:1]]), r"has the shape \(\d+,? ?.*\), \w+ keeps \("
    ),
    "one dimension more": Damage(lambda v: v[None], r"has the shape \(1, "),
    "complex": Damage(lambda v: v.to(torch.complex64), "is of torch.complex64, its parameter of"),
    "whole numbers": Damage(lambda v: v.long(), "is of torch.int64, its parameter of"),
    "sparse": Damage(lambda v: v.to_sparse(), "must be dense, got torch.sparse_coo"),
    "without data": Damage(lambda v: v.to("meta"), "has no data: it is on meta"),
    "text": Damage(lambda v: "0.5", "must be a tensor, got '0.5'"),
    "a dict": Damage(lambda v: {"value": v}, "must be a tensor, got "),
    "ragged lists": Damage(lambda v: [[1.0], [1.0, 2.0]], "must be a tensor, got "),
    "a NumPy array of another size": Damage(lambda v: np.zeros(3), r"has the shape \(3,\)"),
}
COUNT_DAMAGES = {
    "several": Damage(lambda v: torch.ones(2), "must be one real number, got tensor"),
    "none": Damage(lambda v: torch.ones(0), "must be one real number"),
    "complex": Damage(lambda v: torch.tensor(1j), "must be one real number"),
    "text": Damage(lambda v: "3", "must be one real number, got '3'"),
    "a dict": Damage(lambda v: {}, "must be one real number, got {}"),
    "without data": Damage(lambda v: v.to("meta"), "must be one real number"),
}


def holder(saved: Saved, entry: str) -> int:
    """The last parameter whose state has the entry, so that others come before it."""
    return max(number for number, kept in saved["state"].items() if entry in kept)


def title(saved: Saved, number: int) -> str:
    names = [name for group in saved["param_groups"] for name in group["param_names"]]
    return f"parameter `{names[number]}` does not fit: "


@every_entry
def test_a_wrong_value_is_refused_by_parameter_and_entry(name: str, entry: str) -> None:
    whole = stepped(built(name, shapes_of(name), **COMPANIONS)).state_dict()
    number = holder(whole, entry)
    right = whole["state"][number][entry]
    optimizer = stepped(built(name, shapes_of(name), **COMPANIONS), 1)
    for damage in (DAMAGES if right.ndim else COUNT_DAMAGES).values():
        saved = copy.deepcopy(whole)
        saved["state"][number][entry] = damage.make(right)
        told = title(whole, number) + f"`{entry}` {damage.told}"
        assert_refused(optimizer, saved, told)


OPTIONAL = {"ema", "compensation"}


@every_entry
def test_a_missing_entry_is_refused_and_an_option_switched_on_later_begins(
    name: str, entry: str
) -> None:
    saved = stepped(built(name, shapes_of(name), **COMPANIONS)).state_dict()
    number = holder(saved, entry)
    del saved["state"][number][entry]
    optimizer = stepped(built(name, shapes_of(name), **COMPANIONS), 1)
    if entry in OPTIONAL:
        optimizer.load_state_dict(saved)
        assert entry not in optimizer.state_dict()["state"][number]
        stepped(optimizer, 1)
        assert entry in optimizer.state_dict()["state"][number]
        return
    told = title(saved, number) + f".*`{entry}`.* missing"
    if not set(saved["state"][number]) - OPTIONAL:
        saved["state"][number] = {"ema": saved["state"][number]["ema"]}
    assert_refused(optimizer, saved, told)


@every_name
def test_what_no_parameter_keeps_is_refused(name: str) -> None:
    saved = stepped(built(name, shapes_of(name))).state_dict()
    saved["state"].setdefault(1, {})["exp_avg_cubed"] = torch.zeros(7)
    told = title(saved, 1) + r"\w+ keeps .* and has no use for exp_avg_cubed"
    assert_refused(stepped(built(name, shapes_of(name)), 1), saved, told)


@every_name
def test_a_parameter_without_any_entry_is_as_one_that_had_no_gradient(name: str) -> None:
    saved = stepped(built(name, shapes_of(name))).state_dict()
    saved["state"].pop(0, None)
    optimizer = built(name, shapes_of(name))
    optimizer.load_state_dict(saved)
    first, *others = [p for group in optimizer.param_groups for p in group["params"]]
    assert not optimizer.state.get(first)
    assert all(optimizer.state[p].keys() == saved["state"].get(i, {}).keys()
               for i, p in enumerate(others, 1))  # fmt: skip
    stepped(optimizer, 1)


# Values that are numbers of another kind ------------------------------------------------------

CONVERSIONS: dict[str, Callable[[Tensor], Any]] = {
    "NumPy": lambda v: v.numpy(),
    "lists": lambda v: v.tolist(),
    "read-only NumPy": lambda v: np.broadcast_to(v.numpy(), v.shape),
}


@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)
@every_name
def test_arrays_and_lists_are_taken_as_the_tensors_they_were(
    name: str, convert: Callable[[Tensor], Any]
) -> None:
    run = stepped(built(name, shapes_of(name)))
    whole = run.state_dict()
    saved = {
        **whole,
        "state": {
            number: {key: convert(value) for key, value in entry.items()}
            for number, entry in whole["state"].items()
        },
    }
    optimizer = built(name, shapes_of(name))
    optimizer.load_state_dict(saved)
    assert are_same(optimizer.state_dict()["state"], whole["state"])


def test_a_count_may_be_a_number_or_a_tensor_of_one_element() -> None:
    whole = stepped(built("NAdam", [(3,)])).state_dict()
    for count in (3, 3.0, np.float32(3), torch.tensor([3]), torch.tensor(3)):
        whole["state"][0]["step"] = count
        optimizer = built("NAdam", [(3,)])
        optimizer.load_state_dict(whole)
        assert stepped(optimizer, 1).state_dict()["state"][0]["step"] == torch.tensor(4.0)


# Options switched on later -------------------------------------------------------------------


class Switch(NamedTuple):
    """An option that keeps an entry, off and on."""

    kind: Any
    off: dict[str, Any]
    on: dict[str, Any]
    entry: str


SWITCHES = {
    "amsgrad": Switch(Adam, {}, {"amsgrad": True}, "max_exp_avg_sq"),
    "amsgrad, decoupled": Switch(AdamW, {}, {"amsgrad": True}, "max_exp_avg_sq"),
    "momentum": Switch(RMSprop, {}, {"momentum": 0.9}, "momentum_buffer"),
    "centered": Switch(RMSprop, {}, {"centered": True}, "grad_avg"),
    "momentum of SGD": Switch(
        SGD, {"ema_decay": 0.5}, {"momentum": 0.9, "ema_decay": 0.5}, "momentum_buffer"
    ),
}
every_switch = pytest.mark.parametrize("switch", SWITCHES.values(), ids=SWITCHES)


def one(kind: Any, **arguments: Any) -> Any:
    return kind([torch.ones(3, requires_grad=True)], lr=0.1, **arguments)


@every_switch
def test_an_option_that_was_off_begins(switch: Switch) -> None:
    saved = stepped(one(switch.kind, **switch.off)).state_dict()
    optimizer = one(switch.kind, **switch.on)
    optimizer.load_state_dict(saved, hyperparameters="own")
    stepped(optimizer, 1)
    assert switch.entry in optimizer.state_dict()["state"][0]


@every_switch
def test_the_entry_of_an_option_that_was_on_is_refused_if_it_is_missing(switch: Switch) -> None:
    saved = stepped(one(switch.kind, **switch.on)).state_dict()
    del saved["state"][0][switch.entry]
    told = f"parameter 0 does not fit: `{switch.entry}` is missing"
    for choice in ("saved", "own"):
        assert_refused(one(switch.kind, **switch.on), saved, told, hyperparameters=choice)


@every_switch
def test_an_option_switched_on_by_hand_between_updates_is_saved_and_loaded(switch: Switch) -> None:
    run = stepped(one(switch.kind, **switch.off))
    run.param_groups[0].update(switch.on)
    optimizer = one(switch.kind, **switch.off)
    (option,) = switch.on.keys() - switch.off.keys()
    with pytest.warns(UserWarning, match=f"{option} from"):
        optimizer.load_state_dict(run.state_dict())
    stepped(optimizer, 1)
    assert switch.entry in optimizer.state_dict()["state"][0]


def test_a_momentum_that_a_schedule_raises_from_0_is_saved_and_loaded_between_updates() -> None:
    import glideslope as gs

    def run() -> Any:
        return one(RMSprop, momentum=gs.linear(4, start=0.0, end=0.9))

    saved = stepped(run(), 1).state_dict()
    assert "momentum_buffer" not in saved["state"][0]
    assert saved["param_groups"][0]["momentum"] > 0
    for optimizer in (run(), stepped(run(), 3)):
        optimizer.load_state_dict(saved)
        stepped(optimizer, 1)


def test_a_side_that_soap_is_to_turn_needs_its_basis() -> None:
    saved = stepped(one_matrix(max_precond_dim=4)).state_dict()
    assert "row_basis" not in saved["state"][0]
    told = "`row_basis`, `row_covariance` are missing"
    assert_refused(one_matrix(), saved, told, hyperparameters="own")
    kept = stepped(one_matrix()).state_dict()
    optimizer = one_matrix(max_precond_dim=4)
    optimizer.load_state_dict(kept, hyperparameters="own")
    assert optimizer.state_dict()["state"][0].keys() == kept["state"][0].keys()


def one_matrix(**arguments: Any) -> Any:
    torch.manual_seed(0)
    return SOAP([torch.randn(5, 4).requires_grad_()], **arguments)


def test_muon_and_adam_do_not_take_over_each_others_matrices() -> None:
    def run(use_muon: bool) -> Any:
        torch.manual_seed(0)
        return MuonWithAuxAdam([torch.randn(5, 4).requires_grad_()], use_muon=use_muon)

    for was in (True, False):
        saved = stepped(run(was)).state_dict()
        with pytest.warns(UserWarning, match="use_muon from"):
            run(not was).load_state_dict(saved)
        assert_refused(run(not was), saved, "are missing|is missing", hyperparameters="own")


# torch's own states --------------------------------------------------------------------------

TORCHS = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam",
          "ASGD", "Rprop", "Adafactor", "Muon"]  # fmt: skip


@pytest.mark.parametrize("name", TORCHS)
def test_a_state_of_torch_continues_as_there(name: str) -> None:
    def weights() -> list[Tensor]:
        torch.manual_seed(0)
        return [
            torch.randn(shape, dtype=torch.float64).requires_grad_() for shape in shapes_of(name)
        ]

    theirs, ours = weights(), weights()
    arguments = ARGUMENTS.get(name, {})
    stock = stepped(getattr(torch.optim, name)(theirs, **arguments))
    optimizer = create(name, ours, **arguments)
    with torch.no_grad():
        for p, q in zip(ours, theirs, strict=True):
            p.copy_(q)
    optimizer.load_state_dict(stock.state_dict())
    stepped(stock, 2), stepped(optimizer, 2)
    tolerance = 1e-6 if name == "NAdam" else 1e-3 if name == "Muon" else 1e-12
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def test_torchs_none_is_an_entry_that_has_not_begun() -> None:
    saved = stepped(one(torch.optim.SGD)).state_dict()
    saved["state"] = {0: {"momentum_buffer": None}}
    optimizer = one(SGD, momentum=0.9)
    optimizer.load_state_dict(saved, hyperparameters="own")
    assert not optimizer.state


def test_counts_of_older_torch_are_numbers_in_the_state() -> None:
    saved = stepped(one(torch.optim.Adam)).state_dict()
    saved["state"][0]["step"] = 3
    optimizer = one(Adam)
    optimizer.load_state_dict(saved)
    assert optimizer.state_dict()["state"][0]["step"] == 3


# Which parameter is which ---------------------------------------------------------------------


def test_names_on_one_side_only_are_matched_by_place_and_refused_if_shapes_say_no() -> None:
    def run(named: bool, *shapes: tuple[int, ...]) -> Any:
        weights = [(str(shape), torch.ones(shape, requires_grad=True)) for shape in shapes]
        return AdamW(weights if named else [p for _, p in weights])

    for named in (True, False):
        saved = stepped(run(named, (2,), (2, 2))).state_dict()
        told = r"`\(2, 2\)` does not fit|`\(2,\)` does not fit"
        assert_refused(run(not named, (2, 2), (2,)), saved, told)
        run(not named, (2,), (2, 2)).load_state_dict(saved)


def test_a_new_output_layer_under_the_old_name_is_refused_by_that_name() -> None:
    def run(classes: int) -> Any:
        body, head = torch.nn.Linear(3, 3), torch.nn.Linear(3, classes)
        return AdamW(torch.nn.ModuleDict({"body": body, "head": head}).named_parameters())

    told = (r"parameter `head.weight` does not fit: `exp_avg` has the shape \(7, 3\), AdamW keeps "
            r"\(2, 3\); and 1 more do not fit")  # fmt: skip
    assert_refused(run(2), stepped(run(7)).state_dict(), told)


def test_names_that_are_not_unique_do_not_decide() -> None:
    def run() -> Any:
        return AdamW([("w", torch.ones(2, requires_grad=True)) for _ in range(2)])

    saved = stepped(run()).state_dict()
    optimizer = run()
    optimizer.load_state_dict(saved)
    torch.testing.assert_close(optimizer.state_dict()["state"], saved["state"])


BROKEN: dict[str, tuple[Callable[[Saved], Any], str]] = {
    "no dict": (lambda s: None, "has a dict `state`, got None"),
    "no state": (lambda s: {"param_groups": s["param_groups"]}, r"dict `state`, got \['param_gr"),
    "no groups": (lambda s: {"state": s["state"]}, "list `param_groups`"),
    "a model's": (lambda s: torch.nn.Linear(1, 1).state_dict(), r"dict `state`, got \['weight'"),
    "groups by name": (lambda s: {**s, "param_groups": {"a": 1}}, "list `param_groups`"),
    "a group without parameters": (
        lambda s: {**s, "param_groups": [{"lr": 1.0}]}, "saved group 0 has no list `params`"),
    "an entry that is no dict": (
        lambda s: {**s, "state": {0: torch.ones(3)}}, "0 does not fit: it must be a dict"),
    "an entry that is a number": (
        lambda s: {**s, "state": {0: 0.0}}, "0 does not fit: it must be a dict"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "told"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_state_of_an_optimizer_is_refused(
    damage: Callable[[Saved], Any], told: str
) -> None:
    optimizer = stepped(one(AdamW))
    before = content(optimizer)
    with pytest.raises(StateMismatch, match=told):
        optimizer.load_state_dict(damage(stepped(one(AdamW)).state_dict()))
    assert are_same(content(optimizer), before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@every_name
def test_a_dtype_is_kept_and_every_loaded_run_continues_bit_for_bit(
    name: str, dtype: torch.dtype
) -> None:
    whole = stepped(built(name, shapes_of(name), state_dtype=dtype))
    again = built(name, shapes_of(name), state_dtype=dtype)
    with torch.no_grad():
        for group, other in zip(again.param_groups, whole.param_groups, strict=True):
            for p, q in zip(group["params"], other["params"], strict=True):
                p.copy_(q)
    again.load_state_dict(whole.state_dict())
    stepped(whole, 2), stepped(again, 2)
    assert are_same(again.state_dict(), whole.state_dict())
    weights = [itertools.chain(*(g["params"] for g in o.param_groups)) for o in (again, whole)]
    assert all(torch.equal(p, q) for p, q in zip(*weights, strict=True))


def test_entries_are_saved_in_the_order_of_the_parameters() -> None:
    """State is saved by number, in any order of updates: matrices first, or loaded ones first."""
    params = [torch.ones(3, requires_grad=True), torch.ones(4, 4, requires_grad=True)]
    optimizer = create("MuonWithAuxAdam", params)
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    optimizer.state["own"] = 1
    assert list(optimizer.state_dict()["state"]) == [0, 1, "own"]


def test_state_of_a_tensor_in_no_group_is_named() -> None:
    p = torch.ones(3, requires_grad=True)
    p.grad = torch.ones(3)
    optimizer = create("AdamW", [p, torch.ones(2, requires_grad=True)])
    optimizer.step()
    del optimizer.param_groups[0]["params"][0]
    with pytest.raises(StateMismatch, match=r"tensors of no parameter group, of shape \(3,\)"):
        optimizer.state_dict()
