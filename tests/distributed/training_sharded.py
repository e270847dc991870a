"""Trains a model on one process and sharded over several, and writes down how far they end apart.

The gradients of the run of one process are recorded, and those that are sharded get the same ones:
it is the step that is compared. Only where a wrapper makes the gradients are they its own.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from glideslope import optim

Gradients = list[Tensor | None]
Case = tuple[str, dict[str, Any]]

WIDTHS = (8, 11, 4, 1)  # rows that ranks cannot share evenly; one row, of which a rank has none
NOISE = 1e-7  # of the gradients of a run that is compared with one of many ranks
CLIPPED = {"max_grad_norm": 0.05}
SKIPPING = {"skip_nonfinite": True, "bad": True}
OPTIMIZERS = [
    row.name for row in optim.available() if issubclass(row.optimizer, optim.RuleOptimizer)
]
OF_WHOLES = {"APOLLO", "Adafactor", "CAME", "LAMB", "LARS", "MARS", "StableAdamW"}
OF_MATRICES = {"Kron", "Muon", "MuonWithAuxAdam", "SOAP"}

WITH_SUMS: dict[str, Case] = {
    "AdamW clipped": ("AdamW", CLIPPED),
    "AdamW skipping": ("AdamW", SKIPPING),
    "AdamW cautious": ("AdamW", {"cautious": True}),
    "LAMB": ("LAMB", {}),
    "StableAdamW on lists": ("StableAdamW", {"engine": "tensor", **CLIPPED}),
    "Prodigy clipped": ("Prodigy", CLIPPED),
    "MuonWithAuxAdam clipped": ("MuonWithAuxAdam", CLIPPED),
    "Muon by name": ("Muon", {"ns_coefficients": "polar_express"}),
    "NorMuon hyperball": ("MuonWithAuxAdam", {"neuron_beta": 0.9, "hyperball": True}),
    "SOAP": ("SOAP", {}),
    "APOLLO clipped": ("APOLLO", {"rank": 2, "update_proj_gap": 3, **CLIPPED}),
    "Kron of some diagonals": ("Kron", {"max_size_triangular": 8, **CLIPPED}),
    "SOAP by divergence": ("SOAP", {"kl": True}),
    "Adafactor cautious": ("Adafactor", {"cautious": True, **CLIPPED}),
    "CAME clipped": ("CAME", CLIPPED),
}
OF_EACH: dict[str, Case] = {name: (name, {}) for name in OPTIMIZERS}
EACH_OR_SUMS = {**OF_EACH, **WITH_SUMS}
PLAIN: dict[str, Case] = {
    **EACH_OR_SUMS,
    "AdamW averaged": ("AdamW", {"ema_decay": 0.9}),
    "SGD clipped": ("SGD", {"momentum": 0.9, "nesterov": True, **CLIPPED}),
    "SGD skipping": ("SGD", {**SKIPPING, **CLIPPED}),
    "Muon skipping": ("Muon", SKIPPING),
    "Prodigy skipping": ("Prodigy", SKIPPING),
    "Lion cautious": ("Lion", {"cautious": True}),
    **{
        f"{name} with cautious decay": (name, {"weight_decay": 0.5, "cautious_weight_decay": True})
        for name in ("AdamW", "Muon")
    },
    **{
        f"{name} with corrected decay": (name, {"weight_decay": 0.5, "decay_peak_lr": 0.01})
        for name in ("AdamW", "Muon")
    },
    **{
        f"{name} on lists": (name, {"engine": "tensor", **CLIPPED})
        for name in ("AdamW", "LAMB", "LARS", "MARS")
    },
}
CASES: dict[str, Case] = {
    **PLAIN,
    "AdamW zeroing": ("AdamW", {"zeroing": True}),
    "Muon in blocks": ("Muon", {"blocks": True}),
    "NorMuon in blocks resumed": (
        "MuonWithAuxAdam",
        {"blocks": True, "neuron_beta": 0.9, "resumed": True},
    ),
    "AdamW, copies of gradients": ("AdamW", {"zeroing": True, "copies": True, **CLIPPED}),
    "CAME, copies of gradients": ("CAME", {"zeroing": True, "copies": True, **CLIPPED}),
    **{
        f"{name} resumed": (name, {"resumed": True})
        for name in ("AdamW", "LAMB", "MuonWithAuxAdam", "SOAP", "APOLLO", "Kron", "CAME")
    },
    "NorMuon hyperball resumed": (
        "Muon",
        {"neuron_beta": 0.9, "hyperball": True, "resumed": True},
    ),
}
ELEMENTWISE: dict[str, Case] = {
    label: (name, options)
    for label, (name, options) in PLAIN.items()
    if name not in OF_WHOLES | OF_MATRICES and "cautious" not in options
}


def build() -> nn.Sequential:
    torch.manual_seed(1)
    layers = [layer for pair in pairwise(WIDTHS) for layer in (nn.Linear(*pair), nn.Tanh())]
    return nn.Sequential(*layers[:-1])


def losses(model: nn.Module, steps: int) -> Iterator[Tensor]:
    """Of a batch for each step, the same one on all ranks, as if each had drawn it."""
    generator = torch.Generator().manual_seed(2)
    teacher = torch.randn(WIDTHS[0], 1, generator=generator)
    for _ in range(steps):
        batch = torch.randn(16, WIDTHS[0], generator=generator)
        yield (model(batch) - (batch @ teacher).tanh()).square().mean()


def is_missing(number: int, place: int) -> bool:
    """True if a parameter gets no gradient at a step; one of them gets none at the first."""
    return (number + place) % 7 == 3


def is_bad(number: int) -> bool:
    """True if a gradient is infinite at a step, where any are: in an element of one rank."""
    return number % 10 == 5


class Alone(NamedTuple):
    """A run of one process."""

    parameters: list[Tensor]
    gradients: list[Gradients]
    optimizer: Any


class Trainee(NamedTuple):
    """A model that is sharded, and what steps it: the optimizer, perhaps inside another's."""

    model: nn.Module
    optimizer: Any
    own: Any


@cache
def alone(name: str, words: str, steps: int, noise: float = 0.0) -> Alone:
    """The run of one process, with relative noise on its gradients."""
    options, special = split(json.loads(words))
    generator = torch.Generator().manual_seed(3)
    model, gradients = build(), []
    optimizer = made(model, name, options)
    for number, loss in enumerate(losses(model, steps)):
        optimizer.zero_grad()
        loss.backward()
        spoil(model, number, special["bad"])
        for p in model.parameters():
            if p.grad is not None and noise:
                p.grad *= 1 + noise * torch.randn(p.shape, generator=generator)
        gradients.append([None if p.grad is None else p.grad.clone() for p in model.parameters()])
        optimizer.step()
    return Alone([p.detach() for p in model.parameters()], gradients, optimizer)


def spoil(model: nn.Module, number: int, with_bad: bool) -> None:
    """Take some gradients of a step away, and make an element infinite, if any are."""
    for place, p in enumerate(model.parameters()):
        if is_missing(number, place):
            p.grad = None
    first = next(model.parameters())
    if with_bad and is_bad(number) and first.grad is not None:
        is_cut = isinstance(first, DTensor) or first.ndim == 1
        if not is_cut or dist.get_rank() == dist.get_world_size() - 1:
            own = first.grad.to_local() if isinstance(first.grad, DTensor) else first.grad
            own.view(-1)[-1] = torch.inf


def split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, bool]]:
    """The arguments of an optimizer, and what is special about a case."""
    words = ("zeroing", "copies", "resumed", "bad")
    special = {word: options.get(word, False) for word in words}
    return {key: value for key, value in options.items() if key not in words}, special


def made(model: nn.Module, name: str, options: dict[str, Any]) -> optim.Optimizer:
    kind = getattr(optim, name)
    params: Any = chosen(model, kind)
    if options.get("blocks"):
        params = [{"params": [p], "split": heights(p)} for p in params]
    return kind(params, **{key: value for key, value in options.items() if key != "blocks"})


def heights(p: Tensor) -> tuple[int, ...]:
    """Two blocks of rows of which no rank has just one, or one block where there are few rows."""
    low = p.shape[0] // 3
    return (p.shape[0] - low, low) if p.ndim == 2 and low else (p.shape[0],)


def chosen(model: nn.Module, kind: Any) -> list[Tensor]:
    return [p for p in model.parameters() if p.ndim == 2 or not kind.matrices_only]


def replayed(trainee: Trainee, recorded: list[Gradients], case: Case) -> optim.Optimizer:
    """The optimizer after steps of recorded gradients."""
    options, special = split(case[1])
    model, optimizer = trainee.model, trainee.own
    for number, step in enumerate(recorded):
        for p, gradient in zip(model.parameters(), step, strict=True):
            p.grad = None if gradient is None else as_sharded(gradient, p, special["copies"])
        optimizer.step(zero_grad=special["zeroing"])
        if special["zeroing"]:
            assert not any(full(p.grad).any() for p in model.parameters() if p.grad is not None)
        if special["resumed"] and number == len(recorded) // 2:
            optimizer = resumed(model, optimizer, made(model, case[0], options))
    return optimizer


def trained(trainee: Trainee, steps: int, case: Case) -> optim.Optimizer:
    """The optimizer after steps of the gradients that the wrapper makes."""
    special = split(case[1])[1]
    for number, loss in enumerate(losses(trainee.model, steps)):
        trainee.optimizer.zero_grad()
        loss.backward()
        spoil(trainee.model, number, special["bad"])
        trainee.optimizer.step()
    return trainee.own


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
    mesh = model.device_mesh  # the ranks exchange nothing: each has the whole
    return distribute_tensor(tensor.clone(), mesh, placements, src_data_rank=None)


def full(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


@torch.no_grad()
def wholes(model: nn.Module) -> list[Tensor]:
    if isinstance(model, FullyShardedDataParallel):
        with FullyShardedDataParallel.summon_full_params(model):
            return [p.detach().clone() for p in model.parameters()]
    return [full(p).detach() for p in model.parameters()]


Layout = Callable[[nn.Sequential, DeviceMesh], None]
Make = Callable[[Case], Trainee]


@cache
def mesh_of(shape: tuple[int, ...]) -> DeviceMesh:
    return init_device_mesh("cpu", shape, mesh_dim_names=("first", "second")[: len(shape)])


def by_layers(model: nn.Sequential, mesh: DeviceMesh) -> None:
    """FSDP2: each layer's parameters are cut along their rows; copies of that on a mesh of two."""
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)


def by_layers_of_columns(model: nn.Sequential, mesh: DeviceMesh) -> None:
    """FSDP2 on tensor parallelism; the last layer is FSDP2's alone, on a part of the mesh."""
    parallelize_module(model, mesh["second"], {"0": ColwiseParallel(), "2": RowwiseParallel()})
    by_layers(model, mesh["first"])


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


def placed(layout: Layout, *shape: int) -> Make:
    """A model whose parameters are sharded tensors on a mesh."""

    def make(case: Case) -> Trainee:
        model = build()
        layout(model, mesh_of(shape))
        optimizer = made(model, case[0], split(case[1])[0])
        return Trainee(model, optimizer, optimizer)

    return make


def copied(case: Case) -> Trainee:
    model = build()
    optimizer = made(model, case[0], split(case[1])[0])
    return Trainee(nn.parallel.DistributedDataParallel(model), optimizer, optimizer)


def shared_out(case: Case) -> Trainee:
    """Each rank updates some parameters, and sends them to the others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.distributed.optim import ZeroRedundancyOptimizer

    model, kind = build(), getattr(optim, case[0])
    optimizer = ZeroRedundancyOptimizer(chosen(model, kind), kind, **split(case[1])[0])
    return Trainee(model, optimizer, optimizer.optim)


def flattened(case: Case) -> Trainee:
    """FSDP1: each rank holds a part of a vector of all parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cpu = torch.device("cpu")
        model = FullyShardedDataParallel(build(), device_id=cpu, use_orig_params=True)
    options = {"process_group": model.process_group, **split(case[1])[0]}
    optimizer = getattr(optim, case[0])(model.parameters(), **options)
    return Trainee(model, optimizer, optimizer)


class Sharding(NamedTuple):
    """A way of sharding, the ranks that it is tried on, and the cases.

    Attributes:
        quick: the cases that are tried whenever the tests run.
        is_trained: True if gradients are the wrapper's own.
    """

    make: Make
    ranks: int
    cases: dict[str, Case]
    quick: dict[str, Case]
    is_trained: bool = False


SHARDINGS = {
    "FSDP2": Sharding(placed(by_layers, 2), 2, CASES, CASES),
    "FSDP2 in training": Sharding(placed(by_layers, 2), 2, PLAIN, {}, is_trained=True),
    "columns": Sharding(placed(by_columns, 2), 2, CASES, WITH_SUMS),
    "copies": Sharding(placed(over(Replicate()), 2), 2, CASES, WITH_SUMS),
    "DDP": Sharding(copied, 2, PLAIN, {}, is_trained=True),
    "ZeRO": Sharding(shared_out, 2, PLAIN, {}, is_trained=True),
    "FSDP1": Sharding(flattened, 2, ELEMENTWISE, {}, is_trained=True),
    "hybrid FSDP2": Sharding(placed(by_layers, 2, 2), 4, EACH_OR_SUMS, WITH_SUMS),
    "FSDP2 on columns": Sharding(placed(by_layers_of_columns, 2, 2), 4, EACH_OR_SUMS, WITH_SUMS),
    "rows and columns": Sharding(placed(over(Shard(0), Shard(1)), 2, 2), 4, WITH_SUMS, WITH_SUMS),
}


def labels(is_quick: bool) -> dict[str, tuple[Sharding, Case]]:
    return {
        f"{name}: {label}": (sharding, case)
        for name, sharding in SHARDINGS.items()
        for label, case in (sharding.quick if is_quick else sharding.cases).items()
    }


def apart(one: list[Tensor], other: list[Tensor]) -> float:
    """The largest difference between the parameters of two models; NaN if any is."""
    rows = [(p - q).abs().max() for p, q in zip(one, other, strict=True)]
    return float(torch.stack(rows).max())


def compared(sharding: Sharding, case: Case, steps: int) -> Any:
    name, options = case[0], json.dumps(case[1])
    one = alone(name, options, steps)
    trainee = sharding.make(case)
    if sharding.is_trained:
        own = trained(trainee, steps, case)
    else:
        own = replayed(trainee, one.gradients, case)
    found, start = wholes(trainee.model), [p.detach() for p in build().parameters()]
    is_amplified = name in OF_MATRICES
    noisy = alone(name, options, steps, NOISE).parameters if is_amplified else one.parameters
    states = [value for state in own.state.values() for value in state.values()]
    return {
        "apart": apart(one.parameters, found),
        "noisy": apart(one.parameters, noisy),
        "moved": apart(one.parameters, start),
        "largest": max(float(p.abs().max()) for p in one.parameters),
        "norms": [each.grad_norm or 0.0 for each in (one.optimizer, own)],
        "skipped": [each.skipped_steps for each in (one.optimizer, own)],
        "found": [each.param_groups[0].get("d", 0.0) for each in (one.optimizer, own)],
        "engines": sorted({row.engine for row in own.engine_report()}),
        "is_sharded": all(isinstance(value, DTensor) for value in states if value.numel() > 1),
    }


def minimised(steps: int, wrap: Callable[[nn.Module], nn.Module], noise: float) -> list[Tensor]:
    """The parameters after steps of LBFGS, with relative noise on its gradients."""
    model, generator = build(), torch.Generator().manual_seed(3)
    forward, optimizer = wrap(model), optim.LBFGS(model.parameters(), lr=0.2, max_iter=3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = next(losses(forward, 1))
        loss.backward()
        for p in model.parameters():
            assert p.grad is not None
            p.grad *= 1 + noise * torch.randn(p.shape, generator=generator)
        return loss

    for _ in range(steps):
        optimizer.step(closure)
    return wholes(model)


def lbfgs(steps: int) -> dict[str, float]:
    """How far LBFGS in DDP ends from LBFGS on one process, and how far that one with noise does."""
    one = minimised(steps, lambda model: model, 0.0)
    found = minimised(steps, nn.parallel.DistributedDataParallel, 0.0)
    noisy = minimised(steps, lambda model: model, NOISE)
    start = [p.detach() for p in build().parameters()]
    return {"apart": apart(one, found), "noisy": apart(one, noisy), "moved": apart(one, start)}


def main(file: Path, steps: int, is_quick: bool) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=timedelta(seconds=120))
    results: dict[str, Any] = {
        label: compared(sharding, case, steps)
        for label, (sharding, case) in labels(is_quick).items()
        if sharding.ranks == dist.get_world_size()
    }
    if not is_quick and dist.get_world_size() == 2:
        results["DDP: LBFGS"] = lbfgs(steps)
    file.write_text(json.dumps(results))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "quick")
