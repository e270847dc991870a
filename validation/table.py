"""Tables of the trial in Markdown, from a log."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from .claims import Mean, mean, reaches, verdict
from .log import Log
from .pairs import BASELINE, PAIRS
from .plan import Outcome, Plan, Trial, at_an_end, best
from .problems import PROBLEMS

COLUMNS = (
    "pair | rate | decay | loss at full length | against the baseline | steps to target | "
    "of the baseline's | seconds to target | of the baseline's"
)
NONE = Mean(math.inf, math.inf)


class Row(NamedTuple):
    """A pair on a problem.

    Args:
        pair: its name.
        tuned: the trial that its rate and decay are from.
        loss: at the full length.
        steps: the shortest length that reaches the target, in updates; infinity if none does.
        seconds: of processor time, of the runs of that length.
    """

    pair: str
    tuned: Trial
    loss: Mean
    steps: float
    seconds: Mean


def rows(log: Log, plan: Plan, problem: str) -> list[Row]:
    """The pairs that are finished on a problem."""
    return [row for pair in PAIRS if (row := finished(log, plan, problem, pair))]


def chosen(log: Log, plan: Plan, problem: str, pair: str) -> Trial | None:
    """The tuning trial that decides rate and decay; None until all have finished."""
    trials = plan.tuning(PROBLEMS[problem].tuned_on or problem, pair)
    outcomes = log.of(trials)
    return best(outcomes) if len(outcomes) == len(trials) else None


def finished(log: Log, plan: Plan, problem: str, pair: str) -> Row | None:
    """The row of a pair; None until all its trials have finished."""
    tuned = chosen(log, plan, problem, pair)
    trials = plan.measured(problem, pair, tuned) if tuned else []
    outcomes = log.of(trials)
    if tuned is None or len(outcomes) < len(trials):
        return None
    full, target = PROBLEMS[problem].steps, PROBLEMS[problem].target
    by_length = lengths(outcomes)
    reached = [n for n, (loss, _) in by_length.items() if reaches(loss, target)]
    steps = min(reached, default=math.inf)
    return Row(pair, tuned, by_length[full][0], steps, by_length.get(steps, (NONE, NONE))[1])


def lengths(outcomes: dict[Trial, Outcome]) -> dict[float, tuple[Mean, Mean]]:
    """Loss and seconds by the length of the run."""
    groups: dict[float, list[Outcome]] = {}
    for trial, outcome in outcomes.items():
        groups.setdefault(trial.steps, []).append(outcome)
    return {
        steps: (mean([o.loss for o in group]), mean([o.seconds for o in group]))
        for steps, group in groups.items()
    }


def tables(log: Log, plan: Plan) -> str:
    """One table for each problem on which a pair has finished, the quickest pair first."""
    return "\n\n".join(
        "\n".join([f"### {problem}\n", f"| {COLUMNS} |", "|---|--:|--:|--:|---|--:|--:|--:|--:|"])
        + "\n"
        + "\n".join(lines(plan, found))
        for problem in PROBLEMS
        if (found := rows(log, plan, problem))
    )


def lines(plan: Plan, found: list[Row]) -> Iterator[str]:
    base = next((row for row in found if row.pair == BASELINE), None)
    for row in sorted(found, key=lambda row: (row.steps, row.loss.value)):
        yield f"| {' | '.join(cells(plan, row, base))} |"


def cells(plan: Plan, row: Row, base: Row | None) -> Iterator[str]:
    yield f"**{row.pair}**" if row is base else row.pair
    yield f"{row.tuned.rate:g}{' (at an end)' if at_an_end(plan, row.tuned) else ''}"
    yield f"{row.tuned.decay:g}"
    yield interval(row.loss, 3)
    yield verdict(row.loss, base.loss) if base and row is not base else ""
    yield f"{row.steps:g}" if math.isfinite(row.steps) else "not reached"
    yield part(row.steps, base.steps if base else math.inf)
    yield interval(row.seconds, 2)
    yield part(row.seconds.value, base.seconds.value if base else math.inf)


def interval(sample: Mean, digits: int) -> str:
    """A mean and three standard errors."""
    if not math.isfinite(sample.value):
        return ""
    return f"{sample.value:.{digits}f} ± {sample.reach:.{digits}f}"


def part(value: float, whole: float) -> str:
    """A ratio; empty where one of the two was not reached."""
    return f"{value / whole:.2f}" if math.isfinite(value) and math.isfinite(whole) else ""
