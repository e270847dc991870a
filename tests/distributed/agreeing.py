"""Gives each of two ranks its own metrics, and writes down what both then do."""

from __future__ import annotations

import json
import random
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.tensor import Shard, distribute_tensor

import glideslope as gs
from glideslope import optim
from glideslope.errors import GlideslopeError
from glideslope.optim.lr_scheduler import (
    ChainedScheduler,
    ExponentialLR,
    GreedyLR,
    ReduceLROnPlateau,
)

METRICS = [(1.0, 1.0), (0.9, 1.1), (0.8, 1.2), (0.7, 1.3), (0.6, 1.4), (0.5, 1.5), (0.1, 0.2)]
WAYS = ("mean", "rank0", None)


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)


def stepped(make: Callable[[Any], Any], metrics: list[Any]) -> list[float]:
    """The rates after each metric."""
    scheduler = make(optimizer())
    rates = []
    for metric in metrics:
        scheduler.step(metric)
        rates.append(scheduler.get_last_lr()[0])
    return rates


def plateau(agree: Any) -> Callable[[Any], Any]:
    return lambda o: ReduceLROnPlateau(o, factor=0.5, patience=0, agree=agree)


def greedy(agree: Any) -> Callable[[Any], Any]:
    return lambda o: GreedyLR(o, patience=0, factor=0.5, min_lr=1e-5, max_lr=10.0, agree=agree)


def chained(agree: Any) -> Callable[[Any], Any]:
    return lambda o: ChainedScheduler([plateau(agree)(o), ExponentialLR(o, 0.9)])


def stopped(agree: Any, metrics: list[Any]) -> tuple[int, float | None]:
    """The number of values that were taken, and the best of them."""
    stopping = gs.training.EarlyStopping(patience=2, agree=agree)
    for metric in metrics:
        if stopping.step(metric):
            break
    return stopping.values, stopping.best


def tested(agree: Any, rank: int) -> tuple[list[float], str]:
    """A range test whose loss explodes on rank 1 only, and whose batches end there first."""
    model, step = torch.nn.Linear(1, 1), iter(range(100))
    own = optimizer()

    def train_step(model: Any, batch: Any) -> float:
        own.step()
        return 1.0 + (next(step) if rank else 0)

    batches = iter(range(30 - 10 * rank))
    result = gs.training.lr_range_test(
        model, own, num_it=40, train_step=train_step, batches=batches, smoothing=0.0,
        divergence=100.0, agree=agree,
    )  # fmt: skip
    return result.losses, result.reason


def random_after_resume(rank: int, file: Path) -> dict[str, Any]:
    """Random numbers that follow when all load their own state, and when all load rank 0's."""
    run = gs.training.TrainingState(step=0)
    seed_all(100 + rank)
    own = run.state_dict()
    wanted = drawn()
    if rank == 0:
        gs.save_checkpoint(own, file)
    dist.barrier()
    run.load_state_dict(own)
    again = drawn()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run.load_state_dict(gs.load_checkpoint(file))
    return {
        "own": again == wanted,
        "of rank 0": drawn(),
        "warnings": [str(each.message) for each in caught],
    }


def seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def drawn() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]


FLAT: dict[str, tuple[str, dict[str, Any]]] = {
    "AdamW": ("AdamW", {}),
    "clipped": ("AdamW", {"max_grad_norm": 1.0}),
    "skipping": ("AdamW", {"skip_nonfinite": True}),
    "cautious": ("Lion", {"cautious": True}),
    **{
        name: (name, {})
        for name in ("LAMB", "LARS", "StableAdamW", "MARS", "Prodigy", "SOAP", "Adafactor", "CAME")
    },
    "MuonWithAuxAdam": ("MuonWithAuxAdam", {}),
}


def flat_shards() -> dict[str, str]:
    """The refusals of optimizers for parameters that FSDP1 cut."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        linear = torch.nn.Linear(4, 3)
        model = FullyShardedDataParallel(
            linear, use_orig_params=True, device_id=torch.device("cpu")
        )
    params = list(model.parameters())
    return {
        label: refused(lambda p, n=name, o=options: getattr(optim, n)(p, **o), params)  # type: ignore[misc]
        for label, (name, options) in FLAT.items()
    }


HUGE = (1e200, 2e200, 3e200, 5e200)


def huge_norm() -> float | None:
    """The norm of a sharded gradient whose squares overflow."""
    mesh = init_device_mesh("cpu", (2,))
    zeros, whole = torch.zeros(4, dtype=torch.float64), torch.tensor(HUGE, dtype=torch.float64)
    p = torch.nn.Parameter(distribute_tensor(zeros, mesh, [Shard(0)]))
    p.grad = distribute_tensor(whole, mesh, [Shard(0)])
    own = optim.SGD([p], lr=1.0, max_grad_norm=1.0)
    own.step()
    return own.grad_norm


def refused(call: Callable[[Any], Any], value: Any) -> str:
    try:
        call(value)
    except GlideslopeError as error:
        return str(error)
    return ""


def main(file: Path) -> None:
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    own = [pair[rank] for pair in METRICS]
    makers = {"plateau": plateau, "greedy": greedy, "chained": chained}
    results: dict[str, Any] = {
        f"{name} {agree}": stepped(make(agree), own)
        for name, make in makers.items()
        for agree in WAYS
    }
    results |= {f"stopping {agree}": stopped(agree, own) for agree in WAYS}
    results["range test"] = tested("mean", rank)
    results["huge"] = huge_norm()
    results["flat"] = flat_shards()
    results["random"] = random_after_resume(rank, file.with_name("run.checkpoint"))
    bad = [1.0, "no number"][rank]
    results["bad metric"] = refused(plateau("mean")(optimizer()).step, bad)
    results["bad value"] = refused(gs.training.EarlyStopping(patience=1).step, bad)
    file.write_text(json.dumps(results))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
