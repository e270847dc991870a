"""The blocks in the documents that are not Python that runs: commands, YAML, JSON, sketches."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer.main
import yaml

import glideslope as gs
from glideslope.cli._app import app

from .documents import ROOT, name

FENCE = re.compile(r"^( *)```([^\s`]*)[^\n`]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
Call = Callable[..., Any]


class Block(NamedTuple):
    """A block of a document, in which language."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def _blocks() -> Iterator[Block]:
    for page in DOCUMENTS:
        text = page.read_text(encoding="utf-8")
        for found in FENCE.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Block(name(page), line, found[2], found[3])


BLOCKS = list(_blocks())


def blocks(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def commands(block: Block) -> Iterator[str]:
    """Lines that a reader types: all of a script, those with a prompt of a session."""
    for line in block.text.splitlines():
        if block.language == "sh" and line.strip() and not line.startswith("#"):
            yield line.strip()
        if block.language == "console" and line.startswith("$ "):
            yield line.removeprefix("$ ")


TYPED = [(str(block), line) for block in blocks("sh", "console") for line in commands(block)]
GLIDESLOPE = [(where, line) for where, line in TYPED if re.search(r"\bglideslope [a-z]", line)]
SHOWS = [(where, line) for where, line in GLIDESLOPE if line.startswith("glideslope show")]

NOT_RUN = {
    r"pip install ": "installs packages",
    r"python -m (pip|build|twine|venv)\b": "needs the network, and publishes",
    r"/tmp/release/bin/": "follows the build of a release",
    r"torchrun --nproc-per-node 2 program.py": "tests/distributed starts such programs",
    r"python train.py ": "tests/clients/test_hydra.py runs it",
    r"mkdir -p runs/first && mv history.jsonl runs/first": "run below, with the tutorial's report",
}
"""Other commands, by the reason why they are not run here."""


def test_every_language_has_a_test() -> None:
    run_elsewhere = {"python", "pycon"}  # tests/test_documents.py, tests/clients, tests/frameworks
    here = {"sh", "console", "yaml", "json", "py"}
    output = {"text"}
    directives = {block.language for block in BLOCKS if block.language.startswith("{")}
    found = {block.language for block in BLOCKS}
    assert found - run_elsewhere - here - output - directives == set()


@pytest.mark.parametrize(("where", "line"), GLIDESLOPE)
def test_the_program_takes_the_arguments_of_a_command(where: str, line: str) -> None:
    words = shlex.split(line.partition("glideslope ")[2], comments=True)
    command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize(("where", "line"), [pair for pair in TYPED if pair not in GLIDESLOPE])
def test_another_command_exists(where: str, line: str) -> None:
    if target := re.match(r"make (\w+)", line):
        assert f"\n{target[1]}: " in (ROOT / "Makefile").read_text(encoding="utf-8")
    elif module := re.match(r"python -m (benchmarks|validation)\b", line):
        assert find_spec(module[1])
    else:
        assert any(re.match(pattern, line) for pattern in NOT_RUN)


def test_every_exception_is_needed() -> None:
    lines = [line for _, line in TYPED]
    assert [p for p in NOT_RUN if not any(re.match(p, line) for line in lines)] == []


@pytest.mark.parametrize(("where", "line"), SHOWS)
def test_a_schedule_is_shown(where: str, line: str, glideslope: Call) -> None:
    mistaken = "cosin(" in line
    assert glideslope(*shlex.split(line)[1:]).code == (2 if mistaken else 0)


def test_the_report_of_the_tutorial(glideslope: Call) -> None:
    (block,) = [b for b in blocks("sh") if b.page.endswith("find-the-rate.md")]
    move, report = commands(block)
    assert move == "mkdir -p runs/first && mv history.jsonl runs/first"
    folder = Path("runs/first")
    folder.mkdir(parents=True)
    gs.training.History(folder / "history.jsonl").append({"step": 0, "loss": 1.0})
    ended = glideslope(*shlex.split(report.removesuffix(" --open"))[1:])
    assert ended.code == 0
    assert Path("report.html").exists()


@pytest.mark.long
def test_five_minutes(glideslope: Call) -> None:
    (block,) = [b for b in blocks("sh") if b.page == "docs/index.md" and "train" in b.text]
    install, train, report = commands(block)
    assert install.startswith("pip install")
    assert glideslope(*shlex.split(train)[1:]).code == 0
    assert glideslope(*shlex.split(report.removesuffix(" --open"))[1:]).code == 0


TRAINED = [
    (where, line)
    for where, line in GLIDESLOPE
    if re.match(r"glideslope (train|find-lr) ", line)
    and not line.endswith("--resume --out demo")  # of a run that Ctrl-C stopped: tests/cli has it
]


@pytest.mark.long
@pytest.mark.parametrize(("where", "line"), TRAINED)
def test_a_short_training_run(where: str, line: str, glideslope: Call) -> None:
    words = shlex.split(line)[1:]
    if "--resume" in words:
        assert glideslope("train", "--steps", "200", "--out", "demo").code == 0
    ended = glideslope(*words)
    assert ended.code == 0, ended.err


def texts(value: Any) -> Iterator[tuple[str, str]]:
    """Keys and texts of a configuration."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from texts(inner)
        elif isinstance(inner, str):
            yield key, inner


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_configuration_is_read(block: Block) -> None:
    for key, text in texts(yaml.safe_load(block.text)):
        if key in ("_target_", "class_path"):
            module, _, attribute = text.rpartition(".")
            assert hasattr(import_module(module), attribute)
        elif key in ("lr", "weight_decay"):
            gs.parse(text)


def test_the_configuration_in_the_code_is_the_one_above_it() -> None:
    page = (ROOT / "docs/how-to/configuration.md").read_text(encoding="utf-8")
    first = next(block for block in blocks("yaml") if block.page.endswith("configuration.md"))
    assert f'yaml.safe_load("""\n{first.text}""")' in page


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_records_are_json(block: Block) -> None:
    assert all(isinstance(json.loads(line), dict) for line in block.text.splitlines())


SKETCHES = {
    "docs/transformers.md": "needs a model and data; tests/clients runs such a Trainer",
    "docs/how-to/configuration.md": "needs Hydra; tests/clients/test_hydra.py runs it",
    "docs/coming-from.md": "other libraries' code, and a method of a class",
    "docs/clients/torch.md": "needs a process group; tests/distributed runs such code",
    "docs/clients/deepspeed.md": "needs a process group; tests/clients runs such code",
}
"""Pages with Python that is not run, and why."""


@pytest.mark.parametrize("block", blocks("py"), ids=str)
def test_a_sketch_is_python(block: Block) -> None:
    assert block.page in SKETCHES
    ast.parse(block.text)
