"""How long an optimizer step takes: against torch's own, and against the floor of the memory.

    python -m benchmarks optimizer_step               every optimizer: some ten minutes
    python -m benchmarks.bench_optimizer_step AdamW   only this one

CPU time on one thread, then, for the optimizers that torch has fused, wall time on two. The floor
reads and writes the same arrays with trivial arithmetic, and is compiled the same way.

All that is compared updates the same parameters and the same arrays of state, since where in memory
an array happens to lie can change a step's time by a third. They take turns in an order drawn again
for each; a turn's time is its fastest step, and the table shows the median over the turns, so that
other work on the machine falls on all alike.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from typing import Any, NamedTuple

import torch
from torch import Tensor

from glideslope import optim
from glideslope.optim import RuleOptimizer
from glideslope.rules import Rule, rule

Step = Callable[[], Any]
Clock = Callable[[], float]


class Size(NamedTuple):
    """Tensors to update, and how often: turns of the median, steps of a turn."""

    tensors: int
    elements: int
    turns: int
    steps: int

    def __str__(self) -> str:
        return f"{self.tensors} x {self.elements:,}"


SIZES = (Size(400, 256, 9, 20), Size(100, 65_536, 9, 3), Size(4, 4096 * 4096, 9, 2))

OPTIONS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 1e-3},
    "SGD, momentum": {"lr": 1e-3, "momentum": 0.9},
    "Signum": {},
    "Lion": {},
    "RMSprop": {},
    "Adagrad": {},
    "ASGD": {},
    "Rprop": {},
    "SGDScheduleFree": {},
    "Adam": {},
    "AdamW": {},
    "NAdam": {},
    "RAdam": {},
    "Adamax": {},
    "Adadelta": {},
    "AdaBelief": {},
    "ADOPT": {},
    "AdamWScheduleFree": {},
    "Adam, amsgrad": {"amsgrad": True},
    "AdEMAMix": {},
}
"""The elementwise optimizers and their arguments, by how many arrays they touch."""


@rule
def touch_none(p, g, /, lr):  # type: ignore[no-untyped-def]
    return p + lr * g


@rule
def touch_one(p, g, a, /, lr):  # type: ignore[no-untyped-def]
    return p + lr * g, a + lr * g


@rule
def touch_two(p, g, a, b, /, lr):  # type: ignore[no-untyped-def]
    return p + lr * g, a + lr * g, b + lr * g


@rule
def touch_three(p, g, a, b, c, /, lr):  # type: ignore[no-untyped-def]
    return p + lr * g, a + lr * g, b + lr * g, c + lr * g


FLOORS: tuple[Rule, ...] = (touch_none, touch_one, touch_two, touch_three)


class Floor(RuleOptimizer):
    """Reads and writes what an optimizer with so many arrays of state does, and changes nothing."""

    def __init__(self, params: Any, states: int) -> None:
        self.rule = FLOORS[states]  # type: ignore[misc]
        super().__init__(params, {"lr": 0.0})


def contenders(name: str, params: list[Tensor]) -> Iterator[tuple[str, Step]]:
    """The timed steps, by the heading of their column; all share the arrays of ours."""
    kind, options = name.partition(",")[0], OPTIONS[name]
    ours = getattr(optim, kind)(params, **options)
    yield "ours", warm(ours, ours)
    yield "floor", warm(Floor(params, len(arrays_of_state(ours, params[0]))), ours)
    if theirs := getattr(torch.optim, kind, None):
        yield "default", warm(theirs(params, **options), ours)
        for switch in ("foreach", "fused"):
            if torch_can(name, switch):
                yield switch, warm(theirs(params, **{switch: True}, **options), ours)


def warm(optimizer: torch.optim.Optimizer, first: torch.optim.Optimizer) -> Step:
    """The step of an optimizer that has made its first one, on the state of ``first``."""
    optimizer.step()
    for p in first.state if optimizer is not first else ():
        shared = [array.detach() for array in arrays_of_state(first, p).values()]
        optimizer.state[p].update(zip(arrays_of_state(optimizer, p), shared, strict=True))
    optimizer.step()
    return optimizer.step


def arrays_of_state(optimizer: torch.optim.Optimizer, p: Tensor) -> dict[str, Tensor]:
    """The state with a number for each element of a parameter."""
    return {name: value for name, value in optimizer.state[p].items() if value.shape == p.shape}


def torch_can(name: str, switch: str) -> bool:
    """True if torch has this optimizer, foreach or fused."""
    theirs = getattr(torch.optim, name.partition(",")[0], None)
    return theirs is not None and switch in signature(theirs).parameters


def fastest(step: Step, clock: Clock, steps: int) -> float:
    """Milliseconds of the fastest of some steps."""
    times = []
    for _ in range(steps):
        start = clock()
        step()
        times.append(clock() - start)
    return 1e3 * min(times)


def measured(name: str, size: Size, clock: Clock) -> dict[str, float]:
    """Milliseconds of each contender."""
    params = [torch.randn(size.elements, requires_grad=True) for _ in range(size.tensors)]
    for p in params:
        p.grad = torch.randn(size.elements)
    steps = dict(contenders(name, params))
    turns = [
        {column: fastest(steps[column], clock, size.steps) for column in shuffled(steps)}
        for _ in range(size.turns)
    ]
    return {column: statistics.median(turn[column] for turn in turns) for column in steps}


def shuffled(steps: dict[str, Step]) -> list[str]:
    return random.sample(list(steps), len(steps))


COLUMNS = ("ours", "floor", "default", "foreach", "fused")
RATIOS = ("floor", "default", "foreach", "fused")
Table = dict[str, dict[str, float]]


def cells(times: dict[str, float]) -> str:
    """Milliseconds, then each over ours."""
    spent = [f"{times[key]:9.3f}" if key in times else f"{'':9}" for key in COLUMNS]
    ratios = [times[key] / times["ours"] if key in times else None for key in RATIOS]
    return "".join(spent) + "".join(f"{'':9}" if x is None else f"{x:8.2f}x" for x in ratios)


def table(size: Size, threads: int, names: Sequence[str]) -> Table:
    """Measure and print one table."""
    clock = time.process_time if threads == 1 else time.perf_counter
    torch.set_num_threads(threads)
    print(f"\n{size}, {threads} thread{'s' * (threads > 1)}: ms, and how many times ours")
    print(f"{'':18}" + "".join(f"{heading:>9}" for heading in (*COLUMNS, *RATIOS)))
    rows: Table = {}
    for name in names:
        rows[name] = measured(name, size, clock)
        print(f"{name:18}{cells(rows[name])}", flush=True)
    return rows


def summary(rows: Table) -> None:
    """The claims, from one table."""
    torchs = [times for times in rows.values() if "default" in times]
    if not torchs:
        return
    gains = [times["default"] / times["ours"] for times in torchs]
    print(f"median of torch's default over ours: {statistics.median(gains):.1f}")
    worst = {
        name: min(times[key] for key in COLUMNS[2:] if key in times) / times["ours"]
        for name, times in rows.items()
        if "default" in times
    }
    lagging = ", ".join(f"{name} {ratio:.2f}" for name, ratio in worst.items() if ratio < 1)
    print(f"torch's best over ours where it is below 1: {lagging or 'nowhere'}")


def main(names: Sequence[str] = tuple(OPTIONS)) -> None:
    fused = [name for name in names if torch_can(name, "fused")]
    for size in SIZES:
        summary(table(size, 1, names))
        summary(table(size, 2, fused))


if __name__ == "__main__":
    main(sys.argv[1:] or tuple(OPTIONS))
