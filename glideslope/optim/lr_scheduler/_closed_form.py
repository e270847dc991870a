"""Schedulers that know the learning rate of any step, so they jump and resume exactly."""

from __future__ import annotations

from typing import Any

from . import _initial_lr
from ._alike import scaled
from ._base import LRScheduler
from ._composable import Composable
from ._ledger import Ledger


class ClosedForm(Composable):
    """A scheduler whose rates are a function of the step and the bases; it writes `_values`."""

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Call `_values` directly, unless somebody's subclass has a `get_lr` of its own."""
        super().__init_subclass__(**kwargs)
        own = cls.get_lr is not ClosedForm.get_lr
        cls._rates = LRScheduler._rates if own else cls._values  # type: ignore

    def _values(self, t: int) -> list[float]:
        """The rates of step ``t``: a new list, or the one given last if it holds still."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The learning rates of the step ``last_epoch``, one per parameter group."""
        return list(self._values(self.last_epoch))

    def _get_closed_form_lr(self) -> list[float]:
        """What torch calls the same, where it has it."""
        return self.get_lr()

    def _now(self) -> list[float]:
        return self._rates(self.last_epoch)

    def _jump(self, t: int) -> list[float]:
        return self._move(t)


class HeldFactor(ClosedForm):
    """One factor for all groups that often stays; it writes `_factor`.

    While the factor stays, the very same list of rates is given, which need not be written again.
    """

    __slots__ = ("_held_bases", "_held_factor", "_held_rates")

    _held_bases: list[float] | None
    _held_factor: float | None
    _held_rates: list[float]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Begin with nothing held."""
        self = super().__new__(cls, *args, **kwargs)
        self._held_bases = self._held_factor = None
        return self

    def _factor(self, t: int) -> float:
        raise NotImplementedError

    def _values(self, t: int) -> list[float]:
        factor, bases = self._factor(t), self.base_lrs
        if factor != self._held_factor or bases is not self._held_bases:
            self._held_factor, self._held_bases = factor, bases
            self._held_rates = scaled(bases, factor)
        return self._held_rates


class AbsoluteForm(ClosedForm):
    """Rates that do not come from the optimizer's; the scheduler sets its bases itself."""

    __slots__ = ()
    _starts_anew = True

    def _find_bases(self, ledger: Ledger, last_epoch: int) -> list[float]:
        if last_epoch >= 0:
            _initial_lr.required(ledger)
        else:
            _initial_lr.note(ledger, self.base_lrs)
        ledger.rebase(self._references())
        return self.base_lrs

    def _begin_anew(self) -> None:
        """Keep the bases that were given."""

    def _base_on(self, bases: list[float]) -> None:
        """Keep the bases that were given, whatever a resumed composite says."""
