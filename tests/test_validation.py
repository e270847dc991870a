"""Trial of `make validate`: equal budgets, claims at three standard errors, a log that resumes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from validation.claims import Mean, mean, reaches, verdict
from validation.log import Log, Run
from validation.pairs import BASELINE, PAIRS
from validation.plan import FULL, QUICK, TUNING_SEED, Outcome, Plan, Trial, at_an_end, best
from validation.problems import PROBLEMS
from validation.table import chosen, finished, tables

ROOT = Path(__file__).parents[1]
PLANS = pytest.mark.parametrize("plan", [FULL, QUICK], ids=["full", "quick"])
TRIAL = Trial("mlp", BASELINE, 0.004, 0.1, 400, 3)


def test_mean_and_error_are_those_of_numpy() -> None:
    sample = np.random.default_rng(0).normal(2, 0.3, 8)
    expected = sample.mean(), sample.std(ddof=1) / math.sqrt(8)
    assert mean(sample.tolist()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("sample", "word"),
    [([1.0], "none claimed"), ([1.0, math.inf], "diverged"), ([math.inf], "diverged")],
)
def test_without_a_spread_nothing_is_claimed(sample: list[float], word: str) -> None:
    assert not reaches(mean(sample), 1e9)
    assert verdict(mean(sample), Mean(0.0, 0.0)) == word


@pytest.mark.parametrize(
    ("value", "error", "reached"),
    [(0.75, 0.0625, True), (0.8125, 0.0625, True), (0.8126, 0.0625, False), (1.0, 0.0, True)],
)
def test_target_is_reached_by_three_standard_errors(
    value: float, error: float, reached: bool
) -> None:
    assert reaches(Mean(value, error), 1.0) is reached


@pytest.mark.parametrize(
    ("value", "word"),
    [(1.14, "none claimed"), (1.16, "higher"), (0.86, "none claimed"), (0.84, "lower")],
)
def test_difference_is_claimed_at_three_of_its_errors(value: float, word: str) -> None:
    assert verdict(Mean(value, 0.03), Mean(1.0, 0.04)) == word  # the error of the difference: .05
    assert verdict(Mean(value, 0.0), Mean(value, 0.0)) == "none claimed"


def test_claims_between_equal_methods_are_rare() -> None:
    samples = np.random.default_rng(0).normal(size=(1000, 2, 8)).tolist()
    claims = [verdict(mean(a), mean(b)) != "none claimed" for a, b in samples]
    assert sum(claims) <= 20


@PLANS
@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_pair_has_the_same_budget(plan: Plan, problem: str) -> None:
    tuning = [plan.tuning(problem, pair) for pair in PAIRS]
    measured = [plan.measured(problem, pair, ts[0]) for pair, ts in zip(PAIRS, tuning, strict=True)]
    assert {len(set(ts)) for ts in tuning} == {len(plan.rates) * len(plan.decays)}
    assert len({tuple(sorted((t.steps, t.seed) for t in ts)) for ts in measured}) == 1
    assert {t.seed for ts in tuning for t in ts} == {TUNING_SEED}
    assert TUNING_SEED not in {t.seed for ts in measured for t in ts}


def test_rows_of_rates_span_the_same_range() -> None:
    spans = {
        (len(p.rates), round(p.rates[-1] / p.rates[0], 9), len(p.decays)) for p in PAIRS.values()
    }
    assert spans == {(len(FULL.rates), 64.0, len(FULL.decays))}


def test_plan_has_eight_seeds_and_the_full_length() -> None:
    assert len(FULL.seeds) >= 8
    assert 1.0 in FULL.lengths
    assert 1.0 in QUICK.lengths


def test_nothing_is_tuned_on_the_held_out_problem(tmp_path: Path) -> None:
    held_out = [name for name, problem in PROBLEMS.items() if problem.tuned_on]
    assert held_out
    for name in held_out:
        log = Log(tmp_path / name)
        log.complete(FULL.tuning(name, BASELINE), constant(1.0))
        assert chosen(log, FULL, name, BASELINE) is None
        log.complete(FULL.tuning(PROBLEMS[name].tuned_on or "", BASELINE), constant(1.0))
        assert chosen(log, FULL, name, BASELINE) is not None


@pytest.mark.parametrize("name", PAIRS)
def test_pair_makes_an_optimizer_at_its_rate_and_decay(name: str) -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    groups = PAIRS[name].make(model, 0.25, 0.125).param_groups
    assert {group["lr"] for group in groups} == {0.25}
    for group in groups:
        is_vector = {p.ndim < 2 for p in group["params"]}
        assert is_vector == {group["weight_decay"] == 0}
    factors = [PAIRS[name].over(40)(step) for step in range(40)]
    assert factors[0] < 0.5
    assert max(factors) == 1.0


def constant(loss: float) -> Run:
    return lambda trials: (Outcome(loss, 2.0) for _ in trials)


def test_log_runs_what_it_lacks_and_no_more(tmp_path: Path) -> None:
    trials = [replace(TRIAL, seed=seed) for seed in range(5)]
    log = Log(tmp_path / "new" / "log.jsonl")
    log.complete(trials[1:3], constant(1.0))
    ran: list[Trial] = []

    def run(missing: Iterable[Trial]) -> Iterable[Outcome]:
        now = list(missing)
        ran.extend(now)
        return [Outcome(math.inf, 3.0) for _ in now]

    Log(log.path).complete(trials, run)
    assert ran == [trials[0], *trials[3:]]
    found = Log(log.path).complete(trials, run)
    assert [outcome.loss for outcome in found.values()] == [math.inf, 1.0, 1.0, math.inf, math.inf]
    assert len(ran) == 3


def test_interrupted_trial_keeps_what_has_finished(tmp_path: Path) -> None:
    def run(missing: Iterable[Trial]) -> Iterable[Outcome]:
        yield Outcome(1.0, 1.0)
        raise KeyboardInterrupt

    log = Log(tmp_path / "log.jsonl")
    with pytest.raises(KeyboardInterrupt):
        log.complete([TRIAL, replace(TRIAL, seed=4)], run)
    assert Log(log.path).outcomes == {TRIAL: Outcome(1.0, 1.0)}


def test_line_that_is_cut_off_runs_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path)
    log.add(TRIAL, Outcome(1.0, 1.0))
    first = path.read_bytes()
    log.add(replace(TRIAL, seed=4), Outcome(2.0, 1.0))
    whole = path.read_bytes()
    for end in range(len(first), len(whole)):
        path.write_bytes(whole[:end])
        resumed = Log(path)
        assert list(resumed.outcomes) == [TRIAL]
        resumed.add(replace(TRIAL, seed=4), Outcome(2.0, 1.0))
        assert path.read_bytes() == whole


def losses_by_length(pair: str, by_part: dict[float, float], log: Log) -> None:
    """Tune at equal losses, and measure the given loss at each part of the full length."""
    tuning = FULL.tuning("mlp", pair)
    log.complete(tuning, lambda trials: [Outcome(abs(t.rate - 0.008), 1.0) for t in trials])

    def outcome(trial: Trial) -> Outcome:
        noise = 0.001 * (-1) ** trial.seed
        loss = by_part[trial.steps / PROBLEMS["mlp"].steps]
        return Outcome(loss + noise, trial.steps / 100 + noise)

    trials = FULL.measured("mlp", pair, best(log.of(tuning)))
    log.complete(trials, lambda missing: map(outcome, missing))


def test_table_gives_the_shortest_length_that_reaches_the_target(tmp_path: Path) -> None:
    target, log = PROBLEMS["mlp"].target, Log(tmp_path / "log.jsonl")
    late = {part: target + (0.01 if part < 1 else -0.01) for part in FULL.lengths}
    early = {part: target + (0.01 if part < 0.6 else -0.02) for part in FULL.lengths}
    losses_by_length(BASELINE, late, log)
    losses_by_length("AdamW, WSD", early, log)
    row = finished(log, FULL, "mlp", "AdamW, WSD")
    assert row is not None
    assert (row.tuned.rate, row.steps) == (0.008, 240)
    assert row.seconds.value == pytest.approx(2.4)
    text = tables(log, FULL)
    assert f"| AdamW, WSD | 0.008 | 0 | {target - 0.02:.3f} ± 0.001 | lower | 240 | 0.60 |" in text
    assert text.index("AdamW, WSD") < text.index(BASELINE)
    assert "SOAP" not in text


def test_pair_with_a_missing_trial_has_no_row(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    losses_by_length(BASELINE, dict.fromkeys(FULL.lengths, 1.0), log)
    log.outcomes.popitem()
    assert finished(log, FULL, "mlp", BASELINE) is None
    assert tables(log, FULL) == ""


def test_page_has_the_tables_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "trial.jsonl"
    log.write_text((ROOT / "validation/results/trial.jsonl").read_text())
    page = (ROOT / "docs/validation.md").read_text()
    found = tables(Log(log), FULL)
    assert all(found.count(f"| {name}") == len(PROBLEMS) for name in PAIRS if name != BASELINE)
    assert found in page


def test_rate_at_an_end_is_marked() -> None:
    rates = PAIRS[BASELINE].rates
    ends = [rate for rate in rates if at_an_end(FULL, replace(TRIAL, rate=rate))]
    assert ends == [rates[0], rates[-1]]
    assert at_an_end(QUICK, replace(TRIAL, rate=rates[1]))


@pytest.fixture(autouse=True)
def one_thread() -> Iterable[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_run_of_a_trial_is_a_function_of_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    from validation.trial import run
    from validation.workloads import Task

    def make(seed: int) -> Task:
        torch.manual_seed(seed)
        model = nn.Linear(3, 1)
        x = torch.randn(8, 3)
        return Task(
            model, lambda: model(x).square().mean(), lambda: model(x).square().mean().item()
        )

    monkeypatch.setitem(PROBLEMS, "mlp", replace(PROBLEMS["mlp"], make=make))
    one, same, other = (run(replace(TRIAL, steps=20, seed=seed)) for seed in (0, 0, 1))
    assert one.loss == same.loss != other.loss
    assert one.loss < make(0).held_out_loss()
    assert one.seconds > 0
    bad = replace(TRIAL, pair="torch SGD, cosine", rate=1e6, steps=100)
    assert run(bad).loss == math.inf
