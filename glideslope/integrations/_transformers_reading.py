"""The schedule of a function that transformers gives to torch's `LambdaLR`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from glideslope.errors import GlideslopeError
from glideslope.optim import lr_scheduler as ours
from glideslope.schedules import Schedule

from ._recorded import UnknownFormula


def schedule_of_function(function: Any) -> Schedule:
    """The factors that a function of transformers gives: its name and its arguments tell which."""
    made = function.func if isinstance(function, partial) else function
    keywords = dict(function.keywords) if isinstance(function, partial) else {}
    home = str(getattr(made, "__module__", "")).partition(".")[0]
    name = getattr(made, "__name__", "")
    if home != "transformers" or name not in TWINS:
        raise UnknownFormula(
            "a function may do anything; glideslope.function(f) is a schedule of it"
        )
    base = keywords.pop("lr_init", 1.0)  # the rate of which a floor there is a share
    optimizer = SimpleNamespace(param_groups=[{"lr": float(base)}])
    try:
        schedule: Schedule = TWINS[name](optimizer, **keywords).schedule
    except (GlideslopeError, TypeError) as error:
        raise UnknownFormula(str(error)) from None
    return schedule


def _cosine(optimizer: Any, min_lr_rate: float = 0.0, **keywords: Any) -> Any:
    """With or without a floor: transformers has one function for both."""
    make = ours.get_cosine_with_min_lr_schedule_with_warmup
    return make(optimizer, min_lr_rate=min_lr_rate, **keywords)


TWINS: Mapping[str, Callable[..., Any]] = {
    "_get_constant_lambda": ours.get_constant_schedule,
    "_get_constant_schedule_with_warmup_lr_lambda": ours.get_constant_schedule_with_warmup,
    "_get_cosine_schedule_with_warmup_lr_lambda": _cosine,
    "_get_cosine_with_hard_restarts_schedule_with_warmup_lr_lambda": (
        ours.get_cosine_with_hard_restarts_schedule_with_warmup
    ),
    "_get_cosine_with_min_lr_schedule_with_warmup_lr_rate_lambda": (
        ours.get_cosine_with_min_lr_schedule_with_warmup_lr_rate
    ),
    "_get_inverse_sqrt_schedule_lr_lambda": ours.get_inverse_sqrt_schedule,
    "_get_linear_schedule_with_warmup_lr_lambda": ours.get_linear_schedule_with_warmup,
    "_get_polynomial_decay_schedule_with_warmup_lr_lambda": (
        ours.get_polynomial_decay_schedule_with_warmup
    ),
    "_get_wsd_scheduler_lambda": ours.get_wsd_schedule,
}
"""The function here that makes the same schedule from the same arguments."""
