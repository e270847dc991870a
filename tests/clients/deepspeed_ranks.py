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
from functools import partial
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

Make = Callable[[Any], Any]
WAYS: dict[str, tuple[Make | None, Make | None]] = {
    "Scheduler": (
        lambda m: optim.AdamW(m.parameters(), lr=0.01),
        lambda o: gs.Scheduler(o, lr=TEXT),
    ),
    "Scheduler on torch's": (
        lambda m: torch.optim.AdamW(m.parameters(), lr=0.01),
        lambda o: gs.Scheduler(o, lr=TEXT, weight_decay="linear(12)"),
    ),
    "given": (lambda m: optim.AdamW(m.named_parameters(), lr=0.01 * gs.parse(TEXT)), None),
    "OneCycleLR": (
        lambda m: optim.AdamW(m.parameters(), lr=0.01),
        lambda o: ours.OneCycleLR(o, 0.05, total_steps=13),
    ),
    "torch's OneCycleLR": (
        lambda m: torch.optim.AdamW(m.parameters(), lr=0.01),
        lambda o: theirs.OneCycleLR(o, 0.05, total_steps=13),
    ),
    "two groups": (
        lambda m: optim.ADOPT(optim.param_groups(m, weight_decay=0.1), lr=0.01, ema_decay=0.9),
        lambda o: gs.Scheduler(o, lr=TEXT),
    ),
    "function": (
        lambda m: optim.AdamW(m.parameters(), lr=0.01),
        partial(gs.Scheduler, lr=TEXT),
    ),
    "function for its own": (None, partial(gs.Scheduler, lr=TEXT)),
    "totals": (
        lambda m: optim.Prodigy(m.parameters(), lr=1.0, max_grad_norm=0.5, skip_nonfinite=True),
        lambda o: gs.Scheduler(o, lr=TEXT),
    ),
}
"""Functions that make the optimizer of a model, None where DeepSpeed makes it, and its scheduler.

DeepSpeed is given the scheduler; a `partial` it is given itself.
"""
SETTINGS = [(stage, accumulate) for stage in (0, 1, 2, 3) for accumulate in (1, 2)]

CUT = "`params` are parts that DeepSpeed's ZeRO cut from all parameters of a group, and"
APART = (
    "DeepSpeed's ZeRO updates `params` in 2 steps, one for each group (in stage 3, for each "
    "`sub_group_size` elements of it), and"
)
REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    **{
        name: (lambda m, name=name: getattr(optim, name)(m.parameters(), lr=0.01), f"{CUT} {name}")
        for name in ("LAMB", "LARS", "StableAdamW", "MARS", "MuonWithAuxAdam", "SOAP", "Adafactor")
    },
    "Muon": (lambda m: optim.Muon([p for p in m.parameters() if p.ndim == 2]), f"{CUT} Muon"),
    "cautious": (lambda m: optim.AdamW(m.parameters(), cautious=True), f"{CUT} AdamW"),
    "norm of groups": (
        lambda m: optim.AdamW(optim.param_groups(m), max_grad_norm=0.5),
        f"{APART} `max_grad_norm` takes the norm of all of them: give one group",
    ),
    "check of groups": (
        lambda m: optim.SGD(optim.param_groups(m), lr=0.1, skip_nonfinite=True),
        f"{APART} `skip_nonfinite` looks at all of them: give one group",
    ),
    "Prodigy of groups": (
        lambda m: optim.Prodigy(optim.param_groups(m)),
        f"{APART} Prodigy takes sums over all of them: give one group",
    ),
    "schedule of groups": (
        lambda m: optim.AdamW(optim.param_groups(m), lr=0.01 * gs.parse(TEXT)),
        f"{APART} each step advances the schedule of `lr`: give one group, or DeepSpeed a",
    ),
}


def engine(
    make: Make | None, schedule: Make | None, stage: int, accumulate: int
) -> tuple[Any, Any]:
    """DeepSpeed's engine of a small network, and the optimizer inside it."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    optimizer = make and make(model)
    config: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": SAMPLES // int(os.environ["WORLD_SIZE"]),
        "gradient_accumulation_steps": accumulate,
        "zero_optimization": {"stage": stage},
        "zero_allow_untested_optimizer": True,
    }
    if optimizer is None:
        config["optimizer"] = {"type": "AdamW", "params": {"lr": 0.01, "torch_adam": True}}
    is_given_whole = schedule is None or isinstance(schedule, partial)
    running = deepspeed.initialize(
        model=model,
        model_parameters=None if optimizer else model.parameters(),
        optimizer=optimizer,
        lr_scheduler=schedule if is_given_whole else schedule(optimizer),
        config=config,
    )[0]
    return running, optimizer or running.basic_optimizer


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
    parameters = list(running.module.parameters())
    is_cut = running.zero_optimization_stage() == 3
    with deepspeed.zero.GatheredParameters(parameters, enabled=is_cut):
        return [float(value) for p in parameters for value in p.detach().flatten()]


def straight(way: str, stage: int, accumulate: int) -> dict[str, Any]:
    running, optimizer = engine(*WAYS[way], stage, accumulate)
    rates = train(running, optimizer, range(BATCHES))
    return {"rates": rates, "weights": weights(running)}


def resumed(way: str, stage: int, folder: str) -> dict[str, Any]:
    """The same run, saved after six batches and continued by another engine."""
    running, optimizer = engine(*WAYS[way], stage, 1)
    rates = train(running, optimizer, range(6))
    running.save_checkpoint(folder, tag="six")
    running, optimizer = engine(*WAYS[way], stage, 1)
    running.load_checkpoint(folder, tag="six")
    rates += train(running, optimizer, range(6, BATCHES))
    return {"rates": rates, "weights": weights(running)}


def refusal(make: Callable[[Any], Any], stage: int) -> tuple[str, bool]:
    """The text of the error of a first update, and if it left the weights as they were."""
    running, optimizer = engine(make, None, stage, 1)
    before = weights(running)
    try:
        train(running, optimizer, range(1))
    except gs.errors.InvalidValue as error:
        return str(error), before == weights(running)
    return "", False


def results() -> dict[str, Any]:
    found = {
        f"{way}, stage {stage}, accumulate {accumulate}": straight(way, stage, accumulate)
        for way in WAYS
        for stage, accumulate in SETTINGS
    }
    folder = [tempfile.mkdtemp()]
    torch.distributed.broadcast_object_list(folder)
    for way in WAYS:
        for stage in (0, 1, 3):
            place = f"{folder[0]}/{way} {stage}"
            found[f"{way}, stage {stage}, resumed"] = resumed(way, stage, place)
    for name, (make, _) in REFUSED.items():
        for stage in (1, 2, 3):
            found[f"{name}, stage {stage}, refused"] = refusal(make, stage)
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
