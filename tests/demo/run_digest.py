"""Digest of a run, the same bits however often the run was stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from glideslope.training import Checkpointer


def digest(folder: Path) -> str:
    """Of the newest checkpoint: model, optimizer, schedule, random state; and of the history."""
    found = Checkpointer(folder / "checkpoints").latest()
    assert found is not None
    run = found.state["run"]
    state = {name: run[name] for name in ("model", "optimizer", "scheduler", "order", "step")}
    random = run["environment"]["random"]["torch"]  # the only one that the run draws from
    content = b"".join(values([found.step, found.metrics, found.state["settings"], state, random]))
    return hashlib.sha256(content + (folder / "history.jsonl").read_bytes()).hexdigest()


def values(state: Any) -> Iterator[bytes]:
    """Every value of a nest, as bytes."""
    if isinstance(state, torch.Tensor):
        yield str((state.dtype, state.shape)).encode() + state.numpy().tobytes()
    elif isinstance(state, dict):
        for name, part in state.items():
            yield repr(name).encode()
            yield from values(part)
    elif isinstance(state, list | tuple):
        for part in state:
            yield from values(part)
    else:
        yield repr(state).encode()
