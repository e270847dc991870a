"""`glideslope preview`, called as a user calls it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glideslope.training import History

Program = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> str:
    (tmp_path / "run").mkdir()
    history = History(tmp_path / "run" / "history.jsonl")
    for step, loss in enumerate([0.9, 0.5, 0.6, 0.7, 0.6, 0.25]):
        history.append({"step": 10 * step, "loss": loss, "val_loss": loss})
        history.append({"step": 10 * step + 1, "loss": loss})
    return "run"


def test_it_says_what_both_controllers_would_have_done(glideslope: Program, run: str) -> None:
    assert glideslope("preview", run, "--patience", 2, "--factor", 0.5) == (
        0,
        "val_loss: 6 measurements\n"
        "early stopping, patience 2: it stops at step 30: no improvement on 0.5 in 2 values; the "
        "best until then is 0.5, at step 10, 0.25 given up; 39% of the run is spared\n"
        "plateau, patience 2: it cuts after steps 30; the rate ends at 0.5 of the schedule\n",
        "",
    )


def test_more_patience_changes_nothing(glideslope: Program, run: str) -> None:
    out = glideslope("preview", run, "--patience", 9).out
    assert "it does not stop; the best is 0.25, at step 50" in out
    assert "it never cuts; the rate ends at 1 of the schedule" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "`run` must be a folder with a history.jsonl, got 'nowhere'"),
        (["run", "--patience", 0], "`patience` must be at least 1, got 0"),
        (["run", "--mode", "least"], "`mode` must be 'min' or 'max', got 'least'"),
        (["run", "--metric", "x"], "`metric` must be in run/history.jsonl, got 'x'"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    glideslope: Program, run: str, words: list[Any], message: str
) -> None:
    assert glideslope("preview", *words) == (2, "", f"error: {message}\n")
