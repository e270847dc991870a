"""The source of controllers: a factor on every group that a metric changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._sources import Plain


class Controller(Plain):
    """Factors that are state, not a function of the step: ``base · factor``."""

    depends_on_more = True

    def __init__(self) -> None:
        self.factors: list[float] = []
        """One for each group; groups beyond the list have the factor 1."""

    def values(self, _t: float, bases: list[float]) -> list[float]:
        """``base · factor`` for every group."""
        rest = bases[len(self.factors) :]
        pairs = zip(bases, self.factors)  # noqa: B905
        return [*(base * factor for base, factor in pairs), *rest]

    def has_changed(self) -> bool:
        """True if some group has another factor than 1."""
        return any(factor != 1 for factor in self.factors)

    def change(self, binding: Any, change: Callable[[list[float]], list[float]]) -> None:
        """Set the factors so that the rates are changed by ``change``.

        These rates are the groups' bases, hand edits included, times the present factors, without
        other schedulers' factors. The factor on a base of 0 stays.
        """
        bases = binding.shared.bases
        before = self.values(0, bases)
        self.factors = [
            new / base if base and new != old else factor
            for new, old, base, factor in zip(
                change(before), before, bases, self._all(len(bases)), strict=True
            )
        ]

    def _all(self, count: int) -> list[float]:
        return [*self.factors, *[1.0] * (count - len(self.factors))]
