"""One cycle: up to a large rate, then down to nearly zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glideslope.errors import InvalidValue
from glideslope.groups import NewGroup, Source, scaled
from glideslope.schedules import Constant, Cosine, Linear, Schedule

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
_ENDS = ("start_lr", "end_lr", "start_momentum", "end_momentum")


def _phase(name: str, end_step: float) -> dict[str, Any]:
    return {"end_step": end_step} | dict(zip(_ENDS, _PHASES[name], strict=True))


def _torch_phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
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


def _total_steps(total: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    """The length of the run, given as it is or as a number of epochs."""
    if total is not None:
        return _whole("total_steps", total)
    if epochs is None or steps_per_epoch is None:
        raise InvalidValue("You must define either total_steps OR (epochs AND steps_per_epoch)")
    return _whole("epochs", epochs) * _whole("steps_per_epoch", steps_per_epoch)


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
        pct_start: the fraction of the updates in which the rate rises, in [0, 1].
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: True to cycle the momentum as well.
        base_momentum: the lower momentum, met at the peak; or a list.
        max_momentum: the upper momentum, met at both ends; or a list.
        div_factor: the peak over the first rate.
        final_div_factor: the first rate over the last one.
        three_phase: fall to the first rate in as many updates as the rise, then to the last one.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: the number of updates is not known, a fraction is outside [0, 1] or leaves no
            steps for three phases, an unknown strategy, a divisor not above 0, a list whose
            length is not the number of groups, an optimizer without momentum to move, or more than
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
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        if not 0 <= number("pct_start", pct_start) <= 1:
            raise InvalidValue(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        self._schedule_phases = _torch_phases(self.total_steps, pct_start, three_phase)
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
            self._drive_momentum(base_momentum, max_momentum)
        if last_epoch >= 0:
            self._read_groups()
        super().__init__(optimizer, last_epoch, verbose)
        self._note_limits()

    def _drive_momentum(
        self, base_momentum: float | Sequence[float], max_momentum: float | Sequence[float]
    ) -> None:
        groups = self._shared_lr().groups()
        lower = per_group("base_momentum", base_momentum, groups)
        upper = per_group("max_momentum", max_momentum, groups)
        self._momentum = MomentumCycle(self.optimizer, groups, lower, upper)
        self.use_beta1 = self._momentum.key != "momentum"

    # The curves.

    def _cycle(self, key: str, levels: Mapping[str, float]) -> Schedule:
        """The phases between the levels that they name under ``start_<key>`` and ``end_<key>``."""
        ramp = Cosine if self._anneal_func_type == "cos" else Linear
        curve, begin = None, 0.0
        for phase in self._schedule_phases:
            end = phase["end_step"]
            ends = {"start": levels[phase["start_" + key]], "end": levels[phase["end_" + key]]}
            if end > max(begin, 0):
                part = over(end - begin, lambda steps, ends=ends: ramp(steps, **ends))  # type: ignore[misc]
                curve = curve >> part if curve else part.shift(begin) if begin else part
            begin = end
        return curve or Constant(ends["end"])

    def _shape(self, group: int) -> Schedule:
        """The rates of a group over its peak."""
        rates = {"initial_lr": self.base_lrs, "max_lr": self._max_lrs, "min_lr": self._min_lrs}
        top = self._max_lrs[group]
        return self._cycle("lr", {name: each[group] / top for name, each in rates.items()})

    def _curve(self) -> Schedule:
        return self._shape(0) * self._max_lrs[0]

    def _sources(self) -> dict[str, Source]:
        sources = super()._sources()
        if self._momentum is not None:
            shape = self._cycle("momentum", {"max_momentum": 1.0, "base_momentum": 0.0})
            ends = (self._momentum.upper, self._momentum.lower)
            sources[self._momentum.key] = Cycle(Evaluated(shape), *ends, NOTES)
        return sources

    def _lr_source(self) -> Source:
        return _Rates(self)

    # The curves under torch's names, for code that calls them.

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
        """Read the rates that the groups keep from an earlier run."""
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
        """Scale a group's curve so that it begins at ``base``."""
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
        """Adopt the first rates; the others are scaled with them, unless the groups keep them."""
        for group, base in enumerate(state["base_lrs"]):
            self._rescale(group, base)
        super()._adopt(state)
        self._read_limits(state["base_lrs"])

    def _read_limits(self, first_rates: Sequence[float]) -> None:
        """Read the other limits from groups that begin at the loaded rates."""
        groups = self._shared_lr().groups()
        for index, (group, base) in enumerate(zip(groups, first_rates, strict=False)):
            known = all(key in group for key in ("initial_lr", "max_lr", "min_lr"))
            if known and float(group["initial_lr"]) == base:
                self._max_lrs[index] = float(group["max_lr"])
                self._min_lrs[index] = float(group["min_lr"])

    def _write_loaded(self, rates: list[float] | None) -> None:
        super()._write_loaded(rates)
        self._note_limits()


class _Rates(Plain):
    """The rates of `OneCycleLR`: one shape for all groups whose limits have the same ratios."""

    absolute = resets = True

    def __init__(self, scheduler: OneCycleLR) -> None:
        curves: dict[Schedule, Evaluated] = {}
        shapes = [scheduler._shape(group) for group in range(len(scheduler._max_lrs))]
        self.shapes = [curves.setdefault(shape, Evaluated(shape)) for shape in shapes]
        self.is_one, self.first = len(curves) == 1, self.shapes[0]
        self.total_steps = scheduler.total_steps
        self.peaks, self.ends, self.firsts = (
            scheduler._max_lrs, scheduler._min_lrs, scheduler.base_lrs
        )  # fmt: skip

    def values(self, t: float, _bases: list[float]) -> list[float]:
        """The peak of every group times its shape.

        Raises:
            InvalidValue: the step is beyond the one after the last.
        """
        if t > self.total_steps:
            raise InvalidValue(
                f"Tried to step {t} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        if self.is_one:
            height, peaks = self.first.at(t), self.peaks
            return [peaks[0] * height] if len(peaks) == 1 else scaled(peaks, height)
        pairs = zip(self.peaks, self.shapes)  # noqa: B905
        return [peak * shape.at(t) for peak, shape in pairs]

    def join(self, new: NewGroup) -> float:
        """Add a group: its rate is the peak, its ``"initial_lr"`` the first rate."""
        scale = new.base / (self.firsts if new.given else self.peaks)[0]
        for rates in (self.peaks, self.ends):
            rates[new.index :] = [rates[0] * scale]
        self.shapes[new.index :] = [self.shapes[0]]
        new.group["max_lr"], new.group["min_lr"] = self.peaks[-1], self.ends[-1]
        return self.firsts[0] * scale
