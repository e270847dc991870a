"""How long `scheduler.step()` takes: against torch's class of the same name.

    python -m benchmarks.bench_scheduler_step

Both take their steps in turns, block by block, and CPU time is counted; a block's time is its
fastest run, and the table shows the median over blocks of the ratio of the two, so that other work
on the machine falls on both alike. A ratio above 1 is that many times faster than torch. With 100
groups the rates are either all alike, as they mostly are, or all different.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from glideslope.optim import lr_scheduler as ours

BLOCKS = 9
theirs = SimpleNamespace(**vars(torch.optim.lr_scheduler) | {"SWALR": torch.optim.swa_utils.SWALR})

FOREVER = 10**7


def warmup_and_cosine(lib: Any, o: Any) -> Any:
    """Our `Scheduler` against the two schedulers of torch that one needs for the same curve."""
    if lib is ours:
        return ours.Scheduler(o, lr=f"warmup(5) >> cosine({FOREVER})")
    return CLASSES["SequentialLR"](lib, o)


CLASSES: dict[str, Callable[[Any, Any], Any]] = {
    "LambdaLR": lambda lib, o: lib.LambdaLR(o, lambda t: 1 / (1 + t)),
    "MultiplicativeLR": lambda lib, o: lib.MultiplicativeLR(o, lambda _: 0.99999),
    "StepLR": lambda lib, o: lib.StepLR(o, 30, gamma=0.99),
    "MultiStepLR": lambda lib, o: lib.MultiStepLR(o, [30, 60, 90]),
    "ConstantLR": lambda lib, o: lib.ConstantLR(o, total_iters=30),
    "LinearLR": lambda lib, o: lib.LinearLR(o, total_iters=FOREVER),
    "ExponentialLR": lambda lib, o: lib.ExponentialLR(o, 0.99999),
    "PolynomialLR": lambda lib, o: lib.PolynomialLR(o, FOREVER),
    "CosineAnnealingLR": lambda lib, o: lib.CosineAnnealingLR(o, FOREVER),
    "CosineAnnealingWarmRestarts": lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 50),
    "CyclicLR": lambda lib, o: lib.CyclicLR(o, 0.1, 1.0),
    "OneCycleLR": lambda lib, o: lib.OneCycleLR(o, 1.0, FOREVER),
    "SWALR": lambda lib, o: lib.SWALR(o, 0.05, FOREVER),
    "SequentialLR": lambda lib, o: lib.SequentialLR(
        o, [lib.LinearLR(o, total_iters=5), lib.CosineAnnealingLR(o, FOREVER)], [5]
    ),
    "ChainedScheduler": lambda lib, o: lib.ChainedScheduler(
        [lib.LinearLR(o, total_iters=5), lib.CosineAnnealingLR(o, FOREVER)]
    ),
    "Scheduler": warmup_and_cosine,
    "ReduceLROnPlateau": lambda lib, o: lib.ReduceLROnPlateau(o, patience=FOREVER),
}

# columns: groups, whether all rates are alike, whether they are tensors, steps in a run
COLUMNS = {
    "1 group": (1, True, False, 400),
    "100 alike": (100, True, False, 60),
    "100 different": (100, False, False, 60),
    "1 tensor": (1, True, True, 200),
    "100 tensors": (100, False, True, 12),
}


def optimizer(groups: int, alike: bool, tensors: bool) -> torch.optim.Optimizer:
    def rate(index: int) -> Any:
        number = 0.1 if alike else 0.1 + 0.01 * index
        return torch.tensor(number) if tensors else number

    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(groups)]
    listed = [{"params": [p], "lr": rate(index)} for index, p in enumerate(parameters)]
    return torch.optim.SGD(listed, lr=0.1, momentum=0.9)


def stepper(scheduler: Any) -> Callable[[], None]:
    if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        return lambda: scheduler.step(1.0)
    return scheduler.step  # type: ignore[no-any-return]


def fastest(step: Callable[[], None], steps: int) -> float:
    """Microseconds of a step in the fastest of some runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        for _ in range(steps):
            step()
        times.append(time.process_time() - start)
    return 1e6 * min(times) / steps


def measured(make: Callable[[Any, Any], Any], *column: Any) -> tuple[float, float]:
    """Microseconds of ours, and how many times faster it is."""
    *kind, steps = column
    pair = [stepper(make(library, optimizer(*kind))) for library in (ours, theirs)]
    blocks = [[fastest(step, steps) for step in pair] for _ in range(BLOCKS)]
    mine = statistics.median(block[0] for block in blocks)
    return mine, statistics.median(block[1] / block[0] for block in blocks)


def main() -> None:
    warnings.simplefilter("ignore")  # nothing is optimized here, and torch remarks on it
    print(f"{'':28}" + "".join(f"{name:>17}" for name in COLUMNS))
    print(f"{'':28}" + f"{'us':>10}{'times':>7}" * len(COLUMNS))
    for name, make in CLASSES.items():
        print(f"{name:28}", end="", flush=True)
        for column in COLUMNS.values():
            mine, times = measured(make, *column)
            print(f"{mine:10.2f}{times:7.2f}", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
