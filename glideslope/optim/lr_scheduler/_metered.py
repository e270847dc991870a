"""Methods of the schedulers that are stepped with a metric."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import compiler

from glideslope.distributed import Agree, agreed, check_agree, has_peers
from glideslope.errors import InvalidType, InvalidValue, require, require_type
from glideslope.groups import Binding, Due, Source, write_all

from ._base import EPOCH_DEPRECATION_WARNING, LRScheduler
from ._checks import as_step, number
from ._controller import Controller
from ._last_lr import LastLR
from ._order import step_untraced
from ._state import FACTORS

SETTINGS = ("cooldown", "eps", "factor", "mode", "patience", "threshold", "threshold_mode")
PROGRESS = ("best", "cooldown_counter", "last_epoch", "min_lrs", "num_bad_epochs")
"""The keys of their states."""


class Metered:
    """The methods that `ReduceLROnPlateau` and `GreedyLR` share, mixed into both.

    Each defines ``_judge``, which takes a metric and is True if the rates are to change, and
    ``_changed``, which gives the changed rates.
    """

    __slots__ = ()
    _watches_order = False

    min_lrs: Any

    def _set_up(
        self: Any,
        optimizer: Any,
        mode: str,
        threshold: float,
        threshold_mode: str,
        factor: float,
        patience: int,
        cooldown: int,
        min_lr: float | Sequence[float],
        eps: float,
        verbose: bool,
        agree: Agree,
    ) -> None:
        """Check the arguments and bind; nothing is written."""
        check_agree(agree)
        self.agree = agree
        if number("factor", factor) >= 1.0:
            raise InvalidValue(f"Factor should be < 1.0, got {factor}")
        self.factor = factor
        self.optimizer = optimizer
        count = len(self._shared_lr().groups())
        several = isinstance(min_lr, list | tuple)
        self.default_min_lr = None if several else number("min_lr", min_lr)
        self.min_lrs = list(min_lr) if several else [min_lr] * count  # type: ignore[arg-type]
        if len(self.min_lrs) != count:
            raise InvalidValue(f"expected {count} min_lrs, got {len(self.min_lrs)}")
        require(patience >= 0, "patience", "be at least 0", patience)
        require(cooldown >= 0, "cooldown", "be at least 0", cooldown)
        self.patience = patience
        self.cooldown = cooldown
        self.eps = number("eps", eps)
        self.last_epoch = 0
        self._verbose = verbose
        self._init_is_better(mode, number("threshold", threshold), threshold_mode)
        self._reset()
        self._bind(self._sources())
        self._last_lr = list(self._shared_lr().observe())

    def _lr_source(self: Any) -> Source:
        return Controller()

    def _binding(self: Any, key: str, source: Source) -> Binding:
        return Binding(key, source, notes=False)  # torch's class notes no base either

    def _init_is_better(self: Any, mode: str, threshold: float, threshold_mode: str) -> None:
        if mode not in ("min", "max"):
            raise InvalidValue(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise InvalidValue(f"threshold mode {threshold_mode} is unknown!")
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode

    def _is_better(self: Any, a: float, best: float) -> bool:
        """True if ``a`` is beyond ``best`` by the threshold, whatever the sign of ``best``."""
        margin = self.threshold
        if self.threshold_mode == "rel" and best != self.mode_worse:
            margin *= abs(best)
        return bool(a < best - margin if self.mode == "min" else a > best + margin)

    def step(self: Any, metrics: Any, epoch: int | None = None) -> None:
        """Process a metric, and change the rates if it is time.

        Args:
            metrics: the metric: a number or a tensor with one element.
            epoch: continue from this step instead.
        """
        if compiler.is_dynamo_compiling():
            return step_untraced(self, metrics)
        metrics = self._agreed(metrics)
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION_WARNING, PendingDeprecationWarning, stacklevel=2)
            epoch = as_step(epoch)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        binding = self._bindings[0]
        if binding.bound_to is not self.optimizer:
            binding.attach(self.optimizer, self.last_epoch)
        if self._judge(metrics):
            binding.follow(self.optimizer, self.last_epoch)
            self._change()
            self._last_lr = binding.write(binding.source.values(0, binding.bases))
        if self._verbose:
            self._announce()
        return None

    def _agreed(self: Any, metrics: Any) -> float:
        """The metric that every rank uses."""
        if self.agree is not None and has_peers():
            return agreed("metrics", partial(as_number, metrics), self.agree)
        return metrics if type(metrics) is float else as_number(metrics)

    def get_last_lr(self: Any) -> LastLR:
        """The learning rates that the groups hold, as floats even if they are tensors."""
        return LastLR(self._shared_lr().observe())

    def _change(self: Any) -> None:
        """Change the factors as `_changed` changes the rates without others' factors."""
        (binding,) = self._bindings
        binding.shared.observe()
        binding.source.change(binding, self._changed)

    def _is_nan(self: Any, metric: float) -> bool:
        """True if the metric is not a number, with a warning."""
        if math.isnan(metric):
            text = "the metric is not a number: it counts neither as better nor as worse"
            warnings.warn(f"{type(self).__name__}, step {self.last_epoch}: {text}", stacklevel=4)
        return math.isnan(metric)

    def _reduced(self: Any, rates: list[float]) -> list[float]:
        """The rates after a reduction; those that would hardly change stay as they are."""
        if len(rates) != len(self.min_lrs):
            self._fit_min_lrs(len(rates))
        reduced = [
            max(rate * self.factor, low) for rate, low in zip(rates, self.min_lrs, strict=True)
        ]
        pairs = zip(rates, reduced, strict=True)
        return [new if old - new > self.eps else old for old, new in pairs]

    def _fit_min_lrs(self: Any, count: int) -> None:
        if self.default_min_lr is None:
            raise RuntimeError(
                f"The number of param groups in the `optimizer` ({count}) differs from when "
                f"`ReduceLROnPlateau` was initialized ({len(self.min_lrs)}), usually due to a new "
                "param group being added to the optimizer. Please modify the `min_lrs` field to "
                "match the length of the `optimizer` param groups."
            )
        self.min_lrs = [self.default_min_lr] * count

    def state_dict(self: Any) -> dict[str, Any]:
        """The state in torch's format and, after a reduction, the factor on every group."""
        state: dict[str, Any] = LRScheduler.state_dict(self)
        source: Any = self._source
        return state | {FACTORS: list(source.factors)} if source.has_changed() else state

    def _adopt(self: Any, state: Mapping[str, Any]) -> None:
        source: Any = self._source
        source.factors = list(state.get(FACTORS, []))
        LRScheduler._adopt(self, {key: state[key] for key in state if key != FACTORS})
        self._init_is_better(self.mode, self.threshold, self.threshold_mode)

    def enter(self: Any, t: int) -> list[Due]:
        """Begin at step 0; return the rates that are due."""
        source: Any = self._source
        (binding,) = self._bindings
        binding.follow(self.optimizer, self.last_epoch)
        if t == 0:
            self.last_epoch = 0
            self._reset()
            source.factors = []
        elif t != self.last_epoch:
            raise InvalidValue(
                "ReduceLROnPlateau cannot go to a step without the metrics on the way: "
                "load its state instead"
            )
        due = binding.due(self.optimizer, t, t)
        binding.take_part()
        return [(binding, due)]

    def advance(self: Any, metrics: Any, /) -> list[Due]:
        """Process a metric; return the rates that are due."""
        if metrics is None:
            raise InvalidType("step() needs `metrics` while a ReduceLROnPlateau is active")
        (binding,) = self._bindings
        binding.follow(self.optimizer, self.last_epoch)
        self.last_epoch += 1
        if self._judge(self._agreed(metrics)):
            self._change()
        due: list[Due] = self.enter(self.last_epoch)
        return due

    def advance_and_write(self: Any, metrics: Any, /) -> list[float]:
        """Process a metric and write; return the learning rates."""
        write_all(self.advance(metrics))
        self._last_lr = self._bindings[0].shared.written
        return self._last_lr  # type: ignore[no-any-return]

    def _parts(self: Any) -> list[str]:
        judged = [f"best={self.best:.6g}", f"{self.num_bad_epochs} without improvement"]
        return [*LRScheduler._parts(self)[:-1], *judged, LRScheduler._parts(self)[-1]]


def as_number(metric: Any) -> float:
    """A metric as a number; a loss may still have its graph."""
    try:
        number = metric.item() if hasattr(metric, "item") else metric
        is_number = hasattr(number, "__float__")  # which text has not
    except (TypeError, ValueError, RuntimeError):  # several elements, or none
        is_number = False
    require_type(is_number, "metrics", "be a number or a tensor with one element", metric)
    return float(number)
