"""The optimizers under test: one row each, with an independent reference.

A reference is torch's optimizer of the same name, or a loop transcribed from the paper
(`transcriptions`), and is run in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from glideslope.optim._adaptive import Adam, AdamW, RMSprop
from glideslope.optim._momentum import SGD, Lion
from glideslope.optim._rule_optimizer import RuleOptimizer

from . import transcriptions

State = Mapping[str, Tensor]


class Case(NamedTuple):
    """One optimizer under one set of arguments.

    ``terms`` gives the size of what is added up in each state, and in the update of ``p`` where it
    is more than the update, from the old parameter, the gradient and the old state: rounding errors
    are judged against it.
    """

    ours: type[RuleOptimizer]
    reference: Callable[..., torch.optim.Optimizer]
    arguments: dict[str, Any]
    terms: Callable[[Tensor, Tensor, State], State]

    def build(self, params: Any, **common: Any) -> RuleOptimizer:
        return self.ours(params, **self.arguments, **common)

    def build_reference(self, params: Any) -> torch.optim.Optimizer:
        return self.reference(params, **self.arguments)


def _no_terms(_p: Tensor, _g: Tensor, _state: State) -> State:
    return {}


def _momentum_terms(p: Tensor, g: Tensor, state: State) -> State:
    return {"momentum_buffer": 0.9 * state["momentum_buffer"].abs() + g.abs() + 0.1 * p.abs()}


def _lion_terms(_p: Tensor, g: Tensor, state: State) -> State:
    return {"exp_avg": 0.99 * state["exp_avg"].abs() + 0.01 * g.abs()}


def _adam_terms(p: Tensor, g: Tensor, state: State) -> State:
    g = g.abs() + 0.1 * p.abs()  # where there is weight decay
    square = 0.999 * state["exp_avg_sq"] + 0.001 * g * g
    return {
        "exp_avg": 0.9 * state["exp_avg"].abs() + 0.1 * g,
        "exp_avg_sq": square,
        "max_exp_avg_sq": square + state.get("max_exp_avg_sq", square),
    }


def _coupled_terms(p: Tensor, g: Tensor, state: State) -> State:
    """Adding weight decay to the gradient rounds twice more, and squaring doubles that."""
    terms = dict(_adam_terms(p, g, state))
    return {**terms, "exp_avg_sq": 2 * terms["exp_avg_sq"]}


def _rmsprop_terms(p: Tensor, g: Tensor, state: State) -> State:
    g, zero = g.abs() + 0.1 * p.abs(), torch.zeros_like(g)
    square = 0.99 * state["square_avg"] + 0.01 * g * g
    update = g / square.sqrt()
    buffer = 0.9 * state.get("momentum_buffer", zero).abs() + update
    average = 0.99 * state.get("grad_avg", zero).abs() + 0.01 * g
    return {
        "square_avg": square,
        "grad_avg": average,
        "momentum_buffer": buffer,
        "p": 0.01 * (buffer if "momentum_buffer" in state else update),
    }


def _centered_terms(p: Tensor, g: Tensor, state: State) -> State:
    """A small difference of large squares magnifies the errors of both."""
    terms = dict(_rmsprop_terms(p, g, state))
    average = 0.99 * state["grad_avg"] + 0.01 * g
    square = 0.99 * state["square_avg"] + 0.01 * g * g
    variance = square - average * average
    return {**terms, "p": 0.01 * g.abs() / variance.sqrt() * (square / variance)}


_sgd, _adam, _adamw = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
_rms = torch.optim.RMSprop

CASES: dict[str, Case] = {
    "sgd": Case(SGD, _sgd, {"lr": 0.1, "weight_decay": 0.1}, _no_terms),
    "sgd-momentum": Case(
        SGD, _sgd, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}, _momentum_terms
    ),
    "sgd-nesterov": Case(
        SGD,
        _sgd,
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
        _momentum_terms,
    ),
    "sgd-maximize": Case(
        SGD, _sgd, {"lr": 0.1, "momentum": 0.9, "maximize": True}, _momentum_terms
    ),
    "lion": Case(Lion, transcriptions.Lion, {"lr": 0.01, "weight_decay": 0.1}, _lion_terms),
    "rmsprop": Case(RMSprop, _rms, {"lr": 0.01, "weight_decay": 0.1}, _rmsprop_terms),
    "rmsprop-centered": Case(RMSprop, _rms, {"lr": 0.01, "centered": True}, _centered_terms),
    "rmsprop-momentum": Case(
        RMSprop, _rms, {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}, _rmsprop_terms
    ),
    "adam": Case(Adam, _adam, {"lr": 0.01}, _adam_terms),
    "adam-decay": Case(Adam, _adam, {"lr": 0.01, "weight_decay": 0.1}, _coupled_terms),
    "adam-amsgrad": Case(Adam, _adam, {"lr": 0.01, "amsgrad": True}, _adam_terms),
    "adam-maximize": Case(Adam, _adam, {"lr": 0.01, "maximize": True}, _adam_terms),
    "adamw": Case(AdamW, _adamw, {"lr": 0.01, "weight_decay": 0.1}, _adam_terms),
    "adamw-amsgrad": Case(AdamW, _adamw, {"lr": 0.01, "amsgrad": True}, _adam_terms),
}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_engine = pytest.mark.parametrize("engine", ["fused", "tensor"])
torch_cases = {name: case for name, case in CASES.items() if case.ours is not Lion}
every_torch_case = pytest.mark.parametrize("case", torch_cases.values(), ids=torch_cases)
