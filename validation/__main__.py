"""A fair trial of pairs of an optimizer and a schedule: steps and seconds to fixed targets.

    make validate                                  everything: a night on two cores
    python -m validation --quick                   some minutes, which show how it runs
    python -m validation conv --only "SOAP, linear"  a part of it, besides the baseline
    python -m validation --table                   the tables of the trials that are in the log

Each finished trial is a line of the log. The same command, given again, continues from there.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from .log import Log
from .pairs import BASELINE, PAIRS
from .plan import FULL, QUICK, Outcome, Plan, Trial, best
from .problems import PROBLEMS
from .table import tables
from .trial import run

LOGS = {"full": Path("runs/validation.jsonl"), "quick": Path("runs/validation-quick.jsonl")}
QUICK_PAIRS = list(PAIRS)[:3]
QUICK_PROBLEMS = ["transformer", "conv"]


def carry_out(log: Log, plan: Plan, problems: list[str], pairs: list[str], pool: Executor) -> None:
    """Run whatever the log lacks."""

    def in_pool(trials: Iterable[Trial]) -> Iterable[Outcome]:
        return pool.map(run, trials)

    for problem in problems:
        for pair in pairs:
            print(f"{problem}: {pair}", flush=True)
            tuning = plan.tuning(PROBLEMS[problem].tuned_on or problem, pair)
            tuned = best(log.complete(tuning, in_pool))
            log.complete(plan.measured(problem, pair, tuned), in_pool)


@contextmanager
def processes(count: int) -> Iterator[Executor]:
    """A pool; what has not begun is cancelled at its end."""
    os.environ["OMP_NUM_THREADS"] = "1"
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=", ".join(PROBLEMS))
    parser.add_argument("--only", nargs="+", metavar="PAIR", help="besides the baseline")
    parser.add_argument("--quick", action="store_true", help="fewer pairs, rates and seeds")
    parser.add_argument("--table", action="store_true", help="run nothing, print the tables")
    parser.add_argument("--log", type=Path, help="file of the finished trials")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="one on each core")
    given = parser.parse_args()
    for name, known in ((given.problems, PROBLEMS), (given.only or [], PAIRS)):
        if unknown := set(name) - set(known):
            parser.error(f"unknown: {', '.join(unknown)}; there are: {'; '.join(known)}")
    return given


def main() -> None:
    given = arguments()
    plan, size = (QUICK, "quick") if given.quick else (FULL, "full")
    log = Log(given.log or LOGS[size])
    problems = given.problems or (QUICK_PROBLEMS if given.quick else list(PROBLEMS))
    pairs = given.only or (QUICK_PAIRS if given.quick else list(PAIRS))
    if not given.table:
        with processes(given.processes) as pool:
            carry_out(log, plan, problems, list(dict.fromkeys([BASELINE, *pairs])), pool)
    print(f"\n{tables(log, plan)}")


if __name__ == "__main__":
    main()
