"""How long a step takes with parameters that `fully_shard` cut, against torch's optimizers.

    python -m benchmarks sharded_step

Two processes of one thread each, which exchange numbers by gloo. The contenders take turns; a time
is the least of all turns, on rank 0. "By hand" is the same step on the shards as plain parameters:
the floor of what the step can take. Bytes are those of matrices and their state that rank 0 sends
to the other rank, for each element of the model.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from glideslope import optim

RANKS, TURNS = 2, 30
SIZES = ((40, 64), (4, 1024))
CLIPPED = {"max_grad_norm": 1.0}

Step = Callable[[], object]


def sharded(layers: int, width: int) -> list[Tensor]:
    """The parameters of a model of linear layers, with gradients."""
    model = nn.Sequential(*(nn.Linear(width, width) for _ in range(layers)))
    mesh = init_device_mesh("cpu", (RANKS,))
    for layer in model:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    model(torch.randn(4, width)).square().mean().backward()
    return list(model.parameters())


def by_hand(params: list[Tensor]) -> list[Tensor]:
    """Their shards, as parameters of one process."""
    shards = [nn.Parameter(p.to_local().detach().clone()) for p in params]
    for shard, p in zip(shards, params, strict=True):
        shard.grad = p.grad.to_local().clone()
    return shards


def torch_clipped(params: list[Tensor]) -> Step:
    step = torch.optim.AdamW(params, fused=True).step

    def clip_and_step() -> None:
        nn.utils.clip_grad_norm_(params, 1.0)
        step()

    return clip_and_step


def contenders(params: list[Tensor]) -> Iterator[tuple[str, Step]]:
    yield "AdamW by hand", optim.AdamW(by_hand(params)).step
    yield "AdamW", optim.AdamW(params).step
    yield "torch's, fused", torch.optim.AdamW(params, fused=True).step
    yield "torch's, foreach", torch.optim.AdamW(params, foreach=True).step
    yield "AdamW, clipped", optim.AdamW(params, **CLIPPED).step
    yield "torch's fused, clipped", torch_clipped(params)
    yield "LAMB", optim.LAMB(params).step
    yield "MuonWithAuxAdam", optim.MuonWithAuxAdam(params).step
    yield "SOAP", optim.SOAP(params).step
    yield "Adafactor", optim.Adafactor(params).step
    matrices = [p for p in params if p.ndim == 2]
    yield "torch's Muon", torch.optim.Muon(matrices).step


def timed(step: Step) -> float:
    dist.barrier()
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def sent(step: Step) -> int:
    """The bytes that a step exchanges with the other rank, as this one sends them."""
    total, exchange = 0, dist.all_to_all_single

    def counting(received: Tensor, sending: Tensor, ins: Any, outs: Any, group: Any) -> None:
        nonlocal total
        total += sum(outs) - outs[dist.get_rank(group)]
        exchange(received, sending, ins, outs, group)

    with patch.object(dist, "all_to_all_single", counting):
        step()
    return total


def work(rank: int, port: int) -> None:
    torch.set_num_threads(1)
    address = f"tcp://localhost:{port}"
    dist.init_process_group("gloo", address, rank=rank, world_size=RANKS)
    for layers, width in SIZES:
        steps = dict(contenders(sharded(layers, width)))
        elements = layers * width * (width + 1)
        each = {name: sent(step) / elements for name, step in steps.items()}
        turns = [{name: timed(step) for name, step in steps.items()} for _ in range(TURNS)]
        if rank == 0:
            print(f"\n{layers} linear layers of {width} x {width} on {RANKS} processes: ms, bytes")
            for name in steps:
                least = 1e3 * min(turn[name] for turn in turns)
                print(f"{name:24}{least:9.2f}{each[name]:7.1f}", flush=True)
    dist.destroy_process_group()


def main() -> None:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port = listener.getsockname()[1]
    mp.spawn(work, (port,), RANKS)


if __name__ == "__main__":
    main()
