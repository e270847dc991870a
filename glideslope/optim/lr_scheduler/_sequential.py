"""One scheduler after another."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from glideslope.errors import InvalidValue, require

from . import _initial_lr
from ._checks import number
from ._composite import Composite


class SequentialLR(Composite):
    """One scheduler after another: member i from ``milestones[i - 1]`` on, counting from 0 there.

    The rates are those of the member at work, counted from its own bases. Members may be composites
    themselves, and `ReduceLROnPlateau`, for which `step` takes the metric.

    Args:
        optimizer: see `LRScheduler`.
        schedulers: the members, in order.
        milestones: the steps at which the next one takes over, one fewer than members, ascending.
        last_epoch: see `LRScheduler`; the members are built as at a beginning.
        verbose: see `LRScheduler`.

    Raises:
        InvalidType: a member that is not a scheduler.
        InvalidValue: no member, one of another optimizer, or milestones that do not fit.

    Example:
        >>> import torch
        >>> from glideslope.optim.lr_scheduler import ExponentialLR, LinearLR
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
        >>> warmup = LinearLR(optimizer, start_factor=0.25, total_iters=2)
        >>> decay = ExponentialLR(optimizer, gamma=0.5)
        >>> scheduler = SequentialLR(optimizer, [warmup, decay], milestones=[2])
        >>> for _ in range(5):
        ...     print(f"{scheduler.last_lr:.1f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.2 0.5 0.8 0.4 0.2

    `torch.optim.lr_scheduler.SequentialLR`
    """

    __slots__ = ()
    _settings = ("_milestones",)
    _progress = (*Composite._progress, "last_epoch")
    _starts_anew = True

    def __init__(
        self,
        optimizer: Any,
        schedulers: Sequence[Any],
        milestones: Sequence[int],
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        _check_milestones(schedulers, milestones)
        ledger = self._gather(optimizer, schedulers, verbose)
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        if last_epoch >= 0:
            self._base_on(_initial_lr.original(ledger))
            rates = self._move(self.last_epoch)
        else:
            self._begin_anew()
            rates = self._now()
        ledger.rebase(self.base_lrs)
        _initial_lr.note(ledger, self.base_lrs)
        self._join(ledger)
        self._last_lr = list(self._write(ledger, rates, ledger.groups()))
        if self._verbose:
            self._announce(self.last_epoch)

    @property
    def base_lrs(self) -> list[float]:  # type: ignore[override]
        """The bases of the first member."""
        return self._members[0].base_lrs  # type: ignore[no-any-return]

    def _clock(self) -> int:
        return self.last_epoch

    def _active(self) -> tuple[Any, int]:
        """The member at work, and the steps since it took over."""
        index = bisect_right(self._milestones, self.last_epoch)
        start = math.ceil(self._milestones[index - 1]) if index else 0
        return self._members[index], self.last_epoch - max(0, start)

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The learning rates of the step ``last_epoch``, one per parameter group."""
        return list(self._move(self.last_epoch))

    def _now(self) -> list[float]:
        return self._active()[0]._now()  # type: ignore[no-any-return]

    def _move(self, t: int) -> list[float]:
        self.last_epoch = t
        member, clock = self._active()
        member._last_lr = rates = member._move(clock)
        return rates  # type: ignore[no-any-return]

    def _advance(self, metrics: Any) -> list[float]:
        self.last_epoch = t = self.last_epoch + 1
        index = bisect_right(self._milestones, t)
        member = self._members[index]
        takes_over = index and self._milestones[index - 1] > t - 1
        member._last_lr = rates = member._move(0) if takes_over else member._advance(metrics)
        return rates  # type: ignore[no-any-return]

    def _settle(self) -> None:
        self._active()[0]._settle()


def _check_milestones(schedulers: Sequence[Any], milestones: Sequence[int]) -> None:
    if schedulers and len(milestones) != len(schedulers) - 1:
        raise InvalidValue(
            "Sequential Schedulers expects number of schedulers provided to be one more than the "
            f"number of milestone points, but got number of schedulers {len(schedulers)} and the "
            f"number of milestones to be equal to {len(milestones)}"
        )
    for milestone in milestones:
        number("milestones", milestone)
    ascending = list(milestones) == sorted(milestones)
    require(ascending, "milestones", "be in ascending order", milestones)
