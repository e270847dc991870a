"""Trains sharded layers by the step in the backward pass, and tries what it must refuse."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from glideslope import optim
from glideslope.errors import InvalidValue


def layers(is_sharded: bool) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 6), nn.Linear(6, 5), nn.Linear(5, 3))
    if is_sharded:
        mesh = init_device_mesh("cpu", (dist.get_world_size(),))
        for layer in (*model, model):
            fully_shard(layer, mesh=mesh)
    return model


def step(model: nn.Module, optimizer: Any, number: int) -> None:
    generator = torch.Generator().manual_seed(10 * number + dist.get_rank())
    model(torch.randn(4, 8, generator=generator)).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def trained(releasing: bool) -> tuple[nn.Module, bool]:
    """The layers after five steps, and if a gradient was left after a backward pass."""
    model, left = layers(True), []
    optimizer = optim.AdamW(model.named_parameters(), lr=0.01)
    if releasing:
        optimizer.release_gradients(model)
    optimizer.register_step_pre_hook(
        lambda *_: left.append(any(p.grad is not None for p in model.parameters()))
    )
    for number in range(5):
        step(model, optimizer, number)
    return model, any(left)


def refusal(make: Callable[[], Any]) -> str:
    try:
        make()
    except InvalidValue as error:
        return str(error)
    return ""


def refused(name: str, is_sharded: bool) -> str:
    model = layers(is_sharded)
    optimizer = optim.create(name, model.parameters())
    return refusal(lambda: optimizer.release_gradients(model))  # type: ignore[attr-defined]


def main(file: Path) -> None:
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    ordinary, (model, is_left) = trained(False)[0], trained(True)
    pairs = zip(ordinary.parameters(), model.parameters(), strict=True)
    plain = layers(False)
    parallel = DistributedDataParallel(copy.deepcopy(plain))
    wrapped = optim.AdamW(parallel.parameters())
    found = {
        "same": all(torch.equal(p.to_local(), q.to_local()) for p, q in pairs),  # type: ignore[attr-defined]
        "left": is_left,
        "parallel": refusal(lambda: wrapped.release_gradients(parallel)),
        "plain": refused("AdamW", False),
        "sums": refused("LAMB", True),
        "matrices": refused("SOAP", True),
    }
    file.write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
