"""The loop of `glideslope train`: a model, an optimizer, and a schedule that drives it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from glideslope.errors import InvalidValue
from glideslope.optim.lr_scheduler import Scheduler
from glideslope.schedules import Schedule
from glideslope.training import History, TrainingState

from ._corpus import Corpus, python_reference
from ._model import CharTransformer
from ._optimizer import evaluating, learning_rates, make_optimizer
from ._ranks import average, share, total
from ._settings import Settings

MEASUREMENTS = 20
"""How many times a run is measured on the held-out text."""


@dataclass(frozen=True)
class Record:
    """Measurements of one update.

    Args:
        step: its number, from 0.
        loss: of its batch, before the update.
        rates: the learning rates it ran at, by their names in the history.
        val_loss: loss on all the held-out text after the update, where it was measured.
    """

    step: int
    loss: float
    rates: dict[str, float]
    val_loss: float | None = None

    @property
    def lr(self) -> float:
        """The learning rate, or that of the first group."""
        return next(iter(self.rates.values()))

    def is_finite(self) -> bool:
        """True if the losses are finite."""
        return math.isfinite(self.loss) and math.isfinite(self.val_loss or 0.0)

    def metrics(self) -> dict[str, float]:
        """The metrics of a checkpoint."""
        return {} if self.val_loss is None else {"val_loss": self.val_loss}

    def as_dict(self) -> dict[str, float]:
        """The record as plain values, by name."""
        return {"step": self.step, "loss": self.loss, **self.rates, **self.metrics()}


class Training:
    """A run that is ready to start, or to continue from a state of `run`."""

    def __init__(
        self,
        settings: Settings,
        history: History,
        on_mismatch: Literal["error", "keep"] = "error",
    ) -> None:
        torch.set_num_threads(settings.threads)
        torch.manual_seed(settings.seed)
        self.corpus = Corpus.of(python_reference())
        model = CharTransformer(len(self.corpus.vocabulary))
        optimizer = make_optimizer(settings, model)
        self.settings = replace(settings, **chosen(optimizer))
        self.schedule = bound_schedule(settings, self.corpus, model.context)
        self.run = TrainingState(
            model=model,
            optimizer=optimizer,
            scheduler=Scheduler(optimizer, lr=self.schedule, on_mismatch=on_mismatch),
            order=torch.Generator().manual_seed(settings.seed),
            history=history,
            step=0,
            seconds=0.0,
        )

    def train(self) -> Iterator[Record]:
        """Make every update, with a record of each; the caller may stop between any two."""
        run, settings = self.run, self.settings
        while run.step < settings.steps:
            whole = self.corpus.batch(settings.batch_size, run.model.context, run.order)
            batch = [share(rows) for rows in whole]
            rates = learning_rates(run.optimizer)
            loss = run.optimizer.step(lambda batch=batch: self.evaluate(*batch))
            run.scheduler.step()
            val_loss = self.measure() if self.is_due(run.step) else None
            run.step += 1
            yield Record(run.step - 1, loss.item(), rates, val_loss)

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.run.model.parameters())

    def evaluate(self, text: Tensor, following: Tensor) -> Tensor:
        """The loss of a batch, and its gradients; some optimizers ask several times per update.

        Args:
            text: this rank's share of the batch.
            following: the characters that follow.
        """
        run = self.run
        run.optimizer.zero_grad()
        loss: Tensor = run.model.loss(text, following)
        loss.backward()
        average([loss.detach(), *(parameter.grad for parameter in run.model.parameters())])
        return loss

    def is_due(self, step: int) -> bool:
        """Twenty times in a run, evenly, the last time after its last update."""
        before, after = (n * MEASUREMENTS // self.settings.steps for n in (step, step + 1))
        return after > before

    def measure(self) -> float:
        """Mean loss over all the held-out text, in nats per character."""
        with evaluating(self.run.optimizer):
            return held_out_loss(self.run.model, self.corpus)

    def extend(self, steps: int) -> None:
        """Make the run longer: what remains of its schedule is stretched.

        Args:
            steps: the number of updates that are added.

        Raises:
            InvalidValue: the schedule has come to its end.
        """
        if self.run.step >= self.schedule.steps:
            problem = f"`{self.schedule}` has come to its end and cannot be stretched"
            raise InvalidValue(f"{problem}: give a `--schedule` as well")
        self.run.scheduler.extend(steps)
        self.schedule = self.run.scheduler.schedules["lr"]
        total = self.settings.steps + steps
        self.settings = replace(self.settings, schedule=self.schedule, steps=total)


@torch.no_grad()
def held_out_loss(model: CharTransformer, corpus: Corpus) -> float:
    """Mean loss of a model over all the held-out text, in nats per character."""
    whole = corpus.held_out_windows(model.context)
    windows = [share(rows) for rows in whole]
    loss: float = model.loss(*windows).item()
    return total(loss * (len(windows[0]) / len(whole[0])))


def bound_schedule(settings: Settings, corpus: Corpus, context: int) -> Schedule:
    """The schedule with every length in updates."""
    characters = settings.batch_size * context
    return settings.schedule.bind(
        total_steps=settings.steps,
        steps_per_epoch=len(corpus.train) / characters,
        tokens_per_step=characters,
    )


def chosen(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The values that the settings left to the optimizer."""
    defaults = optimizer.defaults
    rates = {"lr": defaults["lr"], "weight_decay": defaults.get("weight_decay")}
    return {"optimizer": type(optimizer).__name__, **rates}
