"""A step inside `torch.compile`: the rule on tensors, with nothing kept between steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glideslope.engines import EMA_WEIGHT, FACTOR, Slot, update

from ._plan import Group, Shape, States
from ._state import complete


def can_trace(shape: Shape) -> bool:
    """Whether a step is the same sequence of operations whatever the gradients hold."""
    return shape.settings.engine != "fused" and not shape.settings.needs_norm


def traced_step(shape: Shape, groups: Sequence[Group], states: States) -> None:
    """Update all parameters that have gradients; counts stay tensors."""
    extras = {FACTOR: 1.0, EMA_WEIGHT: 1.0 - (shape.settings.ema_decay or 0.0)}
    for home, group in enumerate(groups):
        for parameter in group["params"]:
            if parameter.grad is not None:
                recipe, state = shape.recipe(home, parameter), states[parameter]
                dtype = shape.settings.state_dtype
                fresh = complete(recipe, group, parameter, state, dtype)
                counts = _counted(shape, state, fresh)
                values = {**counts, **shape.rule.values(group, counts), **extras}
                update(recipe, Slot(parameter, state, 0), parameter.grad, values)
                for name in shape.rule.counters:
                    state[name].copy_(values[name])


def _counted(shape: Shape, state: dict[str, Any], fresh: bool) -> dict[str, Any]:
    """The counts of one parameter in this step, in double precision."""
    counts = {name: state[name].double() for name in shape.rule.counters}
    if "step" in counts:
        counts["step"] = counts["step"] + 1
    return {**counts, "fresh": float(fresh)}
