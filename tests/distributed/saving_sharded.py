"""Trains with sharded parameters, saves in the middle, or continues from what others saved.

    saving_sharded.py FILE FOLDER NAME…

The gradients are given and the same for all layouts, so that elementwise rules have the same bits.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

import glideslope as gs

STEPS = 3

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "AdamW": lambda p: gs.optim.AdamW(p, lr=0.01, ema_decay=0.9),
    "torch": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=False),
    "Adafactor": lambda p: gs.optim.Adafactor(p, lr=0.01),
    "MuonWithAuxAdam": lambda p: gs.optim.MuonWithAuxAdam(p, lr=0.01),
}


def build() -> nn.Sequential:
    """A model with rows that two ranks cannot share evenly, one row, and tied weights."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 6), nn.Linear(6, 5), nn.Linear(5, 1))
    model[2].weight = model[0].weight
    return model


def layout(name: str, model: nn.Module) -> None:
    ranks = dist.get_world_size() if dist.is_initialized() else 1
    if name == "fsdp":
        fully_shard(model, mesh=init_device_mesh("cpu", (ranks,)))
    elif name in ("rows", "columns"):
        mesh = init_device_mesh("cpu", (ranks,))
        distribute(model, mesh, [Shard(1 if name == "columns" else 0)], [Shard(0)])
    elif name == "grid":
        mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("dp", "tp"))
        distribute(model, mesh, [Shard(0), Shard(1)], [Replicate(), Shard(0)])


def distribute(model: nn.Module, mesh: Any, of_matrices: Any, of_vectors: Any) -> None:
    made: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, p in list(module.named_parameters(recurse=False)):
            if id(p) not in made:
                placements = of_matrices if p.ndim == 2 else of_vectors
                made[id(p)] = nn.Parameter(distribute_tensor(p.detach(), mesh, placements))
            setattr(module, name, made[id(p)])


def run_of(name: str, optimizer: str) -> Any:
    model = build()
    layout(name, model)
    return gs.training.TrainingState(
        model=model, optimizer=OPTIMIZERS[optimizer](model.parameters()), step=0
    )


@torch.no_grad()
def train(run: Any) -> None:
    for _ in range(STEPS):
        generator = torch.Generator().manual_seed(run.step)
        for p in run.model.parameters():
            whole = torch.randn(p.shape, generator=generator)
            sharded = isinstance(p, DTensor)
            p.grad = distribute_tensor(whole, p.device_mesh, p.placements) if sharded else whole
        run.optimizer.step()
        run.step += 1


def whole(value: Any) -> Tensor:
    return (value.full_tensor() if isinstance(value, DTensor) else value).detach().float()


def told(run: Any) -> dict[str, Any]:
    """The weights, and what the optimizer keeps."""
    entries = [run.optimizer.state[p] for p in run.optimizer.param_groups[0]["params"]]
    return {
        "weights": [whole(p).flatten().tolist() for p in run.model.parameters()],
        "state": [
            {name: whole(value).flatten().tolist() for name, value in sorted(entry.items())}
            for entry in entries
        ],
        "sharded": [
            isinstance(entry["exp_avg"], DTensor) for entry in entries if "exp_avg" in entry
        ],
    }


def saved(folder: Path, name: str, optimizer: str) -> dict[str, Any]:
    run = run_of(name, optimizer)
    train(run)
    with gs.training.Checkpointer(folder / f"{name} {optimizer}") as checkpoints:
        checkpoints.save(run.step, run.state_dict())
    train(run)
    return told(run)


def loaded(folder: Path, name: str, optimizer: str, source: str) -> dict[str, Any]:
    run = run_of(name, optimizer)
    found = gs.training.Checkpointer(folder / f"{source} {optimizer}").latest()
    assert found is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the number of ranks
        run.load_state_dict(found.state)
    assert run.step == STEPS
    train(run)
    return told(run)


def results_of(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """The results of saving in a layout (``rows``), or of continuing in one (``rows<fsdp``)."""
    results = {}
    for name in names:
        target, _, source = name.partition("<")
        for optimizer in OPTIMIZERS:
            results[f"{name} {optimizer}"] = (
                loaded(folder, target, optimizer, source)
                if source
                else saved(folder, target, optimizer)
            )
    return results


def main(file: Path, folder: Path, *names: str) -> None:
    dist.init_process_group("gloo", timeout=timedelta(seconds=30))
    file.write_text(json.dumps(results_of(folder, names)))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
