"""Problems of the trial: full lengths and targets, which are fixed before any pair is compared.

A target is the mean loss of the tuned baseline after its full length plus three standard errors,
rounded up to a hundredth of a nat: the loss that the baseline reaches for certain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .workloads import Task, conv, mlp, patches, transformer


@dataclass(frozen=True)
class Problem:
    """A problem with a target.

    Args:
        make: a task for a seed.
        steps: updates of the full length.
        target: held-out loss to reach, in nats.
        tuned_on: the problem whose rates and decays it uses, where nothing is tuned on it.
    """

    make: Callable[[int], Task]
    steps: int
    target: float
    tuned_on: str | None = None


PROBLEMS = {
    "transformer": Problem(transformer, 300, 1.98),
    "conv": Problem(conv, 400, 0.34),
    "patches": Problem(patches, 300, 0.91, tuned_on="transformer"),
    "mlp": Problem(mlp, 400, 2.09),
}
