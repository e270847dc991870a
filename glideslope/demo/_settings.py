"""Settings of a training run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from glideslope.errors import require
from glideslope.schedules import Schedule, parse

MAY_CHANGE = ("schedule", "threads", "save_every", "keep")
"""Settings that may change when a run is resumed; any other would change its result."""


@dataclass(frozen=True)
class Settings:
    """The options of `glideslope train`; on one machine, equal settings give equal runs.

    Args:
        schedule: factor of the learning rate at each update, its lengths in steps.
        optimizer: name of an optimizer of `glideslope.optim`, in any case.
        lr: learning rate where the factor is 1; `None` takes the one found best for this job.
        weight_decay: `None` takes the optimizer's own.
        steps: updates of the parameters.
        batch_size: windows of text per update.
        seed: of the model's first parameters and of the order of the text.
        threads: processor threads.
        save_every: updates from one checkpoint to the next.
        keep: how many of the newest checkpoints are kept.

    Raises:
        InvalidValue: a number is out of range.
    """

    schedule: Schedule
    optimizer: str
    lr: float | None
    weight_decay: float | None
    steps: int
    batch_size: int
    seed: int
    threads: int
    save_every: int
    keep: int = 3

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "threads", "save_every", "keep"):
            require(getattr(self, name) >= 1, name, "be at least 1", getattr(self, name))
        require(0 <= self.seed < 2**63, "seed", "be at least 0 and less than 2**63", self.seed)
        for name in ("lr", "weight_decay"):
            value = getattr(self, name)
            require(
                value is None or 0 <= value < math.inf, name, "be finite and not negative", value
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and for checkpoints."""
        return {**vars(self), "schedule": str(self.schedule)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The reverse."""
        return cls(**{**values, "schedule": parse(values["schedule"])})

    def resumed(self, given: Mapping[str, Any]) -> Settings:
        """These settings with those that are given for the rest of the run.

        Raises:
            InvalidValue: one of them would change the run's result.
        """
        for name, value in given.items():
            here = getattr(self, name)
            same = str(value).lower() == here.lower() if name == "optimizer" else value == here
            hint = " (--extend makes it longer)" if name == "steps" else ""
            rule = f"stay {here} in this run{hint}"
            require(same or name in MAY_CHANGE, name, rule, value)
        return replace(self, **{name: given[name] for name in MAY_CHANGE if name in given})
