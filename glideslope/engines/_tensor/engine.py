"""The tensor engine: torch's own operations, on any device and dtype.

Many tensors are updated at a time, see `ListProgram`. Where gradients must flow through the step,
and inside `torch.compile`, the formula itself is called with one tensor after the other: that is
the reference for all else. Complex numbers are pairs of real ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from functools import cache, cached_property, partial
from typing import Any

import torch
from torch import Tensor

from glideslope.errors import InvalidValue
from glideslope.rules import Rule

from .._eight_bits import packed
from .._engine import (
    COMPENSATION,
    EMA,
    EMA_WEIGHT,
    FACTOR,
    SEED,
    Batch,
    Engine,
    Recipe,
    Slot,
    Values,
    compute_dtype,
)
from .._layout import is_plain, real_view
from .._watch import StateWatch, Watch, addresses_of
from .lists import ListProgram
from .norms import squares_of
from .rounding import generator_of, is_narrow, stochastic
from .storage import close, close_lists, opened, opened_dtypes, opened_lists

CACHED = 1 << 16
"""Elements of lists that stay in a processor's cache, with all that is computed on the way."""


class TensorEngine(Engine):
    """Runs a rule as operations of torch."""

    name = "tensor"
    devices = frozenset()

    def reason_against(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> str | None:
        return None

    def kind(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> Hashable:
        tensors = (slot.parameter, gradient, *(slot.state[name] for name in recipe.state))
        return gradient.device, is_plain(*tensors), *(tensor.dtype for tensor in tensors)

    def prepare(
        self, recipe: Recipe, slots: Sequence[Slot], gradients: Sequence[Tensor]
    ) -> TensorBatch:
        return TensorBatch(recipe, slots, gradients)


class TensorBatch(Batch):
    """Tensors of one dtype and device; they are watched only for what no operation survives."""

    def __init__(self, recipe: Recipe, slots: Sequence[Slot], gradients: Sequence[Tensor]) -> None:
        self._recipe, self._slots = recipe, slots
        self._parameters = [slot.parameter for slot in slots]
        self._watch = Watch([*self._parameters, *gradients])
        self._addresses = addresses_of(self._parameters)
        self._without = addresses_of(gradients).count(0)
        self._states = StateWatch([(s.state, name) for name in recipe.state for s in slots])
        self._groups = _groups(slots)
        self._gradients: Sequence[Tensor] = ()

    def aim(self, gradients: Sequence[Tensor | None]) -> bool:
        self._gradients = [gradient for gradient in gradients if gradient is not None]
        return (
            self._watch.all_unchanged([*self._parameters, *gradients])
            and addresses_of(self._parameters) == self._addresses
            and addresses_of(self._gradients).count(0) == self._without
        )

    def has_moved(self) -> bool:
        return not self._recipe.differentiable and self._states.has_moved()

    def is_shared(self) -> bool:
        return self._states.is_shared()

    def sum_of_squares(self) -> float:
        return float(squares_of(self._gradients))

    def totals(self, measure: Rule, cohorts: Sequence[Values]) -> list[float]:
        by_slot = [
            _totals(self._recipe, measure, slot, gradient, cohorts[slot.cohort])
            for slot, gradient in zip(self._slots, self._gradients, strict=True)
        ]
        return [float(sum(column)) for column in zip(*by_slot, strict=True)]

    def run(self, cohorts: Sequence[Values]) -> None:
        program = _chosen_program(self._recipe, self._slots[0], self._gradients[0])
        if program:
            self._run_lists(program, cohorts)
        else:
            first = self._slots[0]
            noise = _Noise(self._recipe, first.parameter.device, cohorts[first.cohort])
            for slot, gradient in zip(self._slots, self._gradients, strict=True):
                update(self._recipe, slot, gradient, cohorts[slot.cohort], noise)

    def _run_lists(self, program: ListProgram, cohorts: Sequence[Values]) -> None:
        recipe = self._recipe
        lists = dict(_lists(recipe, self._slots, self._gradients))
        real = compute_dtype(*(tensors[0] for tensors in lists.values()))
        noise = _Noise(recipe, lists["p"][0].device, cohorts[self._slots[0].cohort])
        rounded = partial(noise.rounded, self._slots[0].parameter.dtype)
        summed = self._slots[0].summed
        for cohort, groups in self._groups.items():
            run = program.bound(cohorts[cohort], real, rounded, noise.stored, summed)
            for places in groups:
                elements = [self._slots[i].elements for i in places]
                own = {name: [tensors[i] for i in places] for name, tensors in lists.items()}
                given = opened_lists(recipe, own)
                run([*given.values()], elements)
                close_lists(recipe, own, given, noise.packed)
        if recipe.zeroing:
            torch._foreach_zero_([*self._gradients])

    def release(self) -> None:
        self._gradients = ()


def _groups(slots: Sequence[Slot]) -> dict[int, list[list[int]]]:
    """The places of slots that are updated together, by cohort: few enough to stay in cache.

    They are the same on every process, since each makes the same sums: whole tensors count.
    """
    by_cohort: dict[int, list[list[int]]] = defaultdict(list)
    elements: dict[int, int] = {}
    for place, slot in enumerate(slots):
        elements[slot.cohort] = elements.get(slot.cohort, 0) + slot.elements
        if _is_too_much(elements[slot.cohort], slot.parameter) or not by_cohort[slot.cohort]:
            by_cohort[slot.cohort].append([])
            elements[slot.cohort] = slot.elements
        by_cohort[slot.cohort][-1].append(place)
    return by_cohort


def _is_too_much(elements: int, parameter: Tensor) -> bool:
    """True if lists of so many elements are slower than one tensor after the other."""
    return parameter.device.type == "cpu" and elements > CACHED


def _chosen_program(recipe: Recipe, slot: Slot, gradient: Tensor) -> ListProgram | None:
    """The program for lists of such tensors, or None if the formula itself must be called."""
    own = {"p": slot.parameter, "g": gradient, **{name: slot.state[name] for name in recipe.state}}
    if recipe.differentiable or not is_plain(*own.values()):
        return None
    real = compute_dtype(*own.values())
    dtypes = opened_dtypes(recipe, own)
    wide = (name for name, dtype in dtypes.items() if dtype.to_real() != real)
    return _program(recipe.opened, frozenset(wide))


def runs_on_parts(recipe: Recipe) -> bool:
    """True if every engine can update a part of a tensor, with sums over all of its parts."""
    return not recipe.differentiable and _program(recipe.opened, frozenset()) is not None


@cache
def _program(recipe: Recipe, wide: frozenset[str]) -> ListProgram | None:
    """The program of a recipe, or None if its rule uses a function that lists do not have."""
    try:
        return ListProgram(recipe, wide)
    except InvalidValue:
        return None


def _tensors(recipe: Recipe, slot: Slot, gradient: Tensor) -> dict[str, Tensor]:
    """The arrays of a recipe as torch's operations take them."""
    state = {name: slot.state[name] for name in recipe.state}
    arrays = {"p": slot.parameter, "g": _dense(gradient), **state}
    return {name: real_view(tensor) for name, tensor in arrays.items()}


def _lists(
    recipe: Recipe, slots: Sequence[Slot], gradients: Sequence[Tensor]
) -> Iterator[tuple[str, list[Tensor]]]:
    """Parameters, gradients and each state by name, as torch's operations take them."""
    yield "p", _real_views([slot.parameter for slot in slots])
    yield "g", _real_views([_dense(gradient) for gradient in gradients])
    for name in recipe.state:  # past the entry's own lookup, which is noted
        yield name, _real_views([dict.__getitem__(slot.state, name) for slot in slots])


def _real_views(tensors: list[Tensor]) -> list[Tensor]:
    return [real_view(tensor) for tensor in tensors] if tensors[0].is_complex() else tensors


class _Noise:
    """The rounding of one step: the same numbers each time that the step is taken."""

    def __init__(self, recipe: Recipe, device: torch.device, values: Values) -> None:
        self._is_stochastic = recipe.rounding == "stochastic"
        self._device, self._seed = device, values[SEED]

    @cached_property
    def _generator(self) -> torch.Generator | None:
        return generator_of(self._device, self._seed)

    def rounded(self, dtype: torch.dtype, p: Tensor) -> Tensor:
        """A parameter as it will be stored, in the dtype of the arithmetic."""
        narrow = stochastic(p, dtype, self._generator) if self._is_stochastic else p.to(dtype)
        return narrow.to(p.dtype)

    def packed(self, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """A state in 8 bits: codes and scales."""
        return packed(x, dtype, self._generator)

    def stored(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """An average as it is stored."""
        # No generator without need: none can be made inside a graph.
        return stochastic(x, dtype, self._generator) if is_narrow(dtype) else x.to(dtype)


def update(
    recipe: Recipe, slot: Slot, gradient: Tensor, values: Values, noise: _Noise | None = None
) -> None:
    """One parameter and its state by the formula itself, in place."""
    noise = noise or _Noise(recipe, gradient.device, values)
    own = _tensors(recipe, slot, gradient)
    arrays = opened(recipe, own)
    real = compute_dtype(*arrays.values())
    p, g, *state = (tensor.to(real) for tensor in arrays.values())
    wide = dict(zip(recipe.opened.state, state, strict=True))
    if COMPENSATION in wide:
        p = p + wide[COMPENSATION]
    new_p, new_state = _formula(recipe, p, _gradient(recipe, g, values), wide, values)
    rounded = noise.rounded(arrays["p"].dtype, new_p)
    if COMPENSATION in wide:
        new_state[COMPENSATION] = new_p - rounded
    if EMA in wide:
        new_state[EMA] = wide[EMA] + values[EMA_WEIGHT] * (rounded - wide[EMA])
    arrays["p"].copy_(rounded)
    if recipe.differentiable:
        _replace(slot, new_state)
    else:
        for name, value in new_state.items():
            is_average = name in recipe.averages
            arrays[name].copy_(noise.stored(value, arrays[name].dtype) if is_average else value)
    close(recipe, own, arrays, noise.packed)
    if recipe.zeroing:
        gradient.zero_()


def _totals(
    recipe: Recipe, measure: Rule, slot: Slot, gradient: Tensor, values: Values
) -> tuple[Tensor, ...]:
    """The totals of a measuring rule for one parameter."""
    arrays = opened(recipe, _tensors(recipe, slot, gradient))
    names = ("p", "g", *measure.state)
    real = compute_dtype(*(arrays[name] for name in names))
    p, g, *wide = (arrays[name].to(real) for name in names)
    scalars = {name: values[name] for name in measure.scalars}
    given: tuple[Tensor, ...] = measure.formula(p, _gradient(recipe, g, values), *wide, **scalars)
    return given


def _dense(gradient: Tensor) -> Tensor:
    """A gradient with nothing left out and nothing put off: zeros, conjugation."""
    plain = gradient if gradient.layout is torch.strided else gradient.to_dense()
    return plain.resolve_conj()


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


def _replace(slot: Slot, state: dict[str, Tensor]) -> None:
    """Put new state beside the old, which is still needed for gradients."""
    for name, value in state.items():
        is_complex = slot.state[name].is_complex()
        slot.state[name] = torch.view_as_complex(value) if is_complex else value
