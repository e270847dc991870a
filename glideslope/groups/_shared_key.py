"""One key of one optimizer, shared by its sources: a base times the product of their factors.

For each group the shared key keeps a **base**, the group's own value, and for each binding an
**entry**: its values and the reference they were computed from. A group holds ::

    base × Π value / reference        (over the entries)

so sources compose as the product of their factors, in any order, and each stays a closed form.

A value that other code writes between two steps is an **edit**: it changes the base, which remains
scheduled. A state that the optimizer loads is no edit: the bases stay those of the run, which each
group notes under ``"initial_<key>"`` (``"initial_lr"`` is torch's own), and the next write is
base times factors again. The factor of a deleted scheduler stays in the base, unless a later one
resets it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from math import isclose
from typing import Any, ClassVar
from weakref import WeakValueDictionary, finalize, ref

from glideslope.errors import InvalidType

from ._entry import Entry, NewGroup, product
from ._factors import Factors
from ._key_values import key_values
from ._loads import load_of, values_in_code
from ._notes import NOTE, note_base, noted_base
from ._numbers import undone
from ._port import Port, unwrapped


class SharedKey(Factors):
    """One key of one optimizer, for as long as the optimizer lives.

    `SharedKey.of` finds it. It holds weak references to the optimizer and the schedulers.

    Args:
        optimizer: see `Port`.
        key: the key, such as ``"lr"`` or ``"betas[0]"``.

    Example:
        >>> import torch
        >>> from glideslope.optim.lr_scheduler import StepLR
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        >>> halved, tenth = StepLR(optimizer, 1, gamma=0.5), StepLR(optimizer, 1, gamma=0.1)
        >>> optimizer.step(); halved.step(); tenth.step()
        >>> optimizer.param_groups[0]["lr"], SharedKey.of(optimizer).bases
        (0.025, [0.5])
    """

    __slots__ = (
        "__weakref__",
        "_given",
        "_list",
        "_notes",
        "_stale",
        "_syncs",
        "_unwatched",
        "_values",
        "groups",
        "in_code",
        "is_whole",
        "key",
        "port",
        "unsure",
    )

    _open: ClassVar[WeakValueDictionary[tuple[int, str], SharedKey]] = WeakValueDictionary()
    groups: Callable[[], list[Any]]  # the groups that have the key, as they are now

    def __init__(self, optimizer: Any, key: str) -> None:
        super().__init__()
        self.port = Port(optimizer)
        self.key = key
        self.unsure: dict[int, float] = {}  # noted bases that contradict a group's value
        self._notes: dict[int, float] = {}  # the bases noted in the groups
        self._given: set[int] = set()  # later groups that contained a base
        self._stale: set[int] = set()  # groups that hold loaded values
        self._values = key_values(key)
        self._unwatched = False
        self._syncs = hasattr(optimizer, "_sync_hyperparams")
        self._list = self.port.groups()
        self._find_groups()
        self._take_new(self.groups())
        # The values that the code had set before a state was loaded, if it was loaded before this.
        self.in_code = values_in_code(optimizer, self._values, len(self.bases))
        if hasattr(optimizer, "register_load_state_dict_post_hook"):
            optimizer.register_load_state_dict_post_hook(partial(_loaded, ref(self)))

    @classmethod
    def of(cls, optimizer: Any, key: str = "lr") -> SharedKey:
        """The shared key of this name of this optimizer.

        Raises:
            InvalidType: no group has such a key, or one whose ``"lr"`` is asked for lacks it.
        """
        optimizer = unwrapped(optimizer)
        shared = cls._open.get((id(optimizer), key))
        if shared is None or shared.port.optimizer is not optimizer:  # an id is used again
            shared = cls(optimizer, key)
            cls._open[id(optimizer), key] = shared
            with suppress(TypeError):  # an optimizer that allows no weak reference
                finalize(optimizer, _nothing, shared).atexit = False
        return shared

    @classmethod
    def is_driven(cls, optimizer: Any, key: str) -> bool:
        """True if a source is bound to this key, or to an element of it."""
        own = [
            (name, shared) for (owner, name), shared in cls._open.items() if owner == id(optimizer)
        ]
        entries = (e for name, s in own if name.partition("[")[0] == key for e in s._entries)
        return any(entry.owner() is not None for entry in entries)

    # Groups.

    def _find_groups(self) -> None:
        """Find the groups that have the key; only they are driven."""
        is_partial = not all(map(self._values.held_by, self.port.groups()))
        self.groups = self._holders if is_partial else self.port.groups
        self.is_whole = not is_partial and self.port.has_groups
        if not self.groups() or (is_partial and self.key == "lr"):
            self.refuse_missing()

    def _holders(self) -> list[Any]:
        return [group for group in self.port.groups() if self._values.held_by(group)]

    def refuse_missing(self) -> None:
        """Refuse a group that lacks the key.

        Raises:
            InvalidType: there is one.
        """
        for index, group in enumerate(self.port.groups()):
            if not self._values.held_by(group):
                held = ", ".join(sorted(map(str, group))) if isinstance(group, dict) else group
                rule = f"be in every parameter group; group {index} holds"
                raise InvalidType(f"`{self.key}` must {rule} {held}")

    # Binding and releasing.

    def free_bases(self, resets: bool = False) -> list[float]:
        """The base of each group, the factors of all bound sources divided out.

        With ``resets``, the factors of deleted schedulers are dropped as well.
        """
        self.observe()
        if resets:
            self.bases = list(self.origins)
        return list(self.bases)

    def bases_beside(self, entries: Sequence[Entry]) -> list[float]:
        """The bases times the factors of all other entries."""
        self.observe()
        return list(product(self.bases, [e for e in self._entries if e not in entries]))

    def join(self, owner: object, absolute: bool = False, resets: bool = False) -> Entry:
        """Bind a source with the factor 1: nothing changes until the first `post`."""
        find = ref(owner, partial(_absorb, ref(self)))
        self._count += 1
        entry = Entry(find, list(self.bases), absolute, resets, self._count)
        self._entries.append(entry)
        return entry

    def suspend(self, entry: Entry) -> None:
        """Set the factor of a source to 1; nothing is written."""
        self.observe()
        self._entries.remove(entry)

    def take_part(self, entry: Entry) -> None:
        """Include a suspended source again, with the factor 1 until the next `post`."""
        self.observe()
        entry.values = list(entry.references)
        self._entries.append(entry)

    def leave(self, entry: Entry) -> None:
        """Release a source; its factor stays in the bases, as that of a deleted one does."""
        entry.owner = _nothing
        self._absorb_deleted()

    def rebase(self, bases: Sequence[float]) -> None:
        """Set the bases, for a resumed scheduler."""
        self.observe()
        self.bases, self.origins = list(bases), list(bases)
        self.unsure.clear()

    def restore(self, entry: Entry, references: Sequence[float], values: list[float]) -> None:
        """Set an entry whose factor the groups' values contain already."""
        entry.references, entry.values = list(references), values
        self.bases = self._bases_of(self.observe(), references)
        self.origins = list(self.bases)
        self.unsure.clear()

    def claim(self, entry: Entry, references: Sequence[float], values: list[float]) -> list[float]:
        """Set an entry whose values the groups must hold, whatever the other factors."""
        self.observe()
        self._fit_bases(entry, references, values)
        self.unsure.clear()
        return self.flush()

    def _absorb_deleted(self) -> None:
        """Multiply the bases by the factors of deleted schedulers, unless a later one resets."""
        if self._fold_deleted() and self.port.optimizer is not None:
            self.observe()
            self.flush()

    # Reading and writing.

    @property
    def written(self) -> list[float]:
        """The numbers last written, or found by `observe`."""
        return self._values.written

    def observe(self) -> list[float]:
        """Absorb edits into the bases; return the values now in the groups."""
        groups = self.groups()
        if self._unwatched:
            return self._values.numbers(groups)
        is_known = groups is self._list and len(groups) == len(self.bases)
        if is_known and self._values.untouched(groups):
            return self._values.written
        if len(groups) > len(self.bases):
            self._find_groups()  # a later group may lack the key
            groups = self.groups()
        if self._list is not self.port.groups():
            self.take_loaded()
        elif not self._values.untouched(groups):
            self._take_edits(groups)
        return self._values.written

    def post(
        self, entry: Entry, values: list[float], groups: list[Any] | None = None
    ) -> list[float]:
        """Set an entry's ``values``, write the product into the groups, and return it.

        The same list object as last time is not written again, unless a group was touched since.

        Raises:
            InvalidValue: the product is not finite; nothing was written.
        """
        held = self._values
        if groups is None:
            groups = self.groups()
        if len(self._entries) != 1 or entry.references != self.bases:
            return self.post_all([(entry, values)])
        if values is entry.values or not held.swap(groups, values):
            if groups is not self._list or not held.untouched(groups):
                return self.post_all([(entry, values)])
            if values is entry.values and not self._stale:
                return held.written
            held.write(groups, values)
        entry.values = values
        if self._stale or self._syncs:
            self._wrote()
        return held.written

    def post_all(self, asked: Sequence[tuple[Entry, list[float]]]) -> list[float]:
        """Set the values of several entries at once, and write their product.

        Raises:
            InvalidValue: the product is not finite; nothing was written.
        """
        groups, values = self.groups(), self.due(asked)
        if not self._values.swap(groups, values):
            if groups is not self._list or not self._values.untouched(groups):
                self.observe()
                groups, values = self.groups(), self.due(asked)
            self._values.write(groups, values)
        for entry, own in asked:
            entry.values = own
        if self._stale or self._syncs:
            self._wrote()
        return self._values.written

    def flush(self) -> list[float]:
        """Write the product of the last values of all entries."""
        return self.post_all([])

    def _wrote(self) -> None:
        if self._stale:
            self._stale.clear()
        if self._syncs:
            self.port.sync()

    def edit(self, values: list[float]) -> list[float]:
        """Write ``values`` as a hand edit does; the bases absorb them."""
        groups = self.groups()
        values = values[: len(groups)]
        if self._unwatched:
            self._values.fill(groups, values)
            return values
        held = self._values.written
        if self._list is not self.port.groups() or not self._values.swap(groups, values):
            held = self.observe()
            self._values.write(groups, values)
        self._wrote()
        self._account(values, held)
        return values

    def take_written(self, entry: Entry, values_before: Callable[[], Sequence[float]]) -> None:
        """Count from earlier values of an entry, if other code has written just these: no edit."""
        groups = self.groups()
        if len(groups) != len(self.bases) or self._values.untouched(groups):
            return
        earlier = list(values_before())
        if all(map(isclose, self._values.numbers(groups), self.due([(entry, earlier)]))):
            entry.values = earlier

    @contextmanager
    def unwatched(self, values: list[float]) -> Iterator[None]:
        """Give the groups ``values``, for a scheduler that reads and writes them itself.

        Its writes are no edits; afterwards the groups hold their previous values again.
        """
        held, groups = self.observe(), self.groups()
        self._values.fill(groups, values)
        self._unwatched = True
        try:
            yield
        finally:
            self._unwatched = False
            self._values.fill(groups, held)

    def zeroed(self) -> bool:
        """True if other code has set every group to exactly 0."""
        return self._values.set_by_hand(self.groups(), 0.0)

    # Values written by other code, and groups added by it.

    def _take_edits(self, groups: list[Any]) -> None:
        """Set the bases so that the factors give the values that the groups hold."""
        if len(groups) < len(self.bases):
            self._forget(len(groups))
        known = len(self.bases)
        before = list(self._values.written)
        for group, value in enumerate(self._values.take(groups)[:known]):
            if value is None:
                continue
            if value:
                self._lift(group)
            near, factor = value, self._factor(group)
            if group in self._stale and before[group]:
                near = self.bases[group] * (value / before[group])  # of a step not known yet
                factor = 0.0
            self.bases[group] = self.origins[group] = undone(value, factor, near)
            self.unsure.pop(group, None)
            for entry in self._entries:
                entry.edited = True
        if len(groups) > known:
            self._take_new(groups)

    def _take_new(self, groups: list[Any]) -> None:
        """Record the bases of new groups."""
        first = not self.bases
        self._values.take(groups)
        held = self._values.written
        for group in range(len(self.bases), len(groups)):
            base, note = held[group], noted_base(groups[group], self.key)
            if note is not None and not first:
                self._given.add(group)
                base = note
            elif note is not None and note != base:
                base = self._first_base(group, base, note)
                if base == note:
                    self._stale.add(group)
            self.bases.append(base)
            self.origins.append(base)

    def _first_base(self, group: int, held: float, note: float) -> float:
        """The base of a group that notes a different one, when its key is first shared.

        A value of 0, or a loaded one, is progress of a run. If no load is known, the value was
        either loaded or set by hand; the first move of the clock decides, unless one of torch's
        schedulers is bound, whose progress it is.
        """
        load = load_of(self.port.optimizer, group)
        if held == 0 or (load is not None and self._values.held_by(load.after)):
            is_progress = held == 0 or self._values.numbers([load.after])[0] == held  # type: ignore[union-attr]
            return note if is_progress else held
        if not self.port.is_stepped_by_torch():
            self.unsure[group] = note
        return held

    def new_group(self, index: int) -> NewGroup:
        """A group that a source has not joined yet."""
        group = self.groups()[index]
        number = next(i for i, each in enumerate(self.port.groups()) if each is group)
        return NewGroup(index, number, group, self.bases[index], index in self._given)

    # Loaded states.

    def holds_loaded(self) -> bool:
        """True if a group still holds a loaded value."""
        return bool(self._stale)

    def take_loaded(self) -> None:
        """Absorb the values that a loaded state has put into the groups."""
        self._list = self.port.groups()
        self._find_groups()
        groups = self.groups()
        if len(groups) < len(self.bases):
            self._forget(len(groups))
        restored = self.is_restored
        if not restored:
            self._adopt(groups[: len(self.bases)])
        due = self.due([])
        self._values.take(groups)
        written = self._values.written
        self._stale = {group for group, value in enumerate(due) if value != written[group]}
        for group, base in self._notes.items() if not self._is_absolute() else ():
            if NOTE + self.key in groups[group]:
                note_base(groups[group], self.key, base)
        self._take_new(groups)
        if restored and self._stale:
            self.flush()

    def _adopt(self, groups: list[Any]) -> None:
        """Adopt the bases of a loaded run, unless a source is absolute."""
        if self._is_absolute():
            return
        for group, held in enumerate(self._values.numbers(groups)):
            note = noted_base(groups[group], self.key)
            is_same_run = note is not None and note == self._notes.get(group)
            if is_same_run or held == self.written[group] or (note is None and not held):
                continue
            self.bases[group] = self.origins[group] = held if note is None else note
            if note is not None:
                self._notes[group] = note

    def resume(self) -> None:
        """Adopt the noted bases where a group's value is progress of a resumed run."""
        for group, base in self.unsure.items():
            self.bases[group] = self.origins[group] = base
            for entry in self._entries:
                owner = entry.owner()
                if owner is not None and group < len(entry.references):
                    entry.references[group] = base
                    owner.rebase(group, base)  # type: ignore[attr-defined]
        self.unsure.clear()

    def begin(self) -> None:
        """Use each group's value as its base, with a warning where it notes another one."""
        for group, base in self.unsure.items():
            warnings.warn(
                f"parameter group {group} came with {self.key} = {self.bases[group]:g} and "
                f"{NOTE}{self.key} = {base:g}: the schedule starts from {self.bases[group]:g}; "
                f"set both to the same value to say which is meant",
                stacklevel=5,
            )
        self.unsure.clear()

    def note(self, bases: Sequence[float], first: int = 0) -> None:
        """Write the bases into the groups, where torch's schedulers and a resumed run read them."""
        groups = self.groups()
        for index in range(first, min(len(groups), len(bases))):
            if index not in self.unsure:
                self._notes[index] = bases[index]
                note_base(groups[index], self.key, bases[index])

    def noted(self) -> list[float | None]:
        """The base noted in each group, or None."""
        return [noted_base(group, self.key) for group in self.groups()]


def _nothing(*_: object) -> None:
    """The owner of a released entry; as a callback of `finalize` it keeps a key alive."""


def _absorb(find: Callable[[], SharedKey | None], _owner: object) -> None:
    """Called when the owner of an entry is deleted."""
    shared = find()
    if shared is not None:
        shared._absorb_deleted()


def _loaded(find: Callable[[], SharedKey | None], _optimizer: Any) -> None:
    """Called when the optimizer has loaded a state."""
    shared = find()
    if shared is not None:
        shared.take_loaded()
