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
        self._base_momentums = self._max_momentums = [0.0]
        return self

    def _momentums(self) -> list[float]:
        """The momentum of every group at the step that the rates were last asked for."""
        raise NotImplementedError

    def _begin_momentum(self, bases: list[float], maxima: list[float], anew: bool) -> None:
        """Note the ends of the cycle in the groups, as torch does, and read them when resuming."""
        self.use_beta1 = _uses_betas(self.optimizer, self._bind().groups())
        for index, group in enumerate(self._bind().groups()):
            if not anew and "max_momentum" in group and "base_momentum" in group:
                bases[index] = float(group["base_momentum"])
                maxima[index] = float(group["max_momentum"])
            group["max_momentum"], group["base_momentum"] = maxima[index], bases[index]
        self._base_momentums, self._max_momentums = bases, maxima

    def _bind(self) -> Ledger:
        if self._bound is not self.optimizer:
            self._momentum = None
        return super()._bind()

    def _write(self, ledger: Ledger, values: Any, groups: list[Any]) -> list[float]:
        if self.cycle_momentum:
            self._write_momentum(groups)
        return ledger.post(self._entry, values, groups)  # type: ignore[arg-type]

    def _write_momentum(self, groups: list[Any]) -> None:
        ledger, entry = self._momentum or self._join_momentum()
        momentums = self._momentums()
        if len(entry.references) < len(momentums):
            self._extend_momentum(ledger, entry, momentums)
        ledger.post(entry, momentums, groups)

    def _advance(self, metrics: Any) -> list[float]:
        rates = super()._advance(metrics)
        self._settle()
        return rates

    def _settle(self) -> None:
        if self.cycle_momentum:
            self._write_momentum(Ledger.of(self.optimizer).groups())

    def _extend_momentum(self, ledger: Ledger, entry: Entry, momentums: list[float]) -> None:
        ledger.observe()
        for group in range(len(entry.references), len(momentums)):
            top = self._max_momentums[group]
            ledger.extend(entry, top, momentums[group], top)

    def _join_momentum(self) -> tuple[Ledger, Entry]:
        """Find the ledger of the momentum, and set its bases when there is a new one."""
        if self._momentum is None:
            ledger = Ledger.of(self.optimizer, "betas[0]" if self.use_beta1 else "momentum")
            ledger.rebase(self._max_momentums)
            self._momentum = ledger, ledger.join(self, self._max_momentums, anew=True)
        return self._momentum

    def _reenter(self, ledger: Ledger, rates: list[float] | None) -> None:
        super()._reenter(ledger, rates)
        if rates is not None and self.cycle_momentum:
            self._join_momentum()[0].rebase(self._max_momentums)
            self._settle()

    def _set_base(self, group: int, base: float) -> None:
        super()._set_base(group, base)
        if self.cycle_momentum and group >= len(self._max_momentums):
            self._max_momentums.append(self._max_momentums[-1])
            self._base_momentums.append(self._base_momentums[-1])
            held = Ledger.of(self.optimizer).groups()[group]
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
