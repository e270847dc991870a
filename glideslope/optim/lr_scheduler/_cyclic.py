"""Triangular cycles between two rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from glideslope.errors import InvalidValue
from glideslope.groups import NewGroup, Source, blended
from glideslope.schedules import Exponential, Function, Linear, Schedule, warmup

from ._base import LRScheduler
from ._checks import above, at_least, number, per_group
from ._curves import over
from ._momentum import NOTES, MomentumCycle
from ._sources import Cycle, Evaluated, EvaluatedOnce, Plain
from ._state import restore_callable, saved_callable


class CyclicLR(LRScheduler):
    """Up and down between two rates: ``base_lr + (max_lr - base_lr) · x · scale``.

    ``x`` rises from 0 to 1 in ``step_size_up`` steps and falls again in ``step_size_down``.
    ``scale`` is 1 (``"triangular"``), halved with each cycle (``"triangular2"``), or ``gamma^t``
    (``"exp_range"``). The momentum goes the other way. The optimizer's own rate is not used.

    Args:
        optimizer: see `LRScheduler`.
        base_lr: the lower rate, or a list with one for each group.
        max_lr: the upper rate, or a list with one for each group.
        step_size_up: the number of steps up.
        step_size_down: the number of steps down; as many as up unless given.
        mode: ``"triangular"``, ``"triangular2"`` or ``"exp_range"``.
        gamma: the factor of ``"exp_range"``.
        scale_fn: a function of one argument that gives the scale instead.
        scale_mode: the argument of ``scale_fn``: ``"cycle"`` for the number of the cycle, from 1,
            or ``"iterations"`` for the step.
        cycle_momentum: True to cycle the momentum as well.
        base_momentum: the lower momentum, met at ``max_lr``; or a list.
        max_momentum: the upper momentum, met at ``base_lr``; or a list.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: an unknown mode, a length that is not above 0, a list whose length is
            not the number of groups, or an optimizer without momentum to move.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
        >>> scheduler = CyclicLR(optimizer, base_lr=0.1, max_lr=0.5, step_size_up=2)
        >>> for _ in range(5):
        ...     print(f"{scheduler.last_lr:.1f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.1 0.3 0.5 0.3 0.1

    `torch.optim.lr_scheduler.CyclicLR`; Smith, https://arxiv.org/abs/1506.01186
    """

    __slots__ = ("_momentum",)
    _settings = (
        "cycle_momentum",
        "gamma",
        "max_lrs",
        "mode",
        "scale_mode",
        "step_ratio",
        "total_size",
    )
    _progress = (*LRScheduler._progress, "_scale_fn_custom")
    _unsaved = LRScheduler._unsaved | {"_scale_fn_ref"}
    _curve_from = ("gamma", "max_lrs", "mode", "total_size")
    _resets = True

    _momentum: MomentumCycle | None

    def __init__(
        self,
        optimizer: Any,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.optimizer = optimizer
        groups = self._shared_lr().groups()
        self.base_lrs = per_group("base_lr", base_lr, groups)
        self.max_lrs = per_group("max_lr", max_lr, groups)
        up = float(at_least("step_size_up", step_size_up, 0))
        down = (
            up if step_size_down is None else float(at_least("step_size_down", step_size_down, 0))
        )
        self.total_size = above("step_size_up + step_size_down", up + down, 0)
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise InvalidValue(f"mode is invalid and scale_fn is None: {mode!r}")
        self.mode = mode
        self.gamma = number("gamma", gamma)
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        self._init_scale_fn()
        self.cycle_momentum = cycle_momentum
        self._momentum = None
        if cycle_momentum:
            self._drive_momentum(base_momentum, max_momentum, resumes=last_epoch != -1)
        super().__init__(optimizer, last_epoch, verbose)

    def _drive_momentum(
        self,
        base_momentum: float | Sequence[float],
        max_momentum: float | Sequence[float],
        resumes: bool,
    ) -> None:
        groups = self._shared_lr().groups()
        self.base_momentums = per_group("base_momentum", base_momentum, groups)
        self.max_momentums = per_group("max_momentum", max_momentum, groups)
        self._momentum = self._found_momentum()
        if resumes:
            self._momentum.read(groups)
        self._momentum.note(groups)
        self.use_beta1 = self._momentum.key != "momentum"

    def _found_momentum(self) -> MomentumCycle:
        groups = self._shared_lr().groups()
        ends = (self.base_momentums, self.max_momentums)
        return MomentumCycle(self.optimizer, groups, *ends)

    def _init_scale_fn(self) -> None:
        if self._scale_fn_custom is None:
            scales: dict[str, Callable[[float], float]] = {
                "triangular": self._triangular_scale_fn,
                "triangular2": self._triangular2_scale_fn,
                "exp_range": partial(self._exp_range_scale_fn, self.gamma),
            }
            self._scale_fn_ref = scales[self.mode]
            self.scale_mode = "iterations" if self.mode == "exp_range" else "cycle"

    @staticmethod
    def _triangular_scale_fn(_x: float) -> float:
        return 1.0

    @staticmethod
    def _triangular2_scale_fn(x: float) -> float:
        return math.pow(0.5, x - 1)

    @staticmethod
    def _exp_range_scale_fn(gamma: float, x: float) -> float:
        return math.pow(gamma, x)

    def scale_fn(self, x: float) -> float:
        """The scale of a cycle or of a step."""
        own = self._scale_fn_custom
        return self._scale_fn_ref(x) if own is None else float(own(x))

    def _height(self) -> Schedule:
        """The share of the way up, from 0 to 1, times the scale."""
        cycle = over(self.total_size, lambda n: _triangle(n * self.step_ratio, n))
        if self._scale_fn_custom is not None or self.gamma < 0:
            own = self._scale_fn_custom or self._scale_fn_ref
            size = self.total_size if self.scale_mode == "cycle" else None
            return cycle.repeat() * Function(partial(_scaled_by, own, size))
        if self.mode == "exp_range":
            return cycle.repeat() * Exponential(self.gamma)
        return cycle.repeat(decay=0.5 if self.mode == "triangular2" else 1.0)

    def _curve(self) -> Schedule:
        low = self.base_lrs[0]
        return self._height() * (self.max_lrs[0] - low) + low

    def _sources(self) -> dict[str, Source]:
        sources = super()._sources()
        if self._momentum is not None:
            height = self._source.curve  # type: ignore[attr-defined]
            ends = (self._momentum.lower, self._momentum.upper)  # it is low where the rate is high
            sources[self._momentum.key] = Cycle(height, *ends, NOTES[::-1])
        return sources

    def _lr_source(self) -> Source:
        return _Rates(EvaluatedOnce(self._height()), self.max_lrs, self.base_lrs)

    def state_dict(self) -> dict[str, Any]:
        """The state in torch's format, with the attributes of a callable ``scale_fn``."""
        return super().state_dict() | {"_scale_fn_custom": saved_callable(self._scale_fn_custom)}

    def _adopt(self, state: Mapping[str, Any]) -> None:
        super()._adopt({key: state[key] for key in state if key != "_scale_fn_custom"})
        if self._scale_fn_custom is not None:
            restore_callable(self._scale_fn_custom, state["_scale_fn_custom"])
        self._init_scale_fn()
        if self._momentum is not None:
            self._momentum = self._found_momentum()


def _scaled_by(own: Callable[[float], float], size: float | None, t: float) -> float:
    """A user's scale of step ``t`` or, with a ``size``, of the cycle that it is in."""
    return float(own(t if size is None else int(t // size) + 1))


def _triangle(up: float, steps: float) -> Schedule:
    """From 0 up to 1 and down again."""
    rise = over(up, warmup)
    return rise >> over(steps - up, Linear) if steps > up else rise


class _Rates(Plain):
    """The rates of `CyclicLR`: a late group gets the range of the first one, scaled."""

    absolute = resets = True

    def __init__(self, height: Evaluated, tops: list[float], bottoms: list[float]) -> None:
        self.curve, self.tops, self.bottoms = height, tops, bottoms

    def values(self, t: float, bases: list[float]) -> list[float]:
        """``max_lr · x + base_lr · (1 - x)`` for every group."""
        return blended(self.tops, bases, self.curve.at(t))

    def join(self, new: NewGroup) -> float:
        """Add a group: its rate is the upper one, its ``"initial_lr"`` the lower one, unless 0."""
        low, top = self.bottoms[0], self.tops[0]
        scale = new.base / (low or top if new.given else top)
        self.tops[new.index :] = [top * scale]
        return low * scale
