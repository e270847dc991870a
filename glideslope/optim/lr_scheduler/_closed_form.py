"""Schedulers that know the learning rate of any step, so they jump and resume exactly."""

from __future__ import annotations

from typing import Any

from . import _initial_lr
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


class SingleFactor(ClosedForm):
    """``base × f(t)`` with one factor for all groups; it writes `_factor`."""

    __slots__ = ("_held",)
    _held: tuple[float, list[float], list[float]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Begin with nothing held."""
        self = super().__new__(cls, *args, **kwargs)
        self._held = (0.0, [], [])
        return self

    def _factor(self, t: int) -> float:
        raise NotImplementedError

    def _values(self, t: int) -> list[float]:
        factor = self._factor(t)
        held_factor, held_bases, held = self._held
        if factor == held_factor and self.base_lrs == held_bases:
            return held
        values = [base * factor for base in self.base_lrs]
        self._held = factor, list(self.base_lrs), values
        return values


class AbsoluteForm(ClosedForm):
    """Rates that do not come from the optimizer's: the scheduler sets the bases, before building."""

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
