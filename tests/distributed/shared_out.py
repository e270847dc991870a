"""Trains with plain tensors that are shared out to ranks, and writes down what each rank saw."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, ShardingStrategy
from torch.distributed.tensor import Shard, distribute_tensor

from glideslope import optim
from glideslope.errors import GlideslopeError

STEPS, BAD = 12, 4  # the step whose gradients are infinite, if any are
CLIPPED = {"max_grad_norm": 0.05}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "AdamW clipped": ("AdamW", CLIPPED),
    "AdamW skipping": ("AdamW", {"skip_nonfinite": True}),
    "Prodigy": ("Prodigy", {}),
    "Prodigy clipped": ("Prodigy", CLIPPED),
}
WHOLE_CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **CASES,
    "MuonWithAuxAdam clipped": ("MuonWithAuxAdam", CLIPPED),
    "LAMB clipped": ("LAMB", CLIPPED),
    "MARS clipped": ("MARS", CLIPPED),
}

Wrap = Callable[[nn.Sequential], nn.Module]


def build() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 11), nn.Tanh(), nn.Linear(11, 1)
    )


def batches(is_bad: bool) -> Iterator[Tensor]:
    """Inputs, the same on all ranks, so that gradients are those of one process."""
    generator = torch.Generator().manual_seed(2)
    for number in range(STEPS):
        batch = torch.randn(16, 8, generator=generator)
        yield batch * float("inf") if is_bad and number == BAD else batch


def train(model: nn.Module, optimizer: Any, is_bad: bool) -> None:
    for batch in batches(is_bad):
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        optimizer.step()


def seen(optimizer: Any) -> dict[str, Any]:
    found = optimizer.param_groups[0].get("d", 0.0)
    return {"norm": optimizer.grad_norm or 0.0, "skipped": optimizer.skipped_steps, "found": found}


def compared(name: str, options: dict[str, Any], sharded: str) -> dict[str, Any]:
    """A run of one process, and one whose parameters are shared out."""
    is_bad = options.get("skip_nonfinite", False)
    alone = build()
    single = getattr(optim, name)(alone.parameters(), **options)
    train(alone, single, is_bad)
    model, optimizer, own = SHARED[sharded](getattr(optim, name), options)
    train(model, optimizer, is_bad)
    with torch.no_grad():
        pairs = [*zip(wholes(model), alone.parameters(), strict=True)]
        apart = max(float((p - q).abs().max()) for p, q in pairs)
        start = [*zip(alone.parameters(), build().parameters(), strict=True)]
        moved = max(float((p - q).abs().max()) for p, q in start)
    return {"apart": apart, "moved": moved, "alone": seen(single), "own": seen(own)}


def wholes(model: nn.Module) -> list[Tensor]:
    if isinstance(model, FullyShardedDataParallel):
        with FullyShardedDataParallel.summon_full_params(model):
            return [p.detach().clone() for p in model.parameters()]
    return [*model.parameters()]


def zero(kind: Any, options: dict[str, Any]) -> tuple[nn.Module, Any, Any]:
    from torch.distributed.optim import ZeroRedundancyOptimizer  # warns when it is imported

    model = build()
    optimizer = ZeroRedundancyOptimizer(model.parameters(), kind, **options)
    return model, optimizer, optimizer.optim


def fsdp1(kind: Any, options: dict[str, Any]) -> tuple[nn.Module, Any, Any]:
    model = wrapped(build())
    optimizer = kind(model.parameters(), process_group=model.process_group, **options)
    return model, optimizer, optimizer


def flat(kind: Any, options: dict[str, Any]) -> tuple[nn.Module, Any, Any]:
    model = wrapped(build(), use_orig_params=False)
    optimizer = kind(model.parameters(), process_group=model.process_group, **options)
    return model, optimizer, optimizer


SHARED: dict[str, Callable[[Any, dict[str, Any]], tuple[nn.Module, Any, Any]]] = {
    "zero": zero,
    "fsdp1": fsdp1,
    "flat": flat,
}
TABLE = {
    f"{sharded}: {case}": (sharded, *row)
    for sharded in SHARED
    for case, row in (WHOLE_CASES if sharded == "zero" else CASES).items()
}


def wrapped(model: nn.Module, **options: Any) -> FullyShardedDataParallel:
    options = {"use_orig_params": True, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FullyShardedDataParallel(model, device_id=torch.device("cpu"), **options)


@contextmanager
def caught(texts: list[str]) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    texts += [str(each.message) for each in found]


def warned(make: Callable[[int], Any], steps: int = 3) -> list[str]:
    """The warnings of some steps of an optimizer that each rank makes for itself."""
    texts: list[str] = []
    optimizer = make(dist.get_rank())
    with caught(texts):
        for _ in range(steps):
            for group in optimizer.param_groups:
                for p in group["params"]:
                    p.grad = torch.ones_like(p)
            optimizer.step()
            dist.barrier()
    return texts


def vector(length: int, value: float = 1.0) -> nn.Parameter:
    return nn.Parameter(torch.full((length,), value))


def on_first_rank(rank: int) -> Any:
    """Rank 0 takes norms, and must not wait for the other."""
    return optim.SGD([vector(3)], lr=0.1, **(CLIPPED if rank == 0 else {}))


WARNED: dict[str, Callable[[int], Any]] = {
    "same": lambda _: optim.SGD([vector(3)], lr=0.1, **CLIPPED),
    "other shapes": lambda rank: optim.SGD([vector(3 + rank)], lr=0.1, **CLIPPED),
    "other shapes, no sums": lambda rank: optim.SGD([vector(3 + rank)], lr=0.1),
    "other shapes, given": lambda rank: optim.SGD(
        [vector(3 + rank)], lr=0.1, process_group=dist.group.WORLD, **CLIPPED
    ),
    "copies, given": lambda _: optim.SGD(
        [vector(3)], lr=0.1, process_group=dist.group.WORLD, **CLIPPED
    ),
    "one rank alone": on_first_rank,  # last: the ranks' counts of comparisons differ from then on
}


def refused(call: Callable[[], Any]) -> str:
    try:
        call()
    except GlideslopeError as error:
        return str(error)
    return ""


def sharded_twice() -> None:
    """A group of ranks that the mesh of the parameters holds already."""
    mesh = init_device_mesh("cpu", (2,))
    p = nn.Parameter(distribute_tensor(torch.ones(4), mesh, [Shard(0)]))
    p.grad = distribute_tensor(torch.ones(4), mesh, [Shard(0)])
    optim.SGD([p], lr=1.0, process_group=dist.group.WORLD, **CLIPPED).step()


def replaced_by_flat() -> None:
    """An optimizer that was built before FSDP1 cut its parameters, as Accelerate does it."""
    model = nn.Linear(4, 3)
    optimizer = optim.AdamW(model.parameters(), **CLIPPED)
    optimizer.param_groups[0]["params"] = [*wrapped(model).parameters()]
    optimizer.step()


def scaled_alike() -> bool:
    """True if `GradScaler` leaves its scale to a step of parts that FSDP1 cut."""
    return bool(optim.AdamW(wrapped(nn.Linear(4, 3)).parameters())._step_supports_amp_scaling)


def unsharded() -> list[str]:
    """FSDP1 that cuts nothing: all ranks hold all, and a group is a mistake."""
    model = wrapped(nn.Linear(4, 3), sharding_strategy=ShardingStrategy.NO_SHARD)
    group = model.process_group
    return warned(lambda _: optim.AdamW(model.parameters(), process_group=group, **CLIPPED), 1)


def clipped_heads() -> float:
    """How far sharded queries and keys are from whole ones whose heads were clipped alike."""
    mesh, logits = init_device_mesh("cpu", (2,)), [400.0, 1.0, 200.0]
    wholes = [torch.arange(12.0).view(6, 2), torch.arange(4.0).view(2, 2)]
    shards = [distribute_tensor(whole.clone(), mesh, [Shard(0)]) for whole in wholes]
    for query, key in (wholes, shards):
        optim.qk_clip(query, key, logits)
    pairs = zip(wholes, shards, strict=True)
    return max(float((whole - cut.full_tensor()).abs().max()) for whole, cut in pairs)


def main(file: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    results: dict[str, Any] = {
        label: compared(name, options, sharded) for label, (sharded, name, options) in TABLE.items()
    }
    results |= {f"warned: {label}": warned(make) for label, make in WARNED.items()}
    results["warned: unsharded"] = unsharded()
    results["twice"] = refused(sharded_twice)
    results["replaced"] = refused(replaced_by_flat)
    results["no group"] = refused(lambda: optim.SGD([vector(1)], lr=1.0, process_group="all"))  # type: ignore[arg-type]
    results["scaled"] = scaled_alike()
    results["clipped heads"] = clipped_heads()
    file.write_text(json.dumps(results))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
