"""One cycle: up to a large rate, then down to almost nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from glideslope.errors import InvalidValue

from . import _initial_lr
from ._alike import Blend
from ._checks import above, number, per_group
from ._ledger import Ledger
from ._momentum import CycledMomentum

_PHASES = {
    "up": ("initial_lr", "max_lr", "max_momentum", "base_momentum"),
    "down": ("max_lr", "initial_lr", "base_momentum", "max_momentum"),
    "out": ("initial_lr", "min_lr", "max_momentum", "max_momentum"),
    "down and out": ("max_lr", "min_lr", "base_momentum", "max_momentum"),
}


# Where the values are that a phase names.
_LEVELS = {
    "initial_lr": "base_lrs",
    "max_lr": "_max_lrs",
    "min_lr": "_min_lrs",
    "max_momentum": "_max_momentums",
    "base_momentum": "_base_momentums",
}


_ENDS = ("start_lr", "end_lr", "start_momentum", "end_momentum")


class _Phase(NamedTuple):
    """Where a phase starts and ends, and what lies between."""

    start: float
    end: float
    length: float
    rates: Blend
    momentums: Blend


_NO_PHASE = _Phase(math.inf, -math.inf, 1.0, Blend([0.0], [0.0]), Blend([0.0], [0.0]))


def _phase(name: str, end_step: float) -> dict[str, Any]:
    return {"end_step": end_step} | dict(zip(_ENDS, _PHASES[name], strict=True))


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    """The phases as torch keeps them: each ends on a step, counted from 0."""
    up, last = float(pct_start * total_steps) - 1, total_steps - 1
    if not three_phase:
        return [_phase("up", up), _phase("down and out", last)]
    down = float(2 * pct_start * total_steps) - 2
    if down >= last:
        raise InvalidValue(
            f"`pct_start` must leave room for three phases, two of them {pct_start:.0%} of "
            f"{total_steps} steps, got {pct_start}"
        )
    return [_phase("up", up), _phase("down", down), _phase("out", last)]


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, int) or value <= 0:
        raise InvalidValue(f"Expected positive integer {name}, but got {value}")
    return value


class OneCycleLR(CycledMomentum):
    """Up from ``max_lr / div_factor`` to ``max_lr``, then far down, in ``total_steps`` updates.

    Each phase goes from one rate to the next as ``start + (end - start) · (1 - cos(π x)) / 2`` or
    as ``start + (end - start) · x``. The last update runs at ``max_lr / div_factor /
    final_div_factor``; the one call of `step` that follows it holds that rate. The momentum goes
    the other way. The optimizer's own rate is not used.

    Args:
        optimizer: see `LRScheduler`.
        max_lr: the peak, or a list with one for each group.
        total_steps: the number of updates; or give the next two.
        epochs: the number of epochs.
        steps_per_epoch: the number of updates in one.
        pct_start: the fraction of the updates that go up, in [0, 1].
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: whether to move the momentum.
        base_momentum: the lower momentum, met at the peak; or a list.
        max_momentum: the upper momentum, met at both ends; or a list.
        div_factor: the peak over the first rate.
        final_div_factor: the first rate over the last one.
        three_phase: come down to the first rate in as many updates as it went up, then go out.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: the number of updates is not known, a fraction is outside [0, 1] or leaves no
            room for three phases, an unknown strategy, a divisor not above 0, a list of another
            length than there are groups, an optimizer without momentum to move, or more than
            ``total_steps`` calls of `step`.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=6, pct_start=0.5)
        >>> for _ in range(6):
        ...     print(f"{scheduler.last_lr:.2f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.04 0.52 1.00 0.75 0.25 0.00

    `torch.optim.lr_scheduler.OneCycleLR`; Smith and Topin, https://arxiv.org/abs/1708.07120
    """

    __slots__ = ("_high", "_max_lrs", "_min_lrs", "_phase")
    _settings = ("_anneal_func_type", "_schedule_phases", "cycle_momentum", "total_steps")

    def __init__(
        self,
        optimizer: Any,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.optimizer = optimizer
        self._phase = _NO_PHASE
        if total_steps is not None:
            self.total_steps = _whole("total_steps", total_steps)
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = _whole("epochs", epochs) * _whole("steps_per_epoch", steps_per_epoch)
        else:
            raise InvalidValue("You must define either total_steps OR (epochs AND steps_per_epoch)")
        if not 0 <= number("pct_start", pct_start) <= 1:
            raise InvalidValue(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        if anneal_strategy not in ("cos", "linear"):
            raise InvalidValue(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_func_type = anneal_strategy
        groups = self._bind().groups()
        self._max_lrs = per_group("max_lr", max_lr, groups)
        self.base_lrs = [top / above("div_factor", div_factor, 0) for top in self._max_lrs]
        below = above("final_div_factor", final_div_factor, 0)
        self._min_lrs = [base / below for base in self.base_lrs]
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            lower = per_group("base_momentum", base_momentum, groups)
            upper = per_group("max_momentum", max_momentum, groups)
            self._begin_momentum(lower, upper, last_epoch == -1)
        super().__init__(optimizer, last_epoch, verbose)

    def _find_bases(self, ledger: Ledger, last_epoch: int) -> list[float]:
        if last_epoch >= 0:
            self.base_lrs = _initial_lr.required(ledger)
            self._read_limits(ledger)
        bases = super()._find_bases(ledger, last_epoch)
        self._note_limits(ledger)
        return bases

    def _note_limits(self, ledger: Ledger) -> None:
        """Keep the rates in the groups, where torch looks for them."""
        limits = zip(ledger.groups(), self._max_lrs, self._min_lrs, strict=False)
        for group, top, bottom in limits:
            group["max_lr"], group["min_lr"] = top, bottom

    def _read_limits(self, ledger: Ledger) -> None:
        """Take the other rates from groups whose first one is the base.

        Not as a member of a composite, where they may be those of another member.
        """
        if "_last_lr" in vars(self) and self._entry is None:
            return
        for index, group in enumerate(ledger.groups()):
            base = self.base_lrs[index]
            known = all(key in group for key in ("initial_lr", "max_lr", "min_lr"))
            if known and float(group["initial_lr"]) == base:
                self._max_lrs[index] = float(group["max_lr"])
                self._min_lrs[index] = float(group["min_lr"])

    def _values(self, t: int) -> list[float]:
        start, end, length, rates, _ = self._phase
        if not start < t <= end:
            t = self._last_within(t)
            start, end, length, rates, _ = self._phase = self._find_phase(t)
        high = (end - t) / length
        if self._anneal_func_type == "cos":
            sine = math.sin(math.pi / 2 * high)
            high = sine * sine
        self._high = high
        return rates.at(high)

    def _momentums(self) -> list[float]:
        return self._phase.momentums.at(self._high)

    def _last_within(self, t: int) -> int:
        """The step, or the last one that counts if it is the one after that."""
        if t > self.total_steps:
            raise InvalidValue(
                f"Tried to step {t} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        return min(t, self.total_steps - 1)

    def _find_phase(self, t: int) -> _Phase:
        """The phase that step ``t`` is in; one without length is at its end."""
        start = 0.0
        for phase in self._schedule_phases:
            end = phase["end_step"]
            if t <= end:
                break
            start = end
        first, second, third, fourth = (getattr(self, _LEVELS[phase[key]]) for key in _ENDS)
        length = (end - start) or 1.0
        return _Phase(start, end, length, Blend(first, second), Blend(third, fourth))

    @staticmethod
    def _annealing_cos(start: float, end: float, pct: float) -> float:
        return end + (start - end) / 2.0 * (math.cos(math.pi * pct) + 1)

    @staticmethod
    def _annealing_linear(start: float, end: float, pct: float) -> float:
        return start * (1 - pct) + end * pct

    def _set_base(self, group: int, base: float) -> None:
        """Give a group the curve of the first one, scaled."""
        super()._set_base(group, base)
        self._phase = _NO_PHASE
        scale = base / self.base_lrs[0]
        self._max_lrs[group : group + 1] = [self._max_lrs[0] * scale]
        self._min_lrs[group : group + 1] = [self._min_lrs[0] * scale]

    def _base_of(self, rate: float) -> float:
        """What a group begins at whose own rate is its peak."""
        return rate * (self.base_lrs[0] / self._max_lrs[0])

    def _welcome(self, ledger: Ledger) -> None:
        super()._welcome(ledger)
        self._note_limits(ledger)

    def _translate(self, state: dict[str, Any]) -> dict[str, Any]:
        """Name the function that older states of torch hold."""
        state = super()._translate(state)
        if "anneal_func" in state:
            is_linear = "linear" in getattr(state.pop("anneal_func"), "__name__", "")
            state["_anneal_func_type"] = "linear" if is_linear else "cos"
        return state

    def _adopt(self, state: Mapping[str, Any]) -> None:
        """Adopt the first rates; the others go along, unless the groups know them."""
        before = self.base_lrs
        super()._adopt(state)
        self._phase = _NO_PHASE
        scales = [new / old for new, old in zip(self.base_lrs, before, strict=False)]
        for limits in (self._max_lrs, self._min_lrs):
            limits[: len(scales)] = [
                each * scale for each, scale in zip(limits, scales, strict=False)
            ]
        self._read_limits(Ledger.of(self.optimizer))

    def _reenter(self, ledger: Ledger, rates: list[float] | None) -> None:
        super()._reenter(ledger, rates)
        self._note_limits(ledger)
