"""One source bound to one key of an optimizer's groups: joining, late groups, writing, resuming."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from ._entry import Entry, NewGroup
from ._names import group_names
from ._numbers import plain
from ._port import unwrapped
from ._shared_key import SharedKey


class Source(Protocol):
    """Gives the value of a key for every group.

    `glideslope.optim.lr_scheduler` has the sources: a schedule, a controller, a user's ``get_lr``.
    See the example of `Binding`.
    """

    @property
    def absolute(self) -> bool:
        """True if the values are the hyperparameter itself and come from no base."""

    @property
    def outright(self) -> bool:
        """True if the values contain all other factors already, so they replace the groups'."""

    @property
    def keeps_late_values(self) -> bool:
        """True if a group added later continues from the value it has, as in torch."""

    @property
    def resets(self) -> bool:
        """True if the source starts from bases without the factors of deleted schedulers."""

    @property
    def depends_on_more(self) -> bool:
        """True if the values depend on more than the step and the bases."""

    def values(self, t: float, bases: list[float]) -> list[float]:
        """The values of step ``t``: a new list, or the last one if nothing has changed."""

    def is_absolute(self, group: int) -> bool:
        """True if the values of this group do not come from its base."""

    def join(self, new: NewGroup) -> float:
        """Accept a group that was added later, and return its base."""


UNBOUND = object()
"""The value of ``bound_to`` without an optimizer; None may be given by a caller."""


class Binding:
    """Binds a source to a key of an optimizer's parameter groups.

    Args:
        key: the key, such as ``"lr"`` or ``"betas[0]"``.
        source: the source of the values.
        notes: True to note the bases in the groups, as ``"initial_lr"``.

    Example:
        >>> import torch
        >>> from glideslope.groups import Source, scaled
        >>> class Halving(Source):
        ...     absolute = outright = keeps_late_values = resets = depends_on_more = False
        ...     def values(self, t, bases):
        ...         return scaled(bases, 0.5**t)
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        >>> binding = Binding("lr", Halving())
        >>> binding.attach(optimizer, 0)
        >>> binding.write(binding.source.values(2, binding.bases))
        [0.125]

    Attributes:
        bases: the value of each group to which the source applies its factor.
        built: each group's own value when it joined.
        bound_to: the optimizer it is bound to; none before `attach`, and in a copy.
        entry: its entry in the key; None for a source that writes outright.
        takes_part: its factor is in the groups' values; False while another source has its turn.
    """

    __slots__ = (
        "__weakref__",
        "bases",
        "bound_to",
        "built",
        "entry",
        "key",
        "notes",
        "references",
        "shared",
        "source",
        "takes_part",
    )

    shared: SharedKey
    entry: Entry

    def __init__(self, key: str, source: Source, notes: bool = True) -> None:
        self.key, self.source, self.notes = key, source, notes
        self.bases: list[float] = []
        self.built: list[float] = []
        self.references: list[float] = []
        self.bound_to: Any = UNBOUND
        self.takes_part = True
        self.entry = None  # type: ignore[assignment]

    @property
    def is_bound(self) -> bool:
        """True once it is attached."""
        return self.bound_to is not UNBOUND

    def group_names(self) -> list[str]:
        """The names of the groups that have the key."""
        return group_names(self.shared.groups())

    # Joining.

    def attach(self, optimizer: Any, t: float) -> None:
        """Bind to an optimizer, unless bound to it already.

        The groups join with their own values. A copy keeps its bases, because the groups' values
        contain the factor of step ``t`` already.
        """
        if unwrapped(self.bound_to) is unwrapped(optimizer):
            return
        self.detach()
        self.shared = SharedKey.of(optimizer, self.key)
        is_copy = bool(self.references)
        self._join()
        self.bound_to = optimizer
        if is_copy and not self.source.outright:
            self._rejoin(t)

    def _rejoin(self, t: float) -> None:
        """Replace the original that this binding is a copy of."""
        self.entry.references, self.entry.values = list(self.references), list(self.references)
        if self.takes_part:
            self.shared.restore(self.entry, self.references, self.source.values(t, self.bases))
        else:
            self.shared.suspend(self.entry)

    def _join(self) -> None:
        bases = self.shared.free_bases(self.source.resets)
        if not self.references:
            self.bases = self.bases or list(bases)
            self.built = list(bases)
        if not self.source.outright:
            if not all(bases):  # from a base of 0 no factor can be computed
                absolute = map(self.source.is_absolute, range(len(bases)))
                pairs = zip(bases, absolute, strict=True)
                self.shared.bases = [base or float(is_absolute) for base, is_absolute in pairs]
            self.entry = self.shared.join(self, self.source.absolute, self.source.resets)
            if not self.references:
                self.references = self.entry.references
        if self.notes:
            self.shared.note(self.bases)

    def join_as_factor(self) -> None:
        """Treat a source that wrote its values outright as a factor from now on."""
        self.entry = self.shared.join(self, self.source.absolute, self.source.resets)
        self.references = list(self.bases)
        self.entry.references = list(self.bases)

    def detach(self) -> None:
        """Release the optimizer; the source's present factor stays in its values."""
        if self.bound_to is not UNBOUND and not self.source.outright:
            self.shared.leave(self.entry)
        self.bound_to = UNBOUND

    def refit(self, t: float) -> None:
        """Add new groups at step ``t``, and drop those that were removed."""
        self.shared.observe()
        count = len(self.shared.bases)
        if count < len(self.bases):
            self.bases, self.built = self.bases[:count], self.built[:count]
            self.references = self.references[:count]
        for group in range(len(self.bases), len(self.shared.bases)):
            new = self.shared.new_group(group)
            self.built = [*self.built, new.base]
            self.bases = [*self.bases, self.source.join(new)]
            if not self.source.outright:
                keeps = self.source.keeps_late_values and not new.given
                self._extend(group, self.source.values(t, self.bases)[group], keeps)
            if self.notes:  # from a lower rate of 0 nothing can be computed
                self.shared.note([*self.bases[:group], self.bases[group] or new.base], group)

    def _extend(self, group: int, value: float, keeps: bool) -> None:
        self.shared.extend(self.entry, value, keeps)
        if keeps:
            base = self.shared.bases[group]
            self.bases = [*self.bases[:group], base]
            self.entry.values = [*self.entry.values[:group], base * self.entry.factor(group)]
            self.entry.references[group] = base
        self.references = self.entry.references

    # Values.

    def due(self, optimizer: Any, t: float, before: float) -> list[float]:
        """The values of step ``t``, after late groups have joined at step ``before``."""
        if self.bound_to is not optimizer:
            self.attach(optimizer, before)
        shared = self.shared
        groups = optimizer.param_groups if shared.is_whole else shared.groups()
        if len(groups) != len(self.bases):
            self.refit(before)
        return self.source.values(t, self.bases)

    def take_written(self, t: float) -> None:
        """Count what other code wrote from step ``t``, if it wrote the values of that step."""
        if self.entry is not None:
            self.shared.take_written(self.entry, lambda: self.source.values(t, self.bases))

    def follow(self, optimizer: Any, t: float) -> None:
        """Bind to the present optimizer and its present groups at step ``t``."""
        if self.bound_to is not optimizer:
            self.attach(optimizer, t)
        if len(self.shared.groups()) != len(self.bases):
            self.refit(t)

    def write(self, values: Any, groups: list[Any] | None = None) -> list[float]:
        """Write the product of ``values`` with all other factors, and return what was written."""
        if self.source.outright:
            return self.shared.edit(plain(values))
        return self.shared.post(self.entry, values, groups)

    # Turns: a source takes part, or is suspended while another one drives the key.

    def suspend(self) -> None:
        """Remove the factor until `take_part`, while another source has its turn."""
        if not self.source.outright and self.takes_part:
            self.takes_part = False
            if self.is_bound:
                self.shared.suspend(self.entry)

    def take_part(self) -> None:
        """Apply the factor again, over the present references."""
        if not self.source.outright and not self.takes_part:
            self.takes_part = True
            self.entry.references = list(self.references)
            self.shared.take_part(self.entry)

    # Resuming.

    def rebase(self, group: int, base: float) -> None:
        """Set the base of one group, whose run turned out to be a resumed one."""
        if not self.source.absolute:
            self.bases = [*self.bases[:group], base, *self.bases[group + 1 :]]
            self.built = [*self.built[:group], base, *self.built[group + 1 :]]

    def count_from(self, bases: Sequence[float]) -> None:
        """Take the bases of a loaded state; groups that it does not contain keep theirs."""
        self.bases = [*bases, *self.bases[len(bases) :]][: len(self.bases) or len(bases)]
        if not self.source.absolute:
            self.references = list(self.bases)

    def restore(self, t: float) -> None:
        """Take part with the factor of step ``t``, which the groups' values contain already."""
        if self.source.outright:
            return
        self.take_part()
        values = self.source.values(t, self.bases)
        self.shared.restore(self.entry, self.references, values)
        self.entry.restored = True

    def claim(self, values: Any) -> list[float]:
        """Write exactly ``values``; the bases absorb all factors."""
        if self.source.outright:
            return self.shared.edit(plain(values))
        self.take_part()
        return self.shared.claim(self.entry, self.references, values)

    def resume(
        self, t: float, bases: Sequence[float] = (), scales: Sequence[float] = ()
    ) -> list[float]:
        """Resume at step ``t`` from ``bases``, whatever values the groups hold.

        Args:
            t: the step.
            bases: the bases; the present ones unless given.
            scales: for each group, the reference over the base, which hand edits change; 1 unless
                given.
        """
        self.count_from(bases)
        scales = [*scales, *[1.0] * (len(self.references) - len(scales))]
        self.shared.rebase([r * scale for r, scale in zip(self.references, scales)])  # noqa: B905
        self.take_part()
        self.entry.references = list(self.references)
        self.entry.restored = True
        if self.notes:
            self.shared.note(self.bases)
        return self.write(self.source.values(t, self.bases))

    def scales(self) -> list[float]:
        """For each group, the reference over the base, which hand edits change."""
        self.shared.observe()
        pairs = zip(self.shared.bases, self.references)  # noqa: B905
        return [
            1.0 if base == reference or not reference else base / reference
            for base, reference in pairs
        ]

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the references to this optimizer, for copies and pickles."""
        kept = ("bases", "built", "key", "notes", "references", "source", "takes_part")
        return {name: list(v) if isinstance(v := getattr(self, name), list) else v for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.bound_to, self.entry = UNBOUND, None  # type: ignore[assignment]
        for name, value in state.items():
            setattr(self, name, value)


Due = tuple[Binding, list[float]]
"""A binding, and the values for it to write."""


def write_all(due: Iterable[Due]) -> None:
    """Write the values of several bindings, each key once, as `Binding.write` does for one.

    Args:
        due: each binding with its values; see `Binding`.
    """
    by_key: dict[SharedKey, list[tuple[Entry, list[float]]]] = {}
    for binding, values in due:
        if binding.entry is None:
            binding.write(values)
        elif binding.shared in by_key:
            by_key[binding.shared].append((binding.entry, values))
        else:
            by_key[binding.shared] = [(binding.entry, values)]
    for shared, asked in by_key.items():
        shared.post_all(asked)


def due_values(shared: SharedKey, due: Iterable[Due]) -> list[float]:
    """The values that `write_all` would write into one key; see `Binding`.

    Args:
        shared: the key.
        due: each binding with its values; those of other keys are left out.
    """
    asked = [(binding, values) for binding, values in due if binding.shared is shared]
    outright = [values for binding, values in asked if binding.source.outright]
    if outright:
        return plain(outright[-1])
    return shared.due([(binding.entry, values) for binding, values in asked])
