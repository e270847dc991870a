"""The local parts of sharded parameters, which a plan updates as if they were tensors of their own.

A part is a plain tensor: the shard of a parameter, of its gradient or of an entry of its state. The
state stays sharded as its parameter is, so that torch's distributed checkpoint finds in it the
tensors it knows.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from operator import is_
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from glideslope.distributed import Reduction, aligned, is_sharded, layout_of, shard
from glideslope.engines import Recipe, Whole, addresses_of, is_plain, runs_on_parts

from .counters import State


class Local(NamedTuple):
    """The tensors of one parameter that an engine works on.

    Attributes:
        parameter: the parameter, or its shard.
        gradient: its gradient, or the shard of that.
        state: its state by name, or the shards of that.
        whole: the sharded tensor that they are parts of.
        is_counted: this process adds the parameter to sums over all parameters.
        layout: equal for parameters that are sharded alike.
    """

    parameter: Tensor
    gradient: Tensor
    state: State
    whole: Whole | None = None
    is_counted: bool = True
    layout: Hashable = None


def local_part(
    recipe: Recipe,
    parameter: Tensor,
    gradient: Tensor,
    state: State,
    reduction: Reduction | None,
) -> Local:
    """The tensors that an engine works on: shards, or the whole if nothing is sharded.

    A rule that no engine can run on parts is given the sharded tensors, as torch's operations take
    them: these make their own sums over all parts.
    """
    if reduction is None:
        return Local(parameter, gradient, state)
    layout = layout_of(parameter)
    if not is_sharded(parameter) or not runs_on_parts(recipe) or not is_plain(shard(parameter)):
        return Local(parameter, gradient, state, None, reduction.is_first, layout)
    is_counted = reduction.counts(parameter)
    whole = Whole(parameter.numel(), is_counted, reduction.sum)
    own = shard(aligned(gradient, parameter))
    parts = {name: shard(state[name]) for name in recipe.state}
    return Local(shard(parameter), own, parts, whole, is_counted, layout)


class Watched(NamedTuple):
    """A sharded parameter and its state, and the parts of both that a plan updates."""

    position: int
    parameter: Tensor
    state: State
    local: Local


class Parts:
    """The parts that a plan updates, and the sharded tensors that they are parts of."""

    def __init__(self, watched: Sequence[Watched]) -> None:
        self._watched = watched
        self._shapes = [each.local.parameter.shape for each in watched]
        self._addresses = addresses_of([each.local.parameter for each in watched])
        self._copied: list[Tensor] = []

    def are_in_place(self) -> bool:
        """True if every parameter and every entry of its state holds the part that it held."""
        if not self._watched:
            return True
        parts = [shard(each.parameter) for each in self._watched]
        return (
            [part.shape for part in parts] == self._shapes
            and np.array_equal(addresses_of(parts), self._addresses)
            and all(map(_holds_its_parts, self._watched))
        )

    def of(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The parts of gradients; those of parameters that are not taken apart as they are."""
        parts, self._copied = list(gradients), []
        for each in self._watched:
            gradient = parts[each.position]
            if gradient is not None:
                parts[each.position] = self._part(gradient, each.parameter)
        return parts

    def _part(self, gradient: Tensor, parameter: Tensor) -> Tensor:
        own = aligned(gradient, parameter)
        if own is not gradient:
            self._copied.append(gradient)
        return shard(own)

    def zero_copied(self) -> None:
        """Zero the gradients whose parts were copies: the engines have zeroed the others."""
        for gradient in self._copied:
            shard(gradient).zero_()

    def release(self) -> None:
        """Drop the references to the gradients."""
        self._copied = []


def _holds_its_parts(watched: Watched) -> bool:
    """True if the entries of a state hold the parts that they held; their lookup is not noted."""
    kept: list[Any] = [dict.get(watched.state, name) for name in watched.local.state]
    return all(map(is_, map(shard, kept), watched.local.state.values()))
