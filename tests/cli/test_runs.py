"""`glideslope runs`, and reading a run's folder back, whole or damaged."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glideslope.cli._recorded_run import Note, Point, read_run

from .run_folders import SCHEDULE, keep_run, updates

Call = Callable[..., "tuple[int, str, str]"]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")


def test_each_run_has_a_row_the_oldest_first(glideslope: Call) -> None:
    keep_run(Path("runs/b"), updates(10))
    keep_run(Path("runs/a"), updates(7), outcome="interrupted")
    keep_run(Path("runs/c"), updates(3), outcome=None)
    Path("runs/notes").mkdir()
    for age, name in enumerate("cab"):
        for file in Path("runs", name).iterdir():
            os.utime(file, (86400 * (2 - age), 86400 * (2 - age)))
    code, out, err = glideslope("runs")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    text = str(SCHEDULE).split()
    assert rows == [
        ["run", "steps", "best", "last", "state", "written", "optimizer", "schedule"],
        ["b", "10", "*0.4000", "0.4000", "finished", "1970-01-01", "AdamW", *text],
        ["a", "7", "of", "10", "0.8000", "0.8000", "interrupted", "1970-01-02", "AdamW", *text],
        ["c", "3", "of", "10", "unfinished", "1970-01-03", "AdamW", *text],
    ]


def test_a_folder_that_is_a_run_is_listed_alone(glideslope: Call) -> None:
    keep_run(Path("runs/only"), updates(10))
    code, out, _ = glideslope("runs", "runs/only")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["run", "only"]


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("missing", "`folder` must be a folder, got 'missing'"),
        (".", "`folder` must hold runs of `glideslope train`, got '.'"),
    ],
)
def test_a_folder_without_runs_is_refused(glideslope: Call, folder: str, sentence: str) -> None:
    assert glideslope("runs", folder) == (2, "", f"error: {sentence}\n")


def test_markup_in_a_name_is_only_text(glideslope: Call) -> None:
    keep_run(Path("runs/[red]x[bold]"), updates(1))
    assert "[red]x[bold]" in glideslope("runs")[1]


def test_what_is_damaged_is_left_out_and_said(glideslope: Call) -> None:
    lines: list[Any] = updates(4)
    lines[1:1] = ["\n", "{\n", '"text"\n', '{"step": -1}\n', '{"step": "2"}\n', "\x00\n"]
    keep_run(Path("runs/torn"), [*lines, '{"step": 4, "lo'], outcome=None)
    Path("runs/torn/result.json").write_text("[1]")
    code, out, _ = glideslope("runs")
    assert code == 0
    assert out.splitlines()[1].split()[:4] == ["torn", "4", "of", "10"]
    assert out.splitlines()[2:] == [
        "note: torn: result.json is damaged: it holds no object",
        "note: torn: history.jsonl: 6 lines (2, 3, 4, 5, 6, …) are damaged and left out",
    ]


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
