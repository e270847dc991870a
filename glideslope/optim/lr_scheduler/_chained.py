"""Several schedulers at once."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any

from glideslope.groups import Binding, Due, compounded
from glideslope.schedules import Schedule

from ._base import LRScheduler
from ._composite import Composite


class ChainedScheduler(Composite, LRScheduler):
    """Several schedulers at once: base times the factor of each member.

    Schedulers that are each stepped on one optimizer multiply without it too; it makes one
    scheduler of them. Members may be composites themselves, and `ReduceLROnPlateau`, for which
    `step` takes the metric.

    Args:
        schedulers: the members.
        optimizer: see `LRScheduler`; that of the first member unless given.
        verbose: print the rates at every step.

    Raises:
        InvalidType: a member that is not a scheduler.
        InvalidValue: no member, or one of another optimizer.

    Example:
        >>> import torch
        >>> from glideslope.optim.lr_scheduler import ConstantLR, ExponentialLR
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
        >>> warmup = ConstantLR(optimizer, factor=0.25, total_iters=2)
        >>> scheduler = ChainedScheduler([warmup, ExponentialLR(optimizer, gamma=0.5)])
        >>> for _ in range(4):
        ...     print(f"{scheduler.last_lr:.1f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.2 0.1 0.2 0.1

    `torch.optim.lr_scheduler.ChainedScheduler`
    """

    __slots__ = (
        "_members",
        "_own",
    )
    _settings = ()
    _progress = ("_schedulers",)

    def __init__(
        self, schedulers: Sequence[Any], optimizer: Any = None, verbose: bool = False
    ) -> None:
        self._gather(optimizer, schedulers, verbose)
        self._last_lr = self._write_due(self._enter_as_they_are())
        if self._verbose:
            self._announce()

    @property  # type: ignore[misc]
    def base_lrs(self) -> list[float]:  # type: ignore[override]
        """The bases of the last member."""
        return self._members[-1].base_lrs

    @property
    def last_epoch(self) -> int:
        """The step of the first member."""
        return self._members[0].last_epoch

    @last_epoch.setter
    def last_epoch(self, t: int) -> None:
        for member in self._members:
            member.last_epoch = t

    def _enter_as_they_are(self) -> list[Due]:
        """Include every member at its present step."""
        return [due for member in self._members for due in member.enter(member.last_epoch)]

    def enter(self, t: int) -> list[Due]:
        """Go to step ``t``; return the values that are due."""
        return [due for member in self._members for due in member.enter(t)]

    def advance(self, metrics: Any, /) -> list[Due]:
        """Go one step further; return the values that are due."""
        due: list[Due] = []
        for member in self._members:
            due += member.advance(metrics)
        return due

    def active_bindings(self) -> list[tuple[Binding, float]]:
        """The bindings of all members, each with the step of its source."""
        return [each for member in self._members for each in member.active_bindings()]

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The product of the members' learning rates, one per parameter group."""
        if self._get_lr_called_within_step:
            return self._write_as_asked()
        return self.rates_at(self.last_epoch)

    def planned(self, t: int) -> dict[str, list[float]]:
        """The values of step ``t`` by key, a list with one per group; see `LRScheduler.planned`."""
        planned: dict[str, list[float]] = {}
        for member in self._members:
            references = {binding.key: binding.references for binding in member.bindings()}
            for key, values in member.planned(t).items():
                before = planned.get(key, references[key])
                planned[key] = compounded(before, values, references[key])
        return planned

    @property
    def schedule(self) -> Schedule:
        """The product of the members' schedules, those of the first group."""
        return self._joined(lambda curves: reduce(operator.mul, curves))

    def rates_at(self, t: int) -> list[float]:
        """The learning rates of step ``t``, without the factors of other schedulers."""
        rates: list[float] = []
        for member in self._members:
            references = next(b.references for b in member.bindings() if b.key == "lr")
            rates = compounded(rates or references, member.rates_at(t), references)
        return rates
