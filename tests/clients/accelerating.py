"""Loops of Accelerate, on one process and on each rank of several."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.optim.lr_scheduler as torchs
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from accelerate.utils import InitProcessGroupKwargs, broadcast_object_list
from torch.utils.data import DataLoader, TensorDataset

import glideslope as gs
from glideslope import optim
from glideslope.optim import lr_scheduler as lrs

ROWS, LR = 48, 0.01

SCHEDULE = "warmup(4) >> cosine(44)"

SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "Scheduler": lambda o: lrs.Scheduler(o, lr=SCHEDULE),
    "CosineAnnealingLR": lambda o: lrs.CosineAnnealingLR(o, 48),
    "OneCycleLR": lambda o: lrs.OneCycleLR(o, 0.05, total_steps=60, cycle_momentum=False),
    "SequentialLR": lambda o: lrs.SequentialLR(
        o, [lrs.LinearLR(o, 0.1, total_iters=4), lrs.CosineAnnealingLR(o, 44)], [4]
    ),
    "LambdaLR": lambda o: lrs.LambdaLR(o, lambda t: 1 / (1 + t)),
}

KEYS = {"lr": SCHEDULE, "betas[0]": "linear(48, end=0.9)", "weight_decay": "linear(48)"}

SAVED: dict[str, Callable[[Any], Any]] = {
    "AdamW, Scheduler of three keys": lambda ps: of(
        optim.AdamW(ps, lr=LR), lambda o: lrs.Scheduler(o, **KEYS)
    ),
    "torch's AdamW, Scheduler": lambda ps: of(
        torch.optim.AdamW(ps, lr=LR), lambda o: lrs.Scheduler(o, **KEYS)
    ),
    "AdamW, OneCycleLR": lambda ps: of(optim.AdamW(ps, lr=LR), SCHEDULERS["OneCycleLR"]),
    "AdamW, SequentialLR": lambda ps: of(optim.AdamW(ps, lr=LR), SCHEDULERS["SequentialLR"]),
    "AdamW of a schedule": lambda ps: (optim.AdamW(ps, lr=LR * gs.parse(SCHEDULE)), None),
    "AdamW with ema and clipping": lambda ps: of(
        optim.AdamW(ps, lr=LR, ema_decay=0.9, max_grad_norm=0.1), SCHEDULERS["Scheduler"]
    ),
    "SGD, GreedyLR": lambda ps: of(
        optim.SGD(ps, lr=LR), lambda o: lrs.GreedyLR(o, patience=1, min_lr=1e-4, max_lr=1.0)
    ),
    "Prodigy": lambda ps: of(optim.Prodigy(ps), SCHEDULERS["Scheduler"]),
    "torch's, the control": lambda ps: of(
        torch.optim.AdamW(ps, lr=LR), lambda o: torchs.CosineAnnealingLR(o, 48)
    ),
}


def of(optimizer: Any, make: Callable[[Any], Any]) -> tuple[Any, Any]:
    return optimizer, make(optimizer)


def start(**arguments: Any) -> Accelerator:
    for state in (AcceleratorState, GradientState, PartialState):
        state._reset_state()
    waits = InitProcessGroupKwargs(timeout=timedelta(seconds=300))
    return Accelerator(cpu=True, kwargs_handlers=[waits], **arguments)


def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def rows(batch_size: int = 1) -> Any:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(ROWS, 4, generator=generator)
    return DataLoader(TensorDataset(inputs, inputs.sum(1, keepdim=True)), batch_size=batch_size)


def weights(model: Any) -> list[float]:
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()]).tolist()


def trained(
    make: Callable[[Any], Any],
    accumulated: int = 1,
    scheduler_is_stepped: str = "each batch",
    clip: float = 0.0,
    batch_size: int = 1,
    **arguments: Any,
) -> dict[str, Any]:
    """One epoch; the rate of every update, the weights and the steps of the scheduler."""
    accelerator = start(gradient_accumulation_steps=accumulated, **arguments)
    model = net()
    optimizer, scheduler = make(model.parameters())
    rates: list[float] = []
    optimizer.register_step_pre_hook(lambda o, *_: rates.append(float(o.param_groups[0]["lr"])))
    made = [part for part in (scheduler,) if part is not None]
    model, optimizer, loader, *prepared = accelerator.prepare(
        model, optimizer, rows(batch_size), *made
    )
    for x, y in loader:
        with accelerator.accumulate(model):
            accelerator.backward(torch.nn.functional.mse_loss(model(x), y))
            if clip and accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            if prepared and (scheduler_is_stepped == "each batch" or accelerator.sync_gradients):
                prepared[0].step()
            optimizer.zero_grad()
    last_epoch = scheduler.last_epoch if prepared else None
    return {"rates": rates, "weights": weights(model), "last_epoch": last_epoch}


def plateau(is_prepared: bool, module: Any = lrs) -> list[float]:
    """The rate after each of four epochs whose metric never improves."""
    accelerator = start()
    optimizer = optim.SGD(net().parameters(), lr=1.0)
    scheduler = module.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    if is_prepared:
        optimizer, scheduler = accelerator.prepare(optimizer, scheduler)
    rates = []
    for _ in range(4):
        optimizer.step()
        scheduler.step(1.0 + accelerator.process_index / 8)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def resumed(make: Callable[[Any], Any], stop: int = 5) -> dict[str, Any]:
    """A run, and one that was loaded at batch ``stop`` by another accelerator."""
    folder = broadcast_object_list([tempfile.mkdtemp()])[0]
    runs = []
    for loads in (False, True):
        accelerator = start()
        model = net()
        optimizer, scheduler = make(model.parameters())
        stopping = gs.training.EarlyStopping(patience=100)
        accelerator.register_for_checkpointing(stopping)
        rates: list[float] = []
        optimizer.register_step_pre_hook(lambda o, *_: rates.append(float(o.param_groups[0]["lr"])))  # noqa: B023
        parts = [part for part in (scheduler,) if part is not None]
        model, optimizer, loader, *prepared = accelerator.prepare(model, optimizer, rows(), *parts)
        first = 0
        if loads:
            accelerator.load_state(folder)
            first, loader = stop, accelerator.skip_first_batches(loader, stop)
        for batch, (x, y) in enumerate(loader, first):
            if batch == stop and not loads:
                accelerator.save_state(folder)
            loss = torch.nn.functional.mse_loss(model(x), y)
            accelerator.backward(loss)
            optimizer.step()
            for each in prepared:
                each.step(*([loss.item()] if isinstance(scheduler, lrs.GreedyLR) else []))
            stopping.step(loss)
            optimizer.zero_grad()
        runs.append([rates if loads else rates[stop:], weights(model), stopping.state_dict()])
    return {"straight": runs[0], "resumed": runs[1]}


def results() -> dict[str, Any]:
    found: dict[str, Any] = {}
    sgd = lambda ps, make: of(optim.SGD(ps, lr=LR), make)  # noqa: E731
    for name, make in SCHEDULERS.items():
        for accumulated in (1, 2):
            for linked in (True, False):
                for stepped in ("each batch", "each update"):
                    label = f"{name}, {accumulated}, {linked}, {stepped}"
                    found[label] = trained(
                        lambda ps: sgd(ps, make),  # noqa: B023
                        accumulated,
                        stepped,
                        step_scheduler_with_optimizer=linked,
                    )
        found[f"{name} of the wrapper"] = of_the_wrapper(make)
    found["schedule"] = trained(SAVED["AdamW of a schedule"])
    for is_prepared in (False, True):
        found[f"plateau, {is_prepared}"] = plateau(is_prepared)
        found[f"torch's plateau, {is_prepared}"] = plateau(is_prepared, torchs)
    for name, saved in SAVED.items():
        found[f"resumed {name}"] = resumed(saved)
    for own in (True, False):
        more = {"max_grad_norm": 0.05} if own else {}
        found[f"clip, {own}"] = trained(
            lambda ps: (optim.AdamW(ps, lr=LR, **more), None),  # noqa: B023
            clip=0.0 if own else 0.05,
        )
    found["past the end"] = trained(
        lambda ps: of(
            optim.SGD(ps, lr=LR),
            lambda o: lrs.OneCycleLR(o, 0.05, total_steps=10, cycle_momentum=False),
        )
    )
    whole = 8 // AcceleratorState().num_processes  # rows of a process's batch
    found["the whole batch"] = trained(SAVED["AdamW of a schedule"], batch_size=whole)
    return found


def of_the_wrapper(make: Callable[[Any], Any]) -> list[float]:
    """The rates under a scheduler that is built on the prepared optimizer, and stepped itself."""
    accelerator = start()
    optimizer = accelerator.prepare(optim.SGD(net().parameters(), lr=LR))
    scheduler, rates = make(optimizer), []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    warnings.filterwarnings("error", module="glideslope")
    torch.set_num_threads(1)
    Path(sys.argv[1]).write_text(json.dumps(results()))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
