"""Every optimizer on four small problems: the steps and seconds that it takes to a common target.

    python -m validation.survey                                everything: half an hour on two cores
    python -m validation.survey softmax mlp --only AdamW Lion  some of it

The learning rate of each optimizer is tuned over one grid, from its default towards the better
neighbour until neither is better; then three seeds run at the best. Steps, seconds (CPU time of one
thread) and the final loss are medians over the seeds.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

from glideslope.optim import available

from .tuning import Result, tuned
from .workloads import WORKLOADS

SPARSE_ONLY = {"SparseAdam"}
COLUMNS = "optimizer | lr | steps | seconds | final loss"


def names() -> list[str]:
    return [row.name for row in available() if row.name not in SPARSE_ONLY]


def measure(workloads: Iterable[str], optimizers: Iterable[str]) -> Iterable[Result]:
    """Every result, as each is ready."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
        jobs: list[Future[Result | None]] = [
            pool.submit(tuned, workload, optimizer)
            for workload in workloads
            for optimizer in optimizers
        ]
        try:
            for job in as_completed(jobs):
                if result := job.result():
                    print(f"{result.workload}: {line(result)}", flush=True)
                    yield result
        finally:
            pool.shutdown(cancel_futures=True)


def line(result: Result) -> str:
    reached = math.isfinite(result.steps)
    steps = f"{result.steps:.0f}" if reached else "not reached"
    seconds = f"{result.seconds:.2f}" if reached else ""
    return f"{result.optimizer} | {result.lr:g} | {steps} | {seconds} | {result.final:.4g}"


def tables(results: Iterable[Result]) -> str:
    """One table in Markdown for each workload, the quickest first."""
    by_workload = defaultdict(list)
    for result in results:
        by_workload[result.workload].append(result)
    return "\n\n".join(
        "\n".join(
            [
                f"### {name}\n",
                f"| {COLUMNS} |",
                "|---|--:|--:|--:|--:|",
                *(
                    f"| {line(result)} |"
                    for result in sorted(group, key=lambda r: (r.steps, r.seconds, r.final))
                ),
            ]
        )
        for name, group in by_workload.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    parser.add_argument("--only", nargs="+", metavar="OPTIMIZER", default=names())
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    arguments = parser.parse_args()
    if unknown := set(arguments.workloads) - set(WORKLOADS):
        parser.error(f"no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    text = tables(measure(arguments.workloads or WORKLOADS, arguments.only))
    print(f"\n{text}")
    if arguments.out:
        arguments.out.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
