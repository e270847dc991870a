"""One key of every parameter group: what stands there, and whether somebody else put it there."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

from torch import Tensor

from glideslope.errors import InvalidType, InvalidValue


class Cells:
    """A key such as ``"lr"`` in every group. Numbers are replaced, tensors filled in place."""

    __slots__ = ("_name", "_one", "_seen", "_tensors", "_versions", "key", "written")

    def __init__(self, name: str, key: str) -> None:
        self.key = key
        self.written: list[float] = []  # the numbers last written or found
        self._name = name
        self._seen: list[Any] = []  # the objects, numbers or tensors, that stood there then
        self._one: float | None = None  # the one number object that stood in every group
        self._tensors: list[Tensor] = []
        self._versions: list[int] = []

    def read(self, groups: list[Any]) -> list[Any]:
        """What the groups hold: numbers or tensors."""
        key = self.key
        return [group[key] for group in groups]

    def put(self, groups: list[Any], values: list[float]) -> None:
        """Replace numbers."""
        key = self.key
        for group, value in zip(groups, values):  # noqa: B905 (`strict=` takes longer than one)
            group[key] = value

    def untouched(self, groups: list[Any]) -> bool:
        """Whether the very things stand there that stood there after the last write."""
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
        """Look and write in one pass, where one number stands in all groups and another is due.

        If somebody touched a group, or it is no such case, nothing is changed and the answer is no.
        """
        old, new = self._one, values[0]
        if old is None or len(groups) != len(self.written) or not isfinite(new):
            return False
        if values[-1] != new or values.count(new) != len(values):
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
        if not isfinite(sum(values)):
            self._refuse(values)
        self.written = values
        if self._tensors:
            self.fill(groups, values)
            self._remember(self.read(groups))
        else:
            self.put(groups, values)
            self._one, self._seen = None, values

    def _refuse(self, values: list[float]) -> None:
        """Name the first value that is not finite (a sum can overflow where no value does)."""
        for index, value in enumerate(values):
            if not isfinite(value):
                what = f"`{self._name}` of parameter group {index}"
                raise InvalidValue(f"{what} must be a finite number, got {value!r}")

    def fill(self, groups: list[Any], values: list[float]) -> None:
        """Replace numbers and fill tensors, which keep identity, dtype and device; note nothing."""
        for group, held, value in zip(groups, self.read(groups), values, strict=False):
            if isinstance(held, Tensor):
                held.fill_(value)
            else:
                self.put([group], [value])

    def numbers(self, groups: list[Any]) -> list[float]:
        """What the groups hold, as numbers; note nothing."""
        now = self.read(groups)
        if type(now[0]) is float and not self._tensors:
            return now
        return [self._number(value, index) for index, value in enumerate(now)]

    def take(self, groups: list[Any]) -> list[float | None]:
        """Note what the groups hold; for each, the number somebody put there, None if none did."""
        now = self.read(groups)
        found = [
            None if self._stands(index, held) else self._number(held, index)
            for index, held in enumerate(now)
        ]
        self.written = [
            self.written[index] if number is None else number for index, number in enumerate(found)
        ]
        self._remember(now)
        return found

    def _remember(self, now: list[Any]) -> None:
        self._seen = now
        is_one = bool(now) and type(now[0]) is float and all(held is now[0] for held in now)
        self._one = now[0] if is_one else None
        self._tensors = [held for held in now if isinstance(held, Tensor)]
        self._versions = [tensor._version for tensor in self._tensors]

    def _stands(self, index: int, held: Any) -> bool:
        """Whether a group holds what was written; a tensor compares it as it rounds it."""
        return index < len(self.written) and bool(held == self.written[index])

    def _number(self, held: Any, index: int) -> float:
        try:
            return float(held)
        except (TypeError, ValueError):
            what = f"`{self._name}` of parameter group {index}"
            raise InvalidType(f"{what} must be a number, got {held!r}") from None


class ElementCells(Cells):
    """One element of a tuple in every group, such as ``"betas[0]"``: the tuple is replaced."""

    __slots__ = ("index",)

    def __init__(self, name: str, key: str, index: int) -> None:
        super().__init__(name, key)
        self.index = index

    def read(self, groups: list[Any]) -> list[Any]:
        """What the groups hold at this place of the tuple."""
        return [group[self.key][self.index] for group in groups]

    def put(self, groups: list[Any], values: list[float]) -> None:
        """Replace the tuples by ones with these numbers at this place."""
        for group, value in zip(groups, values, strict=False):
            held = group[self.key]
            group[self.key] = (*held[: self.index], value, *held[self.index + 1 :])

    def write(self, groups: list[Any], values: list[float]) -> None:
        """Write numbers."""
        self._write_many(groups, values)


_ELEMENT = re.compile(r"(\w+)\[(\d+)\]")


def cells_of(name: str, groups: list[Any]) -> Cells:
    """The cells a key names: ``"lr"``, ``"weight_decay"``, ``"betas[0]"``.

    Raises:
        InvalidType: a group is without it.
    """
    element = _ELEMENT.fullmatch(name)
    cells = ElementCells(name, element[1], int(element[2])) if element else Cells(name, name)
    for index, group in enumerate(groups):
        try:
            cells.read([group])
        except (KeyError, IndexError, TypeError):
            held = ", ".join(sorted(map(str, group))) if isinstance(group, dict) else repr(group)
            rule = f"be in every parameter group; group {index} holds"
            raise InvalidType(f"`{name}` must {rule} {held}") from None
    return cells
