"""`glideslope predict`: tables, JSON and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import glideslope as gs
from glideslope.training import predict, recommend

from ..runs.run_folders import keep_run

Call = Callable[..., "tuple[int, str, str]"]
SCHEDULE = gs.parse("warmup(10) >> hold(60) >> linear(30)")


def losses(count: int = 100) -> list[dict[str, Any]]:
    """Records of a run that follows the schedule, under names of other programs."""
    return [
        {"global_step": t, "train_loss": 2 + (t + 1) ** -0.5 + 0.2 * SCHEDULE(t)}
        | {"lr": {"body": 0.1 * SCHEDULE(t), "head": 0.01}}
        for t in range(count)
    ]


@pytest.fixture(autouse=True)
def _run(glideslope: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    keep_run(Path("run"), losses(), schedule=SCHEDULE, steps=100)


def history() -> list[dict[str, Any]]:
    return [
        {"step": r["global_step"], "loss": r["train_loss"], "lr": r["lr"]["body"]} for r in losses()
    ]


def test_each_schedule_has_a_row(glideslope: Call) -> None:
    code, out, err = glideslope("predict", "run", "cosine(100%)", "hold(50) >> linear(20)")
    assert (code, err) == (0, "")
    head, *rows = [line.split() for line in out.splitlines()]
    assert " ".join(head) == "loss 9 of 10 annealing law relaxation law updates schedule"
    for row, text in zip(rows, ("cosine(100)", "hold(50) >> linear(20)"), strict=True):
        final = predict(history(), text).final
        assert row[0] == f"{final.loss:.3f}"
        assert row[1:4] == [f"{final.low:.3f}", "to", f"{final.high:.3f}"]
        assert " ".join(row).endswith(text)


def test_without_a_schedule_one_is_recommended(glideslope: Call) -> None:
    code, out, _ = glideslope("predict", "run", "--steps", 150)
    found = recommend(history(), 150)
    assert code == 0
    assert str(found.schedule) in out
    assert found.gain == 0
    assert "none of the family is better" in " ".join(out.split())


def test_json_has_the_curves(glideslope: Call) -> None:
    code, out, _ = glideslope("predict", "run", "cosine(80)", "--json")
    (found,) = json.loads(out)
    right = predict(history(), "cosine(80)")
    assert code == 0
    assert found["loss"] == pytest.approx(right.final.loss, rel=1e-12)
    assert found["losses"] == pytest.approx(right.losses, rel=1e-12)
    assert found["steps"][-1] == 80


def test_rates_are_in_that_of_the_run_unless_given(glideslope: Call) -> None:
    answers = [
        json.loads(glideslope("predict", "run", "cosine(80)", *words, "--json")[1])[0]["loss"]
        for words in ((), ("--lr", 0.1), ("--lr", 0.095))
    ]
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("missing", "cosine(9)"), "`run` must be a folder with config.json or history.jsonl"),
        (("run", "cosine(9ep)"), "the length '9ep' needs to be a number of updates"),
        (("run", "hold(9000)"), "predictions reach from 0.2"),
        (("run", "cosine(9)", "--lr", 1), "is 1, that of the run 0.1"),
        (("run", "cosine(9)", "--metric", "val_loss"), "the records have no `val_loss`"),
        (("run", "--lr", 0.1), "`lr` must come with a SPEC, got 0.1"),
        (("run", "cosine(80)", "--lr", 0), "`lr` must be more than 0 and finite, got 0"),
        (("run", "--steps", 0), "`steps` must be at least 1, got 0"),
        (("run", "--steps", 5), "`steps` must be more than the 10 of the run's warm-up, got 5"),
    ],
)
def test_a_mistake_is_one_sentence(glideslope: Call, words: tuple[Any, ...], sentence: str) -> None:
    code, out, err = glideslope("predict", *words)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
