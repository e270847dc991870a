"""The hyperparameters of a saved state: of the right kind and within bounds, or refused by name."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

import glideslope as gs
from glideslope.errors import StateMismatch
from glideslope.optim._loading.merging import OWN_KEYS

from .cases import shapes_of
from .test_every_optimizer import every_name
from .test_loading_fit import assert_refused, built, content, stepped

BAD: dict[str, Any] = {
    "text": "abc",
    "complex": 1j,
    "dict": {"a": 1},
    "several": [0.1] * 5,
    "two elements": torch.ones(2),
    "complex tensor": torch.ones(1, dtype=torch.complex64),
    "array": np.ones(2),
    "function": abs,
    "decimal": Decimal(1),
}


def hyperparameters(optimizer: Any) -> list[str]:
    return [key for key in optimizer.defaults if key not in OWN_KEYS]


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
@every_name
@pytest.mark.filterwarnings("ignore:the saved state changes group")
def test_a_value_is_refused_by_name_or_the_next_step_works(name: str, value: Any) -> None:
    """A refused value changes nothing; with an accepted one the next step runs."""
    optimizer = stepped(built(name, shapes_of(name)), 1)
    saved = stepped(built(name, shapes_of(name)), 2).state_dict()
    for key in hyperparameters(optimizer):
        spoiled = copy.deepcopy(saved)
        spoiled["param_groups"][0][key] = value
        before = content(optimizer)
        try:
            optimizer.load_state_dict(spoiled)
        except StateMismatch as error:
            said = str(error)
            assert f"`{key}" in said or f"{key!r}" in said, said
            assert len(said) < 400
            assert_refused(optimizer, spoiled, key)
        else:
            stepped(optimizer, 1)
            optimizer = stepped(built(name, shapes_of(name)), 1)
            continue
        assert repr(content(optimizer)) == repr(before)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("lr", "abc", "`lr` must be a number, a tensor of one element or a schedule, got 'abc'"),
        ("lr", None, "`lr` must be a number, a tensor of one element or a schedule, got None"),
        ("weight_decay", -0.5, "`weight_decay` must be at least 0, got -0.5"),
        ("betas", (0.9, 1.5), "`betas` must be at least 0 and less than 1, got 1.5"),
        ("betas", (0.9,), "`betas` must be 2 numbers, got (0.9,)"),
        ("betas", 0.9, "`betas` must be 2 numbers, got 0.9"),
        ("betas", (0.9, "x"), "`betas[1]` must be a number, a tensor of one element or a"),
        ("eps", float("nan"), "`eps` must be at least 0, got nan"),
        ("amsgrad", "yes", "`amsgrad` must be True or False, got 'yes'"),
    ],
)
def test_messages(key: str, value: Any, message: str) -> None:
    optimizer = stepped(built("AdamW", [(3,)]), 1)
    saved = stepped(built("AdamW", [(3,)])).state_dict()
    saved["param_groups"][0][key] = value
    with pytest.raises(StateMismatch) as caught:
        optimizer.load_state_dict(saved)
    assert str(caught.value).startswith(f"the saved group 0 does not fit: {message}")


def test_the_second_group_is_named() -> None:
    weights = [torch.ones(1, requires_grad=True) for _ in range(2)]
    optimizer = gs.optim.AdamW([{"params": [weight]} for weight in weights])
    saved = optimizer.state_dict()
    saved["param_groups"][1]["lr"] = "fast"
    with pytest.raises(StateMismatch, match="the saved group 1 does not fit: `lr`"):
        optimizer.load_state_dict(saved)


GOOD: dict[str, Any] = {
    "float": 0.25,
    "int": 1,
    "float32 of NumPy": np.float32(0.25),
    "float64 of NumPy": np.float64(0.25),
    "int64 of NumPy": np.int64(1),
    "tensor": torch.tensor(0.25),
    "tensor of one": torch.tensor([0.25]),
    "just below 0": -1e-20,  # a cosine of torch's, rounded
    "infinite": float("inf"),
}


@pytest.mark.parametrize("value", GOOD.values(), ids=GOOD)
def test_every_kind_of_number_is_taken(value: Any) -> None:
    optimizer = built("AdamW", [(3,)])
    saved = stepped(built("AdamW", [(3,)])).state_dict()
    saved["param_groups"][0]["lr"] = value
    optimizer.load_state_dict(saved)
    assert float(optimizer.param_groups[0]["lr"]) == float(value)
    stepped(optimizer, 1)


TORCHS: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"lr": 0.1}, {"lr": torch.tensor(0.1), "momentum": 0.9, "nesterov": True}],
    "Adam": [{"lr": torch.tensor(0.1), "amsgrad": True, "weight_decay": 0}, {"maximize": True}],
    "AdamW": [{"capturable": False, "foreach": True}, {"fused": True}],
    "Adafactor": [{"eps": (None, 1e-3)}, {"eps": (1e-30, 1e-3)}],
    "Adagrad": [{"initial_accumulator_value": 1}],
    "Adadelta": [{"rho": 1}],
    "Adamax": [{}],
    "ASGD": [{"t0": 1}],
    "NAdam": [{"decoupled_weight_decay": True}],
    "RAdam": [{}],
    "RMSprop": [{"centered": True, "momentum": 0.5}],
    "Rprop": [{"etas": (0.25, 1.25)}],
}
CYCLES: list[Any] = [
    None,
    lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 3),
    lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, 9),
]


@pytest.mark.parametrize("schedule", CYCLES, ids=["fixed", "cosine", "one cycle"])
@pytest.mark.parametrize(
    ("name", "arguments"), [(name, each) for name, rows in TORCHS.items() for each in rows]
)
@pytest.mark.filterwarnings("ignore:the saved state changes group")
def test_whatever_torch_saved_is_taken(name: str, arguments: dict[str, Any], schedule: Any) -> None:
    theirs = getattr(torch.optim, name)([torch.ones(3, 2, requires_grad=True)], **arguments)
    has_momentum = "momentum" in theirs.defaults or "betas" in theirs.defaults
    if schedule is CYCLES[2] and not has_momentum:
        pytest.skip("one cycle drives the momentum")
    scheduler = schedule and schedule(theirs)
    for _ in range(5):
        theirs.param_groups[0]["params"][0].grad = torch.ones(3, 2)
        theirs.step()
        if scheduler:
            scheduler.step()
    ours = getattr(gs.optim, name)([torch.ones(3, 2, requires_grad=True)], lr=0.5)
    ours.load_state_dict(theirs.state_dict())
    assert ours.param_groups[0]["lr"] == theirs.param_groups[0]["lr"]
