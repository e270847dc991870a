"""What a training run is made from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from glideslope.errors import require
from glideslope.schedules import Schedule


@dataclass(frozen=True)
class Settings:
    """The options of `glideslope train`; on one machine, equal settings give equal runs.

    Args:
        schedule: factor of the learning rate at each update, its lengths in steps.
        optimizer: name of a class of `torch.optim`, in any case.
        lr: learning rate where the factor is 1; `None` takes the one found best for this job.
        weight_decay: `None` takes the optimizer's own.
        steps: updates of the parameters.
        batch_size: windows of text per update.
        seed: of the model's first parameters and of the order of the text.
        threads: processor threads.
    """

    schedule: Schedule
    optimizer: str
    lr: float | None
    weight_decay: float | None
    steps: int
    batch_size: int
    seed: int
    threads: int

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "threads"):
            require(getattr(self, name) >= 1, name, "be at least 1", getattr(self, name))
        require(0 <= self.seed < 2**63, "seed", "be at least 0 and less than 2**63", self.seed)
        for name in ("lr", "weight_decay"):
            value = getattr(self, name)
            require(
                value is None or 0 <= value < math.inf, name, "be finite and not negative", value
            )
