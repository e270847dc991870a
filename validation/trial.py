"""One run of the trial."""

from __future__ import annotations

import math
import time

import torch

from glideslope.optim.lr_scheduler import Scheduler

from .pairs import PAIRS, Pair
from .plan import Outcome, Trial
from .problems import PROBLEMS
from .workloads import Task, held_out_loss


class Training:
    """A task with a pair's optimizer and schedule, at a rate and a decay, for so many updates."""

    def __init__(self, pair: Pair, task: Task, rate: float, decay: float, steps: int) -> None:
        self.task = task
        self.optimizer = pair.make(task.model, rate, decay)
        self.scheduler = Scheduler(self.optimizer, lr=pair.over(steps))

    def update(self) -> None:
        """Learn from one batch."""
        self.optimizer.zero_grad()
        self.task.batch_loss().backward()
        self.optimizer.step()
        self.scheduler.step()


def run(trial: Trial) -> Outcome:
    """Train to the last update, and look at the held-out loss once."""
    torch.set_num_threads(1)
    task = PROBLEMS[trial.problem].make(trial.seed)
    training = Training(PAIRS[trial.pair], task, trial.rate, trial.decay, trial.steps)
    start = time.process_time()
    for _ in range(trial.steps):
        training.update()
    seconds = time.process_time() - start
    loss = held_out_loss(task, training.optimizer)
    return Outcome(loss if math.isfinite(loss) else math.inf, seconds)
