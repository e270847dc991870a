"""Losses that a run of `glideslope train` would have after a cooldown, from its checkpoints."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch

from glideslope.errors import InvalidValue, require
from glideslope.runs import RunFolder, is_run
from glideslope.schedules import Schedule
from glideslope.training import MergedModel, merge, save_checkpoint

from ._corpus import Corpus, python_reference
from ._loop import held_out_loss
from ._model import CharTransformer
from ._optimizer import has_own_average
from ._resume import require_own, require_text
from ._settings import Settings

MODEL = ("run", "model")
"""The place of the model in a checkpoint."""


class Cooldown(NamedTuple):
    """A cooldown of a run, as merged from its checkpoints.

    Args:
        schedule: the cooldown, with its length in updates.
        loss: on the held-out text, in nats per character.
        merged: the model.
    """

    schedule: Schedule
    loss: float
    merged: MergedModel

    @property
    def widest(self) -> int:
        """The most updates between two of the checkpoints."""
        return max((after - before for before, after in pairwise(self.merged.steps)), default=0)

    def save(self, path: Path) -> None:
        """Write the model to a file, with its loss and what it was merged from."""
        merged = self.merged
        content = {"model": merged.state, "steps": merged.steps, "weights": merged.weights}
        told = {"schedule": str(self.schedule), "val_loss": self.loss}
        save_checkpoint(content | told, path)


class TrainedRun:
    """The checkpoints of a run of `glideslope train`, which may still be running.

    Args:
        path: the folder of the run.

    Raises:
        InvalidValue: there is no run, or no checkpoint; an optimizer that averages by itself.
        StateMismatch: another program's run, or one on another text.
    """

    def __init__(self, path: Path) -> None:
        require(is_run(path), "run", "be the folder of a run of `glideslope train`", str(path))
        folder = RunFolder(path)
        self._checkpoints = folder.checkpoints()
        found = self._checkpoints.latest()
        if found is None:
            raise InvalidValue(f"there is no checkpoint in {path}")
        require_own(found)
        settings = Settings.from_dict(found.state["settings"])
        rule = "have an optimizer without an average of its own"
        require(not has_own_average(settings.optimizer), "run", rule, settings.optimizer)
        torch.set_num_threads(settings.threads)
        self._corpus = Corpus.of(python_reference())
        require_text(self._corpus, found, folder)
        self.step = found.step
        self.loss = self._loss(found.state["run"]["model"])

    def cooled(self, schedule: Schedule) -> Cooldown:
        """The run after a cooldown up to its newest checkpoint.

        Raises:
            InvalidValue: the checkpoints do not reach back to the beginning of the cooldown.
        """
        try:
            merged = merge(self._checkpoints, schedule, key=MODEL)
        except InvalidValue as error:
            schedule.merge_weights(range(self.step + 1))  # if this is refused, that is the reason
            hint = "`glideslope train` keeps more with --keep and --save-every"
            raise InvalidValue(f"{error}: {hint}") from error
        bound = schedule.bind(total_steps=merged.steps[-1])
        return Cooldown(bound, self._loss(merged.state), merged)

    def _loss(self, state: Any) -> float:
        with torch.device("meta"):  # draws no random numbers
            model = CharTransformer(len(self._corpus.vocabulary))
        model.load_state_dict(state, assign=True)
        return held_out_loss(model, self._corpus)
