"""The groups of an optimizer before and after it last loaded a state.

A group whose value differs from the loaded one was changed since then; one that still has it
continues its run. torch's own optimizers do not record loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ._key_values import KeyValues
from ._notes import noted_base

Group = dict[str, Any]


class Load(NamedTuple):
    """One group as the code had built it, and as it was loaded."""

    before: Group
    after: Group


_LOADS: WeakKeyDictionary[Any, list[Load]] = WeakKeyDictionary()


def remember_load(optimizer: Any, before: Sequence[Group]) -> None:
    """Record the groups of a loaded state, so that schedulers do not take it for an edit.

    Args:
        optimizer: the optimizer, which holds the loaded groups.
        before: its groups before the load.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> before = [dict(group) for group in optimizer.param_groups]
    >>> optimizer.param_groups[0]["lr"] = 0.05  # as a load does
    >>> remember_load(optimizer, before)
    """
    first = [load.before for load in _LOADS.get(optimizer, [])]
    pairs = zip(first or before, optimizer.param_groups, strict=False)
    _LOADS[optimizer] = [Load(_values(code), _values(loaded)) for code, loaded in pairs]


def load_of(optimizer: Any, number: int) -> Load | None:
    """The load of one group; None if none is known."""
    try:
        loads = _LOADS.get(optimizer, [])
    except TypeError:  # takes no weak reference, or has no hash
        return None
    return loads[number] if number < len(loads) else None


def values_in_code(optimizer: Any, values: KeyValues, count: int) -> list[float | None]:
    """The values of a key that the code had set before a load; None where none is known."""
    return [_value_in_code(load_of(optimizer, number), values) for number in range(count)]


def _value_in_code(load: Load | None, values: KeyValues) -> float | None:
    if load is None or not values.held_by(load.before):
        return None
    note = noted_base(load.before, values.name)
    return values.numbers([load.before])[0] if note is None else note


def _values(group: Group) -> Group:
    return {key: value for key, value in group.items() if key not in ("params", "param_names")}
