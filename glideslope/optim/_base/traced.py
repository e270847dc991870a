"""A step inside `torch.compile`: the rule on tensors, with no plan kept between steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glideslope.engines import SEED, Slot, update

from .param_state import NARROW, complete, usual_dtype
from .plan import States
from .step_config import Group, StepConfig


def can_trace(config: StepConfig, groups: Sequence[Group]) -> bool:
    """True if a step is the same sequence of operations whatever the gradients hold.

    Stochastic rounding has a generator for each step, which a graph cannot hold; nor can it hold
    numbers in two parts or in 8 bits.
    """
    if config.settings.engine == "fused" or config.settings.needs_norm or config.scaled:
        return False
    if config.settings.is_packed:
        return False
    parameters = [p for group in groups for p in group["params"]]
    kept = {config.settings.float_dtype or usual_dtype(p) for p in parameters}
    by_parts = ("stochastic", "split", "split24")
    rounded = {p.dtype for p in parameters if config.settings.rounding in by_parts}
    return {*NARROW}.isdisjoint(kept | rounded)


def traced_step(config: StepConfig, groups: Sequence[Group], states: States) -> None:
    """Update all parameters that have gradients; counts stay tensors."""
    extras = {**config.extras(1.0), SEED: 0}
    for home, group in enumerate(groups):
        for parameter in group["params"]:
            if parameter.grad is not None:
                recipe, state = config.recipe(home, parameter), states[parameter]
                dtype = config.settings.float_dtype
                fresh = complete(recipe, group, parameter, state, dtype)
                counts = _counted(config, state, fresh)
                values = {**counts, **config.values(config.rule, group, counts), **extras}
                update(recipe, Slot(parameter, state, 0), parameter.grad, values)
                for name in config.rule.counters:
                    state[name].copy_(values[name])


def _counted(config: StepConfig, state: dict[str, Any], fresh: bool) -> dict[str, Any]:
    """The counts of one parameter in this step, in double precision."""
    counts = {name: state[name].double() for name in config.rule.counters}
    if "step" in counts:
        counts["step"] = counts["step"] + 1
    return {**counts, "fresh": float(fresh)}
