"""The base rate of each group as torch keeps it: ``group["initial_lr"]``.

torch's schedulers read it, and a scheduler that resumes with ``last_epoch`` does. It goes with the
optimizer's state. For everything else the bases are in the ledger, so a stale one does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor

from ._checks import plain
from ._ledger import Ledger

_KEY = "initial_lr"
_MISSING = (
    "param 'initial_lr' is not specified in param_groups[{}] when resuming scheduler with "
    "last_epoch >= 0.\nThis typically happens when:\n"
    "1. You're trying to resume training from a checkpoint but haven't properly loaded the "
    "optimizer state\n"
    "2. You're using last_epoch >= 0 for a fresh training run (not recommended)"
)


class _Record:
    """What stood in the groups before our first scheduler, what came later, what we put there."""

    def __init__(self, ledger: Ledger) -> None:
        self.found = _read(ledger.groups())
        self.noted: dict[int, float] = {}
        self.given: dict[int, float] = {}


_RECORDS: WeakKeyDictionary[Ledger, _Record] = WeakKeyDictionary()


def _record(ledger: Ledger) -> _Record:
    if ledger not in _RECORDS:
        _RECORDS[ledger] = _Record(ledger)
    return _RECORDS[ledger]


def _read(groups: Sequence[Any]) -> list[float | None]:
    return [float(group[_KEY]) if _KEY in group else None for group in groups]


def note(ledger: Ledger, bases: Sequence[float]) -> None:
    """Write the bases into the groups, as tensors where the rates are tensors."""
    for index, base in enumerate(bases[: len(ledger.groups())]):
        note_one(ledger, index, base)


def note_one(ledger: Ledger, index: int, base: float) -> None:
    """Write the base of one group."""
    record, group = _record(ledger), ledger.groups()[index]
    rate = group["lr"]
    group[_KEY] = rate.detach().clone().fill_(base) if isinstance(rate, Tensor) else base
    record.noted[index] = base


def given(ledger: Ledger, index: int) -> float | None:
    """The base that somebody else gave a group that was added later."""
    record, group = _record(ledger), ledger.groups()[index]
    if index not in record.noted and _KEY in group:
        record.given[index] = float(group[_KEY])
    return record.given.get(index)


def required(ledger: Ledger) -> list[float]:
    """The bases to resume from.

    Raises:
        KeyError: a group has none.
    """
    groups = ledger.groups()
    for index, group in enumerate(groups):
        if _KEY not in group:
            raise KeyError(_MISSING.format(index))
    return plain([group[_KEY] for group in groups])


def original(ledger: Ledger) -> list[float]:
    """The bases to resume a composite from, whose members were built as if at a beginning.

    They have written their own; what a checkpoint brought is what was found before, or what
    stands there if somebody loaded it since.
    """
    record, now = _record(ledger), required(ledger)
    ours = now == [record.noted.get(index) for index in range(len(now))]
    found = [base for base in record.found if base is not None]
    return found if ours and len(found) == len(now) else now
