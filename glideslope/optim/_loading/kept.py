"""Specification of one parameter's state, and the check of a saved entry against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from glideslope.engines import CODES, COMPENSATION, REMAINDER, REMAINDERS, scale_of, scale_shape
from glideslope.errors import shortened
from glideslope.rules import Rule

SLOW = "lookahead_slow"
"""The slow weights of `Lookahead`."""
COMPANIONS = ("ema", COMPENSATION, REMAINDER, SLOW)
"""The state that a wrapper, or arguments of all optimizers, switch on: see `Common`."""

Entry = Mapping[str, Any]
Shape = Sequence[int]


class Kept(NamedTuple):
    """The entries of one parameter's state under the hyperparameters of its group.

    Attributes:
        shapes: of all that may be kept, for options that are off too.
        counts: the entries that are one number, whatever the parameter is.
        needed: the entries that are kept under these hyperparameters.
        switches: the hyperparameter that switches an entry on, where there is one.
    """

    shapes: Mapping[str, Shape]
    counts: tuple[str, ...]
    needed: frozenset[str]
    switches: Mapping[str, str]

    @classmethod
    def by_rule(cls, rule: Rule, parameter: Tensor, group: Mapping[str, Any]) -> Kept:
        """The entries that a rule keeps for each element, and its counts."""
        shapes = dict.fromkeys((*rule.state, *COMPANIONS), parameter.shape)
        needed = {*rule.kept_state(rule.active_options(group)), *rule.counters}
        switches = {name: key.removeprefix("with_") for name, key in rule.only_if.items()}
        counts = tuple(dict.fromkeys((*rule.counters, "step")))  # that of stochastic rounding, too
        return cls(shapes, counts, frozenset(needed), switches)

    def with_shapes(self, shapes: Mapping[str, Shape], switches: Mapping[str, str]) -> Kept:
        """The same, and entries of these shapes, some of which a hyperparameter switches on."""
        return self._replace(
            shapes={**self.shapes, **shapes},
            needed=self.needed | shapes.keys(),
            switches={**self.switches, **switches},
        )

    def joined(self, saved: Kept, own: Kept, driven: frozenset[str]) -> Kept:
        """The entries that a saved state must have, and may.

        An entry of an option that was off when the state was saved, or is off in the code, may
        begin; so may that of an option that a schedule drives, which was off at its beginning.
        """
        begins = {
            name
            for name, key in self.switches.items()
            if key in driven or not {name} <= saved.needed & own.needed
        }
        shapes = {**saved.shapes, **self.shapes}
        counts = tuple(dict.fromkeys((*self.counts, *saved.counts)))
        return self._replace(shapes=shapes, counts=counts, needed=self.needed - begins)

    def problem(self, entry: Entry, parameter: Tensor, keeper: str) -> str | None:
        """The reason why a saved entry does not fit, or None."""
        scales = {scale_of(name) for name in entry.keys() & self.shapes.keys()}
        known = {*self.shapes, *self.counts}
        if foreign := sorted(map(str, entry.keys() - known - scales)):
            names = ", ".join(sorted(known))
            return f"{keeper} keeps {names} and has no use for {', '.join(foreign)}"
        begun = entry.keys() != {REMAINDER}  # which loaded weights leave before the first step
        if begun and (missing := sorted(self.needed - entry.keys())):
            return f"`{'`, `'.join(missing)}` {'are' if missing[1:] else 'is'} missing"
        told = ((name, self._misfit(name, entry, parameter, keeper)) for name in entry)
        return next((f"`{name}` {misfit}" for name, misfit in told if misfit), None)

    def _misfit(self, name: str, entry: Entry, parameter: Tensor, keeper: str) -> str | None:
        value = entry[name]
        if name in self.counts:
            return _misfit_of_count(value)
        shape = self.shapes.get(name, scale_shape(parameter.shape))
        found, wanted = tensor_of(value), tuple(shape)
        if found is None:
            return f"must be a tensor, got {shortened(value)}"
        if tuple(found.shape) != wanted:
            return f"has the shape {tuple(found.shape)}, {keeper} keeps {wanted}"
        if name == REMAINDER:
            is_known = found.dtype in REMAINDERS.values()
            return None if is_known else f"must be of 8 or 16 bits, got {found.dtype}"
        if found.dtype in CODES and scale_of(name) in entry:
            return None
        return _misfit_of_kind(found, parameter)


def _misfit_of_kind(found: Tensor, parameter: Tensor) -> str | None:
    is_fractional = found.is_floating_point() or found.is_complex()
    if found.is_complex() != parameter.is_complex() or not is_fractional:
        return f"is of {found.dtype}, its parameter of {parameter.dtype}"
    if found.layout is not torch.strided:
        return f"must be dense, got {found.layout}"
    return "has no data: it is on meta" if found.is_meta and not parameter.is_meta else None


def _misfit_of_count(value: Any) -> str | None:
    found = tensor_of(value)
    if found is not None and found.numel() == 1 and not (found.is_complex() or found.is_meta):
        return None
    return f"must be one real number, got {shortened(value)}"


def tensor_of(value: Any) -> Tensor | None:
    """A tensor, or the numbers of an array or of lists as one; None if they are none."""
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, int | float | list | tuple | np.ndarray | np.generic):
        return None
    try:
        return torch.tensor(value, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        return None
