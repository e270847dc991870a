"""`glideslope runs`, and reading a run's folder back, whole or damaged."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..runs.run_folders import SCHEDULE, keep_run, updates

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
        "note: torn: history.jsonl: 4 lines (2, 3, 4, 7) are damaged and left out",
        "note: torn: history.jsonl: 2 records have no `step` and are left out",
    ]
