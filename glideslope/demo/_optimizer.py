"""An optimizer of the library by its name, with arguments that suit this model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from glideslope.errors import require
from glideslope.optim import ScheduleFree, create, param_groups
from glideslope.training import LRMonitor

from ._settings import Settings

LEARNING_RATES = {
    "adabelief": 1e-2,
    "adadelta": 3.0,
    "adafactor": 0.1,
    "adagrad": 0.03,
    "adam": 5e-3,
    "adamax": 0.02,
    "adamw": 5e-3,
    "adamwschedulefree": 2e-2,
    "adan": 2.5e-2,
    "ademamix": 5e-3,
    "adopt": 5e-3,
    "apollo": 4e-2,
    "asgd": 1.0,
    "came": 1e-3,
    "kron": 1e-2,
    "lamb": 2e-2,
    "laprop": 1e-2,
    "lars": 5.0,
    "lion": 4e-3,
    "madgrad": 5e-2,
    "mars": 1.2e-2,
    "muon": 0.02,
    "muonwithauxadam": 2e-2,
    "nadam": 6e-3,
    "prodigy": 1.0,
    "radam": 0.01,
    "rmsprop": 3e-3,
    "rprop": 1e-3,
    "sgd": 1.0,
    "sgdschedulefree": 3.0,
    "signum": 2e-3,
    "soap": 1.2e-2,
    "stableadamw": 1.2e-2,
}
"""The best of a coarse grid; an optimizer that is not listed has its own default."""

OPTIONS: dict[str, dict[str, Any]] = {
    "lbfgs": {"max_iter": 4, "history_size": 10, "line_search_fn": "strong_wolfe"},
}
"""Further arguments that an optimizer needs for this model."""


def make_optimizer(settings: Settings, model: nn.Module) -> torch.optim.Optimizer:
    """The named optimizer, at the settings' learning rate and weight decay."""
    name = settings.optimizer.lower()
    rule = "be one for dense gradients, which this model has"
    require(name != "sparseadam", "optimizer", rule, settings.optimizer)
    lr = LEARNING_RATES.get(name) if settings.lr is None else settings.lr
    given = {"lr": lr, "weight_decay": settings.weight_decay, **OPTIONS.get(name, {})}
    options = {option: value for option, value in given.items() if value is not None}
    optimizer = create(settings.optimizer, model.named_parameters(), **options)
    if "use_muon" in optimizer.defaults:
        return create(settings.optimizer, param_groups(model, use_muon=True), **options)
    return optimizer


def has_own_average(optimizer: str) -> bool:
    """True if the optimizer of this name, in any case, is measured at an average of its own."""
    return optimizer.lower() in {kind.__name__.lower() for kind in ScheduleFree.__subclasses__()}


def learning_rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """The learning rate as ``lr``, or as ``lr/NAME`` for each group where groups differ."""
    values = LRMonitor(optimizer).values()
    rates = {name: value for name, value in values.items() if name.partition("/")[0] == "lr"}
    distinct = set(rates.values())
    return {"lr": distinct.pop()} if len(distinct) == 1 else rates


@contextmanager
def evaluating(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Put the parameters that are to be measured in place: schedule-free ones are an average."""
    if isinstance(optimizer, ScheduleFree):
        optimizer.eval()
        yield
        optimizer.train()
    else:
        yield
