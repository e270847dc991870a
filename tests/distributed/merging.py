"""Saves a sharded model at several steps and merges the checkpoints on every rank.

merging.py FILE FOLDER
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import glideslope as gs

COOLDOWN = "polynomial(4, power=2)"
STEPS = range(5)


def model() -> nn.Sequential:
    """A model with rows that two ranks cannot share evenly, one row, and tied weights."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 3), nn.Linear(3, 5), nn.Linear(5, 1))
    net[2].weight = net[0].weight
    return net


@torch.no_grad()
def move(net: nn.Module, step: int) -> None:
    """Change every weight by its value and the step."""
    for p in net.parameters():
        p.mul_(1 + step / 10)


def merged(folder: Path) -> dict[str, Any]:
    """The merged model as lists, and the steps."""
    found = gs.training.merge(gs.training.Checkpointer(folder), COOLDOWN)
    return {"steps": found.steps, **{k: v.tolist() for k, v in found.state.items()}}


def main() -> None:
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    net = model()
    fully_shard(net, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    folder = Path(sys.argv[2])
    with gs.training.Checkpointer(folder, keep=9) as saved:
        for step in STEPS:
            move(net, step)
            saved.save(step, {"model": net.state_dict()})
    Path(sys.argv[1]).write_text(json.dumps(merged(folder)))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
