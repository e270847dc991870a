"""Early stopping by a metric that no longer improves, diverges or is not finite."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, SupportsFloat

from glideslope.distributed import Agree, agreed, check_agree
from glideslope.errors import StateMismatch, require

from ._scalar import number

if TYPE_CHECKING:
    from torch.nn import Module

    from ._nest import Buffers

STATE = (
    *("values", "best", "best_index", "best_weights"),
    *("bad_values", "non_finite_values", "reason"),
)


class EarlyStopping:
    """Decides when to stop and why, and restores the best weights.

    A value improves on the best if it is better by more than ``min_delta``, or than ``min_delta``
    times the size of the best. Nothing is compared with a value that is not finite.

    Args:
        patience: stop after this many values in a row without improvement.
        mode: ``"min"`` if less is better, ``"max"`` if more is.
        min_delta: the least change that counts as an improvement.
        min_delta_mode: ``"abs"`` for a change by ``min_delta``, ``"rel"`` for one by that share of
            the best value.
        baseline: a value that must be improved on as well, to reset the patience.
        start_after: how many values at the beginning are only checked for being finite.
        divergence_limit: stop at once at a value worse than this.
        non_finite_limit: stop after this many values in a row that are NaN or infinite; None to
            treat them as values without improvement.
        model: the model whose weights at the best value are kept, and restored when training stops.
        agree: on several ranks, the value that all use: ``"mean"`` of theirs, that of
            ``"rank0"``, or each its own (None). Every rank calls `step`.

    Raises:
        InvalidValue: a number out of range, an unknown mode.

    Example:
        >>> import glideslope as gs
        >>> stopping = gs.training.EarlyStopping(patience=2)
        >>> for epoch, val_loss in enumerate([0.9, 0.5, 0.6, 0.7, 0.4]):
        ...     if stopping.step(val_loss):
        ...         break
        >>> epoch, stopping.reason
        (3, 'no improvement on 0.5 in 2 values')

    Source: the options of Keras' and Lightning's callbacks of this name; relative as in torch's
    ``ReduceLROnPlateau``, but right for negative values.
    """

    def __init__(
        self,
        patience: int,
        *,
        mode: str = "min",
        min_delta: float = 0.0,
        min_delta_mode: str = "abs",
        baseline: float | None = None,
        start_after: int = 0,
        divergence_limit: float | None = None,
        non_finite_limit: int | None = 1,
        model: Module | None = None,
        agree: Agree = "mean",
    ) -> None:
        require(patience >= 1, "patience", "be at least 1", patience)
        require(mode in ("min", "max"), "mode", "be 'min' or 'max'", mode)
        require(0 <= min_delta < math.inf, "min_delta", "be at least 0", min_delta)
        modes = ("abs", "rel")
        require(min_delta_mode in modes, "min_delta_mode", "be 'abs' or 'rel'", min_delta_mode)
        require(start_after >= 0, "start_after", "be at least 0", start_after)
        limit = non_finite_limit
        require(limit is None or limit >= 1, "non_finite_limit", "be at least 1", limit)
        self.patience, self.mode = patience, mode
        self.min_delta, self.min_delta_mode = min_delta, min_delta_mode
        self.baseline, self.start_after = baseline, start_after
        self.divergence_limit, self.non_finite_limit = divergence_limit, non_finite_limit
        self.model = model
        check_agree(agree)
        self.agree = agree
        self._begin()

    def _begin(self) -> None:
        self.values = 0
        """The number of values so far."""
        self.best: float | None = None
        """The best of them."""
        self.best_index: int | None = None
        """The index of the best value, counted from 0."""
        self.best_weights: Any = None
        """The model's state at the best value."""
        self.bad_values = 0
        """The number of values since the last improvement."""
        self.non_finite_values = 0
        """The number of values in a row, up to the last, that were not finite."""
        self.reason: str | None = None
        """The reason to stop; None while there is none."""
        self._buffers: Buffers | None = None

    def step(self, value: SupportsFloat) -> bool:
        """Take the next value; if training should stop, restore the best weights and return True.

        Raises:
            InvalidType: ``value`` is not a number.
        """
        read = partial(number, "value", value)
        self.reason = self._judge(agreed("value", read, self.agree))
        self.values += 1
        if self.reason is not None:
            self.restore_best()
        return self.reason is not None

    def restore_best(self) -> None:
        """Load the best weights into the model, if there are any."""
        if self.model is not None and self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)

    def fresh_copy(self) -> EarlyStopping:
        """A copy with the same settings, without values and without the model."""
        trial = copy.copy(self)
        trial.model = None
        trial._begin()
        return trial

    def state_dict(self) -> dict[str, Any]:
        """The progress and the best weights; the settings are not saved."""
        return {name: getattr(self, name) for name in STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved progress.

        Raises:
            StateMismatch: this is the state of another class.
        """
        if state.keys() != set(STATE):
            raise StateMismatch(f"not a state of EarlyStopping: it holds {', '.join(state)}")
        vars(self).update(state)

    def __repr__(self) -> str:
        parts = [f"patience={self.patience}"]
        if self.mode != "min":
            parts.append(f"mode={self.mode!r}")
        return f"EarlyStopping({', '.join([*parts, *self._standing()])})"

    def _standing(self) -> Iterator[str]:
        """The progress, in words."""
        if self.best is not None:
            yield f"best={self.best:.6g} at {self.best_index}"
        if self.reason is not None:
            yield f"stopped: {self.reason}"
        elif self.bad_values:
            yield f"{self.bad_values} without improvement"

    def _judge(self, value: float) -> str | None:
        """The reason to stop at this value, if there is one."""
        if not math.isfinite(value):
            return self._judge_non_finite(value)
        self.non_finite_values = 0
        if self.values < self.start_after:
            return None
        limit = self.divergence_limit
        if limit is not None and self._gain(value, limit) < 0:
            return f"{value:g} is worse than the limit of {limit:g}"
        if self._improves(value, self.best):
            self._keep(value)
            if self._improves(value, self.baseline):
                self.bad_values = 0
                return None
        return self._judge_patience()

    def _judge_non_finite(self, value: float) -> str | None:
        self.non_finite_values += 1
        limit = self.non_finite_limit
        if limit is not None and self.non_finite_values >= limit:
            return f"{value} is not finite" + (f", {limit} times in a row" if limit > 1 else "")
        return None if self.values < self.start_after else self._judge_patience()

    def _judge_patience(self) -> str | None:
        self.bad_values += 1
        if self.bad_values < self.patience:
            return None
        span = "1 value" if self.bad_values == 1 else f"{self.bad_values} values"
        if self.best is None:
            return f"no finite value in {span}"
        short = self.baseline is not None and not self._improves(self.best, self.baseline)
        goal = f"the baseline of {self.baseline:g}" if short else f"{self.best:g}"
        return f"no improvement on {goal} in {span}"

    def _keep(self, value: float) -> None:
        self.best, self.best_index = value, self.values
        if self.model is not None:
            self._buffers = self._buffers or _new_buffers()
            self.best_weights = self._buffers.snapshot(self.model.state_dict())

    def _improves(self, value: float, than: float | None) -> bool:
        if than is None:
            return True
        scale = abs(than) if self.min_delta_mode == "rel" else 1.0
        return self._gain(value, than) > self.min_delta * scale

    def _gain(self, value: float, than: float) -> float:
        """The difference by which ``value`` is better."""
        return value - than if self.mode == "max" else than - value


def _new_buffers() -> Buffers:
    from ._nest import Buffers  # needs torch, as a model does

    return Buffers()
