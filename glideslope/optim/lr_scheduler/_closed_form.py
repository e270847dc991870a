"""Schedulers that know the learning rate of any step, so they compose, jump and resume exactly."""

from __future__ import annotations

from typing import Any

from . import _initial_lr
from ._base import LRScheduler
from ._ledger import Ledger


class ClosedForm(LRScheduler):
    """A scheduler whose rates are a function of the step and the bases; it writes `_values`.

    In the ledger it asks for these rates, counted from its bases: what is written is their product
    with whatever else is on the optimizer.
    """

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Call `_values` directly, unless somebody's subclass has a `get_lr` of its own."""
        super().__init_subclass__(**kwargs)
        own = cls.get_lr is not ClosedForm.get_lr
        cls._rates = LRScheduler._rates if own else cls._values  # type: ignore[method-assign]

    def _values(self, t: int) -> list[float]:
        """The rates of step ``t``: a new list, or the one given last if it holds still."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The learning rates of the step ``last_epoch``, one per parameter group."""
        return list(self._values(self.last_epoch))

    def _get_closed_form_lr(self) -> list[float]:
        """What torch calls the same, where it has it."""
        return self.get_lr()

    def _jump(self, t: int) -> list[float]:
        return self._move(t)

    # In the ledger.

    def _references(self) -> list[float]:
        """What the rates are counted from."""
        return self.base_lrs

    def _bind(self) -> Ledger:
        """Find the ledger; a copy enters it with the factor that its rates already have."""
        ledger = super()._bind()
        if self._entry is None and "_last_lr" in vars(self):
            self._reenter(ledger, None)
        return ledger

    def _reenter(self, ledger: Ledger, rates: list[float] | None) -> None:
        if self._entry is None:
            self._entry = ledger.join(self, [])
        self._entry.references = self._entry.values = []
        if rates is not None:
            self._last_lr = list(ledger.edit(self._fitted(ledger, rates)))
            _initial_lr.note(ledger, self.base_lrs)
        ledger.restore(self._entry, self._references(), self._rates(self.last_epoch))

    def _write(self, ledger: Ledger, values: list[float]) -> list[float]:
        if self._entry is None:
            self._entry = ledger.join(self, self._references())
        return ledger.post(self._entry, values)

    def _initial_step(self) -> None:
        if self._entry is None:
            super()._initial_step()
        else:  # one of torch's composites starts its members anew
            self._step_count = 1
            self._update_lr(self.last_epoch + 1)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Write the rates outright, whatever the others have: one of torch's composites asks."""
        ledger = self._bind()
        self._last_lr = self._move(self.last_epoch + 1 if epoch is None else epoch)
        self._reenter(ledger, self._last_lr)

    def _welcome(self, ledger: Ledger) -> None:
        """Let groups that were added later join at the step the clock is at.

        A group with an ``"initial_lr"`` of its own has that as its base; any other goes on from the
        rate it has.
        """
        for group in range(len(self.base_lrs), len(ledger.observe())):
            base = _initial_lr.given(ledger, group)
            self._set_base(group, ledger.bases[group] if base is None else base)
            if base is None:
                self._set_base(group, self._base_behind(group))
            value = self._rates(self.last_epoch)[group]
            if self._entry is not None:
                ledger.extend(self._entry, self._references()[group], value, base)
            _initial_lr.note_one(ledger, group, ledger.bases[group])

    def _base_behind(self, group: int) -> float:
        """The base that a group's rate, set as its base on trial, is the present rate of."""
        trial = self.base_lrs[group]
        value = self._rates(self.last_epoch)[group]
        return trial * (trial / value) if value and trial else trial

    # As a member of a composite.

    def _advance(self, _metrics: Any) -> list[float]:
        """Go one step further and give the rates; the composite writes."""
        self._step_count += 1
        return self._move(self.last_epoch + 1)

    def _now(self) -> list[float]:
        """The rates of the step the clock is at."""
        return self._rates(self.last_epoch)

    def _hand_over(self) -> None:
        """Leave the ledger to the composite."""
        if self._entry is not None and self._ledger is not None:
            self._ledger.release(self._entry)
        if self._order is not None:
            self._order.stop()
        self._ledger = self._entry = self._order = None


class SingleFactor(ClosedForm):
    """``base × f(t)`` with one factor for all groups; it writes `_factor`."""

    __slots__ = ("_held",)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
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
