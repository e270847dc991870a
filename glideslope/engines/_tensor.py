"""The tensor engine: the formula itself, called with tensors. The reference for all others.

It runs wherever torch does: any device and dtype, complex numbers as pairs of real ones, inside
`torch.compile`, and differentiably.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

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
from ._tensors import Tensors

CACHED = 1 << 16
"""Elements of lists that stay in a processor's cache, with all that is computed on the way."""


class TensorEngine(Engine):
    """Calls the rule with tensors, with many at a time where that is faster."""

    name = "tensor"

    def reason_against(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> str | None:
        return None

    def kind(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> Hashable:
        tensors = (slot.parameter, gradient, *(slot.state[name] for name in recipe.state))
        return gradient.device, *(tensor.dtype for tensor in tensors)

    def prepare(
        self, recipe: Recipe, slots: Sequence[Slot], gradients: Sequence[Tensor]
    ) -> TensorBatch:
        return TensorBatch(recipe, slots)


class TensorBatch(Batch):
    """Tensors of one dtype and device; nothing is prepared, so everything always fits."""

    def __init__(self, recipe: Recipe, slots: Sequence[Slot]) -> None:
        self._recipe, self._slots = recipe, slots
        self._lists = list(_lists(recipe, slots))
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
        for places in self._lists:
            slots = [self._slots[i] for i in places]
            gradients = [self._gradients[i] for i in places]
            update(self._recipe, slots, gradients, cohorts[slots[0].cohort])

    def release(self) -> None:
        self._gradients = ()


def _lists(recipe: Recipe, slots: Sequence[Slot]) -> Iterator[list[int]]:
    """Places of slots that are updated together: of one cohort, and few enough to stay in cache."""
    by_cohort: dict[int, list[int]] = defaultdict(list)
    for place, slot in enumerate(slots):
        by_cohort[slot.cohort].append(place)
    for places in by_cohort.values():
        together: list[int] = []
        elements = 0
        for place in places:
            parameter = slots[place].parameter
            elements += parameter.numel()
            if together and (recipe.differentiable or _is_too_much(elements, parameter)):
                yield together
                together, elements = [], parameter.numel()
            together.append(place)
        yield together


def _is_too_much(elements: int, parameter: Tensor) -> bool:
    """Whether lists of so many elements are slower than one tensor after the other."""
    return parameter.device.type == "cpu" and elements > CACHED


def update(
    recipe: Recipe, slots: Sequence[Slot], gradients: Sequence[Tensor], values: Values
) -> None:
    """Parameters of one cohort, their state and perhaps their gradients, in place."""
    state = {name: _joined([slot.state[name] for slot in slots]) for name in recipe.state}
    parameter = _joined([slot.parameter for slot in slots])
    g = _joined([_dense(gradient).resolve_conj() for gradient in gradients])
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
    if recipe.differentiable:
        _replace(slots[0], new_state)
    else:
        for name, value in new_state.items():
            state[name].copy_(value)
    if recipe.zeroing:
        for gradient in gradients:
            gradient.zero_()


def _joined(tensors: Sequence[Tensor]) -> Any:
    """One tensor as it is, several as one; complex ones as pairs of real numbers."""
    views = [real_view(tensor) for tensor in tensors]
    return views[0] if len(views) == 1 else Tensors(views)


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


def _gradient(recipe: Recipe, g: Any, values: Values) -> Any:
    if recipe.scaled:
        g = g * values[FACTOR]
    return -g if recipe.maximize else g


def _formula(
    recipe: Recipe, p: Any, g: Any, state: dict[str, Any], values: Values
) -> tuple[Any, dict[str, Any]]:
    """The new parameter and the new state that the rule keeps."""
    rule = recipe.rule
    scalars = {name: values[name] for name in rule.scalars}
    options = {name: name in recipe.options for name in rule.options}
    result = rule.formula(p, g, *map(state.get, rule.state), **scalars, **options)
    new_p, *new_state = result if isinstance(result, tuple) else (result,)
    kept = zip(rule.state, new_state, strict=True)
    return new_p, {name: value for name, value in kept if name in state}


def _rounded(recipe: Recipe, p: Any, dtype: torch.dtype) -> Any:
    if recipe.rounding != "stochastic":
        return p.to(dtype)
    if isinstance(p, Tensors):
        return Tensors([stochastic(each, dtype) for each in p.members])
    return stochastic(p, dtype)


def _replace(slot: Slot, state: dict[str, Tensor]) -> None:
    """Put new state beside the old, which is still needed for gradients."""
    for name, value in state.items():
        is_complex = slot.state[name].is_complex()
        slot.state[name] = torch.view_as_complex(value) if is_complex else value


def _square(gradient: Tensor) -> Tensor:
    """The sum of the squares of one gradient, in double precision."""
    values = gradient.coalesce().values() if gradient.is_sparse else gradient
    wide = torch.complex128 if gradient.is_complex() else torch.float64
    norm: Tensor = torch.linalg.vector_norm(values, dtype=wide)
    return norm.square()
