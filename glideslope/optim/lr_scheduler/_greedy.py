"""A scheduler that raises the rate while a metric improves and lowers it otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch

from glideslope.distributed import Agree
from glideslope.errors import InvalidValue, require

from ._base import LRScheduler
from ._checks import above, at_least, number
from ._metered import PROGRESS, SETTINGS, Metered
from ._state import FACTORS


class StreamingAverage:
    """The mean of the last ``window_size`` metrics."""

    def __init__(self, window_size: int) -> None:
        self.window_size = window_size
        self.values: list[float] = []

    @property
    def sum(self) -> float:
        """The sum, computed each time: a running sum would keep an infinite metric forever."""
        return sum(self.values)

    def streamavg(self, value: float) -> float:
        """Add a metric and return the mean."""
        self.values = [*self.values, value][-self.window_size :]
        return self.sum / len(self.values)

    def state_dict(self) -> dict[str, Any]:
        """The state in transformers' format."""
        return {"window_size": self.window_size, "values": list(self.values), "sum": self.sum}


class GreedyLR(Metered, LRScheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):  # type: ignore[misc]
    """Divide the rates by ``factor`` while a metric improves, multiply them by it when it does not.

    More than ``patience`` steps in a row, each better than the best before it by the threshold,
    raise the rates; more than ``patience`` steps in a row that are not lower them.
    `ReduceLROnPlateau` defines "better". Other schedulers on the optimizer multiply the result, so
    the bounds are those of the rate without their factors.

    Args:
        optimizer: see `LRScheduler`.
        mode: ``"min"`` if less is better, ``"max"`` if more is.
        factor: the factor, between 0 and 1.
        patience: number of steps of a kind to tolerate.
        threshold: the least improvement that counts.
        threshold_mode: ``"rel"`` for a share of the best metric, ``"abs"`` for a difference.
        cooldown: number of steps after a reduction in which nothing is counted.
        warmup: number of steps after a rise in which nothing is counted.
        min_lr: the rate not to go below, or a list with one for each group.
        max_lr: the rate not to go above, or a list with one for each group.
        eps: the least change that is made.
        verbose: see `LRScheduler`.
        smooth: use the mean of the last metrics instead of each.
        window_size: number of metrics in the mean.
        reset_start: number of reductions with all rates at ``min_lr`` before everything restarts
            from the first rates.
        agree: on several ranks, the metric that all of them use: ``"mean"`` of theirs, that of
            ``"rank0"``, or each its own (None). Every rank calls `step`.

    Raises:
        InvalidValue: ``factor`` not between 0 and 1, an unknown mode, a count out of range, a list
            whose length is not the number of groups, ``min_lr`` above ``max_lr`` or above the rate
            of a group, which could then only rise.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = GreedyLR(optimizer, factor=0.5, patience=1)
        >>> for loss in [4.0, 3.0, 2.0, 2.0, 2.0]:
        ...     scheduler.step(loss)
        ...     print(scheduler.last_lr, end=" ")
        [0.1] [0.2] [0.2] [0.2] [0.1]

    Subramanian et al., "Dynamic learning rate scheduling based on loss changes leads to faster
    convergence", https://arxiv.org/abs/2512.14527; ``transformers.optimization.GreedyLR``
    """

    __slots__ = ("agree",)  # no part of the state, which is transformers'
    _settings: ClassVar[tuple[str, ...]] = (
        *SETTINGS,
        "reset_start_original",
        "smooth",
        "warmup",
        "window_size",
    )
    _progress: ClassVar[tuple[str, ...]] = (
        *PROGRESS,
        "_init_lrs",
        "_own_lrs",
        "max_lrs",
        "num_good_epochs",
        "reset_start",
        "warmup_counter",
    )
    # The state holds what transformers' holds, and the rates without other schedulers' factors.
    _unsaved = LRScheduler._unsaved | {
        "_rises",
        "_streaming_avg",
        "default_max_lr",
        "default_min_lr",
        "mode_worse",
    }

    _streaming_avg: StreamingAverage | None
    max_lrs: list[float]
    default_max_lr: Any

    def __init__(
        self,
        optimizer: Any,
        mode: str = "min",
        factor: float = 0.95,
        patience: int = 10,
        threshold: float = 1e-6,
        threshold_mode: str = "abs",
        cooldown: int = 0,
        warmup: int = 0,
        min_lr: float | Sequence[float] = 1e-3,
        max_lr: float | Sequence[float] = 1.0,
        eps: float = 1e-8,
        verbose: bool = False,
        smooth: bool = False,
        window_size: int = 50,
        reset_start: int = 500,
        *,
        agree: Agree = "mean",
    ) -> None:
        self.warmup = int(at_least("warmup", warmup, 0))
        self.smooth = smooth
        self.window_size = int(at_least("window_size", window_size, 1))
        self.reset_start_original = int(at_least("reset_start", reset_start, 1))
        better = mode, threshold, threshold_mode
        above("factor", factor, 0)
        self._set_up(optimizer, *better, factor, patience, cooldown, min_lr, eps, verbose, agree)
        several = isinstance(max_lr, list | tuple)
        self.default_max_lr = None if several else number("max_lr", max_lr)
        self.max_lrs = list(max_lr) if several else [max_lr] * len(self.base_lrs)  # type: ignore
        self._check_bounds()

    def _check_bounds(self) -> None:
        count = len(self.base_lrs)
        if len(self.max_lrs) != count:
            raise InvalidValue(f"expected {count} max_lrs, got {len(self.max_lrs)}")
        groups = zip(self.min_lrs, self.max_lrs, self.base_lrs, strict=True)
        for index, (low, high, rate) in enumerate(groups):
            require(low <= high, "min_lr", f"be at most max_lr = {high:g}", low)
            rule = f"be at most the rate of parameter group {index}, {rate:g}"
            require(low <= rate or not rate, "min_lr", rule, low)

    def _reset(self) -> None:
        """Forget every metric."""
        super()._reset()
        self.warmup_counter = self.num_good_epochs = 0
        self.reset_start = self.reset_start_original
        self._streaming_avg = StreamingAverage(self.window_size) if self.smooth else None

    # Stepping.

    def _judge(self, metric: float) -> bool:
        """Count good and bad steps; True if it is time for a change."""
        is_number = not self._is_nan(metric)
        if is_number and self._streaming_avg is not None:
            metric = self._streaming_avg.streamavg(metric)
        return not self._rests() and is_number and self._is_due(metric)

    def _rests(self) -> bool:
        """True if a change is so recent that nothing is counted; counts one step down."""
        resting = self.cooldown_counter > 0 or self.warmup_counter > 0
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
        elif self.warmup_counter > 0:
            self.warmup_counter -= 1
        if resting:
            self.num_good_epochs = self.num_bad_epochs = 0
        return resting

    def _is_due(self, metric: float) -> bool:
        if self._is_better(metric, self.best):
            self.best = metric
            self.num_good_epochs, self.num_bad_epochs = self.num_good_epochs + 1, 0
        else:
            self.num_good_epochs, self.num_bad_epochs = 0, self.num_bad_epochs + 1
        self._rises = self.num_good_epochs > self.patience
        falls = self.num_bad_epochs > self.patience
        if self._rises:
            self.warmup_counter, self.num_good_epochs = self.warmup, 0
        if falls:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        return self._rises or falls

    def _changed(self, rates: list[float]) -> list[float]:
        """The rates after a change; those that would hardly change stay as they are."""
        self._fit(len(rates))
        return self._raised(rates) if self._rises else self._lowered(rates)

    def _raised(self, rates: list[float]) -> list[float]:
        self.reset_start = self.reset_start_original
        raised = [
            min(rate / self.factor, high) for rate, high in zip(rates, self.max_lrs, strict=True)
        ]
        pairs = zip(rates, raised, strict=True)
        return [new if new - old > self.eps else old for old, new in pairs]

    def _lowered(self, rates: list[float]) -> list[float]:
        """The rates after a reduction, or the first rates if it is time to restart."""
        lowered = self._reduced(rates)
        pairs = zip(lowered, self.min_lrs, strict=True)
        if all(rate - low <= self.eps for rate, low in pairs):
            self.reset_start -= 1
        if self.reset_start > 0:
            return lowered
        self._reset()
        self.cooldown_counter = self.cooldown
        return self.base_lrs[: len(rates)]

    def _fit(self, count: int) -> None:
        """Add bounds for groups that were added later."""
        if len(self.min_lrs) != count:
            self._fit_min_lrs(count)
        if len(self.max_lrs) != count:
            rule = f"have {count} rates, one for each parameter group, new ones too"
            require(self.default_max_lr is not None, "max_lrs", rule, self.max_lrs)
            self.max_lrs = [self.default_max_lr] * count

    # State.

    def state_dict(self) -> dict[str, Any]:
        """The state in transformers' format: plain values that share nothing with the scheduler."""
        state = super().state_dict() | {"verbose": self._verbose}
        state.pop(FACTORS, None)
        state["_init_lrs"] = list(self.base_lrs)
        state["_own_lrs"] = self._source.values(0, self.base_lrs)
        if self._streaming_avg is not None:
            state["_streaming_avg"] = self._streaming_avg.state_dict()
        return state

    def load(self, state_dict: Mapping[str, Any]) -> None:
        """Adopt a state; nothing is written."""
        average = state_dict.get("_streaming_avg")
        super().load({key: state_dict[key] for key in state_dict if key != "_streaming_avg"})
        self._streaming_avg = StreamingAverage(self.window_size) if self.smooth else None
        if self._streaming_avg is not None and average is not None:
            self._streaming_avg.values = list(average["values"])

    def _translate(self, state: dict[str, Any]) -> dict[str, Any]:
        """Keep the values that a state of an older version lacks, as transformers does."""
        own = {key: value for key, value in vars(self).items() if key not in self._unsaved}
        first = state.get("_init_lrs", self.base_lrs)
        rates = state.get("_own_lrs", state.get("_last_lr", first))
        factors = [rate / base if base else 1.0 for rate, base in zip(rates, first, strict=False)]
        return (
            own
            | {"_init_lrs": first, "_own_lrs": rates}
            | super()._translate(state | {FACTORS: factors})
        )

    def _adopt(self, state: Mapping[str, Any]) -> None:
        (binding,) = self._bindings
        binding.count_from(state["_init_lrs"])
        dropped = ("_init_lrs", "_own_lrs")
        super()._adopt({key: value for key, value in state.items() if key not in dropped})
