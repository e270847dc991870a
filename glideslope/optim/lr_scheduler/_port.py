"""What a scheduler drives: the parameter groups of an optimizer, or a plain attribute ``lr``.

A `Port` sees any optimizer as a list of groups; a `Field` reads and writes one key of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from weakref import ref

from torch import Tensor

from glideslope.errors import InvalidType, require_type


class Group(Protocol):
    """What is asked of a parameter group; torch's are dictionaries."""

    def __contains__(self, key: object, /) -> bool: ...
    def __getitem__(self, key: str, /) -> Any: ...
    def __setitem__(self, key: str, value: Any, /) -> None: ...


class AttributeGroup:
    """The single group of an optimizer that keeps its hyperparameters as attributes.

    What the optimizer does not have, such as ``initial_lr``, is kept here.
    """

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find
        self._notes: dict[str, Any] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._notes or (isinstance(key, str) and hasattr(self._find(), key))

    def __getitem__(self, key: str) -> Any:
        if key in self:
            return self._notes[key] if key in self._notes else getattr(self._find(), key)
        raise KeyError(key)

    def __setitem__(self, key: str, value: Any) -> None:
        optimizer = self._find()
        if hasattr(optimizer, key):
            setattr(optimizer, key, value)
        else:
            self._notes[key] = value


class Port:
    """One optimizer as a list of groups, read anew each time: loading a state replaces them.

    It does not keep the optimizer alive; the schedulers on it do.

    Raises:
        InvalidType: the optimizer has neither ``param_groups`` nor ``lr``.
    """

    def __init__(self, optimizer: Any) -> None:
        has_groups = hasattr(optimizer, "param_groups")
        rule = "have `param_groups`, a list of dictionaries with an 'lr', or a plain `lr`"
        require_type(has_groups or hasattr(optimizer, "lr"), "optimizer", rule, optimizer)
        self._find = _finder(optimizer)
        self._groups: list[Group] | None = None if has_groups else [AttributeGroup(self._find)]

    @property
    def optimizer(self) -> Any:
        """The optimizer, or None when it is gone."""
        return self._find()

    def groups(self) -> list[Any]:
        """The groups as they are now."""
        return self._find().param_groups if self._groups is None else self._groups

    def sync(self) -> None:
        """Tell an optimizer that wants to know that its hyperparameters have changed."""
        self._find()._sync_hyperparams()


def _finder(optimizer: Any) -> Callable[[], Any]:
    """A weak reference, or what serves as one for the few that allow none."""
    try:
        return ref(optimizer)
    except TypeError:
        return lambda: optimizer


class Field:
    """One key of every group, such as ``"lr"``: numbers are replaced, tensors filled in place."""

    def __init__(self, key: str) -> None:
        self.key = key

    def read(self, groups: Iterable[Any]) -> list[Any]:
        """What the groups hold: numbers or tensors."""
        key = self.key
        return [group[key] for group in groups]

    def store(self, groups: Iterable[Any], values: list[float]) -> None:
        """Replace numbers."""
        key, first = self.key, values[0]
        if first == values[-1] and values.count(first) == len(values):  # as it often is
            for group in groups:
                group[key] = first
        else:
            for group, value in zip(groups, values):  # noqa: B905 (`strict=` takes longer than one)
                group[key] = value

    def fill(self, groups: Iterable[Any], values: list[float]) -> None:
        """Replace numbers and fill tensors, which keep their identity, dtype and device."""
        groups = list(groups)
        for group, held, value in zip(groups, self.read(groups), values, strict=False):
            if isinstance(held, Tensor):
                held.fill_(value)
            else:
                self.store([group], [value])


class Element(Field):
    """One element of a tuple in every group, such as ``"betas[0]"``: the tuple is replaced."""

    def __init__(self, key: str, index: int) -> None:
        super().__init__(key)
        self.index = index

    def read(self, groups: Iterable[Any]) -> list[Any]:
        """What the groups hold at this place of the tuple."""
        return [group[self.key][self.index] for group in groups]

    def store(self, groups: Iterable[Any], values: list[float]) -> None:
        """Replace the tuples by ones with these numbers at this place."""
        for group, value in zip(groups, values, strict=False):
            held = group[self.key]
            group[self.key] = (*held[: self.index], value, *held[self.index + 1 :])


_ELEMENT = re.compile(r"(\w+)\[(\d+)\]")


def field_of(key: str) -> Field:
    """The field a key names: ``"lr"``, ``"weight_decay"``, ``"betas[0]"``."""
    element = _ELEMENT.fullmatch(key)
    return Element(element[1], int(element[2])) if element else Field(key)


def read_all(field: Field, groups: list[Any], key: str) -> list[Any]:
    """What the groups hold, or a sentence that names the group without it."""
    for index, group in enumerate(groups):
        try:
            field.read([group])
        except (KeyError, IndexError, TypeError):
            rule = f"be in every parameter group; group {index} holds"
            raise InvalidType(f"`{key}` must {rule} {_contents(group)}") from None
    return field.read(groups)


def _contents(group: Any) -> str:
    return ", ".join(sorted(map(str, group))) if isinstance(group, dict) else repr(group)
