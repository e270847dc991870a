"""How long an optimizer step takes: against torch's own, and against the floor of the memory.

    python benchmarks/bench_optimizer_step.py              CPU time on one thread
    python benchmarks/bench_optimizer_step.py --threads 2  wall time on two
    python benchmarks/bench_optimizer_step.py --large      also 4 tensors of 16.8 million

The floor reads and writes the same arrays with trivial arithmetic, and is compiled the same way.
All are timed in turns, block by block, on the same tensors; a block's time is its fastest step and
the table shows the median over blocks, so that other work on the machine falls on all alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from glideslope.optim._accumulated import Adadelta, Adagrad
from glideslope.optim._adam_variants import Adamax, NAdam, RAdam
from glideslope.optim._adaptive import Adam, AdamW, RMSprop
from glideslope.optim._averaging import ASGD
from glideslope.optim._momentum import SGD, Lion
from glideslope.optim._rule_optimizer import RuleOptimizer
from glideslope.optim._signs import Rprop
from glideslope.rules import Rule, rule

BLOCKS = 9
SIZES = {"400 x 256": (400, 256), "100 x 65,536": (100, 65_536)}
LARGE = {"4 x 16.8M": (4, 4096 * 4096)}


@rule
def touch_none(p, g, /, lr):  # type: ignore[no-untyped-def]
    return p + lr * g


@rule
def touch_one(p, g, a, /, lr):  # type: ignore[no-untyped-def]
    return p + lr * g, a + g


@rule
def touch_two(p, g, a, b, /, lr):  # type: ignore[no-untyped-def]
    return p + lr * g, a + g, b + g


FLOORS: dict[int, Rule] = {0: touch_none, 1: touch_one, 2: touch_two}


class Floor(RuleOptimizer):
    """Reads and writes what an optimizer with so many states does."""

    def __init__(self, params: Any, states: int) -> None:
        self.rule = FLOORS[states]  # type: ignore[misc]
        super().__init__(params, {"lr": 0.0})


class Row(NamedTuple):
    """One optimizer of ours, and torch's by the same name and arguments."""

    ours: type[RuleOptimizer]
    theirs: Any
    arguments: dict[str, Any]
    states: int
    has_fused: bool


ROWS = {
    "SGD": Row(SGD, torch.optim.SGD, {"lr": 1e-3}, 0, True),
    "SGD, momentum": Row(SGD, torch.optim.SGD, {"lr": 1e-3, "momentum": 0.9}, 1, True),
    "Lion": Row(Lion, None, {}, 1, False),
    "RMSprop": Row(RMSprop, torch.optim.RMSprop, {}, 1, False),
    "Adam": Row(Adam, torch.optim.Adam, {}, 2, True),
    "AdamW": Row(AdamW, torch.optim.AdamW, {}, 2, True),
    "Adagrad": Row(Adagrad, torch.optim.Adagrad, {}, 1, True),
    "Adadelta": Row(Adadelta, torch.optim.Adadelta, {}, 2, False),
    "Adamax": Row(Adamax, torch.optim.Adamax, {}, 2, False),
    "NAdam": Row(NAdam, torch.optim.NAdam, {}, 2, False),
    "RAdam": Row(RAdam, torch.optim.RAdam, {}, 2, False),
    "ASGD": Row(ASGD, torch.optim.ASGD, {}, 1, False),
    "Rprop": Row(Rprop, torch.optim.Rprop, {}, 2, False),
}


def contenders(row: Row, params: list[Tensor]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What is timed, by name."""
    yield "ours", row.ours(params, **row.arguments).step
    yield "floor", Floor(params, row.states).step
    if row.theirs:
        yield "default", row.theirs(params, **row.arguments).step
        yield "foreach", row.theirs(params, foreach=True, **row.arguments).step
    if row.has_fused:
        yield "fused", row.theirs(params, fused=True, **row.arguments).step


def timed(step: Callable[[], Any], clock: Callable[[], float], repeats: int) -> float:
    """Milliseconds of the fastest of some steps."""
    times = []
    for _ in range(repeats):
        start = clock()
        step()
        times.append(clock() - start)
    return 1e3 * min(times)


def measured(row: Row, count: int, size: int, clock: Callable[[], float]) -> dict[str, float]:
    """Milliseconds of each contender."""
    params = [torch.randn(size, requires_grad=True) for _ in range(count)]
    for p in params:
        p.grad = torch.randn(size)
    steps = dict(contenders(row, params))
    repeats = 20 if count * size < 10**6 else 3
    for step in steps.values():
        step()
    blocks = [
        {name: timed(step, clock, repeats) for name, step in steps.items()} for _ in range(BLOCKS)
    ]
    return {name: statistics.median(block[name] for block in blocks) for name in steps}


def line(name: str, times: dict[str, float]) -> str:
    """One row of the table: milliseconds, then how many times faster than torch's."""
    cells = [f"{times[key]:9.3f}" if key in times else f"{'-':>9}" for key in COLUMNS]
    ratios = [
        f"{times[key] / times['ours']:8.1f}x" if key in times else f"{'-':>9}"
        for key in ("default", "foreach", "fused")
    ]
    return (
        f"{name:<14}" + "".join(cells) + f"{times['ours'] / times['floor']:9.2f}" + "".join(ratios)
    )


COLUMNS = ("ours", "floor", "default", "foreach", "fused")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", choices=ROWS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    clock = time.process_time if arguments.threads == 1 else time.perf_counter
    sizes = {**SIZES, **(LARGE if arguments.large else {})}
    for title, (count, size) in sizes.items():
        head = "".join(f"{name:>9}" for name in (*COLUMNS, "/floor", "default", "foreach", "fused"))
        print(f"\n{title}, {arguments.threads} thread(s), ms{'':<4}\n{'':<14}{head}")
        for name, row in ROWS.items():
            if arguments.only in (None, name):
                print(line(name, measured(row, count, size, clock)), flush=True)


if __name__ == "__main__":
    main()
