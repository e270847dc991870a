"""How long a step takes with the tensor engine, against torch's default and its lists.

    python -m benchmarks tensor_engine

On a GPU where there is one: torch's default there is its lists, `foreach`. Elsewhere CPU time on
one thread. Whatever is compared takes turns as in `bench_optimizer_step`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from glideslope import optim

from .bench_optimizer_step import OPTIONS, Size, Step, fastest, shuffled, torch_can, warm

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIZES = (Size(400, 256, 9, 10), Size(100, 65_536, 9, 3), Size(4, 4096 * 4096, 3, 1))


def clock() -> float:
    """Seconds, after all that was begun has ended."""
    if DEVICE == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def contenders(name: str, params: list[Tensor]) -> Iterator[tuple[str, Step]]:
    """The timed steps, by the heading of their column."""
    kind, options = name.partition(",")[0], OPTIONS[name]
    ours = getattr(optim, kind)(params, engine="tensor", **options)
    yield "ours", warm(ours, ours)
    theirs = getattr(torch.optim, kind)
    yield "default", warm(theirs(params, **options), ours)
    yield "foreach", warm(theirs(params, foreach=True, **options), ours)


def measured(name: str, size: Size) -> dict[str, float]:
    """Milliseconds of each contender."""
    params = [
        torch.randn(size.elements, device=DEVICE, requires_grad=True) for _ in range(size.tensors)
    ]
    for p in params:
        p.grad = torch.randn_like(p)
    steps = dict(contenders(name, params))
    turns = [
        {column: fastest(steps[column], clock, size.steps) for column in shuffled(steps)}
        for _ in range(size.turns)
    ]
    return {column: statistics.median(turn[column] for turn in turns) for column in steps}


def main() -> None:
    torch.set_num_threads(1)
    for size in SIZES:
        print(f"\n{size}, {DEVICE}: ms, and how many times ours")
        print(f"{'':18}{'ours':>9}{'default':>18}{'foreach':>18}")
        for name in filter(lambda name: torch_can(name, "foreach"), OPTIONS):
            times = measured(name, size)
            rest = (f"{times[key]:9.3f}{times[key] / times['ours']:8.2f}x" for key in [*times][1:])
            print(f"{name:18}{times['ours']:9.3f}{''.join(rest)}", flush=True)


if __name__ == "__main__":
    main()
