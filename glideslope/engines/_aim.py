"""The tensors of a batch whose kernel takes addresses: checked before each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ._engine import Recipe, Slot
from ._layout import copy_laid_out_as, walk_alike
from ._memory import is_backed
from ._watch import StateWatch, Watch, addresses_of, first_places


class Aim:
    """Parameters, gradients and state of a batch, and the addresses of their elements.

    Args:
        recipe: what happens to an element.
        slots: the parameters and their state.
        gradients: gradients like those that will be taken.

    Attributes:
        parameters: the addresses of the parameters.
        states: those of each entry of the state in turn.
    """

    def __init__(self, recipe: Recipe, slots: Sequence[Slot], gradients: Sequence[Tensor]) -> None:
        self._tensors = [slot.parameter for slot in slots]
        self._watched = StateWatch([(slot.state, name) for name in recipe.state for slot in slots])
        firsts = first_places(gradients)
        # A gradient of two parameters is read by the second from a copy: the first may zero it.
        self._foreign = [
            i for i, g in enumerate(gradients) if firsts[i] != i or not _is_laid_out(g, slots[i])
        ]
        self._watch = Watch([*self._tensors, *gradients])
        self._gradients = gradients
        self._empty = sum(not parameter.numel() for parameter in self._tensors)
        self.parameters = addresses_of(self._tensors)
        self.states = self._watched.addresses

    def take(self, gradients: Sequence[Tensor | None]) -> list[int] | None:
        """The addresses of this step's gradients; None if they or the slots have changed."""
        if not self._watch.all_unchanged([*self._tensors, *gradients]):
            return None
        if addresses_of(self._tensors) != self.parameters:
            return None
        self._gradients = gradients  # type: ignore[assignment]
        aligned: list[Any] = list(gradients)
        if not all(is_backed(aligned[i]) for i in self._foreign):
            return None
        for i in self._foreign:
            aligned[i] = copy_laid_out_as(aligned[i], self._tensors[i])
        self._copies = [aligned[i] for i in self._foreign]
        addresses = addresses_of(aligned)
        return addresses if addresses.count(0) == self._empty else None  # one's memory was freed

    def has_moved(self) -> bool:
        """True if some state is another tensor, or at another address."""
        return self._watched.has_moved()

    def is_shared(self) -> bool:
        """True if other code holds a tensor of the state."""
        return self._watched.is_shared()

    def zero_copied(self) -> None:
        """Zero the gradients that the kernel has read from a copy."""
        for i in self._foreign:
            self._gradients[i].zero_()

    def release(self) -> None:
        """Drop the references to the gradients."""
        self._gradients, self._copies = (), []


def _is_laid_out(gradient: Tensor, slot: Slot) -> bool:
    lazy = gradient.is_conj() or gradient.is_neg()
    return walk_alike(gradient, slot.parameter) and not lazy
