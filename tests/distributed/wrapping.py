"""Two ranks that train in DDP, and with ZeRO's optimizer, compared with one process."""

from __future__ import annotations

import datetime
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

import glideslope as gs
from glideslope import optim
from glideslope.optim import lr_scheduler as lrs

STEPS = 8
Make = Callable[[Any], Any]

OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "AdamW": ("AdamW", {"lr": 0.01}),
    "averaged": ("AdamW", {"lr": 0.01, "ema_decay": 0.9}),
    "of a schedule": ("AdamW", {"lr": 0.01 * gs.cosine(STEPS)}),
    "SGD": ("SGD", {"lr": 0.01, "momentum": 0.9}),
    "Lion": ("Lion", {"lr": 0.001}),
    "LAMB": ("LAMB", {"lr": 0.01}),
    "MARS": ("MARS", {"lr": 0.01}),
    "Adafactor": ("Adafactor", {"lr": 0.01}),
    "cautious": ("AdamW", {"lr": 0.01, "cautious": True}),
    "AdamWScheduleFree": ("AdamWScheduleFree", {"lr": 0.01}),
}
SUMMED: dict[str, tuple[str, dict[str, Any]]] = {  # DDP only
    "clipped": ("AdamW", {"lr": 0.01, "max_grad_norm": 0.1}),
    "skipping": ("SGD", {"lr": 0.01, "skip_nonfinite": True}),
    "Prodigy": ("Prodigy", {}),
}
SCHEDULERS: dict[str, Make] = {
    "Scheduler": lambda o: lrs.Scheduler(o, **{"lr": "cosine(8)", "betas[0]": "linear(16)"}),
    "OneCycleLR": lambda o: lrs.OneCycleLR(o, 0.02, STEPS),
    "SequentialLR": lambda o: lrs.SequentialLR(
        o, [lrs.LinearLR(o, 0.1, total_iters=3), lrs.CosineAnnealingLR(o, 5)], [3]
    ),
}


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3), nn.Tanh(), nn.Linear(3, 1))


def trained(
    case: tuple[str, dict[str, Any]],
    rank: int | None = None,
    wrap: Callable[[Any, Any, Any], Any] | None = None,
    scheduler: Make | None = None,
) -> tuple[Tensor, list[float]]:
    """The weights, and the rates that were shown; a rank takes its half of every batch."""
    name, options = case
    model = net()
    kind = getattr(optim, name)
    parameters = list(model.parameters())
    optimizer = kind(parameters, **options) if wrap is None else wrap(parameters, kind, options)
    forward = model if rank is None else nn.parallel.DistributedDataParallel(model)
    made = None if scheduler is None else scheduler(optimizer)
    generator, rates = torch.Generator().manual_seed(1), []
    for _ in range(STEPS):
        x = torch.randn(8, 4, generator=generator)
        optimizer.zero_grad()
        forward(x if rank is None else x.chunk(2)[rank]).square().mean().backward()
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if made is not None:
            made.step()
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()]), rates


def compared(case: Any, rank: int, wrap: Any = None, scheduler: Any = None) -> dict[str, Any]:
    """How far apart, whether the rates are the same, and the weights' sum."""
    found, rates = trained(case, rank, wrap, scheduler)
    right, right_rates = trained(case, None, None, scheduler)
    apart = (found - right).abs().max().item()
    return {"apart": apart, "same rates": rates == right_rates, "sum": found.double().sum().item()}


SWAPPED = {
    **{name: OPTIMIZERS[name] for name in ("AdamW", "averaged", "of a schedule", "LAMB", "MARS")},
    "clipped": SUMMED["clipped"],
    "Prodigy": SUMMED["Prodigy"],
    "MuonWithAuxAdam": ("MuonWithAuxAdam", {"lr": 0.01}),
}


def sharded_afterwards(case: tuple[str, dict[str, Any]], rank: int | None) -> Tensor:
    """The weights where the optimizer was built before the model was sharded.

    Accelerate does so for FSDP2: it puts placeholders into the groups, then the sharded parameters.
    """
    name, options = case
    model = net()
    optimizer = getattr(optim, name)(model.parameters(), **options)
    scheduler = lrs.Scheduler(optimizer, lr="linear(16)")
    optimizer.load_state_dict(optimizer.state_dict())
    if rank is not None:
        before = [p.data_ptr() for p in model.parameters()]
        for group in optimizer.param_groups:
            group["params"][:] = [_placeholder(p) for p in group["params"]]
        mesh = init_device_mesh("cpu", (2,))
        for layer in (*model, model):
            if next(layer.parameters(), None) is not None:
                fully_shard(layer, mesh=mesh)
        after = dict(zip(before, model.parameters(), strict=True))
        for group in optimizer.param_groups:
            group["params"] = [after[p.data_ptr] for p in group["params"]]
    generator = torch.Generator().manual_seed(1)
    for _ in range(STEPS):
        x = torch.randn(8, 4, generator=generator)
        optimizer.zero_grad()
        model(x if rank is None else x.chunk(2)[rank]).square().mean().backward()
        optimizer.step()
        scheduler.step()
    whole = [p.full_tensor() if isinstance(p, DTensor) else p for p in model.parameters()]
    return torch.cat([p.detach().reshape(-1) for p in whole])


def _placeholder(p: Tensor) -> Tensor:
    empty = torch.empty(1, dtype=p.dtype)
    empty.data_ptr = p.data_ptr()  # type: ignore[method-assign, assignment]
    return empty


def sharing(parameters: Any, kind: Any, options: dict[str, Any]) -> Any:
    from torch.distributed.optim import ZeroRedundancyOptimizer

    return ZeroRedundancyOptimizer(parameters, kind, **options)


def main(file: str) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))
    rank, found = dist.get_rank(), {}
    for name, case in (OPTIMIZERS | SUMMED).items():
        found[f"DDP {name}"] = compared(case, rank)
    for name, case in OPTIMIZERS.items():
        found[f"ZeRO {name}"] = compared(case, rank, sharing)
    for name, make in SCHEDULERS.items():
        found[f"DDP {name}"] = compared(OPTIMIZERS["AdamW"], rank, None, make)
        found[f"ZeRO {name}"] = compared(OPTIMIZERS["AdamW"], rank, sharing, make)
    for name, case in SWAPPED.items():
        apart = sharded_afterwards(case, rank) - sharded_afterwards(case, None)
        found[f"swapped {name}"] = {"apart": apart.abs().max().item(), "same rates": True}
    Path(file).write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
