"""Reducing the rate when a metric stops getting better."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch

from glideslope.errors import InvalidType, InvalidValue, require

from ._base import EPOCH_DEPRECATION_WARNING, LRScheduler
from ._checks import at_least, number
from ._ledger import Ledger


class ReduceLROnPlateau(LRScheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
    """Multiply the rates by ``factor`` after more than ``patience`` steps without improvement.

    A metric is an improvement if it is beyond the best one by the threshold:
    ``best ± threshold · |best|`` (``"rel"``) or ``best ± threshold`` (``"abs"``); so a metric may
    be negative. One that is not a number is neither better nor worse: the step counts for nothing
    but the cooldown, and a warning says so. The factor goes on top of any other scheduler on the
    optimizer. In `SequentialLR` and `ChainedScheduler` it is a member like any other; their `step`
    takes the metric.

    Args:
        optimizer: see `LRScheduler`.
        mode: whether ``"min"`` or ``"max"`` is better.
        factor: the factor, in [0, 1).
        patience: how many steps without improvement are let pass.
        threshold: the least improvement that counts.
        threshold_mode: whether the threshold is relative (``"rel"``) or not (``"abs"``).
        cooldown: for how many steps after a reduction nothing is counted.
        min_lr: the rate not to go below, or a list with one for each group.
        eps: the least reduction that is made.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: ``factor`` outside [0, 1), an unknown mode, a count below 0, a list of another
            length than there are groups.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
        >>> for loss in [0.5, -0.5, -0.5, -0.5, -0.5]:
        ...     scheduler.step(loss)
        ...     print(scheduler.last_lr, end=" ")
        [1.0] [1.0] [1.0] [0.5] [0.5]

    `torch.optim.lr_scheduler.ReduceLROnPlateau`
    """

    __slots__ = ("_bases",)
    _settings: ClassVar[tuple[str, ...]] = (
        "cooldown",
        "eps",
        "factor",
        "mode",
        "patience",
        "threshold",
        "threshold_mode",
    )
    _progress: ClassVar[tuple[str, ...]] = (
        "best",
        "cooldown_counter",
        "last_epoch",
        "min_lrs",
        "num_bad_epochs",
    )
    _watches_order = False

    _bases: list[float]
    best: float
    mode_worse: float
    mode: str
    threshold: float
    threshold_mode: str

    def __init__(
        self,
        optimizer: Any,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
        verbose: bool = False,
    ) -> None:
        if number("factor", factor) >= 1.0:
            raise InvalidValue(f"Factor should be < 1.0, got {factor}")
        self.factor = at_least("factor", factor, 0)
        self.optimizer = optimizer
        ledger = self._bind()
        count = len(ledger.groups())
        several = isinstance(min_lr, list | tuple)
        self.default_min_lr = None if several else number("min_lr", min_lr)
        self.min_lrs = list(min_lr) if several else [min_lr] * count  # type: ignore
        if len(self.min_lrs) != count:
            raise InvalidValue(f"expected {count} min_lrs, got {len(self.min_lrs)}")
        require(patience >= 0, "patience", "be at least 0", patience)
        require(cooldown >= 0, "cooldown", "be at least 0", cooldown)
        self.patience = patience
        self.cooldown = cooldown
        self.eps = number("eps", eps)
        self.last_epoch = 0
        self._last_lr = list(ledger.observe())
        self._bases, self._origins = ledger.free_bases(), list(ledger.origins)
        self._verbose = verbose
        self._init_is_better(mode, number("threshold", threshold), threshold_mode)
        self._reset()

    @property
    def base_lrs(self) -> list[float]:  # type: ignore[override]
        """The rates that it started from."""
        return self._bases

    def _init_is_better(self, mode: str, threshold: float, threshold_mode: str) -> None:
        if mode not in ("min", "max"):
            raise InvalidValue(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise InvalidValue(f"threshold mode {threshold_mode} is unknown!")
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode

    def _is_better(self, a: float, best: float) -> bool:
        """Whether ``a`` is beyond ``best`` by the threshold, whatever the sign of ``best``."""
        margin = self.threshold
        if self.threshold_mode == "rel" and best != self.mode_worse:
            margin *= abs(best)
        return a < best - margin if self.mode == "min" else a > best + margin

    # Stepping.

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take a metric into account, and reduce the rates if it is time.

        Args:
            metrics: the metric: a number or a tensor with one element.
            epoch: count on from this step instead.
        """
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION_WARNING, PendingDeprecationWarning, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        ledger = self._ledger if self._bound is self.optimizer else self._bind()
        if self._judge(as_number(metrics)):
            self._change(ledger)
        self._last_lr = ledger.observe()
        if self._verbose:
            self._announce(self.last_epoch)

    def _change(self, ledger: Ledger) -> None:
        ledger.edit(self._changed(ledger.observe()))

    def _judge(self, metric: float) -> bool:
        """Count good and bad steps; whether it is time for a reduction."""
        if self._is_better(metric, self.best):
            self.best = metric
            self.num_bad_epochs = 0
        elif not self._is_nan(metric):
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        is_due = self.num_bad_epochs > self.patience
        if is_due:
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        return is_due

    def _is_nan(self, metric: float) -> bool:
        """Whether the metric is not a number, with a warning if so."""
        if math.isnan(metric):
            text = "the metric is not a number: it counts neither as better nor as worse"
            warnings.warn(f"{type(self).__name__}, step {self.last_epoch}: {text}", stacklevel=4)
        return math.isnan(metric)

    def _changed(self, rates: list[float]) -> list[float]:
        """The rates after a reduction; those that would hardly change stay as they are."""
        if len(rates) != len(self.min_lrs):
            self._fit_min_lrs(len(rates))
        reduced = [
            max(rate * self.factor, low) for rate, low in zip(rates, self.min_lrs, strict=True)
        ]
        pairs = zip(rates, reduced, strict=True)
        return [new if old - new > self.eps else old for old, new in pairs]

    def _fit_min_lrs(self, count: int) -> None:
        if self.default_min_lr is None:
            raise RuntimeError(
                f"The number of param groups in the `optimizer` ({count}) differs from when "
                f"`ReduceLROnPlateau` was initialized ({len(self.min_lrs)}), usually due to a new "
                "param group being added to the optimizer. Please modify the `min_lrs` field to "
                "match the length of the `optimizer` param groups."
            )
        self.min_lrs = [self.default_min_lr] * count

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The learning rates as they are: they follow no clock."""
        return self._now()

    # State.

    def _adopt(self, state: Mapping[str, Any]) -> None:
        super()._adopt(state)
        self._init_is_better(self.mode, self.threshold, self.threshold_mode)

    def _reenter(self, ledger: Any, rates: list[float] | None) -> None:
        super()._reenter(ledger, rates)
        self._bases = ledger.free_bases()

    # As a member of a composite: on rates of its own, which it keeps in `_last_lr`.

    def _set_base(self, group: int, base: float) -> None:
        self._bases = [*self._bases[:group], base, *self._bases[group + 1 :]]
        self._last_lr = [*self._last_lr[:group], base, *self._last_lr[group + 1 :]]

    def _saved_bases(self) -> list[float] | None:
        return None

    def _share_bases(self, bases: list[float]) -> None:
        self._bases = list(bases)

    def _base_on(self, bases: list[float]) -> None:
        self._bases, self._last_lr = list(bases), list(bases)

    def _hand_over(self) -> None:
        super()._hand_over()
        self._base_on(self._bases)

    def _now(self) -> list[float]:
        return list(self._last_lr)

    def _move(self, t: int) -> list[float]:
        if t == 0:
            self.last_epoch = 0
            self._reset()
            self._base_on(self._bases)
        elif t != self.last_epoch:
            raise InvalidValue(
                "ReduceLROnPlateau cannot go to a step without the metrics on the way: "
                "load its state instead"
            )
        return self._now()

    def _advance(self, metrics: Any) -> list[float]:
        if metrics is None:
            raise InvalidType("step() needs `metrics` while a ReduceLROnPlateau is at work")
        self.last_epoch += 1
        if self._judge(as_number(metrics)):
            self._last_lr = self._changed(self._last_lr)
        return self._now()


def as_number(metric: Any) -> float:
    """A metric as a number; a loss may still carry its graph."""
    return float(metric.detach() if isinstance(metric, torch.Tensor) else metric)
