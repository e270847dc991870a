"""Names under which programs record the same quantity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

STEPS = ("step", "global_step", "iteration", "_step")
LOSSES = ("loss", "train_loss", "train/loss", "training_loss", "batch_loss")
VALIDATION_LOSSES = (
    "val_loss",
    "valid_loss",
    "validation_loss",
    "eval_loss",
    "val/loss",
    "eval/loss",
    "test_loss",
)
SECONDS = (
    "seconds",
    "elapsed",
    "elapsed_seconds",
    "wall_time",
    "_runtime",
    "time",
    "timestamp",
    "_timestamp",
)
TOKENS = ("tokens", "tokens_seen", "num_tokens", "total_tokens", "num_input_tokens_seen")
HYPERPARAMETERS = ("lr", "momentum", "betas", "weight_decay")
"""The names that an `LRMonitor` gives to the values of a parameter group."""


def first_used(names: Iterable[str], records: Iterable[Mapping[str, Any]]) -> str | None:
    """The first of the names that a record has; None where none has any."""
    used = {name for record in records for name in record}
    return next((name for name in names if name in used), None)


def rate_name(group: str) -> str:
    """The name of a group's learning rate in records and curves.

    >>> rate_name("lr"), rate_name("head")
    ('lr', 'lr/head')
    """
    return "lr" if group == "lr" else f"lr/{group}"


def base_name(name: str) -> str:
    """A hyperparameter's name without its group; any other name as it is.

    >>> base_name("betas[0]/head"), base_name("grad/norm")
    ('betas[0]', 'grad/norm')
    """
    base = name.partition("/")[0]
    return base if base.partition("[")[0] in HYPERPARAMETERS else name


def is_hyperparameter(name: str) -> bool:
    """True if the name is one of an optimizer's settings, of any group.

    >>> is_hyperparameter("weight_decay/head"), is_hyperparameter("grad/norm")
    (True, False)
    """
    return base_name(name).partition("[")[0] in HYPERPARAMETERS
