"""How long a step of the Triton engine takes on a GPU: against torch's, and the card's bandwidth.

    python -m benchmarks gpu                    on a GPU
    TRITON_INTERPRET=1 python -m benchmarks gpu  tiny sizes on the CPU: that it runs, not how fast

Whatever is compared takes turns, as in `bench_optimizer_step`; a time is of many launched steps
between two synchronisations, over their number. "share" is the bytes that a step must move, over
its time and over the bandwidth of a copy on the same card in the same run.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from glideslope import optim
from glideslope.optim import RuleOptimizer

from .bench_optimizer_step import OPTIONS as MEASURED
from .bench_optimizer_step import Step, arrays_of_state, shuffled, torch_can, warm

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Size(NamedTuple):
    """Parameters to update, and how often: turns of the median, steps of a turn."""

    name: str
    shapes: tuple[tuple[int, ...], ...]
    turns: int
    steps: int


def transformer(width: int, layers: int, words: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of a language model's parameters."""
    layer = ((3 * width, width), (width, width), (4 * width, width), (width, 4 * width))
    norms = ((width,),) * 4
    return ((words, width), *(layer + norms) * layers, (width,))


SIZES = (
    Size("400 x 256", ((256,),) * 400, 9, 100),
    Size("100 x 65,536", ((65_536,),) * 100, 9, 100),
    Size("4 x 16.8M", ((4096 * 4096,),) * 4, 9, 20),
    Size("1.3B in 193 tensors", transformer(2048, 24, 50_304), 5, 5),
)
TINY = (
    Size("3 x 256", ((256,),) * 3, 1, 1),
    Size("1 x 20,000", ((20_000,),), 1, 1),
    Size("a model of 13 tensors", transformer(8, 1, 16), 1, 1),
)
OPTIONS: dict[str, dict[str, Any]] = {**MEASURED, "LaProp": {}, "Adan": {}, "MADGRAD": {}}
"""The elementwise optimizers and their arguments."""
RATIOS = ("default", "foreach", "fused", "compiled", "apex")
FEW = ("SGD, momentum", "Lion", "AdamW")
"""Those that are interpreted, which takes a second for each step."""


def synchronized() -> float:
    """Seconds, after all that was launched has ended."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def milliseconds(step: Step, steps: int) -> float:
    """The time of one of many steps that are launched one after the other."""
    start = synchronized()
    for _ in range(steps):
        step()
    return 1e3 * (synchronized() - start) / steps


def medians(steps: dict[str, Step], size: Size) -> dict[str, float]:
    """Milliseconds of each contender."""
    turns = [
        {column: milliseconds(steps[column], size.steps) for column in shuffled(steps)}
        for _ in range(size.turns)
    ]
    return {column: statistics.median(turn[column] for turn in turns) for column in steps}


def parameters(size: Size) -> list[Tensor]:
    params = [torch.randn(shape, device=DEVICE, requires_grad=True) for shape in size.shapes]
    for p in params:
        p.grad = torch.randn_like(p)
    return params


def ours(name: str, params: list[Tensor], **options: Any) -> RuleOptimizer:
    """An optimizer on the Triton engine."""
    kind = getattr(optim, name.partition(",")[0])
    made: RuleOptimizer = kind(params, engine="triton", **OPTIONS[name], **options)
    return made


def contenders(name: str, params: list[Tensor]) -> Iterator[tuple[str, Step]]:
    """The timed steps, by the heading of their column; all share the arrays of ours."""
    optimizer = ours(name, params)
    yield "ours", warm(optimizer, optimizer)
    theirs = getattr(torch.optim, name.partition(",")[0], None)
    if theirs is not None:
        options = OPTIONS[name]
        yield "default", warm(theirs(params, **options), optimizer)
        for switch in ("foreach", "fused"):
            if torch_can(name, switch):
                yield switch, warm(theirs(params, **{switch: True}, **options), optimizer)
        if not INTERPRETED:
            yield "compiled", warm_compiled(theirs(params, **options), optimizer)
    if name == "AdamW" and (apex := apex_adamw(params)):
        yield "apex", warm(apex, optimizer)


def warm_compiled(optimizer: torch.optim.Optimizer, first: RuleOptimizer) -> Step:
    """The compiled step of one of torch's optimizers."""
    warm(optimizer, first)
    step: Step = torch.compile(optimizer.step)
    for _ in range(3):  # its counts become tensors, and numbers symbols
        step()
    return step


def apex_adamw(params: list[Tensor]) -> torch.optim.Optimizer | None:
    """NVIDIA's fused AdamW, where it is installed."""
    try:
        from apex.optimizers import FusedAdam  # type: ignore[import-not-found]
    except ImportError:
        return None
    made: torch.optim.Optimizer = FusedAdam(params, lr=1e-3)
    return made


def copy_bandwidth() -> float:
    """Bytes per millisecond that a copy reads and writes, at best."""
    elements = 1 << 12 if INTERPRETED else 1 << 28
    source = torch.randn(elements, device=DEVICE)
    target = torch.empty_like(source)
    moved = 2 * source.numel() * source.element_size()
    return max(moved / milliseconds(lambda: target.copy_(source), 5) for _ in range(5))


def bytes_of_step(optimizer: RuleOptimizer, params: Sequence[Tensor]) -> int:
    """The bytes that a step reads and writes: all but the gradient both ways."""
    arrays = [array for p in params for array in arrays_of_state(optimizer, p).values()]
    both_ways = sum(a.numel() * a.element_size() for a in (*params, *arrays))
    return 2 * both_ways + sum(p.numel() * p.element_size() for p in params)


def table(size: Size, names: Sequence[str], bandwidth: float) -> None:
    """Measure and print one table."""
    print(f"\n{size.name}: ms of ours, its share of the bandwidth, and times ours")
    print(f"{'':20}{'ours':>10}{'share':>8}" + "".join(f"{each:>10}" for each in RATIOS))
    for name in names:
        params = parameters(size)
        times = medians(dict(contenders(name, params)), size)
        optimizer = ours(name, params)
        optimizer.step()
        share = bytes_of_step(optimizer, params) / times["ours"] / bandwidth
        ratios = (f"{times[key] / times['ours']:.2f}x" if key in times else "" for key in RATIOS)
        cells = "".join(f"{each:>10}" for each in ratios)
        print(f"{name:20}{times['ours']:10.4f}{share:8.2f}{cells}", flush=True)


def all_in_one(size: Size) -> None:
    """Clipping, AdamW, an average and zeroing in our step, against four of torch's calls."""
    params = parameters(size)
    one = optim.AdamW(params, engine="triton", max_grad_norm=1.0, ema_decay=0.99)
    theirs = torch.optim.AdamW(params, fused=DEVICE == "cuda" or None)
    averages = [p.detach().clone() for p in params]
    grads = [p.grad for p in params]

    def four() -> None:
        nn.utils.clip_grad_norm_(params, 1.0)
        theirs.step()
        torch._foreach_lerp_(averages, [p.detach() for p in params], 0.01)
        torch._foreach_zero_(grads)

    times = medians({"ours": lambda: one.step(zero_grad=True), "four": four}, size)
    told = f"{times['ours']:.4f} ms, four calls {times['four'] / times['ours']:.2f}x"
    print(f"{size.name}: clip + AdamW + average + zero: {told}")


def replayed(size: Size) -> None:
    """A step in a CUDA graph, against the same step launched from Python."""
    params = parameters(size)
    optimizer = optim.AdamW(params, engine="triton", capturable=True)
    step: Callable[[], object] = optimizer.step
    for _ in range(3):
        step()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    times = medians({"launched": step, "replayed": graph.replay}, size)
    told = f"launched {times['launched']:.4f} ms, replayed {times['replayed']:.4f}"
    print(f"{size.name}: AdamW {told}")


def checks() -> None:
    """Properties that only a GPU can show: replays that equal steps, steps that never wait."""
    params, others = parameters(SIZES[0]), parameters(SIZES[0])
    with torch.no_grad():
        for p, q in zip(params, others, strict=True):
            q.copy_(p)
            q.grad.copy_(p.grad)  # type: ignore[union-attr, arg-type]
    eager = optim.AdamW(others, engine="triton")
    captured = optim.AdamW(params, engine="triton", capturable=True)
    captured.step()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured.step()
    eager.step()
    for rate in (1e-3, 1e-2, 1e-4):
        captured.param_groups[0]["lr"].fill_(rate)
        eager.param_groups[0]["lr"] = rate
        graph.replay()
        eager.step()
    apart = max(float((p - q).detach().abs().max()) for p, q in zip(params, others, strict=True))
    print(f"replayed and launched steps are at most {apart:.1e} apart")
    optimizer = optim.AdamW(params, engine="triton", skip_nonfinite=True, max_grad_norm=1.0)
    optimizer.grad_scale = torch.full((), 1024.0, device=DEVICE)  # type: ignore[attr-defined]
    optimizer.found_inf = torch.zeros((), device=DEVICE)  # type: ignore[attr-defined]
    optimizer.step()
    torch.cuda.set_sync_debug_mode("error")
    optimizer.step()
    torch.cuda.set_sync_debug_mode("default")
    print("a scaled, clipped step waits for nothing: True")


def odd_steps() -> None:
    """Steps of every optimizer on odd sizes, for a sanitizer to watch."""
    for name in FEW if INTERPRETED else OPTIONS:
        sizes = [torch.randn(count, device=DEVICE) for count in (1, 1023, 16_389)]
        params = [each.requires_grad_() for each in sizes]
        for p in params:
            p.grad = torch.randn_like(p)
        optimizer = ours(name, params, max_grad_norm=1.0, ema_decay=0.9)
        for _ in range(2):
            optimizer.step(zero_grad=True)


def sanitized() -> None:
    """Print what NVIDIA's compute-sanitizer says of such steps, where it is installed."""
    if (tool := shutil.which("compute-sanitizer")) is None:
        print("compute-sanitizer is not installed: not run")
        return
    steps = [sys.executable, "-c", "from benchmarks.bench_gpu import odd_steps; odd_steps()"]
    for check in ("memcheck", "racecheck", "initcheck"):
        command = [tool, "--tool", check, "--error-exitcode", "1", *steps]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        print(f"compute-sanitizer, {check}: {'clean' if ended.returncode == 0 else ended.stdout}")


def main() -> None:
    if DEVICE == "cpu" and not INTERPRETED:
        print("there is no GPU here: TRITON_INTERPRET=1 tries the command out on the CPU")
        return
    if INTERPRETED:
        print("interpreted on the CPU: no time below is one of a GPU")
    else:
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    bandwidth = copy_bandwidth()
    print(f"a copy moves {bandwidth / 1e6:.0f} GB/s")
    names = FEW if INTERPRETED else tuple(OPTIONS)
    for size in TINY if INTERPRETED else SIZES:
        table(size, names, bandwidth)
        all_in_one(size)
        if DEVICE == "cuda":
            replayed(size)
    if DEVICE == "cuda":
        checks()
        sanitized()
    else:
        odd_steps()


if __name__ == "__main__":
    sys.exit(main())
