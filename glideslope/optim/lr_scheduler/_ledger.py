"""Who multiplies what: one ledger per optimizer and key, shared by all schedulers on it.

For each group the ledger keeps a **base**, and for each scheduler an **entry**: the values it asks
for and the reference it counts them from. What a group gets is ::

    base × Π value / reference        (over the entries)

so schedulers compose as the product of their factors, in any order, and each stays a closed form.
Whatever somebody else wrote since the last write (a hand edit, a loaded optimizer, a foreign
scheduler) is absorbed by the base, so it is respected and goes on being scheduled. A scheduler that
is gone leaves its last factor behind in the base, unless its successor starts anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from math import isclose, isfinite, prod
from typing import Any, ClassVar
from weakref import WeakValueDictionary, finalize, ref

from ._alike import compounded
from ._cells import cells_of
from ._port import Port


class Entry:
    """What one scheduler asks for (``values``), over what it counts from (``references``).

    With ``anew`` it started from bases without the factors of the schedulers before it. ``settled``
    says that somebody set the values by hand while it was at work: its factor is in them.
    """

    __slots__ = ("anew", "owner", "references", "settled", "values")

    def __init__(self, owner: Callable[[], object], references: list[float], anew: bool) -> None:
        self.owner = owner
        self.references = references
        self.values = list(references)
        self.anew = anew
        self.settled = False

    def factor(self, group: int) -> float:
        """The factor on one group; 1 on a group this scheduler has not joined."""
        if group >= len(self.values) or not self.references[group]:
            return 1.0
        return self.values[group] / self.references[group]


class Ledger:
    """The account of one key of one optimizer, for as long as the optimizer lives.

    `Ledger.of` finds it. It does not keep the optimizer alive, nor the schedulers.
    """

    __slots__ = (
        "__weakref__",
        "_cells",
        "_entries",
        "_lent",
        "_syncs",
        "bases",
        "groups",
        "origins",
        "port",
    )

    _open: ClassVar[WeakValueDictionary[tuple[int, str], Ledger]] = WeakValueDictionary()

    def __init__(self, optimizer: Any, key: str) -> None:
        self.port = Port(optimizer)
        self.groups = self.port.groups
        self.bases: list[float] = []  # what each group has without the entries' factors,
        self.origins: list[float] = []  # and without those that gone schedulers left either
        self._cells = cells_of(key, self.groups())
        self._entries: list[Entry] = []
        self._lent = False
        self._syncs = hasattr(optimizer, "_sync_hyperparams")
        self._absorb(self.groups())

    @classmethod
    def of(cls, optimizer: Any, key: str = "lr") -> Ledger:
        """The ledger of this key of this optimizer."""
        ledger = cls._open.get((id(optimizer), key))
        if ledger is None:
            ledger = cls._open[id(optimizer), key] = cls(optimizer, key)
            ledger._stay(optimizer)
        return ledger

    def _stay(self, optimizer: Any) -> None:
        """Live as long as the optimizer; where that cannot be told, as long as its schedulers."""
        with suppress(TypeError):
            finalize(optimizer, _let_go, self).atexit = False

    # Entering and leaving.

    def free_bases(self, anew: bool = False) -> list[float]:
        """What each group has without the factors of the living: the base of a newcomer.

        One that starts ``anew`` does without what the gone have left behind, too.
        """
        self.observe()
        if anew:
            self.bases = list(self.origins)
        return list(self.bases)

    def join(self, owner: object, references: Sequence[float], anew: bool = False) -> Entry:
        """Enter with the factor 1: nothing changes until the first `post`."""
        entry = Entry(ref(owner, partial(_part, ref(self))), list(references), anew)
        self._entries.append(entry)
        return entry

    def release(self, entry: Entry) -> None:
        """Leave, and take the factor along."""
        self._entries.remove(entry)

    def leave(self, entry: Entry) -> None:
        """Leave, and leave the factor behind, as one that is gone does."""
        entry.owner = _nobody
        self._bury()

    def rebase(self, bases: Sequence[float]) -> None:
        """Take these bases from now on, as an absolute or a resumed schedule asks."""
        self.observe()
        self.bases, self.origins = list(bases), list(bases)

    def restore(self, entry: Entry, references: Sequence[float], values: list[float]) -> None:
        """Set an entry whose factor is already in the values that the groups hold."""
        entry.references, entry.values = list(references), values
        self.bases = self._bases_of(self.observe(), references)
        self.origins = list(self.bases)

    def extend(self, entry: Entry, reference: float, value: float, base: float | None) -> None:
        """Let ``entry`` join the next group it does not know, asking for ``value``.

        With ``base`` that is the group's base; without, the group keeps the value it has.
        """
        group = len(entry.values)
        entry.references.append(reference)
        entry.values = [*entry.values, value]
        if base is None:
            base = _undone(self.bases[group], entry.factor(group), reference)
        self.bases[group] = self.origins[group] = base

    def _bury(self) -> None:
        """Fold the factors of the gone into the bases, or drop those that were started over."""
        living = [entry for entry in self._entries if entry.owner() is not None]
        gone = [entry for entry in self._entries if entry.owner() is None]
        over = [entry for entry in gone if not entry.settled and self._was_started_over(entry)]
        self._entries = living
        for entry in gone:
            if entry not in over:
                self.bases = compounded(self.bases, entry.values, entry.references)
        if over and self.port.optimizer is not None:
            self.observe()
            self._cells.write(self.groups(), self._product())
            if self._syncs:
                self.port.sync()

    def _was_started_over(self, entry: Entry) -> bool:
        later = self._entries[self._entries.index(entry) + 1 :]
        return any(other.anew and other.owner() is not None for other in later)

    # Reading and writing.

    @property
    def written(self) -> list[float]:
        """The numbers last written, or found by `observe`."""
        return self._cells.written

    def observe(self) -> list[float]:
        """Let the bases absorb what others wrote; return the values now in the groups."""
        groups = self.groups()
        if self._lent:
            return self._cells.numbers(groups)
        if not self._cells.untouched(groups):
            self._absorb(groups)
        return self._cells.written

    def post(
        self, entry: Entry, values: list[float], groups: list[Any] | None = None
    ) -> list[float]:
        """Ask for ``values``, write the product into the groups, and return what was written.

        The very list that was asked for last, in groups nobody touched since, is there already.

        Raises:
            InvalidValue: the product is not finite; nothing was written.
        """
        if groups is None:
            groups = self.groups()
        cells = self._cells
        alone = len(self._entries) == 1 and entry.references == self.bases
        if not alone or values is entry.values or not cells.swap(groups, values):
            if not cells.untouched(groups):
                self._absorb(groups)
                alone = alone and entry.references == self.bases
            elif values is entry.values:
                return cells.written
            cells.write(groups, values if alone else self._product(entry, values))
        if self._syncs:
            self.port.sync()
        entry.values = values
        return cells.written

    def due(self, entry: Entry, values: list[float]) -> list[float]:
        """What `post` would write, without writing it."""
        self.observe()
        return self._product(entry, values)

    def edit(self, values: list[float]) -> list[float]:
        """Write ``values`` outright, as a hand edit does; the bases absorb them."""
        groups = self.groups()
        values = values[: len(groups)]
        if self._lent:
            self._cells.fill(groups, values)
            return values
        held = self._cells.written
        if not self._cells.swap(groups, values):
            held = self.observe()
            self._cells.write(groups, values)
        if self._syncs:
            self.port.sync()
        self._account(values, held)
        return values

    def _account(self, values: list[float], held: list[float]) -> None:
        """Move the bases to where the factors give ``values``; ``held`` stood there before."""
        kept = zip(values, held, self.bases)  # noqa: B905
        near = [base if new == old else new for new, old, base in kept] if self._entries else []
        bases = self._bases_of(values, near)
        as_they_are = self.origins == self.bases
        self.origins = list(bases) if as_they_are else compounded(self.origins, bases, self.bases)
        self.bases = bases

    @contextmanager
    def lend(self, values: list[float]) -> Iterator[None]:
        """Let a scheduler that works on the groups themselves have them, holding ``values``.

        Meanwhile they count for nothing here; afterwards they hold again what they did.
        """
        held, groups = self.observe(), self.groups()
        self._cells.fill(groups, values)
        self._lent = True
        try:
            yield
        finally:
            self._lent = False
            self._cells.fill(groups, held)

    def _product(
        self, asking: Entry | None = None, values: list[float] | None = None
    ) -> list[float]:
        """What every group is due, if ``asking`` asks for ``values``."""
        product = self.bases
        for entry in self._entries:
            asked = values if values is not None and entry is asking else entry.values
            product = compounded(product, asked, entry.references)
        return product

    # What others did.

    def _absorb(self, groups: list[Any]) -> None:
        """Move the bases so that the factors give what the groups hold."""
        del self.bases[len(groups) :], self.origins[len(groups) :]
        for group, value in enumerate(self._cells.take(groups)):
            is_new = group >= len(self.bases)
            if value is not None or is_new:
                held = self._cells.written[group]
                base = _undone(held, self._factor(group), held)
                self.bases[group:] = [base, *self.bases[group + 1 :]]
                self.origins[group:] = [base, *self.origins[group + 1 :]]
            if value is not None and not is_new:
                for entry in self._entries:
                    entry.settled = True

    def _bases_of(self, values: Sequence[float], near: Sequence[float]) -> list[float]:
        """The bases that the factors make ``values`` of, ``near`` these; see `_undone`."""
        if not self._entries:
            return list(values)
        guesses = [*near, *values[len(near) :]]
        return [
            _undone(value, self._factor(group), guesses[group])
            for group, value in enumerate(values)
        ]

    def _factor(self, group: int) -> float:
        return prod(entry.factor(group) for entry in self._entries)


def _nobody() -> None:
    """The owner of an entry that was left."""


def _let_go(_ledger: Ledger) -> None:
    """Called when an optimizer is gone: nothing needs its ledger any more."""


def _part(find: Callable[[], Ledger | None], _owner: object) -> None:
    """Called when a scheduler is gone."""
    ledger = find()
    if ledger is not None:
        ledger._bury()


def _undone(value: float, factor: float, near: float) -> float:
    """The base that ``factor`` made ``value`` of: ``near`` if it is that but for rounding.

    A factor of 0 tells nothing of the base; then it is taken to be ``near``.
    """
    if not isfinite(factor) or not factor:
        return near
    base = value / factor
    return near if isclose(base, near, rel_tol=1e-12) else base
