"""One cycle: up to a large rate, then down to almost nothing."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import partial, reduce
from operator import rshift
from typing import Any, NamedTuple

from glideslope.errors import InvalidValue
from glideslope.groups import NewGroup, Source, blended
from glideslope.schedules import Cosine, Linear, Schedule

from ._base import LRScheduler
from ._checks import above, number, per_group
from ._curves import over
from ._momentum import NOTES, MomentumCycle
from ._sources import Cycle, Evaluated, Plain

_PHASES = {
    "up": ("initial_lr", "max_lr", "max_momentum", "base_momentum"),
    "down": ("max_lr", "initial_lr", "base_momentum", "max_momentum"),
    "out": ("initial_lr", "min_lr", "max_momentum", "max_momentum"),
    "down and out": ("max_lr", "min_lr", "base_momentum", "max_momentum"),
}
_UPPER = {"max_momentum": 1.0, "base_momentum": 0.0}
_ENDS = ("start_lr", "end_lr", "start_momentum", "end_momentum")


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


class OneCycleLR(LRScheduler):
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

    __slots__ = ("_max_lrs", "_min_lrs", "_momentum")
    _settings = ("_anneal_func_type", "_schedule_phases", "cycle_momentum", "total_steps")
    _curve_from = ("_anneal_func_type", "_schedule_phases", "total_steps")
    _resets = True

    _momentum: MomentumCycle | None

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
        groups = self._shared_lr().groups()
        self._max_lrs = per_group("max_lr", max_lr, groups)
        self.base_lrs = [top / above("div_factor", div_factor, 0) for top in self._max_lrs]
        below = above("final_div_factor", final_div_factor, 0)
        self._min_lrs = [base / below for base in self.base_lrs]
        self.cycle_momentum = cycle_momentum
        self._momentum = None
        if cycle_momentum:
            lower = per_group("base_momentum", base_momentum, groups)
            upper = per_group("max_momentum", max_momentum, groups)
            self._momentum = MomentumCycle(optimizer, groups, lower, upper)
            self.use_beta1 = self._momentum.key != "momentum"
        if last_epoch >= 0:
            self._read_groups()
        super().__init__(optimizer, last_epoch, verbose)
        self._note_limits()

    # The curves.

    def _spans(self) -> list[_Span]:
        """The phases that have steps."""
        begins = [0.0, *(phase["end_step"] for phase in self._schedule_phases)]
        pairs = zip(self._schedule_phases, begins)  # noqa: B905
        spans = [_Span(phase, begin, phase["end_step"]) for phase, begin in pairs]
        return [s for s in spans if s.end > max(s.begin, 0)] or [spans[-1]._replace(begin=-1.0)]

    def _ramp(self) -> type[Cosine | Linear]:
        return Cosine if self._anneal_func_type == "cos" else Linear

    def _curve(self) -> Schedule:
        top, ramp, spans = self._max_lrs[0], self._ramp(), self._spans()
        rates = {"initial_lr": self.base_lrs[0], "max_lr": top, "min_lr": self._min_lrs[0]}
        parts = []
        for phase, begin, end in spans:
            start, stop = (rates[phase[name]] / top for name in ("start_lr", "end_lr"))
            parts.append(over(end - begin, partial(ramp, start=start, end=stop)))
        return top * reduce(rshift, parts).shift(spans[0].begin)

    def _sources(self) -> dict[str, Source]:
        sources = super()._sources()
        if self._momentum is not None:
            place = self._source.place  # type: ignore[attr-defined]
            ends = (self._momentum.upper, self._momentum.lower)
            sources[self._momentum.key] = Cycle(_UpperShare(place), *ends, NOTES)
        return sources

    def _lr_source(self) -> Source:
        return _Rates(self, _Place(self._ramp()(1), self._spans(), self.total_steps))

    @staticmethod
    def _annealing_cos(start: float, end: float, pct: float) -> float:
        return Cosine(1, start=start, end=end)(pct)

    @staticmethod
    def _annealing_linear(start: float, end: float, pct: float) -> float:
        return Linear(1, start=start, end=end)(pct)

    # The limits, which torch keeps in the groups.

    def _note_limits(self) -> None:
        groups = self._shared_lr().groups()
        for group, top, bottom in zip(groups, self._max_lrs, self._min_lrs, strict=False):
            group["max_lr"], group["min_lr"] = top, bottom
        if self._momentum is not None:
            self._momentum.note(groups)

    def _read_groups(self) -> None:
        """Take the rates that the groups keep from an earlier run."""
        groups = self._shared_lr().groups()
        for index, group in enumerate(groups):
            if "initial_lr" in group:
                self._rescale(index, float(group["initial_lr"]))
            if "initial_lr" in group and "max_lr" in group and "min_lr" in group:
                self._max_lrs[index] = float(group["max_lr"])
                self._min_lrs[index] = float(group["min_lr"])
        if self._momentum is not None:
            self._momentum.read(groups)

    def _rescale(self, group: int, base: float) -> None:
        """Give a group the curve that begins at ``base``."""
        scale = base / self.base_lrs[group]
        self._max_lrs[group] *= scale
        self._min_lrs[group] *= scale
        self.base_lrs = [*self.base_lrs[:group], base, *self.base_lrs[group + 1 :]]

    # State.

    def _translate(self, state: dict[str, Any]) -> dict[str, Any]:
        """Name the function that older states of torch hold."""
        state = super()._translate(state)
        if "anneal_func" in state:
            is_linear = "linear" in getattr(state.pop("anneal_func"), "__name__", "")
            state["_anneal_func_type"] = "linear" if is_linear else "cos"
        return state

    def _adopt(self, state: Mapping[str, Any]) -> None:
        """Adopt the first rates; the others go along, unless the groups keep them."""
        for group, base in enumerate(state["base_lrs"]):
            self._rescale(group, base)
        super()._adopt(state)
        self._read_limits(state["base_lrs"])

    def _read_limits(self, first_rates: Sequence[float]) -> None:
        """Take the other limits from groups that begin at the loaded rates."""
        groups = self._shared_lr().groups()
        for index, (group, base) in enumerate(zip(groups, first_rates, strict=False)):
            known = all(key in group for key in ("initial_lr", "max_lr", "min_lr"))
            if known and float(group["initial_lr"]) == base:
                self._max_lrs[index] = float(group["max_lr"])
                self._min_lrs[index] = float(group["min_lr"])

    def _write_loaded(self, rates: list[float] | None) -> None:
        super()._write_loaded(rates)
        self._note_limits()


class _Span(NamedTuple):
    """A phase, from the step where it begins to the one where it ends."""

    phase: Mapping[str, Any]
    begin: float
    end: float


class _Place:
    """The phase that a step is in, and the share of it that is left: found once for all keys."""

    def __init__(self, ramp: Schedule, spans: Sequence[_Span], total_steps: int) -> None:
        self.ramp, self.spans, self.total_steps = Evaluated(ramp), spans, total_steps
        self.stops = [span.end for span in spans[:-1]]
        self.t = self.end = -math.inf

    def go(self, t: float) -> None:
        """Go to step ``t``.

        Raises:
            InvalidValue: the step is beyond the one after the last.
        """
        if t > self.total_steps:
            raise InvalidValue(
                f"Tried to step {t} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        if t > self.end or t < self.t:
            self.phase, self.begin, self.end = self.spans[bisect_left(self.stops, t)]
            self.size = self.end - self.begin
            self.uppers = _UPPER[self.phase["start_momentum"]], _UPPER[self.phase["end_momentum"]]
        self.left = self.ramp.at((t - self.begin) / self.size)
        self.t = t


class _Rates(Plain):
    """The rates of `OneCycleLR`: between the two levels of the phase."""

    absolute = resets = True

    def __init__(self, scheduler: OneCycleLR, place: _Place) -> None:
        self.place = place
        self.phase: Mapping[str, Any] = {}
        self.peaks, self.ends = scheduler._max_lrs, scheduler._min_lrs
        self.firsts = scheduler.base_lrs

    def values(self, t: float, bases: list[float]) -> list[float]:
        """``start · x + end · (1 - x)`` for every group."""
        place = self.place
        if t != place.t:
            place.go(t)
        if place.phase is not self.phase or bases is not self.firsts:
            self.phase, self.firsts = place.phase, bases
            levels = {"initial_lr": bases, "max_lr": self.peaks, "min_lr": self.ends}
            self.start, self.stop = levels[self.phase["start_lr"]], levels[self.phase["end_lr"]]
        return blended(self.start, self.stop, place.left)

    def join(self, new: NewGroup) -> float:
        """Its own rate is the peak; an ``"initial_lr"`` is the first rate."""
        scale = new.base / (self.firsts if new.given else self.peaks)[0]
        for rates in (self.peaks, self.ends):
            rates[new.index :] = [rates[0] * scale]
        new.group["max_lr"], new.group["min_lr"] = self.peaks[-1], self.ends[-1]
        return self.firsts[0] * scale


class _UpperShare:
    """The share of the upper momentum, as a curve that `Cycle` follows."""

    def __init__(self, place: _Place) -> None:
        self.place = place

    def at(self, t: float) -> float:
        """1 where the rates are low, 0 at their peak."""
        place = self.place
        if t != place.t:
            place.go(t)
        start, end = place.uppers
        return start * place.left + end * (1 - place.left)
