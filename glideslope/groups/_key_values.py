"""The values of one key in every parameter group: read, written, and watched for other writers."""

from __future__ import annotations

import re
from math import inf, isfinite
from operator import itemgetter
from sys import float_info
from typing import Any

from torch import Tensor, finfo

from glideslope.errors import InvalidType, InvalidValue


class KeyValues:
    """A key such as ``"lr"`` in every group; `key_values` makes it.

    Numbers are replaced, tensors filled in place.

    Args:
        name: the key as it is asked for, such as ``"betas[0]"``.
        key: the key of the group, such as ``"betas"``.
    """

    __slots__ = (
        "_are_distinct",
        "_get",
        "_limit",
        "_one",
        "_seen",
        "_tensors",
        "_versions",
        "key",
        "name",
        "written",
    )

    def __init__(self, name: str, key: str) -> None:
        self.key = key
        self._get = itemgetter(key)
        self.written: list[float] = []  # the numbers last written or found
        self.name = name
        self._seen: list[Any] = []  # the objects, numbers or tensors, that the groups held then
        self._one: float | None = None  # the one number object that all groups held
        self._tensors: list[Tensor] = []
        self._are_distinct = False  # every group holds a tensor of its own
        self._limit = inf  # the largest number that all tensors can hold
        self._versions: list[int] = []

    def held_by(self, group: Any) -> bool:
        """True if the group has this key."""
        return self.key in group

    def read(self, groups: list[Any]) -> list[Any]:
        """The numbers or tensors in the groups."""
        return list(map(self._get, groups))

    def put(self, groups: list[Any], values: list[Any]) -> None:
        """Replace the values."""
        key = self.key
        for group, value in zip(groups, values):  # noqa: B905 (`strict=` takes longer than one)
            group[key] = value

    def untouched(self, groups: list[Any]) -> bool:
        """True if every group still holds the object that was written or found last."""
        if self._one is not None and len(groups) == len(self.written):
            key, one = self.key, self._one
            for group in groups:
                if group[key] is not one:
                    break
            else:
                return True
        now = self.read(groups)
        if now != self._seen:
            return False
        if self._tensors:
            return [tensor._version for tensor in self._tensors] == self._versions
        return type(now[0]) is float  # and no tensor, which may be equal to a number

    def swap(self, groups: list[Any], values: list[float]) -> bool:
        """Check and write in one pass, if all groups hold one number and are due another one.

        Returns False, with nothing changed, if other code has touched a group or the case is a
        different one.
        """
        old, new, count = self._one, values[0], len(groups)
        if old is None or count != len(self.written) or not isfinite(new):
            return False
        if count > 1 and (values[-1] != new or values.count(new) != count):
            return False
        key = self.key
        for group in groups:
            if group[key] is not old:
                break
            group[key] = new
        else:
            self._one, self._seen, self.written = new, values, values
            return True
        for group in groups:
            if group[key] is not new:
                return False
            group[key] = old
        return False

    def write(self, groups: list[Any], values: list[float]) -> None:
        """Write numbers.

        Raises:
            InvalidValue: one is not finite; nothing was written.
        """
        one = values[0]
        if self._tensors or values[-1] != one or values.count(one) != len(values):
            self._write_many(groups, values)
        else:
            if not isfinite(one):
                self._refuse(values)
            key = self.key
            for group in groups:
                group[key] = one
            self._one, self._seen, self.written = one, values, values

    def _write_many(self, groups: list[Any], values: list[float]) -> None:
        if not isfinite(sum(values)) or (self._tensors and max(map(abs, values)) > self._limit):
            self._refuse(values)
        self.written = values
        if self._tensors and self._are_distinct:
            for tensor, value in zip(self._tensors, values):  # noqa: B905
                tensor.fill_(value)
            self._versions = [tensor._version for tensor in self._tensors]
        elif self._tensors:
            self.fill(groups, values)
            self._remember(self.read(groups))
        else:
            self.put(groups, values)
            self._one, self._seen = None, values

    def _refuse(self, values: list[float]) -> None:
        """Name the first value that is not finite (a sum can overflow where no value does)."""
        for index, value in enumerate(values):
            if not abs(value) <= min(self._limit, float_info.max):
                what = f"`{self.name}` of parameter group {index}"
                raise InvalidValue(f"{what} must be a finite number, got {value!r}")

    def fill(self, groups: list[Any], values: list[float]) -> None:
        """Replace numbers and fill tensors, which keep identity, dtype and device; record nothing.

        A tensor that several groups share is filled once; a group that is due another value than
        the first of them gets a tensor of its own.
        """
        due: dict[int, float] = {}
        for group, held, value in zip(groups, self.read(groups), values, strict=False):
            if not isinstance(held, Tensor):
                self.put([group], [value])
            elif due.setdefault(id(held), value) == value:
                held.fill_(value)
            else:
                self.put([group], [held.detach().clone().fill_(value)])

    def numbers(self, groups: list[Any]) -> list[float]:
        """The values as numbers; records nothing."""
        now = self.read(groups)
        if type(now[0]) is float and not self._tensors:
            return now
        return [self._number(value, index) for index, value in enumerate(now)]

    def take(self, groups: list[Any]) -> list[float | None]:
        """Record the values; for each group, the number that other code has put there, or None."""
        now = self.read(groups)
        found = [
            None if self._holds(index, held) else self._number(held, index)
            for index, held in enumerate(now)
        ]
        self.written = [
            self.written[index] if number is None else number for index, number in enumerate(found)
        ]
        self._remember(now)
        return found

    def set_by_hand(self, groups: list[Any], value: float) -> bool:
        """True if every group holds ``value``, written by other code."""
        now = self.read(groups)
        same = len(now) == len(self._seen) and any(a is b for a, b in zip(now, self._seen))  # noqa: B905
        return not same and all(float(held) == value for held in now)

    def _remember(self, now: list[Any]) -> None:
        self._seen = now
        is_one = bool(now) and type(now[0]) is float and all(held is now[0] for held in now)
        self._one = now[0] if is_one else None
        self._tensors = [held for held in now if isinstance(held, Tensor)]
        self._versions = [tensor._version for tensor in self._tensors]
        self._limit = min(map(_largest, self._tensors), default=inf)
        self._are_distinct = len(set(map(id, self._tensors))) == len(now)

    def _holds(self, index: int, held: Any) -> bool:
        """True if a group holds the number written; for a tensor, rounded to its dtype."""
        return index < len(self.written) and bool(held == self.written[index])

    def _number(self, held: Any, index: int) -> float:
        try:
            return float(held)
        except (TypeError, ValueError):
            what = f"`{self.name}` of parameter group {index}"
            raise InvalidType(f"{what} must be a number, got {held!r}") from None


class ElementValues(KeyValues):
    """One element of a tuple in every group, such as ``"betas[0]"``: the tuple is replaced."""

    __slots__ = ("index",)

    def __init__(self, name: str, key: str, index: int) -> None:
        super().__init__(name, key)
        self.index = index

    def held_by(self, group: Any) -> bool:
        """True if the group has a tuple of this key with such an element."""
        try:
            self.read([group])
        except (KeyError, IndexError, TypeError):
            return False
        return True

    def read(self, groups: list[Any]) -> list[Any]:
        """The numbers or tensors at this place of the tuples."""
        return [group[self.key][self.index] for group in groups]

    def put(self, groups: list[Any], values: list[Any]) -> None:
        """Replace the tuples by ones with these values at this place."""
        for group, value in zip(groups, values, strict=False):
            held = group[self.key]
            group[self.key] = (*held[: self.index], value, *held[self.index + 1 :])

    def untouched(self, groups: list[Any]) -> bool:
        """True if every group still holds the object that was written or found last."""
        self._one = None  # `group[key]` is a tuple here
        return super().untouched(groups)

    def swap(self, groups: list[Any], values: list[float]) -> bool:
        """False: `write` replaces tuples."""
        return False

    def write(self, groups: list[Any], values: list[float]) -> None:
        """Write numbers."""
        self._write_many(groups, values)


def _largest(tensor: Tensor) -> float:
    """The largest number that a tensor can hold."""
    return finfo(tensor.dtype).max if tensor.dtype.is_floating_point else inf


_ELEMENT = re.compile(r"(\w+)\[(\d+)\]")


def key_values(name: str) -> KeyValues:
    """The values of a key: ``"lr"``, ``"weight_decay"``, ``"betas[0]"``.

    >>> groups = [{"betas": (0.9, 0.99)}, {"betas": (0.8, 0.99)}]
    >>> key_values("betas[0]").read(groups)
    [0.9, 0.8]
    """
    element = _ELEMENT.fullmatch(name)
    return ElementValues(name, element[1], int(element[2])) if element else KeyValues(name, name)
