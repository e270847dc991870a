"""What a run folder's `config.json` says: everything that is needed to repeat the run."""

from __future__ import annotations

import platform
import shlex
from dataclasses import fields
from hashlib import sha256
from typing import Any

import torch

import glideslope

from ._demo_data import python_reference
from ._demo_loop import Training


def describe(training: Training) -> dict[str, Any]:
    """The command, what it was resolved to, and what it ran on."""
    return {
        "command": command(training),
        "schedule": {
            "text": str(training.schedule),
            "json": training.schedule.to_dict(),
        },
        "optimizer": {
            "name": type(training.optimizer).__name__,
            "options": training.optimizer.defaults,
        },
        "steps": training.settings.steps,
        "batch_size": training.settings.batch_size,
        "seed": training.settings.seed,
        "threads": training.settings.threads,
        "model": {
            "parameters": training.parameters,
            "context": training.model.context,
        },
        "text": {
            "source": "pydoc_data.topics",
            "sha256": sha256(python_reference().encode()).hexdigest(),
            "symbols": len(training.corpus.vocabulary),
            "train_characters": len(training.corpus.train),
            "held_out_characters": len(training.corpus.held_out),
        },
        "versions": {
            "glideslope": glideslope.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def command(training: Training) -> str:
    """The command line that makes this run again, with nothing left to a default."""
    settings, defaults = training.settings, training.optimizer.defaults
    chosen = {"lr": defaults["lr"], "weight_decay": defaults.get("weight_decay")}
    words = ["glideslope", "train"]
    for field in fields(settings):
        value = chosen.get(field.name, getattr(settings, field.name))
        if value is not None:
            words += [f"--{field.name.replace('_', '-')}", str(value)]
    return shlex.join(words)
