"""Trials of a pair on a problem: as many for each pair, all set before the first one runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from .pairs import PAIRS, Pair
from .problems import PROBLEMS

TUNING_SEED = 1000
"""Seed of every tuning trial; no other trial has it."""


@dataclass(frozen=True)
class Trial:
    """One run, named by all that decides its result.

    Args:
        problem: name of the problem.
        pair: name of the pair.
        rate: learning rate where the factor is 1.
        decay: weight decay.
        steps: updates of the run, over which the schedule is laid.
        seed: of the first parameters and of the batches.
    """

    problem: str
    pair: str
    rate: float
    decay: float
    steps: int
    seed: int


@dataclass(frozen=True)
class Outcome:
    """Result of a trial.

    Args:
        loss: held-out, after the last update, in nats; infinity if the run diverged.
        seconds: processor time of the updates.
    """

    loss: float
    seconds: float


@dataclass(frozen=True)
class Plan:
    """Size of the trial, the same for every pair.

    Args:
        rates: places of the rates that are tuned over, in the row of the pair.
        decays: places of the decays.
        lengths: run lengths as parts of the problem's full length; 1 is one of them.
        seeds: of the measured runs.
    """

    rates: range
    decays: range
    lengths: tuple[float, ...]
    seeds: range

    def tuning(self, problem: str, name: str) -> list[Trial]:
        """A run of the full length at each rate and decay."""
        pair, steps = PAIRS[name], PROBLEMS[problem].steps
        return [
            Trial(problem, name, rate, decay, steps, TUNING_SEED)
            for rate, decay in product(*self.choices(pair))
        ]

    def choices(self, pair: Pair) -> tuple[list[float], list[float]]:
        """Rates and decays to choose from."""
        return [pair.rates[i] for i in self.rates], [pair.decays[i] for i in self.decays]

    def measured(self, problem: str, name: str, tuned: Trial) -> list[Trial]:
        """Runs of every length and seed, at the rate and decay that were chosen."""
        full = PROBLEMS[problem].steps
        return [
            Trial(problem, name, tuned.rate, tuned.decay, round(part * full), seed)
            for part, seed in product(self.lengths, self.seeds)
        ]


FULL = Plan(range(7), range(2), (1.0, 0.6, 0.5, 0.75, 1.1), range(8))
QUICK = Plan(range(1, 6, 2), range(1), (1.0, 0.6), range(3))


def best(outcomes: Mapping[Trial, Outcome]) -> Trial:
    """The trial of the lowest loss."""
    return min(outcomes, key=lambda trial: outcomes[trial].loss)


def at_an_end(plan: Plan, trial: Trial) -> bool:
    """True if the chosen rate is the first or the last that the pair could choose."""
    rates, _ = plan.choices(PAIRS[trial.pair])
    return trial.rate in (rates[0], rates[-1])
