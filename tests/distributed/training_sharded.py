"""Trains a model on one process and sharded over two, and writes down how far they end apart."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard, distribute_tensor

from glideslope import optim

Layout = Callable[[nn.Sequential, DeviceMesh], None]

WIDTHS = (8, 16, 11, 11, 11, 1)  # rows that two ranks cannot share, one row, two of one shape
STEPS = 12
CLIPPED = {"max_grad_norm": 0.05}
OPTIMIZERS = [
    row.name for row in optim.available() if issubclass(row.optimizer, optim.RuleOptimizer)
]

Case = tuple[str, dict[str, Any]]
WITH_SUMS: dict[str, Case] = {
    "AdamW clipped": ("AdamW", CLIPPED),
    "AdamW cautious": ("AdamW", {"cautious": True}),
    "LAMB": ("LAMB", {}),
    "StableAdamW on lists": ("StableAdamW", {"engine": "tensor", **CLIPPED}),
    "Prodigy clipped": ("Prodigy", CLIPPED),
    "MuonWithAuxAdam clipped": ("MuonWithAuxAdam", CLIPPED),
    "Muon by name": ("Muon", {"ns_coefficients": "polar_express"}),
    "NorMuon": ("MuonWithAuxAdam", {"neuron_beta": 0.9}),
    "SOAP": ("SOAP", {}),
    "Adafactor cautious": ("Adafactor", {"cautious": True, **CLIPPED}),
    "CAME clipped": ("CAME", CLIPPED),
}
CASES: dict[str, Case] = {
    **{name: (name, {}) for name in OPTIMIZERS},
    **WITH_SUMS,
    "AdamW averaged": ("AdamW", {"ema_decay": 0.9}),
    "AdamW zeroing": ("AdamW", {"zeroing": True}),
    "AdamW, copies of gradients": ("AdamW", {"zeroing": True, "copies": True, **CLIPPED}),
    "CAME, copies of gradients": ("CAME", {"zeroing": True, "copies": True, **CLIPPED}),
    "SGD clipped": ("SGD", {"momentum": 0.9, "nesterov": True, **CLIPPED}),
    "Lion cautious": ("Lion", {"cautious": True}),
    **{
        f"{name} on lists": (name, {"engine": "tensor", **CLIPPED})
        for name in ("AdamW", "LAMB", "LARS", "MARS")
    },
    **{
        f"{name} resumed": (name, {"resumed": True})
        for name in ("AdamW", "LAMB", "MuonWithAuxAdam", "SOAP", "CAME")
    },
    "NorMuon of blocks": ("Muon", {"neuron_beta": 0.9, "resumed": True, "split": "rows"}),
}


def build() -> nn.Sequential:
    torch.manual_seed(1)
    layers = [layer for pair in pairwise(WIDTHS) for layer in (nn.Linear(*pair), nn.Tanh())]
    return nn.Sequential(*layers[:-1])


def gradients(steps: int) -> list[list[Tensor]]:
    """The same for every run: it is the step that is compared, not the backward pass."""
    generator = torch.Generator().manual_seed(2)
    shapes = [p.shape for p in build().parameters()]
    usual = [torch.randn(shape, generator=generator) for shape in shapes]
    return [[g + torch.randn(g.shape, generator=generator) for g in usual] for _ in range(steps)]


def train(model: nn.Module, name: str, options: dict[str, Any]) -> optim.Optimizer:
    options = dict(options)
    steps = options.pop("steps", STEPS)
    special = {word: options.pop(word, False) for word in ("zeroing", "copies", "resumed")}
    optimizer = made(model, name, options)
    for number, step in enumerate(gradients(steps)):
        for p, gradient in zip(model.parameters(), step, strict=True):
            p.grad = as_sharded(gradient, p, special["copies"])
        optimizer.step(zero_grad=special["zeroing"])
        if special["zeroing"]:
            assert not any(full(p.grad).any() for p in model.parameters() if p.grad is not None)
        if special["resumed"] and number == steps // 2:
            optimizer = resumed(model, optimizer, made(model, name, options))
    return optimizer


def made(model: nn.Module, name: str, options: dict[str, Any]) -> optim.Optimizer:
    kind = getattr(optim, name)
    params = [p for p in model.parameters() if p.ndim == 2 or not kind.matrices_only]
    if options.get("split") == "rows":
        options = {key: value for key, value in options.items() if key != "split"}
        params = [{"params": [p], "split": (1, len(p) - 1) if len(p) > 1 else 1} for p in params]
    return kind(params, **options)


def resumed(model: nn.Module, old: optim.Optimizer, new: optim.Optimizer) -> optim.Optimizer:
    """A new optimizer with the state of an old one, as torch's distributed checkpoint takes it."""
    saved = get_optimizer_state_dict(model, old)
    set_optimizer_state_dict(model, new, saved)
    return new


def as_sharded(tensor: Tensor, model: Tensor, is_copied: bool) -> Tensor:
    """A gradient that is cut as its parameter, or of which every rank holds a copy."""
    if not isinstance(model, DTensor):
        return tensor.clone()
    copies = [Replicate()] * model.device_mesh.ndim
    placements = copies if is_copied else model.placements
    return distribute_tensor(tensor, model.device_mesh, placements)


def full(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def by_layers(model: nn.Sequential, mesh: DeviceMesh) -> None:
    """FSDP: each layer's parameters are cut along their rows."""
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)


def by_columns(model: nn.Sequential, mesh: DeviceMesh) -> None:
    """Tensor parallelism: every other matrix by columns, and copies of the vectors."""
    for i, layer in enumerate(m for m in model if isinstance(m, nn.Linear)):
        cut = Shard(1) if i % 2 else Shard(0)
        for name, placement in (("weight", cut), ("bias", Replicate())):
            whole = getattr(layer, name).detach()
            sharded = distribute_tensor(whole, mesh, [placement])
            setattr(layer, name, nn.Parameter(sharded))


def over(*placements: Placement) -> Layout:
    """Every parameter cut in the same way; one of fewer dimensions than that is copied."""

    def apply(model: nn.Sequential, mesh: DeviceMesh) -> None:
        for layer in (m for m in model if isinstance(m, nn.Linear)):
            for name, p in list(layer.named_parameters()):
                own = [Replicate() if w.is_shard(1) and p.ndim == 1 else w for w in placements]
                setattr(layer, name, nn.Parameter(distribute_tensor(p.detach(), mesh, own)))

    return apply


LAYOUTS: dict[str, tuple[Layout, tuple[int, ...], dict[str, Case]]] = {
    "rows": (by_layers, (2,), CASES),
    "columns": (by_columns, (2,), WITH_SUMS),
    "copies": (over(Replicate()), (2,), WITH_SUMS),
    "copies of rows": (over(Replicate(), Shard(0)), (2, 2), WITH_SUMS),
    "rows and columns": (over(Shard(0), Shard(1)), (2, 2), WITH_SUMS),
}


@torch.no_grad()
def apart(one: nn.Module, other: nn.Module) -> float:
    """The largest difference between the parameters of two models."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((full(p) - full(q)).abs().max()) for p, q in pairs)


def compared(layout: Layout, mesh: DeviceMesh, name: str, options: dict[str, Any]) -> Any:
    one, several = build(), build()
    alone = train(one, name, {**options, "resumed": False})
    layout(several, mesh)
    sharded = train(several, name, options)
    state = sharded.state[sharded.param_groups[0]["params"][0]]
    return {
        "apart": apart(one, several),
        "moved": apart(one, build()),
        "largest": max(float(p.detach().abs().max()) for p in one.parameters()),
        "norms": [each.grad_norm or 0.0 for each in (alone, sharded)],
        "found": [each.param_groups[0].get("d", 0.0) for each in (alone, sharded)],
        "engines": sorted({row.engine for row in sharded.engine_report()}),
        "is_sharded": all(isinstance(v, DTensor) for v in state.values() if v.numel() > 1),
    }


def main(file: Path, steps: int = STEPS) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    results = {}
    for label, (layout, shape, cases) in LAYOUTS.items():
        if math.prod(shape) == dist.get_world_size():
            mesh = init_device_mesh("cpu", shape)
            for case, (name, options) in cases.items():
                results[f"{label}: {case}"] = compared(
                    layout, mesh, name, {**options, "steps": steps}
                )
    file.write_text(json.dumps(results))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
