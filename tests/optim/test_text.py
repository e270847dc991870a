"""Repr of optimizers: class, hyperparameters that differ from defaults, number of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import glideslope as gs
from glideslope.optim import SGD, Adam, AdamW, Optimizer, Prodigy, RuleOptimizer, available
from glideslope.optim.lr_scheduler import OneCycleLR

OURS = {row.name: row.optimizer for row in available() if issubclass(row.optimizer, RuleOptimizer)}


def matrices(count: int) -> list[tuple[str, Tensor]]:
    return [(f"blocks.{i}.weight", torch.ones(2, 2, requires_grad=True)) for i in range(count)]


@pytest.mark.parametrize("name", OURS)
def test_every_optimizer_says_in_a_line_what_it_is(name: str) -> None:
    text = repr(OURS[name](matrices(600)))
    assert text.startswith(f"{name}(lr=")
    assert text.endswith(", 600 parameters)")
    assert "\n" not in text
    assert "None" not in text
    assert len(text) < 300


class Handing(SGD):
    """Hands on what it does not know."""

    def __init__(self, params: Any, lr: float = 0.5, **others: Any) -> None:
        super().__init__(params, lr, **others)


class Written(Optimizer):
    """By hand, with a hyperparameter that must be given."""

    def __init__(self, params: Any, pull: float) -> None:
        super().__init__(params, {"pull": pull})


class Shouting:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


CURVE = gs.warmup(10) >> gs.cosine(90)
ALL_OPTIONS = {"max_grad_norm": 1, "ema_decay": 0.99, "engine": "tensor"}

LINES: dict[str, tuple[Callable[..., Optimizer], dict[str, Any], str]] = {
    "options": (
        AdamW,
        {"lr": 1e-3, **ALL_OPTIONS},
        "AdamW(lr=0.001, engine='tensor', max_grad_norm=1, ema_decay=0.99, 2 parameters)",
    ),
    "hyperparameters": (
        SGD,
        {"lr": 0.1 + 0.2, "momentum": 0.9, "nesterov": True},
        "SGD(lr=0.3, momentum=0.9, nesterov=True, 2 parameters)",
    ),
    "defaults that are given": (
        AdamW,
        {"betas": [0.9, 0.999], "engine": "auto", "foreach": None},
        "AdamW(lr=0.001, 2 parameters)",
    ),
    "tensors": (Adam, {"lr": torch.tensor(0.5)}, "Adam(lr=0.5, 2 parameters)"),
    "schedule": (
        AdamW,
        {"lr": 0.1 * CURVE},
        "AdamW(lr=(warmup(10) >> cosine(90)) * 0.1, 2 parameters)",
    ),
    "schedule in a tuple": (
        AdamW,
        {"betas": (gs.linear(9) * 0.5, 0.99)},
        "AdamW(lr=0.001, betas=(linear(9) * 0.5, 0.99), 2 parameters)",
    ),
    "dtype": (
        AdamW,
        {"state_dtype": torch.bfloat16},
        "AdamW(lr=0.001, state_dtype=torch.bfloat16, 2 parameters)",
    ),
    "subclass": (Handing, {"momentum": 0.9}, "Handing(lr=0.5, momentum=0.9, 2 parameters)"),
    "by hand": (Written, {"pull": 3.0}, "Written(pull=3, 2 parameters)"),
}


@pytest.mark.parametrize(("kind", "arguments", "line"), LINES.values(), ids=LINES)
def test_what_differs_is_shown(
    kind: Callable[..., Optimizer], arguments: dict[str, Any], line: str
) -> None:
    assert repr(kind(matrices(2), **arguments)) == line


def test_what_is_the_same_in_all_groups_is_said_once() -> None:
    (one, two, three) = matrices(3)
    groups = [
        {"params": [one, two], "name": "decay", "weight_decay": 0.1},
        {"params": [three], "weight_decay": 0.0, "cautious": False, "colour": "red"},
    ]
    lines = [
        "AdamW(lr=0.5, ema_decay=0.9, cautious=True, 2 groups, 3 parameters)",
        "  decay: 2 parameters, weight_decay=0.1",
        "  1: 1 parameter, weight_decay=0, cautious=False",
    ]
    optimizer = AdamW(groups, lr=0.5, ema_decay=0.9, cautious=True)
    assert repr(optimizer).splitlines() == lines


def test_a_schedule_of_one_group_is_in_its_line() -> None:
    one, two = matrices(2)
    optimizer = SGD([{"params": [one], "lr": CURVE}, {"params": [two]}], lr=0.5)
    assert repr(optimizer).splitlines() == [
        "SGD(2 groups, 2 parameters)",
        "  0: 1 parameter, lr=warmup(10) >> cosine(90)",
        "  1: 1 parameter, lr=0.5",
    ]


def test_keys_of_schedulers_and_of_users_are_not_shown() -> None:
    optimizer = SGD(matrices(1), lr=0.1, momentum=0.9)
    OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
    found = optimizer.param_groups[0]
    assert {"initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum"} <= set(found)
    found.update(lr=0.004, momentum=0.95, swa_lr=1.0, updates=3, schedules={}, colour="red")
    assert repr(optimizer) == "SGD(lr=0.004, momentum=0.95, 1 parameter)"


def test_the_estimate_of_prodigy_is_shown_once_there_is_one() -> None:
    optimizer = Prodigy(matrices(1))
    assert repr(optimizer) == "Prodigy(lr=1, 1 parameter)"
    optimizer.param_groups[0].update(d=0.25, d_max=0.25, d_numerator=7.0)
    assert repr(optimizer) == "Prodigy(lr=1, d=0.25, 1 parameter)"


def test_a_long_value_is_cut() -> None:
    long = CURVE
    for steps in range(100):
        long = long >> gs.linear(steps + 1)
    assert len(repr(long)) > 200
    assert len(repr(SGD(matrices(1), lr=long))) < 300


ODD: dict[str, Callable[[Any], Any]] = {
    "no groups": lambda optimizer: optimizer.param_groups.clear(),
    "no rate": lambda optimizer: optimizer.param_groups[0].pop("lr"),
    "no parameters": lambda optimizer: optimizer.param_groups[0].pop("params"),
    "nothing": lambda optimizer: optimizer.param_groups[0].clear(),
    "no text": lambda optimizer: optimizer.param_groups[0].update(lr=Shouting()),
    "several numbers": lambda optimizer: optimizer.param_groups[0].update(lr=torch.ones(9, 9)),
    "meta": lambda optimizer: optimizer.param_groups[0].update(lr=torch.ones(1, device="meta")),
    "name": lambda optimizer: optimizer.param_groups.append({"name": 3}),
    "defaults": lambda optimizer: optimizer.defaults.clear(),
    "attributes": lambda optimizer: vars(optimizer).clear(),
}


@pytest.mark.parametrize("spoil", ODD.values(), ids=ODD)
def test_odd_groups_have_a_text_as_well(spoil: Callable[[Any], Any]) -> None:
    optimizer = AdamW(nn.Linear(2, 2).named_parameters())
    spoil(optimizer)
    assert repr(optimizer).startswith("AdamW(")
    assert len(repr(optimizer)) < 300
