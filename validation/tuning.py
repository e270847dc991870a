"""One optimizer on one workload: its learning rate found on a common grid, then three seeds."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Any

import torch

import glideslope as gs
from glideslope.optim import create, param_groups
from glideslope.optim.lr_scheduler import Scheduler

from .workloads import WORKLOADS, Task, Workload, held_out_loss

GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Learning rates, the same for every optimizer and workload."""
SEEDS = (0, 1, 2)

OPTIONS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "RMSprop": {"momentum": 0.9},
    "LARS": {"momentum": 0.9},
}
"""Arguments that an optimizer always gets. Weight decay is 0: all have one objective."""

ONE_GRADIENT_ONLY = {"LBFGS"}
"""Optimizers that need the same loss several times over, so no random batches."""


@dataclass(frozen=True)
class Run:
    """The result of one run.

    Args:
        steps: updates until the target was reached; infinity where it was not.
        seconds: of CPU time these took, the looks at the held-out loss left out.
        final: the last held-out loss.
    """

    steps: float
    seconds: float
    final: float


@dataclass(frozen=True)
class Result:
    """An optimizer on a workload, at the best learning rate of the grid."""

    workload: str
    optimizer: str
    lr: float
    runs: tuple[Run, ...]

    @property
    def steps(self) -> float:
        return statistics.median(run.steps for run in self.runs)

    @property
    def seconds(self) -> float:
        return statistics.median(run.seconds for run in self.runs)

    @property
    def final(self) -> float:
        return statistics.median(run.final for run in self.runs)


def tuned(workload: str, optimizer: str) -> Result | None:
    """The result of an optimizer, or None where it does not fit the model."""
    torch.set_num_threads(1)
    task = WORKLOADS[workload].make(SEEDS[0])
    if not fits(optimizer, WORKLOADS[workload], task):
        return None

    @cache
    def at(rate: int, seed: int = SEEDS[0]) -> Run:
        return run(WORKLOADS[workload], optimizer, GRID[rate], seed)

    default = make_optimizer(optimizer, task, None).param_groups[0]["lr"]
    best = climb(lambda rate: score(at(rate)), nearest(default))
    return Result(workload, optimizer, GRID[best], tuple(at(best, seed) for seed in SEEDS))


def fits(optimizer: str, workload: Workload, task: Task) -> bool:
    if optimizer in ONE_GRADIENT_ONLY:
        return not workload.is_stochastic
    matrices_only = getattr(getattr(gs.optim, optimizer), "matrices_only", False)
    return not matrices_only or all(p.ndim == 2 for p in task.model.parameters())


def score(run: Run) -> tuple[float, float]:
    """Less is better: sooner at the target, then lower in the end."""
    return run.steps, run.final if math.isfinite(run.final) else math.inf


def nearest(lr: float) -> int:
    """The place in the grid."""
    return min(range(len(GRID)), key=lambda i: abs(math.log(GRID[i] / lr)))


def climb(value: Callable[[int], Any], start: int) -> int:
    """The place in the grid, reached from a start, that neither neighbour is better than."""
    best = start
    while True:
        around = [i for i in (best - 1, best, best + 1) if 0 <= i < len(GRID)]
        following = min(around, key=lambda i: (value(i), i != best))
        if following == best:
            return best
        best = following


def make_optimizer(name: str, task: Task, lr: float | None) -> torch.optim.Optimizer:
    arguments = signature(getattr(gs.optim, name)).parameters
    options = dict(OPTIONS.get(name, {}))
    if "weight_decay" in arguments:
        options["weight_decay"] = 0.0
    if lr is not None:
        options["lr"] = lr
    hidden_apart = "use_muon" in arguments
    groups = param_groups(task.model, use_muon=True) if hidden_apart else task.model.parameters()
    return create(name, groups, **options)


def run(workload: Workload, name: str, lr: float, seed: int) -> Run:
    """Train until the last step; a problem without noise, only until the target."""
    task = workload.make(seed)
    optimizer = make_optimizer(name, task, lr)
    scheduler = Scheduler(optimizer, lr=schedule(workload, name))
    reached, seconds, taken, final = math.inf, 0.0, math.inf, math.inf
    for step in range(1, workload.steps + 1):
        start = time.process_time()
        loss = update(task, optimizer)
        scheduler.step()
        seconds += time.process_time() - start
        if not math.isfinite(loss):
            return Run(math.inf, math.inf, math.inf)
        if step % workload.every == 0:
            final = held_out_loss(task, optimizer)
            if final <= workload.target and reached == math.inf:
                reached, taken = step, seconds
                if not workload.is_stochastic:
                    break
    return Run(reached, taken, final)


def update(task: Task, optimizer: torch.optim.Optimizer) -> float:
    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = task.batch_loss()
        loss.backward()
        return loss

    loss: torch.Tensor = optimizer.step(closure)  # type: ignore[assignment, arg-type]
    return loss.item()


def schedule(workload: Workload, name: str) -> gs.Schedule:
    """Warm-up and, where the method averages no path of its own, a cooldown."""
    if not workload.is_stochastic:
        return gs.hold(workload.steps)
    warmup = gs.warmup(workload.steps // 20)
    if name.endswith("ScheduleFree"):
        return warmup >> gs.hold(workload.steps)
    cooldown = gs.linear(workload.steps // 5)
    return warmup >> gs.hold(workload.steps - warmup.steps - cooldown.steps) >> cooldown
