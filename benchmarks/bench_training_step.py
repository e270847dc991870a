"""The cost around a step: clipping, averaging, zeroing, memory, a training step, compiling.

    python -m benchmarks training_step

Everything that is compared takes turns, and the tables show the median over the turns of the ratio
to what was measured beside it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from glideslope.demo import CharTransformer, Corpus, python_reference
from glideslope.optim import AdamW

Step = Callable[[], object]
TURNS = 15
SIZES = ((400, 256), (100, 65_536), (4, 4096 * 4096))


def with_gradients(count: int, size: int) -> list[nn.Parameter]:
    params = [nn.Parameter(torch.randn(size)) for _ in range(count)]
    for p in params:
        p.grad = torch.randn(size)
    return params


def both_ways(params: list[nn.Parameter]) -> tuple[Step, Step]:
    """Clipping, update, averaging and zeroing: torch's four calls, and our one.

    Each of torch's is its fastest; they share the arrays of state, see `bench_optimizer_step`.
    """
    ours = AdamW(params, max_grad_norm=1.0, ema_decay=0.999)
    ours.step(zero_grad=True)
    optimizer = torch.optim.AdamW(params, fused=True)
    optimizer.step()
    for p in params:
        for name in ("exp_avg", "exp_avg_sq"):
            optimizer.state[p][name] = ours.state[p][name].detach()
    averages = [ours.state[p]["ema"].detach() for p in params]

    def four_calls() -> None:
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, params, 0.001)  # type: ignore[arg-type]
        optimizer.zero_grad(set_to_none=False)

    return four_calls, lambda: ours.step(zero_grad=True)


def ratios(theirs: Step, ours: Step, clock: Callable[[], float]) -> tuple[float, float, float]:
    """Medians: their milliseconds, ours, and the ratio of the two in one turn."""
    for step in (theirs, ours):
        step()
    turns = [[spent(step, clock) for step in (theirs, ours)] for _ in range(TURNS)]
    columns = zip(*((t, o, t / o) for t, o in turns), strict=True)
    their_time, our_time, ratio = map(statistics.median, columns)
    return their_time, our_time, ratio


def spent(step: Step, clock: Callable[[], float]) -> float:
    """Milliseconds of the faster of two calls."""
    times = []
    for _ in range(2):
        start = clock()
        step()
        times.append(clock() - start)
    return 1e3 * min(times)


def chores() -> None:
    print("clip + AdamW + averaging + zeroing: torch's four calls against one step")
    for threads, clock in ((1, time.process_time), (2, time.perf_counter)):
        torch.set_num_threads(threads)
        for count, size in SIZES:
            params = with_gradients(count, size)
            theirs, ours, ratio = ratios(*both_ways(params), clock)
            print(
                f"  {count} x {size:,}, {threads} thread{'s' * (threads > 1)}:"
                f" {theirs:.2f} ms, {ours:.2f} ms, {ratio:.2f} times",
                flush=True,
            )


MEMORY = """
import torch
from pathlib import Path
from torch import nn
from {module} import AdamW
params = [nn.Parameter(torch.zeros(4096, 4096)) for _ in range(4)]
for p in params: p.grad = torch.ones_like(p)
optimizer = AdamW(params{arguments})
optimizer.step()
def peak():
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0])
Path("/proc/self/clear_refs").write_text("5")  # the peak is what is in use now
before = peak()
optimizer.step()
print(peak() - before)
"""


def memory() -> None:
    print("peak memory that a second step adds (Linux), 4 tensors of 4096 x 4096, AdamW")
    for name, module, arguments in (
        ("ours", "glideslope.optim", ", max_grad_norm=1.0"),
        ("torch, fused", "torch.optim", ", fused=True"),
        ("torch, foreach", "torch.optim", ", foreach=True"),
    ):
        code = MEMORY.format(module=module, arguments=arguments)
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        print(f"  {name}: {int(shown.stdout) / 1024:.2f} MiB", flush=True)


def transformer_step(make: Callable[[Iterable[Tensor]], torch.optim.Optimizer]) -> Step:
    """One whole training step of `glideslope train`'s model."""
    torch.manual_seed(0)
    corpus = Corpus.of(python_reference())
    model = CharTransformer(len(corpus.vocabulary))
    optimizer, order = make(model.parameters()), torch.Generator().manual_seed(0)

    def step() -> None:
        model.loss(*corpus.batch(32, model.context, order)).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def whole_step() -> None:
    print(
        "a whole training step of the transformer of `glideslope train`: torch fused against ours"
    )
    for threads in (1, 2):
        torch.set_num_threads(threads)
        clock = time.process_time if threads == 1 else time.perf_counter
        theirs = transformer_step(lambda p: torch.optim.AdamW(p, fused=True))
        theirs_time, ours_time, ratio = ratios(theirs, transformer_step(AdamW), clock)
        print(f"  {threads} thread(s): {theirs_time:.1f} ms, {ours_time:.1f} ms, {ratio:.3f} times")


COMPILE = """
import time, torch
from glideslope.optim import AdamW, NAdam
def first_step(kind):
    p = torch.ones(8, requires_grad=True)
    p.grad = torch.ones(8)
    start = time.perf_counter()
    kind([p]).step()
    return time.perf_counter() - start
print(f"the first optimizer {first_step(AdamW):.2f} s, the next {first_step(NAdam):.2f} s")
"""


def compiling() -> None:
    with tempfile.TemporaryDirectory() as cache:
        for when in ("on a new machine", "from then on"):
            environment = {**os.environ, "XDG_CACHE_HOME": str(Path(cache))}
            command = [sys.executable, "-c", COMPILE]
            shown = subprocess.run(
                command, env=environment, capture_output=True, check=True, text=True
            )
            print(f"first step in a process, {when}: {shown.stdout.strip()}", flush=True)


def main() -> None:
    chores()
    whole_step()
    memory()
    compiling()


if __name__ == "__main__":
    main()
