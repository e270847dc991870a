"""The optimizers under test: one row each, with an independent reference.

A reference is torch's optimizer of the same name, or a loop transcribed from the paper
(`transcriptions`), and is run in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from glideslope import optim
from glideslope.optim._accumulated import MADGRAD, Adadelta, Adagrad
from glideslope.optim._adam_successors import ADOPT, AdaBelief, Adan, AdEMAMix, LaProp
from glideslope.optim._adam_variants import Adamax, NAdam, RAdam
from glideslope.optim._adaptive import Adam, AdamW, RMSprop
from glideslope.optim._averaging import ASGD
from glideslope.optim._base.rule_optimizer import RuleOptimizer
from glideslope.optim._momentum import SGD, Lion, Signum
from glideslope.optim._norm_scaled import LAMB, LARS, MARS, StableAdamW
from glideslope.optim._prodigy import Prodigy
from glideslope.optim._schedule_free import AdamWScheduleFree, SGDScheduleFree
from glideslope.optim._signs import Rprop

from . import transcriptions

State = Mapping[str, Tensor]


def is_for(name: str, shape: tuple[int, ...]) -> bool:
    """True if an optimizer of the catalogue updates a parameter of this shape."""
    return len(shape) == 2 or not getattr(optim, name).matrices_only


def shapes_of(name: str) -> list[tuple[int, ...]]:
    """Shapes of parameters that an optimizer of the catalogue updates."""
    return [shape for shape in [(5, 4), (7,), (6, 6)] if is_for(name, shape)]


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
    g = g.abs() + 0.1 * p.abs()
    buffer = 0.9 * state["momentum_buffer"].abs() + g
    return {"momentum_buffer": buffer, "p": 0.1 * (buffer + g)}


def _lion_terms(_p: Tensor, g: Tensor, state: State) -> State:
    return {"exp_avg": 0.99 * state["exp_avg"].abs() + 0.01 * g.abs()}


def _root(g: Tensor, state: State) -> Tensor:
    """The corrected root of Adam's averaged square."""
    square = 0.999 * state["exp_avg_sq"] + 0.001 * g * g
    largest = torch.maximum(square, state.get("max_exp_avg_sq", square))
    return (largest / (1 - 0.999 ** (state["step"] + 1))).sqrt()


def _ema_terms(_p: Tensor, g: Tensor, state: State) -> State:
    return {"exp_avg": 0.9 * state["exp_avg"].abs() + 0.1 * g.abs()}


def _adam_terms(p: Tensor, g: Tensor, state: State, decay: float = 0.0) -> State:
    """Adding weight decay to the gradient rounds twice more, and squaring doubles that."""
    size, doubled = g.abs() + decay * p.abs(), 2 if decay else 1
    average = 0.9 * state["exp_avg"].abs() + 0.1 * size
    square = 0.999 * state["exp_avg_sq"] + 0.001 * size * size
    rate = 0.01 / (1 - 0.9 ** (state["step"] + 1))
    return {
        "exp_avg": average,
        "exp_avg_sq": doubled * square,
        "max_exp_avg_sq": square + state.get("max_exp_avg_sq", square),
        "p": rate * average / _root(g + decay * p, state),
    }


_coupled_terms = partial(_adam_terms, decay=0.1)


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


def _adagrad_terms(p: Tensor, g: Tensor, state: State) -> State:
    g = g.abs() + 0.1 * p.abs()
    return {"sum": state["sum"] + 2 * g * g}


def _madgrad_terms(p: Tensor, g: Tensor, state: State, decay: float = 0.0) -> State:
    """The step is known to the last bits of where it is, where it began, and of the sum."""
    g, weight = g.abs() + decay * p.abs(), 0.01 * math.sqrt(float(state["step"]) + 1)
    terms = {
        "s": state["s"].abs() + weight * g,
        "grad_sum_sq": state["grad_sum_sq"] + 2 * weight * g * g,
    }
    root = (state["grad_sum_sq"] + weight * g * g) ** (1 / 3)
    x0 = state.get("x0", p)
    return {**terms, "x0": torch.zeros_like(g), "p": p.abs() + x0.abs() + terms["s"] / root}


def _adadelta_terms(p: Tensor, g: Tensor, state: State) -> State:
    """The error of a step is doubled where it is squared."""
    g = g.abs() + 0.1 * p.abs()
    square = 0.9 * state["square_avg"] + 0.1 * g * g
    delta = ((state["acc_delta"] + 1e-6) / (square + 1e-6)).sqrt() * g
    return {
        "square_avg": 2 * square,
        "acc_delta": 0.9 * state["acc_delta"] + 2 * 0.1 * delta**2,
        "p": delta,
    }


def _adamax_terms(p: Tensor, g: Tensor, state: State) -> State:
    g = g.abs() + 0.1 * p.abs()
    average = 0.9 * state["exp_avg"].abs() + 0.1 * g
    return {"exp_avg": average, "exp_inf": torch.maximum(0.999 * state["exp_inf"], g)}


def _nadam_terms(p: Tensor, g: Tensor, state: State, decay: float = 0.0) -> State:
    """The shares of gradient and average in a step are both about a half."""
    terms, size = _adam_terms(p, g, state, decay), g.abs() + decay * p.abs()
    return {**terms, "p": 0.0055 * (size + terms["exp_avg"]) / _root(g + decay * p, state)}


def _rprop_terms(p: Tensor, g: Tensor, state: State) -> State:
    return {"prev": torch.zeros_like(g), "step_size": state["step_size"]}


def _average_terms(p: Tensor, g: Tensor, state: State) -> State:
    return {"ax": p.abs() + 0.1 * g.abs() + state["ax"].abs()}


def _belief_terms(p: Tensor, g: Tensor, state: State) -> State:
    """The gradient's distance from its average is known to the last bits of both."""
    average = 0.9 * state["exp_avg"].abs() + 0.1 * g.abs()
    variance = 0.999 * state["exp_avg_var"] + 0.001 * (g.abs() + average).square()
    return {"exp_avg": average, "exp_avg_var": variance}


def _laprop_terms(p: Tensor, g: Tensor, state: State) -> State:
    """The quotients are averaged, not the gradients; the square is summed in two parts."""
    average = 0.9 * state["exp_avg"].abs() + 0.1 * g.abs() / _root(g, state)
    square = 0.999 * state["exp_avg_sq"] + 0.001 * g * g
    return {"exp_avg": average, "exp_avg_sq": square, "p": 0.01 * average}


def _adan_terms(p: Tensor, g: Tensor, state: State) -> State:
    """The gradient's change is known to the last bits of both, and squaring doubles that."""
    t, last = float(state["step"]) + 1, state["last_grad"]
    change = (g.abs() + last.abs()) * (t > 1)
    average = 0.98 * state["exp_avg"].abs() + 0.02 * g.abs()
    diff = 0.92 * state["exp_avg_diff"].abs() + 0.08 * change
    square = 0.99 * state["exp_avg_sq"] + 2 * 0.01 * (g.abs() + 0.92 * change).square()
    ahead = average / (1 - 0.98**t) + 0.92 * diff / (1 - 0.92**t)
    root = (square / (1 - 0.99**t)).sqrt()
    return {
        "exp_avg": average,
        "exp_avg_diff": diff,
        "exp_avg_sq": square,
        "last_grad": torch.zeros_like(g),
        "p": 0.01 * ahead / root + p.abs(),
    }


def _adopt_terms(p: Tensor, g: Tensor, state: State) -> State:
    normed = g.abs() / state["exp_avg_sq"].sqrt()
    average = 0.9 * state["exp_avg"].abs() + 0.1 * normed
    return {"exp_avg": average, "exp_avg_sq": state["exp_avg_sq"] + g * g}


def _mix_terms(p: Tensor, g: Tensor, state: State) -> State:
    slow = state["exp_avg_slow"].abs() + g.abs()
    return {**_adam_terms(p, g, state), "exp_avg_slow": slow}


def _schedule_free_terms(p: Tensor, g: Tensor, state: State) -> State:
    """z is at the end of a step from y, which is near it."""
    size = state["z"].abs() + p.abs()
    step = 0.01 * g.abs() if "exp_avg_sq" not in state else 0.1
    square = 0.999 * state.get("exp_avg_sq", g) + 0.001 * g * g
    return {"z": size + step, "p": size + step, "exp_avg_sq": square}


class AlikeMARS(MARS):
    """All tensors as matrices, or all as vectors, whatever they are."""

    def __init__(self, params: Any, variance_reduction: bool, **arguments: Any) -> None:
        group = {"params": params, "variance_reduction": variance_reduction}
        super().__init__([group], **arguments)


def _lars_terms(p: Tensor, g: Tensor, state: State) -> State:
    g = g.abs() + 0.1 * p.abs()
    buffer = 0.9 * state["momentum_buffer"].abs() + 0.1 * p.norm() / g.norm() * g
    return {"momentum_buffer": buffer, "p": buffer}


def _adam_sizes(
    p: Tensor, g: Tensor, state: State, beta1: float, beta2: float
) -> tuple[dict[str, Tensor], Tensor]:
    """Terms of Adam's averages, and its step if no terms cancelled."""
    t = float(state["step"]) + 1
    average = beta1 * state["exp_avg"].abs() + (1 - beta1) * g.abs()
    square = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
    step = average / (1 - beta1**t) / (square / (1 - beta2**t)).sqrt() + 0.1 * p.abs()
    return {"exp_avg": average, "exp_avg_sq": square}, step


def _lars_plain_terms(p: Tensor, g: Tensor, state: State) -> State:
    buffer = 0.9 * state["momentum_buffer"].abs() + 0.1 * g.abs()
    return {"momentum_buffer": buffer, "p": buffer}


def _lamb_terms(p: Tensor, g: Tensor, state: State) -> State:
    terms, size = _adam_sizes(p, g, state, 0.9, 0.999)
    t = float(state["step"]) + 1
    average = (0.9 * state["exp_avg"] + 0.1 * g) / (1 - 0.9**t)
    step = average / (terms["exp_avg_sq"] / (1 - 0.999**t)).sqrt() + 0.1 * p
    return {**terms, "p": 0.01 * p.norm() / step.norm() * size}


def _stable_terms(p: Tensor, g: Tensor, state: State) -> State:
    terms, size = _adam_sizes(p, g, state, 0.9, 0.99)
    return {**terms, "p": 0.01 * size}


def _mars_terms(p: Tensor, g: Tensor, state: State) -> State:
    """Moving the gradient on rounds three times more, and squaring doubles that."""
    if "last_grad" not in state:
        moved = g.abs()
    else:
        moved = 1.475 * g.abs() + 0.475 * state["last_grad"].abs()
        moved = moved / max(1.0, float((1.475 * g - 0.475 * state["last_grad"]).norm()))
    return {
        "exp_avg": 0.95 * state["exp_avg"].abs() + 0.05 * moved,
        "exp_avg_sq": 2 * (0.99 * state["exp_avg_sq"] + 0.01 * moved * moved),
        "last_grad": torch.zeros_like(g),
    }


def _prodigy_terms(p: Tensor, g: Tensor, state: State) -> State:
    """Random gradients lead nowhere: d stays at the 0.001 it starts from."""
    g = 1e-3 * g.abs()
    return {
        "exp_avg": 0.9 * state["exp_avg"].abs() + 0.1 * g,
        "exp_avg_sq": 0.999 * state["exp_avg_sq"] + 0.001 * g * g,
        "s": state["s"].abs() + g,
    }


_sgd, _adam, _adamw = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
_rms = torch.optim.RMSprop
_adagrad, _adadelta, _adamax = torch.optim.Adagrad, torch.optim.Adadelta, torch.optim.Adamax
_nadam, _radam, _asgd, _rprop = (
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.ASGD,
    torch.optim.Rprop,
)

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
    "adagrad": Case(Adagrad, _adagrad, {"lr": 0.01}, _adagrad_terms),
    "adagrad-decay": Case(
        Adagrad,
        _adagrad,
        {"lr": 0.01, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5},
        _adagrad_terms,
    ),
    "adadelta": Case(Adadelta, _adadelta, {}, _adadelta_terms),
    "adadelta-decay": Case(
        Adadelta, _adadelta, {"lr": 0.5, "weight_decay": 0.1, "maximize": True}, _adadelta_terms
    ),
    "madgrad-decay": Case(
        MADGRAD,
        transcriptions.MADGRAD,
        {"lr": 0.01, "weight_decay": 0.1},
        partial(_madgrad_terms, decay=0.1),
    ),
    "madgrad-decoupled": Case(
        MADGRAD,
        transcriptions.MADGRAD,
        {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True},
        _madgrad_terms,
    ),
    "adamax": Case(Adamax, _adamax, {"lr": 0.01}, _adamax_terms),
    "adamax-decay": Case(Adamax, _adamax, {"lr": 0.01, "weight_decay": 0.1}, _adamax_terms),
    "nadam": Case(NAdam, _nadam, {"lr": 0.01}, _nadam_terms),
    "nadam-decay": Case(
        NAdam, _nadam, {"lr": 0.01, "weight_decay": 0.1}, partial(_nadam_terms, decay=0.1)
    ),
    "nadam-decoupled": Case(
        NAdam,
        _nadam,
        {
            "lr": 0.01,
            "momentum_decay": 0.5,
            "weight_decay": 0.1,
            "decoupled_weight_decay": True,
            "maximize": True,
        },
        _nadam_terms,
    ),
    "radam": Case(RAdam, _radam, {"lr": 0.01}, _adam_terms),
    "radam-decay": Case(RAdam, _radam, {"lr": 0.01, "weight_decay": 0.1}, _coupled_terms),
    "radam-decoupled": Case(
        RAdam,
        _radam,
        {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
        _adam_terms,
    ),
    "asgd": Case(ASGD, _asgd, {"lr": 0.1}, _average_terms),
    "asgd-averaged": Case(
        ASGD,
        _asgd,
        {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 2, "weight_decay": 0.1, "maximize": True},
        _average_terms,
    ),
    "rprop": Case(Rprop, _rprop, {"lr": 2.0**-7, "step_sizes": (0.0, 0.01)}, _rprop_terms),
    "rprop-maximize": Case(
        Rprop,
        _rprop,
        {"lr": 2.0**-7, "etas": (0.4, 1.5), "step_sizes": (0.0, 50.0), "maximize": True},
        _rprop_terms,
    ),
    "signum": Case(Signum, transcriptions.Signum, {"lr": 0.01, "weight_decay": 0.1}, _ema_terms),
    "adabelief": Case(
        AdaBelief,
        transcriptions.AdaBelief,
        {"lr": 0.01, "eps": 1e-8, "weight_decay": 0.1},
        _belief_terms,
    ),
    "laprop": Case(LaProp, transcriptions.LaProp, {"lr": 0.01, "weight_decay": 0.1}, _laprop_terms),
    "adan": Case(Adan, transcriptions.Adan, {"lr": 0.01, "weight_decay": 0.1}, _adan_terms),
    "adopt": Case(ADOPT, transcriptions.ADOPT, {"lr": 0.01, "weight_decay": 0.1}, _adopt_terms),
    "ademamix": Case(
        AdEMAMix, transcriptions.AdEMAMix, {"lr": 0.01, "weight_decay": 0.1}, _mix_terms
    ),
    "ademamix-warmup": Case(
        AdEMAMix, transcriptions.AdEMAMix, {"lr": 0.01, "warmup_steps": 5}, _mix_terms
    ),
    "sgd-schedule-free": Case(
        SGDScheduleFree,
        transcriptions.SGDScheduleFree,
        {"lr": 0.01, "weight_decay": 0.1, "warmup_steps": 4, "r": 0.5},
        _schedule_free_terms,
    ),
    "adamw-schedule-free": Case(
        AdamWScheduleFree,
        transcriptions.AdamWScheduleFree,
        {"lr": 0.01, "weight_decay": 0.1, "warmup_steps": 4, "r": 0.0},
        _schedule_free_terms,
    ),
    "lars": Case(
        LARS,
        transcriptions.LARS,
        {"lr": 0.1, "weight_decay": 0.1, "trust_coefficient": 0.1},
        _lars_terms,
    ),
    "lars-plain": Case(
        LARS,
        transcriptions.LARS,
        {"lr": 0.1, "trust_coefficient": 0.1, "adapt": False},
        _lars_plain_terms,
    ),
    "lamb": Case(LAMB, transcriptions.LAMB, {"lr": 0.01, "weight_decay": 0.1}, _lamb_terms),
    "lamb-plain": Case(LAMB, transcriptions.LAMB, {"lr": 0.01, "adapt": False}, _adam_terms),
    "stable-adamw": Case(
        StableAdamW, transcriptions.StableAdamW, {"lr": 0.01, "weight_decay": 0.1}, _stable_terms
    ),
    "mars": Case(
        AlikeMARS,
        transcriptions.MARS,
        {"lr": 0.01, "weight_decay": 0.1, "variance_reduction": True},
        _mars_terms,
    ),
    "prodigy": Case(
        Prodigy,
        transcriptions.Prodigy,
        {"lr": 1.0, "d0": 1e-3, "weight_decay": 0.1},
        _prodigy_terms,
    ),
    "mars-vectors": Case(
        AlikeMARS,
        transcriptions.MARS,
        {"lr": 0.01, "weight_decay": 0.1, "variance_reduction": False},
        _mars_terms,
    ),
}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_engine = pytest.mark.parametrize("engine", ["fused", "tensor"])
torch_cases = {
    name: case for name, case in CASES.items() if "torch.optim" in case.reference.__module__
}
every_torch_case = pytest.mark.parametrize("case", torch_cases.values(), ids=torch_cases)
