"""One scheduler after another."""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

from glideslope.errors import InvalidValue, require
from glideslope.groups import Binding, Due
from glideslope.schedules import Schedule

from ._base import LRScheduler
from ._checks import number
from ._composite import Composite, Member
from ._resume import required


class SequentialLR(Composite, LRScheduler):
    """One scheduler after another: member i from ``milestones[i - 1]`` on, counting from 0 there.

    The rates are those of the active member, from its own bases. Members may be composites
    themselves, and `ReduceLROnPlateau`, for which `step` takes the metric.

    Args:
        optimizer: see `LRScheduler`.
        schedulers: the members, in order.
        milestones: the steps at which the next one takes over, one fewer than members, ascending.
        last_epoch: see `LRScheduler`; the members are built for step 0.
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

    __slots__ = ("_members", "_own", "_start", "_turn")
    _settings = ("_milestones",)
    _progress = ("_schedulers", "last_epoch")

    _start: int  # the step at which the active member took over
    _turn: Member

    def __init__(
        self,
        optimizer: Any,
        schedulers: Sequence[Any],
        milestones: Sequence[int],
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        _check_milestones(schedulers, milestones)
        self._gather(optimizer, schedulers, verbose)
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        shared = self._shared_lr()
        if last_epoch >= 0:
            shared.rebase(required(shared))
        bases = shared.free_bases(resets=True)
        self._count_from(bases)
        for binding in self.bindings():
            binding.entry.resets = True
        shared.note(bases)
        self._last_lr = self._write_due(self.enter(self.last_epoch))
        if self._verbose:
            self._announce()

    @property  # type: ignore[misc]
    def base_lrs(self) -> list[float]:  # type: ignore[override]
        """The bases of the first member."""
        return self._members[0].base_lrs

    def _active(self, t: int) -> tuple[Member, int]:
        """The active member at step ``t``, and the steps since it took over."""
        index = bisect_right(self._milestones, t)
        start = math.ceil(self._milestones[index - 1]) if index else 0
        return self._members[index], t - max(0, start)

    def _take_turn(self, member: Member, start: int) -> None:
        """Suspend the other members on the keys that ``member`` drives."""
        self._turn, self._start = member, start
        keys = {"lr", *(binding.key for binding in member.bindings())}
        for other in self._members:
            if other is not member:
                other.suspend(keys)

    def enter(self, t: int) -> list[Due]:
        """Go to step ``t``; return the values that are due."""
        self.last_epoch = t
        member, clock = self._active(t)
        self._take_turn(member, t - clock)
        return member.enter(clock)

    def advance(self, metrics: Any, /) -> list[Due]:
        """Go one step further; return the values that are due."""
        t = self.last_epoch + 1
        member = self._members[bisect_right(self._milestones, t)]
        if member is not self._turn or member.last_epoch + 1 != t - self._start:
            return self.enter(t)
        self.last_epoch = t
        return member.advance(metrics)

    def advance_and_write(self, metrics: Any, /) -> list[float]:
        """Go one step further and write; return the learning rates."""
        t = self.last_epoch + 1
        member = self._members[bisect_right(self._milestones, t)]
        if member is not self._turn or member.last_epoch + 1 != t - self._start:
            return self._write_due(self.enter(t))
        self.last_epoch = self._written_at = t
        return member.advance_and_write(metrics)

    def active_bindings(self) -> list[tuple[Binding, float]]:
        """The bindings of the active member, each with the step of its source."""
        return self._active(self.last_epoch)[0].active_bindings()

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The learning rates of the step ``last_epoch``, one per parameter group."""
        if self._get_lr_called_within_step:
            return self._write_as_asked()
        return self.rates_at(self.last_epoch)

    def rates_at(self, t: int) -> list[float]:
        """The learning rates of step ``t``, without the factors of other schedulers."""
        member, clock = self._active(t)
        return member.rates_at(clock)

    def planned(self, t: int) -> dict[str, list[float]]:
        """The values of step ``t`` by key, a list with one per group; see `LRScheduler.planned`."""
        member, clock = self._active(t)
        return member.planned(clock)

    @property
    def schedule(self) -> Schedule:
        """The members' schedules one after another, those of the first group."""
        return self._joined(self._one_after_another)

    def _one_after_another(self, curves: list[Schedule]) -> Schedule:
        stops = [max(0, math.ceil(milestone)) for milestone in self._milestones]
        lengths = [stop - start for start, stop in pairwise([0, *stops])]
        parts = [curve.take(n) for curve, n in zip(curves, lengths, strict=False) if n]
        return reduce(operator.rshift, [*parts, curves[-1]])

    def load(self, state_dict: Mapping[str, Any]) -> None:
        """Adopt a state; nothing is written."""
        super().load(state_dict)
        member, clock = self._active(self.last_epoch)
        self._take_turn(member, self.last_epoch - clock)


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
