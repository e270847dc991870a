"""Schedulers whose rates are their own, for the ledger to multiply and composites to hold."""

from __future__ import annotations

from typing import Any, ClassVar

from . import _initial_lr
from ._base import LRScheduler
from ._checks import same
from ._ledger import Ledger


class Composable(LRScheduler):
    """A scheduler that gives its rates without a look at what stands in the groups.

    In the ledger it asks for these rates, counted from its bases: what is written is their product
    with whatever else is on the optimizer.
    """

    __slots__ = ()
    _goes_on: ClassVar[bool] = False  # whether torch's recursion drives a late group sensibly

    def _now(self) -> list[float]:
        """The rates of the step the clock is at."""
        raise NotImplementedError

    def _references(self) -> list[float]:
        """What the rates are counted from."""
        return self.base_lrs

    # In the ledger.

    def _bind(self) -> Ledger:
        """Find the ledger; a copy enters it with the factor that its rates already have."""
        ledger = super()._bind()
        if self._entry is None and "_last_lr" in vars(self):
            self._reenter(ledger, None)
        return ledger

    def _reenter(self, ledger: Ledger, rates: list[float] | None) -> None:
        if self._entry is None:
            self._entry = ledger.join(self, [], self._starts_anew)
        if rates is not None:
            self._entry.references = self._entry.values = []
            self._last_lr = list(ledger.edit(self._fitted(ledger, rates)))
            _initial_lr.note(ledger, self.base_lrs)
        ledger.restore(self._entry, self._references(), self._now())

    def _join(self, ledger: Ledger) -> None:
        """Enter the ledger, with a factor that shows at the first write."""
        self._entry = ledger.join(self, self._references(), self._starts_anew)

    def _write(self, ledger: Ledger, values: Any, groups: list[Any]) -> list[float]:
        return ledger.post(self._entry, values, groups)  # type: ignore[arg-type]

    def _initial_step(self) -> None:
        if self._entry is not None:  # one of torch's composites starts its members anew
            self._step_count = 1
            self._update_lr(self.last_epoch + 1)
            return
        self._join(self._ledger)
        if self.last_epoch >= 0:
            self._resume(self._ledger)
        super()._initial_step()

    def _resume(self, ledger: Ledger) -> None:
        """Where the groups hold the rates of the step already, leave them as they are."""
        last_epoch = self.last_epoch
        rates = self._move(last_epoch + 1)
        self.last_epoch = last_epoch
        if self._entry is not None and same(ledger.observe(), rates):
            ledger.restore(self._entry, self._references(), rates)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Write the rates outright, whatever the others have: one of torch's composites asks."""
        ledger = self._bind()
        rates = self._move(self.last_epoch + 1 if epoch is None else epoch)
        self._reenter(ledger, list(rates))

    def _welcome(self, ledger: Ledger) -> None:
        """Let groups that were added later join at the step the clock is at.

        A group's own rate is its base, or its ``"initial_lr"`` if it has one. Where torch goes on
        from the group's rate, that is what the base is traced back from.
        """
        for group in range(len(self.base_lrs), len(ledger.observe())):
            rate, base = ledger.bases[group], _initial_lr.given(ledger, group)
            if base is None and not self._goes_on:
                base = self._base_of(rate)
            self._set_base(group, rate if base is None else base)
            if base is None:
                self._trace_back(group, rate)
            if self._entry is not None:
                ledger.extend(self._entry, self._references()[group], self._now()[group], base)
            _initial_lr.note_one(ledger, group, ledger.bases[group])

    def _base_of(self, rate: float) -> float:
        """The base of a group that came with ``rate``."""
        return rate

    def _trace_back(self, group: int, rate: float) -> None:
        """Set the base that ``rate``, the base on trial, is the present rate of."""
        now = self._now()[group]
        if now and rate:
            self._set_base(group, rate * (rate / now))

    # As a member of a composite.

    def _advance(self, _metrics: Any) -> list[float]:
        """Go one step further and give the rates; the composite writes them."""
        self._step_count += 1
        self.last_epoch = t = self.last_epoch + 1
        return self._rates(t)

    def _hand_over(self) -> None:
        """Leave the ledger to the composite."""
        if self._entry is not None:
            self._ledger.release(self._entry)
        super()._hand_over()
