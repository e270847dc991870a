"""The loop of `glideslope train`: a model, an optimizer, and a schedule that drives it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch

from glideslope.optim.lr_scheduler import Scheduler

from ._demo_data import Corpus, python_reference
from ._demo_model import CharTransformer
from ._demo_optimizer import make_optimizer
from ._settings import Settings

MEASUREMENTS = 10
"""How many times a run is measured on the held-out text."""


@dataclass(frozen=True)
class Record:
    """What happened in one update.

    Args:
        step: its number, from 0.
        loss: of its batch, before the update.
        lr: the learning rate it ran at.
        val_loss: loss on all the held-out text after the update, where it was measured.
    """

    step: int
    loss: float
    lr: float
    val_loss: float | None = None

    def is_finite(self) -> bool:
        """Whether training can go on from here."""
        return math.isfinite(self.loss) and math.isfinite(self.val_loss or 0.0)

    def as_dict(self) -> dict[str, float]:
        """What was measured, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Training:
    """A run that is ready to start: the text, the model, its optimizer, and the schedule."""

    def __init__(self, settings: Settings) -> None:
        torch.set_num_threads(settings.threads)
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.corpus = Corpus.of(python_reference())
        self.model = CharTransformer(len(self.corpus.vocabulary))
        self.optimizer = make_optimizer(settings, self.model.parameters())
        characters = settings.batch_size * self.model.context
        self.schedule = settings.schedule.bind(
            total_steps=settings.steps,
            steps_per_epoch=len(self.corpus.train) / characters,
            tokens_per_step=characters,
        )
        self.scheduler = Scheduler(self.optimizer, lr=self.schedule)

    def train(self) -> Iterator[Record]:
        """Make every update, with a record of each; the caller may stop between any two."""
        order = torch.Generator().manual_seed(self.settings.seed)
        for step in range(self.settings.steps):
            lr = self.optimizer.param_groups[0]["lr"]
            text, following = self.corpus.batch(self.settings.batch_size, self.model.context, order)

            loss = self.model.loss(text, following)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.scheduler.step()

            yield Record(step, loss.item(), lr, self.measure() if self.is_due(step) else None)

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def is_due(self, step: int) -> bool:
        """Ten times in a run, evenly, the last time after its last update."""
        before, after = (n * MEASUREMENTS // self.settings.steps for n in (step, step + 1))
        return after > before

    @torch.no_grad()
    def measure(self) -> float:
        """Mean loss over all the held-out text, in nats per character."""
        return self.model.loss(*self.corpus.held_out_windows(self.model.context)).item()
