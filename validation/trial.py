"""One run of the trial."""

from __future__ import annotations

import math
import time

import torch

from glideslope.optim.lr_scheduler import Scheduler

from .pairs import PAIRS
from .plan import Outcome, Trial
from .problems import PROBLEMS
from .workloads import held_out_loss


def run(trial: Trial) -> Outcome:
    """Train to the last update, and look at the held-out loss once."""
    torch.set_num_threads(1)
    pair, task = PAIRS[trial.pair], PROBLEMS[trial.problem].make(trial.seed)
    optimizer = pair.make(task.model, trial.rate, trial.decay)
    scheduler = Scheduler(optimizer, lr=pair.over(trial.steps))
    start = time.process_time()
    for _ in range(trial.steps):
        optimizer.zero_grad()
        task.batch_loss().backward()
        optimizer.step()
        scheduler.step()
    seconds = time.process_time() - start
    loss = held_out_loss(task, optimizer)
    return Outcome(loss if math.isfinite(loss) else math.inf, seconds)
