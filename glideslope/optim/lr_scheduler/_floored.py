"""A decay that ends at one absolute rate in all groups."""

from __future__ import annotations

from typing import Any

from glideslope.errors import require
from glideslope.schedules import Schedule

from ._checks import at_least
from ._lambdas import LambdaLR
from ._ledger import Ledger


class FlooredLR(LambdaLR):
    """``base · f(t)`` in the warm-up, then ``base · f(t) + floor · (1 - f(t))``, f falling to 0.

    The floor is a rate, the same for all groups; one whose own rate is lower stays at that.
    ``name`` is what the caller calls the floor.
    """

    __slots__ = ("_floor", "_name", "_warm")
    _settings = ()

    def __init__(
        self,
        optimizer: Any,
        curve: Schedule,
        name: str,
        floor: Any,
        num_warmup_steps: float,
        last_epoch: int,
    ) -> None:
        self._floor = float(at_least(name, floor, 0))
        self._name, self._warm = name, num_warmup_steps
        super().__init__(optimizer, curve, last_epoch)

    def _find_bases(self, ledger: Ledger, last_epoch: int) -> list[float]:
        bases = super()._find_bases(ledger, last_epoch)
        rule = f"be at most the optimizer's own rate, {max(bases):g}"
        require(self._floor <= max(bases), self._name, rule, self._floor)
        return bases

    def _values(self, t: int) -> list[float]:
        share, floor = self._share(t), self._floor_at(t)
        rest = 1 - share
        return [base * share + (floor if floor < base else base) * rest for base in self.base_lrs]

    def _share(self, t: int) -> float:
        return self.lr_lambdas[0](t)

    def _floor_at(self, t: int) -> float:
        return self._floor if t >= self._warm else 0.0

    def _trace_back(self, group: int, rate: float) -> None:
        """Set the base that ``rate`` is the present rate of: the formula above, solved for it."""
        share, floor = self._share(self.last_epoch), self._floor_at(self.last_epoch)
        if share and rate > floor:
            self._set_base(group, floor + (rate - floor) / share)
