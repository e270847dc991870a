"""`glideslope find-lr`, called as a user calls it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import glideslope as gs
from glideslope.cli._loss_chart import LossChart
from glideslope.training import RangeTestResult

Program = Callable[..., Any]

QUICK = ("--steps", 24, "--batch-size", 2, "--optimizer", "sgd", "--start", 1e-3, "--end", 1e4)


def test_it_shows_the_curve_why_it_ended_and_the_suggestions(glideslope: Program) -> None:
    code, out, err = glideslope("find-lr", *QUICK)
    assert (code, err) == (0, "")
    assert out.startswith("sgd: 24 updates from 0.001 to 10000\n")
    assert "┤" in out
    assert "1e-3" in out
    assert "updates: diverged at a learning rate of " in out
    assert "valley" in out
    assert not list(Path.cwd().iterdir())


def test_files_and_the_standard_output(glideslope: Program) -> None:
    code, out, _ = glideslope("find-lr", *QUICK, "--json", "-", "--png", "curve.png")
    assert code == 0
    result = RangeTestResult.from_json(out)
    assert result.suggestions() == json.loads(out)["suggestions"]
    assert Path("curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_options_give_the_same_result(glideslope: Program) -> None:
    first, second = (glideslope("find-lr", *QUICK, "--json", "-").out for _ in range(2))
    assert first == second


def test_a_loss_that_explodes_at_once_is_said_so(glideslope: Program) -> None:
    words = ("--optimizer", "sgd", "--start", 1e30, "--end", 1e34, "--steps", 9, "--batch-size", 1)
    code, out, _ = glideslope("find-lr", *words)
    assert code == 0
    assert "the loss was nan at a learning rate of " in out or "diverged" in out
    assert "no suggestion" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", 1], "`steps` must be at least 2, got 1"),
        (["--start", 0], "`start` must be more than 0 and less than the end, 10, got 0.0"),
        (["--end", 1e-9], "`start` must be more than 0 and less than the end, 1e-09, got 1e-07"),
        (["--threads", 0], "`threads` must be at least 1, got 0"),
        (["--png", "-", "--json", "-"], "`--json` must be another file than --png, got '-'"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    glideslope: Program, words: list[Any], message: str
) -> None:
    code, out, err = glideslope("find-lr", *words)
    assert (code, out, err) == (2, "", f"error: {message}\n")


def test_the_chart_marks_the_suggestions_and_leaves_out_the_explosion() -> None:
    losses = [1.0] * 40 + [1 - t / 50 for t in range(40)] + [math.exp(t) for t in range(10)]
    result = RangeTestResult(("0",), (gs.range_test(100),), tuple(losses), 0.0)
    lines = [line.plain for line in LossChart(result, 80).lines(False)]
    assert lines[-1].split() == ["1e-7", "1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1"]
    assert max(map(len, lines)) <= 80
    curve = "".join(lines[:-2])
    assert all(curve.count(str(number)) >= 1 for number in range(1, 1 + len(result.suggestions())))


@pytest.mark.parametrize("losses", [[1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 9.0]])
def test_a_chart_of_next_to_nothing(losses: list[float]) -> None:
    result = RangeTestResult(("0",), (gs.range_test(100),), tuple(losses))
    assert list(LossChart(result, 40).lines(True))
