"""The contract between optimizers and engines: recipes, slots, batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from glideslope.rules import Rule

from ._layout import real_count

Rounding = Literal["nearest", "stochastic", "compensated", "split", "split24"]
Values = Mapping[str, Any]
"""The scalars of one step by name."""

FACTOR, EMA_WEIGHT = "gradient_factor", "ema_weight"
"""Scalars of a step that belong to no rule: see `Recipe`."""
SEED = "seed"
"""The scalar of a step that stochastic rounding starts from: a number below 2^31."""
SKIP = "skip"
"""The scalar of a step that leaves everything as it is if it is 1, where a device decides that."""
COMPENSATION, EMA = "compensation", "ema"
"""State that belongs to no rule: see `Recipe`."""
REMAINDER = "remainder"
"""The state that holds the lower part of a parameter: see `joined`."""


def scale_of(name: str) -> str:
    """The name of the scales of a state that is held in 8 bits."""
    return f"{name}_scale"


@dataclass(frozen=True)
class Recipe:
    """Everything one pass does to an element that is known before the first step.

    Args:
        rule: the formula.
        options: the formula's active options.
        maximize: turn the gradient round first.
        scaled: multiply the gradient by the step's ``gradient_factor``: clipping, loss scaling.
        averaged: keep an exponential moving average of the parameter: the state ``ema`` moves
            towards the new parameter by the step's ``ema_weight``.
        zeroing: leave zero where the gradient was.
        rounding: how a parameter of 16 bits takes its new value: the nearest number, a random one
            of the two around it, or the nearest with the rest kept in the state ``compensation``;
            or it is the upper part of a wider number whose lower part is the state ``remainder``.
            State of 16 bits always takes a random one: a slow average that takes the nearest can
            rise but not fall.
        packed: the rule's state is held in 8 bits: codes under its names, and their scales.
        differentiable: gradients must be able to flow through the step.
    """

    rule: Rule
    options: frozenset[str]
    maximize: bool = False
    scaled: bool = False
    averaged: bool = False
    zeroing: bool = False
    rounding: Rounding = "nearest"
    packed: bool = False
    differentiable: bool = False

    @property
    def is_split(self) -> bool:
        """True if the parameter is the upper part of a number, its `REMAINDER` the lower one."""
        return self.rounding in ("split", "split24")

    @property
    def opened(self) -> Recipe:
        """The recipe for numbers that are in one part, of 16 bits or more."""
        if not (self.is_split or self.packed):
            return self
        return replace(self, rounding="nearest" if self.is_split else self.rounding, packed=False)

    @property
    def codes(self) -> tuple[str, ...]:
        """The names of the state that is held in 8 bits."""
        return self.rule.kept_state(self.options) if self.packed else ()

    @property
    def companions(self) -> tuple[str, ...]:
        """The names of the state that the pass keeps beside the rule's own."""
        kept = {
            COMPENSATION: self.rounding == "compensated",
            REMAINDER: self.is_split,
            EMA: self.averaged,
        }
        return tuple(name for name, wanted in kept.items() if wanted)

    @property
    def state(self) -> tuple[str, ...]:
        """The names of all state, the rule's first."""
        scales = map(scale_of, self.codes)
        return (*self.rule.kept_state(self.options), *self.companions, *scales)

    @property
    def averages(self) -> tuple[str, ...]:
        """The names of the state that is rounded stochastically where it has 16 bits."""
        exact = {COMPENSATION, REMAINDER, *map(scale_of, self.codes)}
        return tuple(name for name in self.state if name not in exact)

    @property
    def extras(self) -> tuple[str, ...]:
        """The scalars of a step that are used beside the rule's own."""
        wanted = {FACTOR: self.scaled, EMA_WEIGHT: self.averaged}
        return tuple(name for name, asked in wanted.items() if asked)

    @property
    def before(self) -> tuple[str, ...]:
        """The lines that make the numbers the rule takes of those that are stored."""
        return (
            *[f"p = p + {COMPENSATION}"] * (self.rounding == "compensated"),
            *[f"g = g * {FACTOR}"] * self.scaled,
            *["g = -g"] * self.maximize,
        )

    @property
    def after(self) -> tuple[str, ...]:
        """The lines that follow the rule and the rounding of its result."""
        return (f"{EMA} = {EMA} + {EMA_WEIGHT} * (p - {EMA})",) * self.averaged


class Whole(NamedTuple):
    """The sharded tensor that a slot holds a part of.

    Attributes:
        elements: the number of elements of all parts together.
        is_counted: this process adds its part to sums over elements; one that holds a copy of
            another process's part does not.
        sum: adds up vectors of numbers over the processes; each calls it the same number of times.
    """

    elements: int
    is_counted: bool
    sum: Callable[[Tensor], Tensor]


class Slot(NamedTuple):
    """One parameter as an engine sees it.

    Attributes:
        parameter: the parameter, or this process's part of it.
        state: its state by name.
        cohort: the number of its cohort.
        shares_memory: one of its tensors overlaps with another one that the step writes.
        whole: the sharded tensor that the parameter is a part of.
    """

    parameter: Tensor
    state: dict[str, Tensor]
    cohort: int
    shares_memory: bool = False
    whole: Whole | None = None

    @property
    def elements(self) -> int:
        """The number of real numbers in the whole parameter."""
        if self.whole is None:
            return real_count(self.parameter)
        return self.whole.elements * (2 if self.parameter.is_complex() else 1)

    def summed(self, totals: Tensor) -> Tensor:
        """Totals over the whole parameter, of totals over the part of each process."""
        if self.whole is None:
            return totals
        return self.whole.sum(totals if self.whole.is_counted else torch.zeros_like(totals))


class Batch(ABC):
    """Slots that one engine updates together, with whatever it has prepared for them.

    A step is ``aim``, then ``sum_of_squares`` if it is needed, then ``run`` unless the step is
    skipped, then ``release``.
    """

    @abstractmethod
    def aim(self, gradients: Sequence[Tensor | None]) -> bool:
        """Take this step's gradients; False if what was prepared does not suit them or the slots.

        A gradient that is None never suits.
        """

    def has_moved(self) -> bool:
        """True if some state is another tensor, or at another address, than at `prepare`."""
        return False

    def is_shared(self) -> bool:
        """True if other code holds a tensor of the state, and could move it."""
        return False

    @abstractmethod
    def sum_of_squares(self) -> float | Tensor:
        """The sum of the squares of all gradients, in double precision; perhaps on a device."""

    @abstractmethod
    def totals(self, measure: Rule, cohorts: Sequence[Values]) -> Sequence[float | Tensor]:
        """The totals that a measuring rule returns, added up over every slot.

        Its state is among that of the recipe's rule.
        """

    @abstractmethod
    def run(self, cohorts: Sequence[Values]) -> None:
        """Update every slot in place with the scalars of its cohort."""

    @abstractmethod
    def release(self) -> None:
        """Drop the references to the gradients."""


class Engine(ABC):
    """A way to run rules over tensors."""

    name: ClassVar[str]
    devices: ClassVar[frozenset[str]]
    """The types of the devices that it is made for; none if it runs on any."""
    is_on_device: ClassVar[bool] = False
    """True if its batches take scalars that are on the device, and give sums there."""

    @abstractmethod
    def reason_against(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> str | None:
        """Why this engine cannot run this slot, or None if it can."""

    @abstractmethod
    def kind(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> Hashable:
        """The key that slots of one batch share."""

    @abstractmethod
    def prepare(self, recipe: Recipe, slots: Sequence[Slot], gradients: Sequence[Tensor]) -> Batch:
        """Make ready to run slots of one kind, with gradients like these, any number of times."""


def compute_dtype(*tensors: Tensor) -> torch.dtype:
    """The dtype of the arithmetic: float64 if one of the tensors has it, else float32."""
    wide = {torch.float64, torch.complex128}
    return torch.float64 if any(tensor.dtype in wide for tensor in tensors) else torch.float32
