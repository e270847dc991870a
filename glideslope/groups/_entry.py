"""The entry of one source in a shared key, and a group that it has not joined yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ._numbers import compounded


class Entry:
    """The ``values`` of one source, over the ``references`` that they were computed from.

    Attributes:
        references: the bases of the groups when the source joined them.
        values: the last values of the source.
        absolute: the values do not come from the bases.
        resets: it started from bases without the factors of the schedulers before it.
        edited: other code changed a group while the source was bound; the bases contain its factor.
        restored: its state was loaded, so its step is the run's.
        number: counts the entries in the order in which their sources were bound.
    """

    __slots__ = (
        "absolute",
        "edited",
        "number",
        "owner",
        "references",
        "resets",
        "restored",
        "values",
    )

    def __init__(
        self,
        owner: Callable[[], object],
        references: list[float],
        absolute: bool,
        resets: bool,
        number: int,
    ) -> None:
        self.owner, self.number = owner, number
        self.references = references
        self.values = list(references)
        self.absolute, self.resets = absolute, resets
        self.edited = self.restored = False

    def factor(self, group: int) -> float:
        """The factor on one group; 1 on a group its source has not joined."""
        if group >= len(self.values) or not self.references[group]:
            return 1.0
        return self.values[group] / self.references[group]


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A group that was added after the source had joined the others; see `SharedKey`.

    Args:
        index: its index among the groups that have the key.
        number: its index among all groups of the optimizer.
        group: the group.
        base: its own value or, if ``given``, the base noted in it.
        given: the group contains an ``"initial_lr"``.
    """

    index: int
    number: int
    group: Any
    base: float
    given: bool


def product(bases: list[float], entries: Iterable[Entry]) -> list[float]:
    """The bases times the factors of all entries."""
    for entry in entries:
        bases = compounded(bases, entry.values, entry.references)
    return bases
