"""A run folder that is read back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from glideslope.runs import Note, Point, metrics, planned, read_run

from .run_folders import SCHEDULE, keep_run, updates


@pytest.mark.parametrize("name", ["config.json", "history.jsonl"])
def test_a_missing_file_is_said(tmp_path: Path, name: str) -> None:
    path = keep_run(tmp_path / "run", updates(10))
    (path / name).unlink()
    assert read_run(path).notes == [f"there is no {name}"]


@pytest.mark.parametrize(
    ("lr", "rates"),
    [
        ({"lr": 0.5}, {"lr": 0.5}),
        ({"lr": [0.5, 0.1]}, {"group 0": 0.5, "group 1": 0.1}),
        ({"lr": {"body": 0.5, "head": 0.1}}, {"body": 0.5, "head": 0.1}),
        ({"lr/body": 0.5, "lr/head": 0.1}, {"body": 0.5, "head": 0.1}),
        ({"lr": None}, {}),
        ({"lr": "fast"}, {}),
        ({}, {}),
    ],
)
def test_learning_rates_are_found_by_group(
    tmp_path: Path, lr: dict[str, Any], rates: dict[str, float]
) -> None:
    run = read_run(keep_run(tmp_path / "run", [{"step": 3} | lr]))
    assert run.rates == {name: [Point(3, value)] for name, value in rates.items()}


@pytest.mark.parametrize(
    ("rates", "base"),
    [({"lr": 0.025}, {"lr": 0.1}), ({"lr/a": 0.02, "lr/b": 0.005}, {"a": 0.04, "b": 0.01})],
)
def test_the_base_of_a_rate_is_that_of_the_plan(
    tmp_path: Path, rates: dict[str, float], base: dict[str, float]
) -> None:
    run = read_run(keep_run(tmp_path / "run", [{"step": 0} | rates, {"step": 1} | rates]))
    assert {name: run.base_rate(name) for name in run.rates} == base


def test_updates_made_again_replace_those_they_repeat(tmp_path: Path) -> None:
    again = [{"step": t, "loss": 7.0} for t in range(4, 6)]
    run = read_run(keep_run(tmp_path / "run", [*updates(8), *again]))
    assert [record["step"] for record in run.records] == list(range(6))
    assert [point.value for point in run.series("loss")][4:] == [7.0, 7.0]


def test_what_happened_is_in_the_order_of_steps(tmp_path: Path) -> None:
    events = [
        {"time": "2026-01-02T03:04:05+00:00", "step": 0, "event": "started"},
        {"time": "2026-01-02T03:05:05+00:00", "step": 8, "event": "interrupted"},
        {"time": "2026-01-02T03:06:05+00:00", "step": 5, "event": "extended", "by": 3},
    ]
    run = read_run(keep_run(tmp_path / "run", updates(10), events=events))
    notes = [Note(0, "started", {}), Note(5, "extended", {"by": 3}), Note(8, "interrupted", {})]
    assert run.happenings == notes


def test_numbers_that_are_none_are_left_out(tmp_path: Path) -> None:
    lines = ['{"step": 0, "loss": NaN}\n', '{"step": 1, "loss": Infinity, "lr": true}\n']
    run = read_run(keep_run(tmp_path / "run", lines))
    assert (run.series("loss"), run.rates, run.best, run.steps) == ([], {}, None, 2)


def own_run(folder: Path, lines: list[dict[str, Any]], config: dict[str, Any] | None = None) -> Any:
    """A run that another program recorded."""
    folder.mkdir()
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return read_run(folder)


TEN = {"schedule": "warmup(2) >> linear(8)", "lr": 0.1}


@pytest.mark.parametrize(
    ("count", "last", "config", "state"),
    [
        (10, 1.0, TEN, "finished"),
        (12, 1.0, TEN, "finished"),
        (9, 1.0, TEN, "unfinished"),
        (9, math.nan, TEN, "diverged"),
        (10, 1.0, {"schedule": {"text": "warmup(2) >> linear(8)"}}, "finished"),
        (10, 1.0, {"schedule": "noam(512, 4000)"}, "unfinished"),
        (10, 1.0, {"steps": 10}, "finished"),
        (10, 1.0, {"schedule": "linear(8)", "settings": {"steps": 20}}, "unfinished"),
        (10, 1.0, {}, "unfinished"),
        (10, 1.0, None, "unfinished"),
        (0, 1.0, TEN, "unfinished"),
    ],
)
def test_a_history_as_long_as_its_plan_is_finished(
    tmp_path: Path, count: int, last: float, config: dict[str, Any] | None, state: str
) -> None:
    lines: list[dict[str, Any]] = [{"step": t, "loss": 1.0} for t in range(count)]
    if lines:
        lines[-1]["loss"] = last
    assert own_run(tmp_path / "run", lines, config).state == state


@pytest.mark.parametrize("config", [TEN, {"schedule": TEN["schedule"]}])
def test_a_plan_needs_only_the_text_of_the_schedule(tmp_path: Path, config: dict[str, Any]) -> None:
    lines = [{"step": t, "lr": 0.1 * SCHEDULE(t)} for t in range(10)]
    run = own_run(tmp_path / "run", lines, config)
    assert run.base_rate("lr") == pytest.approx(0.1, rel=1e-15)
    assert planned(run, "lr", range(10)) == pytest.approx([line["lr"] for line in lines])


@pytest.mark.parametrize("loss", ["loss", "train_loss", "train/loss"])
@pytest.mark.parametrize("validation", ["val_loss", "eval_loss", "valid_loss"])
@pytest.mark.parametrize("step", ["step", "global_step", "iteration"])
def test_other_names_of_losses_and_steps_are_known(
    tmp_path: Path, step: str, loss: str, validation: str
) -> None:
    run = own_run(tmp_path / "run", [{step: 4.0, loss: 0.5, validation: 0.25}])
    assert (run.loss, run.validation) == ([Point(4, 0.5)], [Point(5, 0.25)])
    assert metrics(run) == {}


def test_lines_of_one_step_are_one_record(tmp_path: Path) -> None:
    lines = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.4}, {"step": 2, "val_loss": 0.3}]
    run = own_run(tmp_path / "run", lines)
    assert (run.loss, run.validation) == ([Point(1, 0.5), Point(2, 0.4)], [Point(3, 0.3)])


def test_losses_of_skipped_updates_are_left_out(tmp_path: Path) -> None:
    lines = [{"step": 0, "loss": 1.0}, {"step": 1, "loss": 90.0, "grad_norm": 1e9, "skipped": True}]
    run = own_run(tmp_path / "run", [line | {"weight_decay": 0.1} for line in lines])
    assert run.loss == [Point(0, 1.0)]
    assert metrics(run) == {"weight_decay": [Point(0, 0.1), Point(1, 0.1)]}


@pytest.mark.parametrize("digits", [20, 400])
def test_numbers_too_large_for_a_float_are_none(tmp_path: Path, digits: int) -> None:
    large = int("9" * digits)
    run = own_run(tmp_path / "run", [{"step": 0, "loss": large}, {"step": large, "loss": 1.0}])
    assert run.loss == ([Point(0, float(large))] if digits == 20 else [])
    assert run.notes == [
        "there is no config.json",
        "history.jsonl: a record has no `step` and is left out",
    ]
