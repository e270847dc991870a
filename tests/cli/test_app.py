"""The program as a whole: its version, its help, its numbers, and its one style of messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

import glideslope as gs
from glideslope.cli._options import count, number

from ..runs.run_folders import keep_run, updates

Program = Callable[..., Any]


def test_it_tells_its_version(glideslope: Program) -> None:
    assert glideslope("--version") == (0, f"glideslope {gs.__version__}\n", "")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_its_help_lists_the_commands_and_shell_completion(
    glideslope: Program, words: tuple[str, ...]
) -> None:
    code, out, err = glideslope(*words)
    assert (code, err) == (0, "")
    assert {"show", "train", "--install-completion", "--version"} <= set(out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shwo"], "no such command 'shwo'. Did you mean 'show'?: see `glideslope --help`"),
        (["show"], "missing argument 'SPEC': see `glideslope show --help`"),
        (["runs", "--jsno"], "no such option: --jsno"),
        (["show", "cosine(9)", "--steps", "x"], "`--steps` must be a whole number, such as 500 or"),
        (["show", "cosine(9)", "--steps", "1.5"], "`--steps` must be a whole number, such as"),
        (["show", "cosine(9)", "--steps", "1e30"], "`--steps` must be less than 2**63, got '1e30'"),
        (["show", "cosine(9)", "--lr", "fast"], "`--lr` must be a number, such as 0.5 or 3e-4"),
        (["show", "cosine(9)", "--csv", "no/a.csv"], "could not write no/a.csv: No such file or"),
        (["show", "cosine(9)", "--png", "."], "could not write .: Is a directory"),
        (["report", "."], "`run` must"),
    ],
)
def test_every_mistake_is_one_line_of_one_style(
    glideslope: Program, words: list[str], message: str
) -> None:
    code, out, err = glideslope(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("text", "value"), [("500", 500), ("1e4", 10_000), ("10_000", 10_000), ("2.0", 2), (7, 7)]
)
def test_a_count_may_be_written_as_a_number(text: Any, value: int) -> None:
    assert count(text) == value


@pytest.mark.parametrize(("read", "text"), [(count, "nan"), (count, "inf"), (number, "nan")])
def test_what_is_no_number_is_refused(read: Callable[[str], float], text: str) -> None:
    with pytest.raises(typer.BadParameter, match="must be a"):
        read(text)


def test_runs_as_json_have_exact_numbers(glideslope: Program) -> None:
    keep_run(Path("runs/a"), updates(10))
    keep_run(Path("runs/b"), [], outcome=None)
    first, second = sorted(json.loads(glideslope("runs", "--json").out), key=lambda run: run["run"])
    assert (first["run"], first["path"], first["state"]) == ("a", "runs/a", "finished")
    assert first["best"] == first["last"] == {"step": 10, "value": 0.4}
    assert (first["steps"], first["planned_steps"], first["optimizer"]) == (10, 10, "AdamW")
    assert (second["best"], second["last"], second["steps"]) == (None, None, 0)
