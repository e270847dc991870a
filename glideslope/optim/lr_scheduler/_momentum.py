"""Cycling the momentum along with the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from glideslope.errors import InvalidValue

from ._closed_form import AbsoluteForm
from ._ledger import Entry, Ledger


class CycledMomentum(AbsoluteForm):
    """A scheduler that moves the momentum too, absolutely, through a ledger of its own.

    The momentum is ``"betas[0]"`` where the optimizer has betas, ``"momentum"`` where it has that.
    A subclass sets ``cycle_momentum`` and writes `_momentums`.
    """

    __slots__ = ("_base_momentums", "_max_momentums", "_momentum")
    _ties: ClassVar[frozenset[str]] = AbsoluteForm._ties | {"_momentum"}

    cycle_momentum: bool
    use_beta1: bool
    _base_momentums: list[float]
    _max_momentums: list[float]
    _momentum: tuple[Ledger, Entry] | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Begin unbound."""
        self = super().__new__(cls, *args, **kwargs)
        self._momentum = None
        return self

    def _momentums(self, t: int) -> list[float]:
        """The momentum of every group at step ``t``."""
        raise NotImplementedError

    def _begin_momentum(self, bases: list[float], maxima: list[float], anew: bool) -> None:
        """Note the ends of the cycle in the groups, as torch does, and read them when resuming."""
        self.use_beta1 = _uses_betas(self.optimizer, self._bind().port.groups())
        for index, group in enumerate(self._bind().port.groups()):
            if not anew and "max_momentum" in group and "base_momentum" in group:
                bases[index] = float(group["base_momentum"])
                maxima[index] = float(group["max_momentum"])
            group["max_momentum"], group["base_momentum"] = maxima[index], bases[index]
        self._base_momentums, self._max_momentums = bases, maxima

    def _move(self, t: int) -> list[float]:
        rates = super()._move(t)
        if self.cycle_momentum:
            self._write_momentum(t)
        return rates

    def _write_momentum(self, t: int) -> None:
        ledger, entry = self._join_momentum()
        momentums = self._momentums(t)
        for group in range(len(entry.references), len(ledger.observe())):
            top = self._max_momentums[group]
            ledger.extend(entry, top, momentums[group], top)
        ledger.post(entry, momentums)

    def _join_momentum(self) -> tuple[Ledger, Entry]:
        """Find the ledger of the momentum, and set its bases when there is a new one."""
        if self._momentum is None or self._momentum[0].port.optimizer is not self.optimizer:
            ledger = Ledger.of(self.optimizer, "betas[0]" if self.use_beta1 else "momentum")
            ledger.rebase(self._max_momentums)
            self._momentum = ledger, ledger.join(self, self._max_momentums, anew=True)
        return self._momentum

    def _reenter(self, ledger: Ledger, rates: list[float] | None) -> None:
        super()._reenter(ledger, rates)
        if rates is not None:
            self._settle()

    def _settle(self) -> None:
        if self.cycle_momentum:
            self._join_momentum()[0].rebase(self._max_momentums)
            self._write_momentum(self.last_epoch)

    def _set_base(self, group: int, base: float) -> None:
        super()._set_base(group, base)
        if self.cycle_momentum and group >= len(self._max_momentums):
            self._max_momentums.append(self._max_momentums[-1])
            self._base_momentums.append(self._base_momentums[-1])
            held = self._bind().port.groups()[group]
            held["max_momentum"] = self._max_momentums[-1]
            held["base_momentum"] = self._base_momentums[-1]


def _uses_betas(optimizer: Any, groups: Sequence[Any]) -> bool:
    """Whether the momentum is the first beta.

    Raises:
        InvalidValue: there is no momentum at all.
    """
    known = getattr(optimizer, "defaults", groups[0])
    if "momentum" not in known and "betas" not in known:
        raise InvalidValue(
            "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
        )
    return "betas" in known
