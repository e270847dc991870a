"""Content of a run's `config.json`: everything that is needed to repeat the run."""

from __future__ import annotations

import math
import platform
import shlex
from typing import Any

import torch

from glideslope._version import __version__
from glideslope.distributed import launch

from ._launch import program
from ._loop import Training
from ._settings import Settings


def describe(training: Training) -> dict[str, Any]:
    """The command, what it was resolved to, and what it ran on."""
    optimizer, corpus = training.run.optimizer, training.corpus
    return {
        "command": command(training.settings),
        "ranks": launch().ranks,
        "settings": training.settings.as_dict(),
        "schedule": {"text": str(training.schedule), "json": training.schedule.to_dict()},
        "optimizer": {"name": type(optimizer).__name__, "options": options(optimizer)},
        "model": {
            "parameters": training.parameters,
            "context": training.run.model.context,
        },
        "text": {
            "source": "pydoc_data.topics",
            "sha256": corpus.sha256,
            "symbols": len(corpus.vocabulary),
            "train_characters": len(corpus.train),
            "held_out_characters": len(corpus.held_out),
        },
        "versions": {
            "glideslope": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def options(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Every option of the optimizer; infinity, for which JSON has no form, as text."""
    return {k: "inf" if v == math.inf else v for k, v in optimizer.defaults.items()}


def command(settings: Settings) -> str:
    """The command line that makes this run again, with nothing left to a default."""
    words = [*program(), "train"]
    for name, value in settings.as_dict().items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)
