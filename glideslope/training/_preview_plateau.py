"""A plateau controller on the metric that a run recorded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch.optim.lr_scheduler import ReduceLROnPlateau as AnyPlateau

from glideslope.errors import require_type
from glideslope.groups import Port
from glideslope.optim.lr_scheduler import ReduceLROnPlateau, Scheduler
from glideslope.schedules import Schedule


def require_plateau(controller: Any) -> None:
    """Refuse an object that is no plateau controller, ours or torch's."""
    rule = "be an EarlyStopping or a ReduceLROnPlateau"
    require_type(isinstance(controller, AnyPlateau), "controller", rule, controller)


def preview_plateau(
    steps: tuple[int, ...],
    values: tuple[float, ...],
    plateau: Any,
    schedule: Schedule | None,
) -> tuple[tuple[int, ...], tuple[float, ...], float]:
    """The steps after which the rate is cut, the rate at each step, and the rate at the end."""
    now = [float(group["lr"]) for group in Port(plateau.optimizer).groups()]
    rates = getattr(plateau, "base_lrs", now)  # torch's own does not know where it began
    first = rates.index(max(rates))
    optimizer = SimpleNamespace(param_groups=[{"lr": rates[first]}])
    scheduler = None if schedule is None else Scheduler(optimizer, lr=schedule)
    trial = ReduceLROnPlateau(
        optimizer,
        **{name: getattr(plateau, name) for name in ReduceLROnPlateau._settings},
        min_lr=plateau.min_lrs[first],
    )
    lrs, cuts = [], []
    for step, value in zip(steps, values, strict=True):
        if scheduler is not None:
            scheduler.step(step)
        before = optimizer.param_groups[0]["lr"]
        trial.step(value)
        lrs.append(before)
        if optimizer.param_groups[0]["lr"] != before:
            cuts.append(step)
    return tuple(cuts), tuple(lrs), optimizer.param_groups[0]["lr"]
