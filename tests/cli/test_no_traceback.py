"""Every command with random files, numbers, widths and encodings: no input ends in a traceback."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glideslope.cli import main

ENCODINGS = ["ascii", "latin-1", "cp1252", "utf-8", "utf-16"]

NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 2**63, 10**20, 10**400, 1e-300, -0.0]),
    st.integers(0, 20),
    st.floats(),
)
TEXTS = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["finished", "cosine(9)", "linear(5%)", "x" * 300, "[red]", "</script>", "\ud800", "é≈\n\t"]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def objects(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of the keys that a reader looks for."""
    return st.dictionaries(st.sampled_from(keys) | TEXTS, JSON, max_size=6)


RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "step": NUMBERS | st.integers(0, 20),
        "loss": st.floats() | JSON,
        "val_loss": st.floats(0, 1) | JSON,
        "lr": JSON | st.dictionaries(st.sampled_from(["a", "b"]), NUMBERS),
        "lr/head": JSON,
        "accuracy": JSON,
        "skipped": JSON,
        "seconds": JSON,
        "tokens": JSON,
        "non_finite": st.just({"loss": "NaN"}) | JSON,
        "event": st.sampled_from(["resumed", "rescheduled", "extended"]) | JSON,
        "time": JSON,
    },
)
WHOLE = st.lists(RECORDS.map(json.dumps), min_size=1, max_size=8).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)
LINES = st.lists(RECORDS.map(json.dumps) | JSON.map(json.dumps) | TEXTS, max_size=8)
INNER = objects("text", "json", "name", "options", "lr", "steps")
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "settings": INNER | JSON,
        "schedule": INNER
        | JSON
        | st.just({"text": "warmup(2) >> linear(8)"})
        | st.just({"text": "exponential(1e300)"}),
        "optimizer": INNER | JSON | st.just({"options": {"lr": 0.1}}),
    },
)
FILES = {
    "config.json": CONFIGS.map(json.dumps) | JSON.map(json.dumps) | TEXTS,
    "history.jsonl": WHOLE | LINES.map("\n".join),
    "events.jsonl": LINES.map("\n".join),
    "result.json": objects("outcome", "steps", "val_loss", "seconds").map(json.dumps) | TEXTS,
}
CONTENTS = st.fixed_dictionaries(
    {},
    optional={
        name: content.map(lambda text: text.encode(errors="surrogatepass"))
        | st.binary(max_size=40)
        | st.none()  # a folder of this name
        for name, content in FILES.items()
    },
)

SPECS = TEXTS | st.sampled_from(
    [
        "warmup(500) >> cosine(9500)",
        "cosine(10%)",
        "cosine(3ep) >> linear(1e5tok)",
        "linear(9).repeat()",
        "exponential(2)",
        "exponential(1e-300)",
        "constant(0)",
        "hold(1e15) >> linear(1e15)",
        "cosine(10, end=-5).shift(0.5)",
        "piecewise([(0, 1e308), (5, -1e308)])",
        "(warmup(5) >> cosine(5)) * 1e-320",
        "linear(0)",
        "polynomial(3, power=0.001).repeat(100000)",
        "noam(512, 4000)",
    ]
)
WORDS = st.one_of(
    NUMBERS.map(str),
    TEXTS,
    st.sampled_from(["1e4", "1_000", "nan", "-inf", "1e400", "0x10", "", "-", "--", "٣"]),
)
OPTIONS = {
    "show": ["--steps", "--lr", "--total-steps", "--steps-per-epoch", "--tokens-per-step"],
    "runs": ["--json", "--jsno"],
    "report": ["--out", "--opne", "--forecast"],
    "preview": ["--patience", "--metric", "--mode", "--factor"],
    "train": ["--schedule", "--optimizer", "--lr", "--steps", "--seed", "--extend", "--out"],
    "find-lr": ["--optimizer", "--start", "--end", "--steps", "--weight-decay", "--threads"],
    "merge": ["--out"],
    "predict": ["--steps", "--lr", "--metric", "--json"],
    "design": ["--steps", "--steps-per-epoch", "--port"],
}


def run(words: Sequence[str], width: int, encoding: str, terminal: bool) -> tuple[int, str]:
    """The exit code and the standard error of the program on a terminal of this kind."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    environment = {"COLUMNS": str(width), "LINES": "25", "TTY_COMPATIBLE": str(int(terminal))}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr("webbrowser.open", lambda *_: True)
        patch.setattr(sys, "argv", ["glideslope", *words])
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        with pytest.raises(SystemExit) as ended:
            main()
    streams[1].seek(0)
    return int(ended.value.code or 0), streams[1].read()


TERMINAL = (st.integers(10, 300), st.sampled_from(ENCODINGS), st.booleans())


def write(folder: Path, contents: dict[str, bytes | None]) -> None:
    folder.mkdir()
    for name, content in contents.items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content)


def clean(code: int, error: str) -> bool:
    """True if the program ended well, or with one message."""
    return code == 0 or (code in (1, 2) and error.lstrip("\ufeff").startswith("error: "))


@pytest.mark.parametrize("command", ["runs", "report", "preview", "predict"])
@given(
    first=CONTENTS, second=CONTENTS, width=TERMINAL[0], encoding=TERMINAL[1], terminal=TERMINAL[2]
)
def test_any_folder_of_a_run(
    command: str,
    first: dict[str, bytes | None],
    second: dict[str, bytes | None],
    width: int,
    encoding: str,
    terminal: bool,
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "a", first)
        write(folder / "b[red]é", second)
        words = {
            "runs": [["runs", name], ["runs", name, "--json"], ["runs", f"{name}/a"]],
            "report": [["report", f"{name}/a", "--out", f"{name}/a.html"]],
            "preview": [["preview", f"{name}/a"], ["preview", f"{name}/a", "--metric", "loss"]],
            "predict": [["predict", f"{name}/a"], ["predict", f"{name}/a", "cosine(100%)"]],
        }
        for given_words in words[command]:
            assert clean(*run(given_words, width, encoding, terminal))


@settings(max_examples=25)  # a picture takes half a second
@given(
    specs=st.lists(SPECS, min_size=1, max_size=3),
    options=st.lists(st.sampled_from(OPTIONS["show"]), max_size=2),
    values=st.lists(WORDS, min_size=2, max_size=2),
    kind=st.sampled_from(["", "--json", "--csv", "--svg"]),
    width=TERMINAL[0],
    encoding=TERMINAL[1],
    terminal=TERMINAL[2],
)
def test_any_schedule_and_any_number(
    specs: list[str],
    options: list[str],
    values: list[str],
    kind: str,
    width: int,
    encoding: str,
    terminal: bool,
) -> None:
    words = ["show", *specs]
    for option, value in zip(options, values, strict=False):
        words += [option, value]
    with TemporaryDirectory() as name:
        if kind and kind != "--csv":
            words += [kind, f"{name}/file"]
        assert clean(*run(words, width, encoding, terminal))


@pytest.mark.parametrize("command", OPTIONS)
@given(data=st.data(), width=TERMINAL[0], encoding=TERMINAL[1], terminal=TERMINAL[2])
def test_any_option_with_any_value(
    command: str, data: st.DataObject, width: int, encoding: str, terminal: bool
) -> None:
    options = data.draw(st.lists(st.sampled_from(OPTIONS[command]), max_size=3))
    words = [command, *data.draw(st.lists(WORDS, max_size=1))]
    for option in options:
        words += [option, data.draw(WORDS)]
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.chdir(name)
        patch.setattr("glideslope.demo._run.go", lambda *_: 0)
        patch.setattr("glideslope.cli._find_lr_run.run", lambda *_: None)
        patch.setattr("glideslope.pages.design.DesignServer.serve_forever", lambda _: None)
        assert clean(*run(words, width, encoding, terminal))
