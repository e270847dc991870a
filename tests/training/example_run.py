"""A run that uses every random source, and programs that train it in new processes.

    python example_run.py straight FOLDER       train to the end, saving at each of STOPS
    python example_run.py resume FOLDER         from each of those, train to the end

Each prints one line per trained run: a digest of all weights, buffers, optimizer state and losses.
"""

from __future__ import annotations

import hashlib
import math
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset

import glideslope as gs

STEPS = 60
STEPS_PER_EPOCH = 13
BATCH_SIZE = 8
# After the first step, in the middle of an epoch, at the end of one, and before the last step.
STOPS = (1, 13, 23, 26, 59)


class Noisy(Dataset[tuple[Tensor, Tensor]]):
    """Points on a curve, each read with noise from three sources of random numbers."""

    def __len__(self) -> int:
        return STEPS_PER_EPOCH * BATCH_SIZE

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x = torch.linspace(-1, 1, 8) * (index / len(self))
        noise = torch.randn(8) + random.gauss(0, 1) + float(np.random.randn())
        return x + 0.1 * noise, x.sin().sum().reshape(1)


def warmup_cosine(step: int) -> float:
    return min((step + 1) / 10, 0.5 * (1 + math.cos(math.pi * step / STEPS)))


def optimizer_of_torch(model: nn.Module) -> dict[str, Any]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    return {
        "plateau": ReduceLROnPlateau(optimizer, factor=0.5, patience=0),
        "scheduler": LambdaLR(optimizer, warmup_cosine),
        "optimizer": optimizer,
    }


def optimizer_of_ours(model: nn.Module) -> dict[str, Any]:
    optimizer = gs.optim.AdamW(model.parameters(), lr=0.02)
    schedule = gs.warmup(10) >> gs.cosine(STEPS - 10)
    return {
        "plateau": gs.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0),
        "scheduler": gs.optim.lr_scheduler.Scheduler(optimizer, lr=schedule),
        "optimizer": optimizer,
    }


def build(
    seed: int,
    workers: int = 0,
    optimizer: Callable[[nn.Module], dict[str, Any]] = optimizer_of_torch,
    **parts: Any,
) -> gs.training.TrainingState:
    """A run at its beginning, with further ``parts``; ``seed`` decides all of it."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    model = nn.Sequential(
        nn.Linear(8, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 1)
    )
    order = torch.Generator().manual_seed(seed)
    loader = DataLoader(Noisy(), BATCH_SIZE, shuffle=True, generator=order, num_workers=workers)
    return gs.training.TrainingState(
        loader=gs.training.ResumableLoader(loader),
        scaler=torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=5),
        stopping=gs.training.EarlyStopping(patience=100, model=model),
        **optimizer(model),
        model=model,
        noise=np.random.default_rng(seed),
        step=0,
        losses=[],
        **parts,
    )


def train(run: Any, after_step: Callable[[], object]) -> None:
    """Train to the end."""
    while run.step < STEPS:
        for x, y in run.loader:
            x = x + 0.01 * float(run.noise.standard_normal())
            loss = nn.functional.mse_loss(run.model(x), y)
            run.optimizer.zero_grad()
            run.scaler.scale(loss).backward()
            run.scaler.step(run.optimizer)
            run.scaler.update()
            run.scheduler.step()
            run.step += 1
            run.losses.append(loss.item())
            if hasattr(run, "history"):
                run.history.append({"step": run.step, "loss": run.losses[-1]})
            after_step()
            if run.step == STEPS:
                return
        epoch_loss = sum(run.losses[-STEPS_PER_EPOCH:]) / STEPS_PER_EPOCH
        run.plateau.step(epoch_loss)
        run.stopping.step(epoch_loss)


def _tensors(state: Any) -> Iterator[bytes]:
    """Every value of a nest, as bytes."""
    if isinstance(state, Tensor):
        yield state.contiguous().numpy().tobytes()
    elif isinstance(state, dict):
        for name, part in state.items():
            yield repr(name).encode()
            yield from _tensors(part)
    elif isinstance(state, list | tuple):
        for part in state:
            yield from _tensors(part)
    else:
        yield repr(state).encode()


def digest(run: Any) -> str:
    parts = ("model", "optimizer", "scheduler", "plateau", "scaler", "stopping", "losses", "step")
    state = run.state_dict()
    return hashlib.sha256(b"".join(_tensors([state[part] for part in parts]))).hexdigest()


def straight(folder: Path, workers: int) -> None:
    run = build(0, workers)

    def save() -> None:
        if run.step in STOPS:
            gs.save_checkpoint(run.state_dict(), folder / f"{run.step}.pt")

    train(run, save)
    print(digest(run))


def resume(folder: Path, workers: int) -> None:
    for stop in STOPS:
        run = build(stop, workers)  # another seed: it may not affect the end
        run.load_state_dict(gs.load_checkpoint(folder / f"{stop}.pt"))
        train(run, lambda: None)
        print(digest(run))


if __name__ == "__main__":
    torch.set_num_threads(1)
    program = {"straight": straight, "resume": resume}[sys.argv[1]]
    program(Path(sys.argv[2]), workers=int(sys.argv[3]))
