"""Groups of a saved state: another number, another order, progress, names; snapshots; copies."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

import glideslope as gs
from glideslope import optim
from glideslope.errors import StateMismatch
from glideslope.optim import SGD, Adafactor, AdamW, AdamWScheduleFree, NAdam, Prodigy
from glideslope.optim._base.optimizer import Optimizer

from ..round_trip import through_a_file
from .test_every_optimizer import every_name
from .test_loading_fit import are_same, assert_refused, built, shapes_of, stepped

Names = list[list[str]]

ONE: Names = [["a", "b", "c"]]
TWO: Names = [["a", "b"], ["c"]]
TURNED: Names = [["c"], ["b", "a"]]
THREE: Names = [["b"], ["c"], ["a"]]
LAYOUTS = {"one": ONE, "two": TWO, "turned": TURNED, "three": THREE}


def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {name: torch.randn(size, 4).requires_grad_() for name, size in zip("abc", (2, 3, 4))}  # noqa: B905


def grouped(kind: Any, names: Names, extra: Any = None, **arguments: Any) -> Any:
    """An optimizer over the weights in these groups; ``extra`` is what each group holds besides."""
    params = weights()
    extra = extra or [{}] * len(names)
    groups = [
        {"params": [(name, params[name]) for name in group], **more}
        for group, more in zip(names, extra, strict=True)
    ]
    return kind(groups, **arguments)


def by_name(optimizer: Any) -> dict[str, Tensor]:
    pairs = [zip(g["param_names"], g["params"], strict=True) for g in optimizer.param_groups]
    return {name: p for group in pairs for name, p in group}


def train(optimizer: Any, steps: int, first: int = 0) -> Any:
    """Gradients that depend on the name alone, and on the weight."""
    for step in range(first, first + steps):
        for name, p in sorted(by_name(optimizer).items()):
            generator = torch.Generator().manual_seed(ord(name) + 100 * step)
            p.grad = torch.randn(p.shape, generator=generator) + p.detach()
        optimizer.step()
    return optimizer


def resumed(run: Any, again: Any, **arguments: Any) -> Any:
    with torch.no_grad():
        for name, p in by_name(again).items():
            p.copy_(by_name(run)[name])
    again.load_state_dict(run.state_dict(), **arguments)
    return again


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "AdamW": (AdamW, {}),
    "Prodigy": (Prodigy, {}),
    "schedule-free": (AdamWScheduleFree, {"lr": 0.1}),
    "momentum": (SGD, {"lr": 0.1, "momentum": 0.9}),
    "a schedule": (AdamW, {"lr": gs.linear(20)}),
    "two schedules": (AdamW, {"lr": gs.cosine(9), "betas": (gs.linear(9, start=0.8), 0.99)}),
}


@pytest.mark.parametrize("loaded", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("saved", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(("kind", "arguments"), CASES.values(), ids=CASES)
def test_a_run_continues_in_other_groups_as_in_its_own(
    kind: Any, arguments: dict[str, Any], saved: Names, loaded: Names
) -> None:
    """Elementwise formulas and sums in double precision: the groups say nothing."""
    run = train(grouped(kind, saved, **arguments), 5)
    again = resumed(run, grouped(kind, loaded, **arguments))
    keys = {"d", "d_max", "d_numerator", "train_mode", "updates", "lr"} & {*run.param_groups[0]}
    for group in again.param_groups:
        assert {key: group[key] for key in keys} == {key: run.param_groups[0][key] for key in keys}
    train(run, 3, 5), train(again, 3, 5)
    tolerance = 1e-6 if kind is Prodigy else 0.0
    for name, p in by_name(again).items():
        torch.testing.assert_close(p, by_name(run)[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("choice", ["saved", "own"])
@pytest.mark.parametrize("loaded", LAYOUTS.values(), ids=LAYOUTS)
def test_the_average_stays_in_the_place_of_the_parameters(loaded: Names, choice: Any) -> None:
    run = train(grouped(AdamWScheduleFree, TWO, lr=0.1), 5)
    run.eval()
    again = resumed(run, grouped(AdamWScheduleFree, loaded, lr=0.1), hyperparameters=choice)
    assert not any(group["train_mode"] for group in again.param_groups)
    run.train(), again.train()
    assert all(torch.equal(p, by_name(run)[name]) for name, p in by_name(again).items())


def test_progress_on_which_the_saved_groups_differ_is_refused() -> None:
    saved = train(grouped(Prodigy, TWO), 5).state_dict()
    saved["param_groups"][0]["d"] = 0.5
    assert_refused(grouped(Prodigy, ONE), saved, r"the saved groups differ in `d`: \[0\.5, ")
    saved = train(grouped(AdamW, TWO, lr=gs.linear(9)), 5).state_dict()
    saved["param_groups"][0]["updates"] = 3
    assert_refused(grouped(AdamW, ONE, lr=gs.linear(9)), saved, r"differ in `updates`: \[3, 5\]")


@pytest.mark.parametrize("updates", [None, "three", 1.5, -1, float("nan"), float("inf")])
def test_a_clock_that_is_no_count_is_refused(updates: Any) -> None:
    saved = train(grouped(AdamW, TWO, lr=gs.linear(9)), 2).state_dict()
    for group in saved["param_groups"]:
        group["updates"] = updates
    for names in (ONE, TWO):
        told = "`updates` of a saved group must be a whole number|differ in `updates`"
        assert_refused(grouped(AdamW, names, lr=gs.linear(9)), saved, told)


@pytest.mark.parametrize(
    ("kind", "key"), [(Prodigy, "d"), (Prodigy, "d_max"), (AdamWScheduleFree, "train_mode")]
)
def test_progress_that_no_saved_group_tells_is_refused(kind: Any, key: str) -> None:
    saved = train(grouped(kind, TWO), 5).state_dict()
    for group in saved["param_groups"]:
        del group[key]
    for names in (ONE, TWO):
        assert_refused(grouped(kind, names), saved, f"the saved groups have no `{key}`")


def test_a_run_that_has_not_begun_has_no_progress_to_tell() -> None:
    saved = grouped(Prodigy, TWO).state_dict()
    for group in saved["param_groups"]:
        del group["d"]
    optimizer = grouped(Prodigy, TWO)
    optimizer.load_state_dict(saved)
    assert [group["d"] for group in optimizer.param_groups] == [1e-6] * 2


def test_the_d_of_adafactor_is_a_hyperparameter() -> None:
    saved = grouped(Adafactor, ONE, d=2.0).state_dict()
    optimizer = grouped(Adafactor, ONE, d=3.0)
    optimizer.load_state_dict(saved, hyperparameters="own")
    assert optimizer.param_groups[0]["d"] == 3.0
    with pytest.warns(UserWarning, match=r"group 0: d from 3\.0 to 2\.0"):
        optimizer.load_state_dict(saved)


DECAYS = [{"weight_decay": 0.1, "lr": 0.5}, {"weight_decay": 0.0, "lr": 0.25}]


def test_hyperparameters_come_from_the_groups_that_the_parameters_were_in() -> None:
    saved = grouped(AdamW, TWO, DECAYS).state_dict()
    optimizer = grouped(AdamW, THREE, weight_decay=0.1)
    with pytest.warns(UserWarning, match=r"changes group 1: weight_decay from 0\.1 to 0\.0"):
        optimizer.load_state_dict(saved)
    found = [(g["weight_decay"], g["lr"]) for g in optimizer.param_groups]
    assert found == [(0.1, 0.5), (0.0, 0.25), (0.1, 0.5)]
    own = grouped(AdamW, THREE, lr=0.75)
    own.load_state_dict(saved, hyperparameters="own")
    assert [g["lr"] for g in own.param_groups] == [0.75] * 3


def test_groups_in_another_order_are_found_by_name() -> None:
    saved = grouped(AdamW, TWO, DECAYS).state_dict()
    optimizer = grouped(AdamW, [["c"], ["a", "b"]], DECAYS[::-1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.load_state_dict(saved)
    assert [g["lr"] for g in optimizer.param_groups] == [0.25, 0.5]


def test_of_as_many_groups_each_is_that_of_its_number_if_it_was_in_it() -> None:
    """A parameter that was moved does not make the group that it came to another one."""
    saved = grouped(AdamW, TWO, DECAYS).state_dict()
    optimizer = grouped(AdamW, [["a"], ["b", "c"]], DECAYS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.load_state_dict(saved)
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.25]


def test_keys_of_the_users_own_are_those_of_its_groups_if_they_are_others() -> None:
    saved = grouped(AdamW, TWO, [{"name": "old", "layer": 1}, {"name": "old", "layer": 2}])
    optimizer = grouped(AdamW, THREE, [{"name": name} for name in "xyz"])
    optimizer.load_state_dict(saved.state_dict())
    assert [(g["name"], "layer" in g) for g in optimizer.param_groups] == [
        ("x", False), ("y", False), ("z", False),
    ]  # fmt: skip
    same = grouped(AdamW, [["c"], ["a", "b"]], [{"name": "old"}] * 2)
    same.load_state_dict(saved.state_dict())
    assert [g["layer"] for g in same.param_groups] == [2, 1]


def test_what_the_saved_groups_do_not_agree_on_stays_and_is_named() -> None:
    saved = train(grouped(AdamW, TWO, DECAYS), 2).state_dict()
    optimizer = grouped(AdamW, ONE, [{"name": "all", "weight_decay": 0.3}], lr=0.75)
    with pytest.warns(UserWarning, match="differ") as caught:
        optimizer.load_state_dict(saved)
    assert [str(each.message) for each in caught] == [
        "the parameters of group 0 were saved in groups that differ: lr stays 0.75, not 0.5 or "
        "0.25, weight_decay stays 0.3, not 0.1 or 0.0; set it after loading if that is wrong"
    ]
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"], group["name"]) == (0.75, 0.3, "all")
    assert optimizer.state[group["params"][0]]["step"] == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.load_state_dict(saved, hyperparameters="own")


@pytest.mark.parametrize("rate", [1.0, torch.tensor(1.0)], ids=["number", "tensor"])
def test_a_rate_that_is_not_adopted_is_the_schedules_at_the_loaded_update(rate: Any) -> None:
    """Not the first one, which the new optimizer shows before it is loaded."""
    rates = [{"lr": 0.5}, {"lr": 0.25}]
    saved = train(grouped(AdamW, TWO, rates, lr=gs.linear(20)), 5).state_dict()
    optimizer = grouped(AdamW, ONE, [{"lr": rate}], lr=gs.linear(20))
    with pytest.warns(UserWarning, match=r"lr stays .*, not 0\.375 or 0\.1875"):
        optimizer.load_state_dict(saved)
    assert float(optimizer.param_groups[0]["lr"]) == 0.75
    assert float(train(optimizer, 1).param_groups[0]["lr"]) == pytest.approx(0.7)


@pytest.mark.parametrize("kind", [AdamW, Optimizer])
def test_warnings_point_at_the_call(kind: Any) -> None:
    class Plain(Optimizer):
        def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.0) -> None:
            super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    kind = Plain if kind is Optimizer else kind
    saved = grouped(kind, ONE, weight_decay=0.5).state_dict()
    with pytest.warns(UserWarning, match="changes group 0") as caught:
        grouped(kind, ONE).load_state_dict(saved)
    assert caught[0].filename == __file__


def test_a_new_parameter_begins_in_a_group_of_its_own() -> None:
    saved = train(grouped(AdamW, [["a", "b"]], lr=gs.linear(20)), 4).state_dict()
    optimizer = grouped(AdamW, TWO, lr=gs.linear(20))
    assert_refused(optimizer, saved, "no parameter named c")
    optimizer.load_state_dict(saved, strict=False)
    assert [g["updates"] for g in optimizer.param_groups] == [4, 4]
    assert [g["lr"] for g in optimizer.param_groups] == [gs.linear(20)(4)] * 2
    train(optimizer, 1)
    steps = [optimizer.state[p]["step"].item() for p in by_name(optimizer).values()]
    assert steps == [5, 5, 1]
    adopted = grouped(AdamW, TWO, lr=gs.cosine(9))
    adopted.load_state_dict(saved, strict=False, on_mismatch="adopt")
    assert [g["lr"] for g in adopted.param_groups] == [gs.linear(20)(4), gs.cosine(9)(4)]


def test_a_schedule_that_cannot_be_adopted_is_refused_before_anything_changes() -> None:
    saved = train(grouped(AdamW, TWO, lr=gs.linear(9)), 3).state_dict()
    for group in saved["param_groups"]:
        group["schedules"] = {"lr": "function(mine)"}
    for names in (ONE, TWO):
        optimizer = train(grouped(AdamW, names, lr=gs.cosine(9)), 1)
        assert_refused(optimizer, saved, "of `lr` cannot be adopted", on_mismatch="adopt")


def test_no_schedule_is_adopted_from_a_state_that_has_none() -> None:
    saved = train(grouped(AdamW, TWO, lr=gs.linear(20)), 5).state_dict()
    for group in saved["param_groups"]:
        del group["schedules"]
    optimizer = grouped(AdamW, TWO, lr=gs.cosine(9))
    optimizer.load_state_dict(saved, on_mismatch="adopt")
    assert [g["lr"] for g in train(optimizer, 2).param_groups] == [0.75, 0.75]


def test_a_schedule_is_adopted_into_other_groups() -> None:
    saved = train(grouped(AdamW, TWO, lr=gs.linear(20)), 5).state_dict()
    optimizer = grouped(AdamW, ONE, lr=gs.cosine(9))
    assert_refused(optimizer, saved, "the state is of another run")
    optimizer.load_state_dict(saved, on_mismatch="adopt")
    assert optimizer.param_groups[0]["lr"] == gs.linear(20)(5)
    assert train(optimizer, 1).param_groups[0]["lr"] == gs.linear(20)(6)


# Names ----------------------------------------------------------------------------------------


def layer() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    model(torch.ones(1, 2)).sum().backward()
    return model


@pytest.mark.parametrize("library", [torch.optim, optim], ids=["torch", "ours"])
def test_names_that_were_saved_are_kept_where_there_are_none(library: Any) -> None:
    model = layer()
    named, unnamed = library.Adam(model.named_parameters()), library.Adam(model.parameters())
    named.step()
    unnamed.load_state_dict(named.state_dict())
    assert unnamed.param_groups[0]["param_names"] == ["weight", "bias"]
    assert unnamed.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    named.load_state_dict(library.Adam(model.parameters()).state_dict())
    assert named.param_groups[0]["param_names"] == ["weight", "bias"]


OPTIONS = {
    "plain": StateDictOptions(),
    "flat": StateDictOptions(flatten_optimizer_state_dict=True),
    "full": StateDictOptions(full_state_dict=True, cpu_offload=True),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
def test_torchs_distributed_checkpoint_finds_parameters_in_another_order(
    named: bool, options: StateDictOptions
) -> None:
    """It hands names over in the loading order, with the groups' names in the saved order."""

    def run(backwards: bool) -> tuple[nn.Module, Any]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
        pairs = list(model.named_parameters())[:: -1 if backwards else 1]
        return model, AdamW(pairs if named else [p for _, p in pairs])

    model, optimizer = run(False)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    optimizer.step()
    optimizer.zero_grad()
    saved = get_optimizer_state_dict(model, optimizer, options=options)
    other, again = run(True)
    set_optimizer_state_dict(other, again, copy.deepcopy(saved), options=options)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert are_same(dict(optimizer.state[p]), dict(again.state[q]))
    names = again.param_groups[0].get("param_names")
    assert names == (["1.weight", "0.weight"] if named else None)


# Snapshots ------------------------------------------------------------------------------------


@every_name
def test_nothing_in_a_saved_state_changes_when_training_continues(name: str) -> None:
    optimizer = built(name, shapes_of(name), lr=torch.tensor(0.01), ema_decay=0.9)
    for group in optimizer.param_groups:
        group["own"] = [torch.zeros(2)]
    saved = stepped(optimizer).state_dict()
    before = copy.deepcopy(saved)
    stepped(optimizer, 2)
    for group in optimizer.param_groups:
        group["lr"].fill_(0.5), group["own"][0].fill_(1.0), group["own"].append(1)
        group["param_names"].append("other")
    assert are_same(saved, before)


@every_name
def test_a_loaded_state_is_tied_to_nothing(name: str) -> None:
    saved = stepped(built(name, shapes_of(name))).state_dict()
    before = copy.deepcopy(saved)
    optimizer = built(name, shapes_of(name))
    optimizer.load_state_dict(saved)
    stepped(optimizer, 2)
    assert are_same(saved, before)


@every_name
def test_a_shared_state_is_the_live_one(name: str) -> None:
    optimizer = stepped(built(name, shapes_of(name)))
    shared, copied = optimizer.state_dict(share=True), optimizer.state_dict()
    assert are_same(shared, copied)
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for number, entry in shared["state"].items():
        assert type(entry) is dict
        assert all(value is optimizer.state[params[number]][key] for key, value in entry.items())
    assert are_same(through_a_file(shared), copied)


@pytest.mark.parametrize("kind", [optim.RAdam, AdamWScheduleFree, NAdam, Prodigy, optim.SOAP])
def test_a_state_kept_in_memory_is_where_the_run_was(kind: Any) -> None:
    """State that changes in part gives steps of another length: 17 times for RAdam, once."""
    run = train(grouped(kind, ONE), 1)
    kept, there = run.state_dict(), {name: p.detach().clone() for name, p in by_name(run).items()}
    after = {name: p.detach().clone() for name, p in by_name(train(run, 1, 1)).items()}
    train(run, 20, 2)
    again = grouped(kind, ONE)
    with torch.no_grad():
        for name, p in by_name(again).items():
            p.copy_(there[name])
    again.load_state_dict(kept)
    train(again, 1, 1)
    assert all(torch.equal(p, after[name]) for name, p in by_name(again).items())


def test_what_cannot_be_copied_is_shared_and_all_else_is_not() -> None:
    lock, numbers = threading.Lock(), {1, 2}
    optimizer = grouped(AdamW, ONE, [{"lock": lock, "numbers": numbers}])
    (group,) = optimizer.state_dict()["param_groups"]
    assert group["lock"] is lock
    assert group["numbers"] == numbers
    assert group["numbers"] is not numbers


def test_an_optimizer_by_hand_gives_a_snapshot_too() -> None:
    class Sum(Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {"lr": 0.1})

    p = torch.ones(2, requires_grad=True)
    optimizer = Sum([p])
    optimizer.state[p] = {"sum": torch.zeros(2), "parts": [torch.zeros(2)], "none": None}
    saved, shared = optimizer.state_dict(), optimizer.state_dict(share=True)
    optimizer.state[p]["sum"].add_(1.0), optimizer.state[p]["parts"][0].add_(1.0)
    assert not saved["state"][0]["sum"].any()
    assert not saved["state"][0]["parts"][0].any()
    assert shared["state"][0]["sum"] is optimizer.state[p]["sum"]
    other = Sum([torch.ones(2, requires_grad=True)])
    other.load_state_dict(saved)
    assert are_same(dict(other.state_dict()["state"]), saved["state"])


# Entries of no parameter, and copies ------------------------------------------------------------


@every_name
def test_entries_of_no_parameter_are_kept(name: str) -> None:
    optimizer = built(name, shapes_of(name))
    optimizer.state["test"] = 1
    optimizer.state["tensors"] = {"of": [torch.ones(2)]}
    stepped(optimizer, 1)
    saved = optimizer.state_dict()
    other = built(name, shapes_of(name))
    other.load_state_dict(saved)
    for found in (saved["state"], other.state, copy.deepcopy(other).state):
        assert found["test"] == 1
        assert are_same(found["tensors"], {"of": [torch.ones(2)]})
    optimizer.state["tensors"]["of"][0].zero_()
    assert saved["state"]["tensors"]["of"][0].all()
    stepped(other, 1)


def test_a_number_of_no_parameter_is_not_taken_for_that_of_another() -> None:
    """As where a group is cut out of a saved state: torch keeps its entries under their numbers."""
    saved = train(grouped(AdamW, ONE), 1).state_dict()
    del saved["param_groups"][0]["params"][0], saved["param_groups"][0]["param_names"][0]
    optimizer = grouped(AdamW, [["b", "c"]])
    optimizer.load_state_dict(saved)
    assert set(optimizer.state) == {*optimizer.param_groups[0]["params"]}


COPIES = {"copy": copy.deepcopy, "pickle": lambda thing: pickle.loads(pickle.dumps(thing))}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@every_name
def test_copies_have_the_same_attributes(name: str, copied: Any) -> None:
    for arguments in ({}, {"skip_nonfinite": True}):
        optimizer = stepped(built(name, shapes_of(name), **arguments), 1)
        before = dict(optimizer.state)
        other = copied(optimizer)
        public = [{k for k in vars(each) if not k.startswith("_")} for each in (optimizer, other)]
        assert public[0] == public[1]
        assert other.grad_norm == optimizer.grad_norm
        assert other.skipped_steps == optimizer.skipped_steps
        assert are_same(other.state_dict(), optimizer.state_dict())
        assert all(optimizer.state[p] is entry for p, entry in before.items())
        stepped(optimizer, 1), stepped(other, 1)
        assert are_same(other.state_dict(), optimizer.state_dict())


def test_gradients_flow_through_the_product_of_momenta() -> None:
    """Of one step as in torch, whose second fails; of two by differences."""

    def moved(library: Any, product: Tensor, steps: int) -> Any:
        torch.manual_seed(0)
        values = [torch.rand(4, dtype=torch.float64) for _ in range(4)]
        p = values[0].requires_grad_().clone()
        optimizer = library.NAdam([p], lr=0.9, differentiable=True)
        optimizer.state[p].update(
            step=torch.tensor(10.0, dtype=torch.float64),
            exp_avg=values[1], exp_avg_sq=values[2], mu_product=product.clone(),
        )  # fmt: skip
        for _ in range(steps):
            p.grad = values[3]
            optimizer.step()
        return p.sum() + optimizer.state[p]["mu_product"]

    def slope(library: Any, steps: int) -> Tensor:
        product = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
        (found,) = torch.autograd.grad(moved(library, product, steps), product)
        return found

    torch.testing.assert_close(slope(optim, 1), slope(torch.optim, 1), rtol=1e-6, atol=0)
    product = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: moved(optim, value, 2), product)


# Values ---------------------------------------------------------------------------------------

REFUSALS: dict[str, tuple[str, dict[str, Any], type[Exception]]] = {
    "a rate of two elements": ("SGD", {"lr": torch.ones(2)}, ValueError),
    "a rate of no element": ("Adam", {"lr": torch.ones(0)}, ValueError),
    "a negative rate": ("AdamW", {"lr": -1.0}, ValueError),
    "betas of 1": ("Adam", {"betas": (1.0, 0.9)}, ValueError),
    "an unknown argument": ("Rprop", {"weight_decay": 0.1}, TypeError),
}


@pytest.mark.parametrize("params", [None, [torch.ones(2, 2, requires_grad=True)]])
@pytest.mark.parametrize(("name", "arguments", "kind"), REFUSALS.values(), ids=REFUSALS)
def test_arguments_are_refused_with_torchs_errors_before_the_parameters(
    name: str, arguments: dict[str, Any], kind: type[Exception], params: Any
) -> None:
    for library in (torch.optim, optim):
        with pytest.raises(kind):
            getattr(library, name)(params, **arguments)
    with pytest.raises(gs.errors.GlideslopeError):
        getattr(optim, name)(params, **arguments)


@pytest.mark.parametrize("name", ["Adafactor", "Muon"])
def test_complex_parameters_are_refused_with_torchs_error(name: str) -> None:
    p = torch.ones(2, 2, dtype=torch.complex64, requires_grad=True)
    p.grad = torch.ones_like(p)
    for library in (torch.optim, optim):
        with pytest.raises(RuntimeError):
            getattr(library, name)([p]).step()
    with pytest.raises(gs.errors.InvalidType):
        getattr(optim, name)([p])


@every_name
def test_an_unknown_argument_is_named_with_those_that_are_near(name: str) -> None:
    p = torch.ones(2, 2, requires_grad=True)
    told = f"{name} has no argument `max_grad_nrom`: did you mean `max_grad_norm`"
    with pytest.raises(gs.errors.InvalidType, match=told):
        getattr(optim, name)([p], max_grad_nrom=1.0)
    with pytest.raises(TypeError, match=f"{name} has no argument `xyzzy`$"):
        getattr(optim, name)([p], xyzzy=1.0)


def test_mismatched_groups_without_names_are_refused() -> None:
    saved = AdamW(list(weights().values())).state_dict()
    with pytest.raises(StateMismatch, match=r"have \[3\] parameters, the optimizer's \[2, 1\]"):
        grouped(AdamW, TWO).load_state_dict(saved)


def test_a_side_that_is_none_is_refused() -> None:
    optimizer = AdamW(list(weights().values()))
    with pytest.raises(gs.errors.InvalidValue, match="`hyperparameters` must be one of"):
        optimizer.load_state_dict(optimizer.state_dict(), hyperparameters="theirs")  # type: ignore
