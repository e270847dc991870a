"""Previews: the effect of a controller on a metric that a run recorded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, SupportsFloat, overload

from glideslope.errors import require
from glideslope.schedules import Schedule

from ._early_stopping import EarlyStopping
from ._history import History
from ._scalar import number

if TYPE_CHECKING:
    from torch.optim.lr_scheduler import ReduceLROnPlateau as AnyPlateau

Metric = History | Iterable[SupportsFloat]


@dataclass(frozen=True)
class StoppingPreview:
    """The effect that early stopping would have had, from `preview`.

    Args:
        steps: the step of each value: that of its record, or its index.
        values: the metric.
        stop: the step at which it stops; None if it does not.
        reason: why.
        best_step: the step of the best value until then, whose weights it would restore.
        best: that value; None if none was finite.
        given_up: the difference by which the best of all values is better.
    """

    steps: tuple[int, ...] = field(repr=False)
    values: tuple[float, ...] = field(repr=False)
    stop: int | None
    reason: str | None
    best_step: int | None
    best: float | None
    given_up: float

    @property
    def spared(self) -> float:
        """The share of the steps that stopping saves."""
        if self.stop is None:
            return 0.0
        return 1 - (self.stop + 1) / (self.steps[-1] + 1)

    def __str__(self) -> str:
        """A sentence or two."""
        if self.stop is None:
            return f"it does not stop; the best is {self.best:g}, at step {self.best_step}"
        best = "" if self.best is None else f"; the best until then is {self.best:g}, at step "
        where = "" if self.best is None else f"{self.best_step}, {self.given_up:g} given up"
        spared = f"{self.spared:.0%} of the run is spared"
        return f"it stops at step {self.stop}: {self.reason}{best}{where}; {spared}"


@dataclass(frozen=True)
class PlateauPreview:
    """The effect that a plateau controller would have had, from `preview`.

    Args:
        steps: the step of each value: that of its record, or its index.
        values: the metric.
        cuts: the steps of the values after which it would have cut the rate.
        lrs: the learning rate at each of the steps: that of the group with the highest.
        end: the rate at the end.
    """

    steps: tuple[int, ...] = field(repr=False)
    values: tuple[float, ...] = field(repr=False)
    cuts: tuple[int, ...]
    lrs: tuple[float, ...] = field(repr=False)
    end: float

    def __str__(self) -> str:
        """A sentence."""
        if not self.cuts:
            return f"it never cuts the rate, which ends at {self.end:g}"
        return f"it cuts the rate after steps {', '.join(map(str, self.cuts))}, to {self.end:g}"


@overload
def preview(metric: Metric, controller: EarlyStopping, *, name: str = ...) -> StoppingPreview: ...
@overload
def preview(
    metric: Metric, controller: AnyPlateau, *, name: str = ..., schedule: Schedule | None = ...
) -> PlateauPreview: ...
def preview(
    metric: Metric,
    controller: EarlyStopping | AnyPlateau,
    *,
    name: str = "val_loss",
    schedule: Schedule | None = None,
) -> StoppingPreview | PlateauPreview:
    """Apply a controller to a recorded metric: where it stops, or when it cuts the rate.

    The metric is that of the recorded run; with other rates it would have been different. The
    controller does not change.

    Args:
        metric: a `History`, or the values in order.
        controller: an `EarlyStopping`, or a `ReduceLROnPlateau` of ours or of torch, with the
            settings to try.
        name: the metric's name in the history.
        schedule: a schedule that multiplies the rate besides the plateau controller's factor.

    Raises:
        InvalidType: ``controller`` is neither, or the history has text under ``name``.
        InvalidValue: the metric has no value.

    Example:
        >>> import torch, glideslope as gs
        >>> losses = [0.9, 0.5, 0.6, 0.7, 0.6, 0.25]
        >>> print(gs.training.preview(losses, gs.training.EarlyStopping(patience=3)))
        it stops at step 4: no improvement on 0.5 in 3 values;
        the best until then is 0.5, at step 1, 0.25 given up; 17% of the run is spared
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        >>> plateau = gs.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
        >>> found = gs.training.preview(losses, plateau)
        >>> found.cuts, found.lrs
        ((3,), (1.0, 1.0, 1.0, 1.0, 0.5, 0.5))
    """
    if not isinstance(controller, EarlyStopping):
        from ._preview_plateau import preview_plateau, require_plateau  # needs torch

        require_plateau(controller)
    points = list(_points(metric, name))
    require(bool(points), "metric", "have at least one value", [])
    steps, values = zip(*points, strict=True)
    if isinstance(controller, EarlyStopping):
        return _preview_stopping(steps, values, controller)
    return PlateauPreview(steps, values, *preview_plateau(steps, values, controller, schedule))


def _points(metric: Metric, name: str) -> Iterator[tuple[int, float]]:
    """Steps and values; a record without a value, or with ``null`` for one, is no measurement."""
    if not isinstance(metric, History):
        yield from ((index, number("metric", value)) for index, value in enumerate(metric))
        return
    records = (record for record in metric if record.get(name) is not None)
    for index, record in enumerate(records):
        step = record.get("step")
        yield step if isinstance(step, int) else index, number(name, record[name])


def _preview_stopping(
    steps: tuple[int, ...], values: tuple[float, ...], stopping: EarlyStopping
) -> StoppingPreview:
    trial = stopping.fresh_copy()
    index = next((i for i, value in enumerate(values) if trial.step(value)), None)
    finite = [value for value in values if math.isfinite(value)]
    given_up = 0.0
    if trial.best is not None:
        given_up = abs((min if stopping.mode == "min" else max)(finite) - trial.best)
    return StoppingPreview(
        steps,
        values,
        None if index is None else steps[index],
        trial.reason,
        None if trial.best_index is None else steps[trial.best_index],
        trial.best,
        given_up,
    )
