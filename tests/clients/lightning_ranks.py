"""Fits on one process and on each rank of several: a program that writes their results."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

import glideslope as gs
from glideslope import optim
from glideslope.optim import lr_scheduler as ours
from tests.clients.lightning_runs import Network, trainer

EPOCHS, SAMPLES = 3, 16
METRICS = ([1.0, 0.9, 0.8], [1.0, 1.1, 1.2])
"""The metric of each rank in each epoch: they disagree, and so do their means with either."""


def stepped(build: Any, kind: Any = optim.AdamW) -> Any:
    def configure(parameters: Any) -> Any:
        made = kind(parameters, lr=0.01)
        return [made], [{"scheduler": build(made), "interval": "step"}]

    return configure


def plateau(module: Any, **options: Any) -> Any:
    def configure(parameters: Any) -> Any:
        made = optim.AdamW(parameters, lr=0.01)
        scheduler = module.ReduceLROnPlateau(made, factor=0.5, patience=0, **options)
        return {"optimizer": made, "lr_scheduler": scheduler, "monitor": "metric"}

    return configure


CASES: dict[str, Any] = {
    "Scheduler": stepped(lambda o: gs.Scheduler(o, lr="warmup(4) >> cosine(8)")),
    "OneCycleLR": stepped(lambda o: ours.OneCycleLR(o, 0.05, total_steps=13)),
    "given": lambda p: optim.AdamW(p, lr=0.01 * gs.parse("warmup(4) >> cosine(8)")),
    "clipped": lambda p: optim.AdamW(p, lr=0.01, max_grad_norm=0.05),
    "Lion": lambda p: optim.Lion(p, lr=0.001),
    "plateau": plateau(ours),
    "plateau of rank 0": plateau(ours, agree="rank0"),
    "plateau, each for itself": plateau(ours, agree=None),
    "torch's plateau": plateau(torch.optim.lr_scheduler),
}


class Ranked(Network):
    """Logs the metric of its rank, without a reduction."""

    def training_step(self, batch: Any, index: int) -> Any:
        metric = METRICS[self.global_rank % 2][self.current_epoch]
        self.log("metric", metric, sync_dist=False)
        return super().training_step(batch, index)


def data(ranks: int) -> DataLoader[Any]:
    """Batches of 4 samples, shared by all ranks. Lightning's own sampler would shuffle them."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(SAMPLES, 4, generator=generator)
    samples = TensorDataset(x, x.sin().sum(1, keepdim=True))
    sampler: Any = DistributedSampler(samples, ranks, int(os.environ["RANK"]), shuffle=False)
    return DataLoader(samples, batch_size=4 // ranks, sampler=sampler)


def fit(name: str, ranks: int) -> dict[str, Any]:
    model = Ranked(CASES[name])
    options: dict[str, Any] = {"use_distributed_sampler": False}
    if ranks > 1:
        strategy = DDPStrategy(process_group_backend="gloo", timeout=timedelta(seconds=300))
        options |= {"strategy": strategy, "plugins": [LightningEnvironment()]}
    run = trainer(Path(tempfile.mkdtemp()), EPOCHS, ranks, **options)
    run.fit(model, data(ranks))
    rates = [float(lr) for lr in model.rates[0].values("lr")]
    return {"rates": rates, "weights": model.weights().tolist()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    os.environ["LOCAL_RANK"] = os.environ["RANK"]
    world = int(os.environ["WORLD_SIZE"])  # Lightning removes it after a fit
    results = {name: fit(name, world) for name in CASES}
    Path(sys.argv[1]).write_text(json.dumps(results))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
