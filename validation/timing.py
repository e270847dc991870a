"""Processor time of an update of each pair, in turns with the baseline.

    python -m validation.timing transformer    a minute or two

The runs of the trial are hours apart, and a machine that others use as well is not always as fast.
Here every pair makes some updates in each turn, and its time is compared with the baseline's of the
same turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from .claims import mean
from .pairs import BASELINE, PAIRS
from .problems import PROBLEMS
from .table import interval
from .trial import Training

TURNS, UPDATES = 25, 10


def seconds(work: Callable[[], None]) -> float:
    """Processor time of some calls, divided by their number."""
    start = time.process_time()
    for _ in range(UPDATES):
        work()
    return (time.process_time() - start) / UPDATES


def measure(problem: str, names: list[str]) -> dict[str, list[float]]:
    """Seconds of an update by pair, one for each turn; the first turn warms up."""
    steps = (TURNS + 1) * UPDATES
    runs = {
        name: Training(PAIRS[name], PROBLEMS[problem].make(0), PAIRS[name].rates[1], 0.0, steps)
        for name in names
    }
    turns = [{name: seconds(run.update) for name, run in runs.items()} for _ in range(TURNS + 1)]
    return {name: [turn[name] for turn in turns[1:]] for name in names}


def line(name: str, own: list[float], base: list[float]) -> str:
    """Milliseconds, and the mean ratio to the baseline's of the same turn."""
    ratios = [a / b for a, b in zip(own, base, strict=True)]
    milliseconds = interval(mean([1000 * value for value in own]), 2)
    return f"| {name} | {milliseconds} | {interval(mean(ratios), 2)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=", ".join(PROBLEMS))
    parser.add_argument("--only", nargs="+", metavar="PAIR", choices=list(PAIRS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    for problem in given.problems or PROBLEMS:
        times = measure(problem, list(dict.fromkeys([BASELINE, *(given.only or PAIRS)])))
        print(f"\n### {problem}\n\n| pair | ms per update | of the baseline's |\n|---|--:|--:|")
        for name, own in times.items():
            print(line(name, own, times[BASELINE]), flush=True)


if __name__ == "__main__":
    main()
