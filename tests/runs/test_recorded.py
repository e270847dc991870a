"""A run folder that is read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glideslope.runs import Note, Point, read_run

from .run_folders import keep_run, updates


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
