"""Bases of the groups, and the factors that multiply them: arithmetic, without an optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ._entry import Entry
from ._numbers import compounded, undone


class Factors:
    """The base of each group, and the entries whose factors multiply it.

    Attributes:
        bases: each group's value without the entries' factors.
        origins: each group's value without those of deleted schedulers either.
    """

    __slots__ = ("_count", "_entries", "bases", "origins")

    def __init__(self) -> None:
        self.bases: list[float] = []
        self.origins: list[float] = []
        self._entries: list[Entry] = []
        self._count = 0  # the entries so far

    def due(self, asked: Sequence[tuple[Entry, list[float]]]) -> list[float]:
        """The bases times the factors of all entries, some of them with other values."""
        values, instead = self.bases, dict(asked)
        for entry in self._entries:
            values = compounded(values, instead.get(entry, entry.values), entry.references)
        return values

    def extend(self, entry: Entry, value: float, keeps_value: bool) -> None:
        """Add the next group to ``entry``, with ``value``.

        With ``keeps_value`` the base is chosen so that the group keeps its value.
        """
        group = len(entry.values)
        entry.references.append(self.bases[group])
        entry.values = [*entry.values, value]
        if keeps_value:
            base = undone(self.bases[group], entry.factor(group), self.bases[group])
            self.bases[group] = self.origins[group] = base

    def _fit_bases(self, entry: Entry, references: Sequence[float], values: list[float]) -> None:
        """Set the bases so that the groups hold ``values``, which are those of ``entry``."""
        for group in range(len(self.bases)):
            self._lift(group)
        entry.references, entry.values = list(references), values
        bases = list(references)
        for other in self._entries:
            if other is not entry:
                bases = compounded(bases, other.references, other.values)
        self.bases, self.origins = bases, list(bases)

    def _fold_deleted(self) -> bool:
        """Multiply the bases by the factors of deleted schedulers, unless a later one resets.

        Returns True if a factor was dropped.
        """
        bound = [entry for entry in self._entries if entry.owner() is not None]
        deleted = [entry for entry in self._entries if entry.owner() is None]
        dropped = [entry for entry in deleted if not entry.edited and self._was_reset(entry)]
        self._entries = bound
        for entry in deleted:
            if entry not in dropped:
                self.bases = compounded(self.bases, entry.values, entry.references)
        return bool(dropped)

    @property
    def is_restored(self) -> bool:
        """True if a source has loaded a state, so that the bases are those of its run."""
        return any(entry.restored for entry in self._entries)

    def _is_absolute(self) -> bool:
        """True if a source is absolute and notes bases of its own."""
        return any(entry.absolute for entry in self._entries)

    def _was_reset(self, entry: Entry) -> bool:
        later = [other for other in self._entries if other.number > entry.number]
        return any(other.resets and other.owner() is not None for other in later)

    def _account(self, values: list[float], held: list[float]) -> None:
        """Set the bases so that the factors give ``values``; ``held`` are the previous values."""
        bases = list(values)
        if self._entries:
            kept = zip(values, held, self.bases)  # noqa: B905
            bases = self._bases_of(values, [base if new == old else new for new, old, base in kept])
        as_they_are = self.origins == self.bases
        self.origins = list(bases) if as_they_are else compounded(self.origins, bases, self.bases)
        self.bases = bases

    def _bases_of(self, values: Sequence[float], near: Sequence[float]) -> list[float]:
        """The bases that give ``values`` with the factors, ``near`` these; see `undone`."""
        if not self._entries:
            return list(values)
        guesses = [*near, *values[len(near) :]]
        for group, value in enumerate(values):
            if value:
                self._lift(group)
        return [
            undone(value, self._factor(group), guesses[group]) for group, value in enumerate(values)
        ]

    def _lift(self, group: int) -> None:
        """Replace factors of 0 by 1, until the next values, in groups whose value is not 0."""
        for entry in self._entries:
            if group < len(entry.values) and not entry.values[group] and entry.references[group]:
                rest = entry.values[group + 1 :]
                entry.values = [*entry.values[:group], entry.references[group], *rest]

    def _factor(self, group: int) -> float:
        return prod(entry.factor(group) for entry in self._entries)

    def _forget(self, count: int) -> None:
        """Drop the groups beyond the first ``count``, which were removed."""
        del self.bases[count:], self.origins[count:]
        for entry in self._entries:
            entry.references, entry.values = entry.references[:count], entry.values[:count]
