"""The tensor engine: the formula itself, called with tensors. The reference for all others.

It runs wherever torch does: any device and dtype, complex numbers as pairs of real ones, inside
`torch.compile`, and differentiably.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from glideslope.rules import Rule

from ._engine import (
    COMPENSATION,
    EMA,
    EMA_WEIGHT,
    FACTOR,
    Batch,
    Engine,
    Recipe,
    Slot,
    Values,
    compute_dtype,
)
from ._layout import real_view
from ._rounding import stochastic


class TensorEngine(Engine):
    """Calls the rule with one parameter after the other."""

    name = "tensor"

    def reason_against(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> str | None:
        return None

    def kind(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> torch.device:
        return gradient.device

    def prepare(
        self, recipe: Recipe, slots: Sequence[Slot], gradients: Sequence[Tensor]
    ) -> TensorBatch:
        return TensorBatch(recipe, slots)


class TensorBatch(Batch):
    """Tensors of any kind; nothing is prepared, so everything always fits."""

    def __init__(self, recipe: Recipe, slots: Sequence[Slot]) -> None:
        self._recipe, self._slots = recipe, slots
        self._gradients: Sequence[Tensor] = ()

    def aim(self, gradients: Sequence[Tensor | None]) -> bool:
        self._gradients = [gradient for gradient in gradients if gradient is not None]
        return len(self._gradients) == len(self._slots)

    def sum_of_squares(self) -> float:
        return float(sum(map(_square, self._gradients)))

    def totals(self, measure: Rule, cohorts: Sequence[Values]) -> list[float]:
        by_slot = [
            _totals(self._recipe, measure, slot, gradient, cohorts[slot.cohort])
            for slot, gradient in zip(self._slots, self._gradients, strict=True)
        ]
        return [float(sum(column)) for column in zip(*by_slot, strict=True)]

    def run(self, cohorts: Sequence[Values]) -> None:
        for slot, gradient in zip(self._slots, self._gradients, strict=True):
            update(self._recipe, slot, gradient, cohorts[slot.cohort])

    def release(self) -> None:
        self._gradients = ()


def update(recipe: Recipe, slot: Slot, gradient: Tensor, values: Values) -> None:
    """One parameter, its state and perhaps its gradient, in place."""
    state = {name: real_view(slot.state[name]) for name in recipe.state}
    parameter, g = real_view(slot.parameter), real_view(_dense(gradient).resolve_conj())
    real = compute_dtype(parameter, g, *state.values())
    wide = {name: tensor.to(real) for name, tensor in state.items()}
    p = parameter.to(real)
    if COMPENSATION in wide:
        p = p + wide[COMPENSATION]
    new_p, new_state = _formula(recipe, p, _gradient(recipe, g.to(real), values), wide, values)
    rounded = _rounded(recipe, new_p, parameter.dtype)
    if COMPENSATION in wide:
        new_state[COMPENSATION] = new_p - rounded.to(real)
    if EMA in wide:
        ema = wide[EMA]
        new_state[EMA] = ema + values[EMA_WEIGHT] * (rounded.to(real) - ema)
    parameter.copy_(rounded)
    _keep(recipe, slot, new_state)
    if recipe.zeroing:
        gradient.zero_()


def _totals(
    recipe: Recipe, measure: Rule, slot: Slot, gradient: Tensor, values: Values
) -> tuple[Tensor, ...]:
    """What a rule of totals gives for one parameter."""
    state = [real_view(slot.state[name]) for name in measure.state]
    parameter, g = real_view(slot.parameter), real_view(_dense(gradient).resolve_conj())
    real = compute_dtype(parameter, g, *state)
    p, g, *wide = (tensor.to(real) for tensor in (parameter, g, *state))
    scalars = {name: values[name] for name in measure.scalars}
    given: tuple[Tensor, ...] = measure.formula(p, _gradient(recipe, g, values), *wide, **scalars)
    return given


def _dense(gradient: Tensor) -> Tensor:
    """A sparse gradient with the zeros that it leaves out."""
    return gradient if gradient.layout is torch.strided else gradient.to_dense()


def _gradient(recipe: Recipe, g: Tensor, values: Values) -> Tensor:
    if recipe.scaled:
        g = g * values[FACTOR]
    return -g if recipe.maximize else g


def _formula(
    recipe: Recipe, p: Tensor, g: Tensor, state: dict[str, Tensor], values: Values
) -> tuple[Tensor, dict[str, Tensor]]:
    """The new parameter and the new state that the rule keeps."""
    rule = recipe.rule
    scalars = {name: values[name] for name in rule.scalars}
    options = {name: name in recipe.options for name in rule.options}
    result = rule.formula(p, g, *map(state.get, rule.state), **scalars, **options)
    new_p, *new_state = result if isinstance(result, tuple) else (result,)
    kept = zip(rule.state, new_state, strict=True)
    return new_p, {name: value for name, value in kept if name in state}


def _rounded(recipe: Recipe, p: Tensor, dtype: torch.dtype) -> Tensor:
    return stochastic(p, dtype) if recipe.rounding == "stochastic" else p.to(dtype)


def _keep(recipe: Recipe, slot: Slot, state: dict[str, Tensor]) -> None:
    """Write the state in place, or beside the old one where that is still needed for gradients."""
    for name, value in state.items():
        kept = slot.state[name]
        if recipe.differentiable:
            slot.state[name] = torch.view_as_complex(value) if kept.is_complex() else value
        else:
            real_view(kept).copy_(value)


def _square(gradient: Tensor) -> Tensor:
    """The sum of the squares of one gradient, in double precision."""
    values = gradient.coalesce().values() if gradient.is_sparse else gradient
    wide = torch.complex128 if gradient.is_complex() else torch.float64
    norm: Tensor = torch.linalg.vector_norm(values, dtype=wide)
    return norm.square()
