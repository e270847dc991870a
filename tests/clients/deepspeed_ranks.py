"""Loops of DeepSpeed on the CPU, on one process and on each rank of several; writes the results."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

os.environ["DS_ACCELERATOR"] = "cpu"

import deepspeed
import torch

import glideslope as gs
from glideslope import optim
from glideslope.optim import lr_scheduler as ours

BATCHES, SAMPLES = 12, 4
TEXT = "warmup(3) >> cosine(9)"
theirs = torch.optim.lr_scheduler

WAYS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any] | None]] = {
    "Scheduler": (lambda p: optim.AdamW(p, lr=0.01), lambda o: gs.Scheduler(o, lr=TEXT)),
    "Scheduler on torch's": (
        lambda p: torch.optim.AdamW(p, lr=0.01),
        lambda o: gs.Scheduler(o, lr=TEXT, weight_decay="linear(12)"),
    ),
    "given": (lambda p: optim.AdamW(p, lr=0.01 * gs.parse(TEXT)), None),
    "OneCycleLR": (
        lambda p: optim.AdamW(p, lr=0.01),
        lambda o: ours.OneCycleLR(o, 0.05, total_steps=13),
    ),
    "torch's OneCycleLR": (
        lambda p: torch.optim.AdamW(p, lr=0.01),
        lambda o: theirs.OneCycleLR(o, 0.05, total_steps=13),
    ),
    "Lion": (lambda p: optim.Lion(p, lr=0.001), None),
    "ema": (lambda p: optim.AdamW(p, lr=0.01, ema_decay=0.9), None),
}
SETTINGS = [(stage, accumulate) for stage in (0, 1, 2) for accumulate in (1, 2)]


def engine(way: str, stage: int, accumulate: int) -> tuple[Any, Any]:
    """DeepSpeed's engine of a small network, and the optimizer that was given to it."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    make, schedule = WAYS[way]
    optimizer = make(model.parameters())
    config = {
        "train_micro_batch_size_per_gpu": SAMPLES // int(os.environ["WORLD_SIZE"]),
        "gradient_accumulation_steps": accumulate,
        "zero_optimization": {"stage": stage},
        "zero_allow_untested_optimizer": True,
    }
    scheduler = schedule and schedule(optimizer)
    return deepspeed.initialize(
        model=model, optimizer=optimizer, lr_scheduler=scheduler, config=config
    )[0], optimizer


def train(running: Any, optimizer: Any, batches: range) -> list[float]:
    """The rates of the updates."""
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    rates = []
    for number in batches:
        x = torch.randn(SAMPLES, 4, generator=torch.Generator().manual_seed(number))[rank::world]
        loss = (running(x) - x.sin().sum(1, keepdim=True)).square().mean()
        if running.is_gradient_accumulation_boundary():
            rates.append(float(optimizer.param_groups[0]["lr"]))
        running.backward(loss)
        running.step()
    return rates


def weights(running: Any) -> list[float]:
    return [float(value) for p in running.module.parameters() for value in p.detach().flatten()]


def straight(way: str, stage: int, accumulate: int) -> dict[str, Any]:
    running, optimizer = engine(way, stage, accumulate)
    rates = train(running, optimizer, range(BATCHES))
    return {"rates": rates, "weights": weights(running)}


def resumed(way: str, stage: int, folder: str) -> dict[str, Any]:
    """The same run, saved after six batches and continued by another engine."""
    running, optimizer = engine(way, stage, 1)
    rates = train(running, optimizer, range(6))
    running.save_checkpoint(folder, tag="six")
    running, optimizer = engine(way, stage, 1)
    running.load_checkpoint(folder, tag="six")
    rates += train(running, optimizer, range(6, BATCHES))
    return {"rates": rates, "weights": weights(running)}


def results() -> dict[str, Any]:
    found = {
        f"{way}, stage {stage}, accumulate {accumulate}": straight(way, stage, accumulate)
        for way in WAYS
        for stage, accumulate in SETTINGS
    }
    folder = [tempfile.mkdtemp()]
    torch.distributed.broadcast_object_list(folder)
    for way in WAYS:
        for stage in (0, 1):
            place = f"{folder[0]}/{way} {stage}"
            found[f"{way}, stage {stage}, resumed"] = resumed(way, stage, place)
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    os.environ["LOCAL_RANK"] = os.environ["RANK"]
    torch.set_num_threads(1)
    # Without its kernel for shared memory, which a compiler would need a minute for.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed("gloo", timeout=timedelta(seconds=60))
    Path(sys.argv[1]).write_text(json.dumps(results()))
    torch.distributed.destroy_process_group()
