"""An optimizer of torch by its name."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import signature
from typing import Any

import torch
from torch import nn

from glideslope.errors import require

from ._settings import Settings

LEARNING_RATES = {
    "ASGD": 1.0,
    "Adadelta": 3.0,
    "Adafactor": 0.1,
    "Adagrad": 0.03,
    "Adam": 5e-3,
    "AdamW": 5e-3,
    "Adamax": 0.02,
    "Muon": 0.02,
    "NAdam": 6e-3,
    "RAdam": 0.01,
    "RMSprop": 3e-3,
    "SGD": 1.0,
}
"""The best for this job of a coarse grid; an optimizer that is not here runs at its own default."""

REFUSED = {
    "SparseAdam": "be one for dense gradients, which this model has",
    "LBFGS": "be one that takes one gradient per update",
}


def make_optimizer(settings: Settings, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The named class of `torch.optim`, at the settings' learning rate and weight decay."""
    kind = optimizer_class(settings.optimizer)
    chosen = {
        "lr": LEARNING_RATES.get(kind.__name__) if settings.lr is None else settings.lr,
        "weight_decay": settings.weight_decay,
    }
    options: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    for name, value in options.items():
        rule = f"be left out for {kind.__name__}, which has none"
        require(name in signature(kind).parameters, name, rule, value)
    return kind(parameters, **options)


def optimizer_class(name: str) -> type[torch.optim.Optimizer]:
    """The class with this name, whatever the case of its letters."""
    known = {known.lower(): known for known in optimizer_names()}
    require(name.lower() in known, "optimizer", f"be one of {', '.join(known.values())}", name)
    found = known[name.lower()]
    require(found not in REFUSED, "optimizer", REFUSED.get(found, ""), name)
    kind: type[torch.optim.Optimizer] = getattr(torch.optim, found)
    return kind


def optimizer_names() -> list[str]:
    """Every optimizer that torch exports, by the name of its class."""
    return sorted(
        name
        for name, kind in vars(torch.optim).items()
        if isinstance(kind, type)
        and issubclass(kind, torch.optim.Optimizer)
        and name != "Optimizer"
    )
