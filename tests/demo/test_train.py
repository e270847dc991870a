"""`glideslope train`, from its options to its folder."""

from __future__ import annotations

import json
import math
import shlex
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest
from rich.console import Console

from glideslope.cli._train import USUAL_SCHEDULE
from glideslope.demo._loop import Record
from glideslope.demo._names import exported_names
from glideslope.demo._progress import Display
from glideslope.optim import available
from glideslope.schedules import parse

Program = Callable[..., Any]

SMALL = ("train", "--threads", 1, "--batch-size", 2)
QUICK = (*SMALL, "--steps", 3, "--schedule", "linear(100%)")


@pytest.fixture(autouse=True)
def short_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thirtieth of the text, so that measuring takes no time."""
    monkeypatch.setattr("glideslope.demo._corpus.topics", dict([*topics.items()][:3]))


def history(folder: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in Path(folder, "history.jsonl").read_text().splitlines()]


def rates(folder: str) -> list[float]:
    return [record["lr"] for record in history(folder)]


def test_a_run_leaves_its_folder(glideslope: Program) -> None:
    ended = glideslope(*QUICK, "--out", "run")
    assert (ended.code, ended.err) == (0, "")
    names = {path.name for path in Path("run").iterdir() if not path.name.startswith(".")}
    files = {"config.json", "history.jsonl", "events.jsonl", "curves.png", "result.json"}
    assert names == files | {"checkpoints"}
    assert Path("run/curves.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads(Path("run/result.json").read_text())
    assert (result["outcome"], result["steps"]) == ("finished", 3)
    assert result["val_loss"] == history("run")[-1]["val_loss"]
    assert f"{result['val_loss']:.3f}" in ended.out


def test_the_folder_is_named_by_the_time_when_none_is_given(glideslope: Program) -> None:
    assert glideslope(*QUICK).code == 0
    (folder,) = Path("runs").iterdir()
    assert len(history(str(folder))) == 3


def test_the_history_has_one_line_for_each_update(glideslope: Program) -> None:
    glideslope(*QUICK, "--out", "run", "--steps", 40)
    records = history("run")
    assert [record["step"] for record in records] == list(range(40))
    assert [record["step"] for record in records if "val_loss" in record] == list(range(1, 40, 2))
    uniform = math.log(json.loads(Path("run/config.json").read_text())["text"]["symbols"])
    assert records[0]["loss"] == pytest.approx(uniform, abs=0.5)


def test_the_command_in_the_config_repeats_the_run_exactly(glideslope: Program) -> None:
    chosen = ("--optimizer", "nadam", "--lr", 0.01, "--weight-decay", 0.1, "--seed", 7)
    glideslope(*QUICK, *chosen, "--out", "first")
    command = json.loads(Path("first/config.json").read_text())["command"]
    program, *words = shlex.split(command)
    assert program == "glideslope"
    glideslope(*words, "--out", "second")
    assert history("second") == history("first")
    glideslope(*words, "--out", "third", "--seed", 8)
    assert history("third") != history("first")


def test_the_command_in_the_config_leaves_nothing_to_defaults(glideslope: Program) -> None:
    glideslope(*SMALL, "--steps", 5, "--out", "run")
    config = json.loads(Path("run/config.json").read_text())
    usual = parse(USUAL_SCHEDULE)
    words = shlex.split(config["command"])
    options = dict(zip(words[2::2], words[3::2], strict=True))
    expected = {"--schedule": str(usual), "--lr": "0.02", "--weight-decay": "0.1", "--seed": "0"}
    assert expected.items() <= options.items()
    assert config["schedule"]["text"] == str(usual.bind(total_steps=5))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        pytest.param("linear(3)", [0.3, 0.2, 0.1], id="updates"),
        pytest.param("linear(100%)", [0.3, 0.2, 0.1], id="percent of the run"),
        pytest.param("linear(384tok)", [0.3, 0.2, 0.1], id="characters, 2 windows of 64 a step"),
        pytest.param("warmup(2) >> hold(1)", [0.0, 0.15, 0.3], id="a sequence"),
    ],
)
def test_the_schedule_drives_the_learning_rate(
    glideslope: Program, schedule: str, expected: list[float]
) -> None:
    glideslope(*QUICK, "--out", "run", "--lr", 0.3, "--schedule", schedule)
    assert rates("run") == pytest.approx(expected, rel=1e-12)


def test_an_epoch_is_one_pass_over_the_training_text(glideslope: Program) -> None:
    glideslope(*QUICK, "--out", "run", "--lr", 1, "--schedule", "linear(1ep)")
    epoch = round(json.loads(Path("run/config.json").read_text())["text"]["train_characters"] / 128)
    assert rates("run")[1] == pytest.approx(1 - 1 / epoch, rel=1e-12)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--optimizer", "Adamm"), "there is no optimizer `Adamm`: did you mean `Adam`?"),
        (("--optimizer", "SparseAdam"), "`optimizer` must be one for dense gradients, "),
        (("--optimizer", "Rprop", "--weight-decay", 0.1), "Rprop has no argument `weight_decay`"),
        (("--lr", -1), "`lr` must be finite and not negative, got -1.0"),
        (("--lr", "nan"), "`--lr` must be a number, such as 0.5 or 3e-4, got 'nan'"),
        (("--weight-decay", "inf"), "`weight_decay` must be finite and not negative, got inf"),
        (("--steps", 0), "`steps` must be at least 1, got 0"),
        (("--batch-size", 0), "`batch_size` must be at least 1, got 0"),
        (("--threads", 0), "`threads` must be at least 1, got 0"),
        (("--save-every", 0), "`save_every` must be at least 1, got 0"),
        (("--extend", 5), "`extend` must come with --resume, got 5"),
        (("--seed", -1), "`seed` must be at least 0 and less than 2**63, got -1"),
    ],
)
def test_a_mistake_is_one_sentence_and_no_folder(
    glideslope: Program, words: tuple[object, ...], sentence: str
) -> None:
    ended = glideslope(*QUICK, "--out", "run", *words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error: {sentence}")
    assert ended.err.count("\n") == 1
    assert not Path("run").exists()


@pytest.mark.parametrize("wrong", ["cosin(90)", "linear(-1)", "linear(10))"])
def test_a_mistake_in_the_schedule_is_pointed_at(glideslope: Program, wrong: str) -> None:
    ended = glideslope(*QUICK, "--out", "run", "--schedule", f"warmup(10) >> {wrong}")
    assert ended.code == 2
    sentence, text, pointer = ended.err.splitlines()
    assert sentence.startswith("error: ")
    assert text[pointer.index("^") :] in (wrong, ")")
    assert not Path("run").exists()


def test_a_folder_with_something_in_it_is_refused_and_left_alone(glideslope: Program) -> None:
    Path("run").mkdir()
    Path("run/result.json").write_text("mine")
    ended = glideslope(*QUICK, "--out", "run")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "error: `out` must be a new or an empty folder, got 'run'\n"
    assert [path.read_text() for path in Path("run").iterdir()] == ["mine"]


def test_a_file_where_the_folder_should_be_is_refused(glideslope: Program) -> None:
    Path("run").write_text("mine")
    assert glideslope(*QUICK, "--out", "run").code == 2
    assert glideslope(*QUICK, "--out", "run/inside").code == 2
    assert Path("run").read_text() == "mine"


def test_an_empty_folder_is_taken(glideslope: Program) -> None:
    Path("run").mkdir()
    assert glideslope(*QUICK, "--out", "run").code == 0


def test_a_run_that_diverges_says_so_and_keeps_what_there_is(glideslope: Program) -> None:
    wild = ("--optimizer", "SGD", "--lr", 1e30, "--schedule", "hold(3)")
    ended = glideslope(*QUICK, *wild, "--out", "run")
    assert ended.code == 1
    assert "diverged" in ended.out
    assert "lower learning rate than --lr 1e+30" in ended.out
    assert "find one with: glideslope find-lr --optimizer SGD\n" in ended.out
    assert ended.out.endswith("look at it with: glideslope report run --open\n")
    result = json.loads(Path("run/result.json").read_text())
    assert (result["outcome"], result["steps"]) == ("diverged", len(history("run")))
    assert result["steps"] < 3
    assert Path("run/curves.png").exists()


def test_what_is_odd_about_a_schedule_is_said_before_training(glideslope: Program) -> None:
    ended = glideslope(*QUICK, "--out", "run", "--schedule", "hold(1000) >> linear(1000)")
    assert "note: " in ended.out.split("update")[0]


def test_the_usual_schedule_has_nothing_odd(glideslope: Program) -> None:
    assert "note: " not in glideslope(*SMALL, "--out", "run", "--steps", 20).out


def test_away_from_a_terminal_the_output_is_plain_lines(glideslope: Program) -> None:
    ended = glideslope(*QUICK, "--out", "run")
    assert set(ended.out) & {"\x1b", "\r", "━"} == set()
    assert all(line.strip() for line in ended.out.splitlines())


def test_on_a_terminal_a_bar_shows_loss_rate_and_time_left() -> None:
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=120, legacy_windows=False)
    display = Display(4, console)
    with display.bar:
        display.show(Record(step=0, loss=4.5, rates={"lr": 3e-4}))
    for part in ("1/4", "loss 4.500", "lr 3.00e-04", "left"):
        assert part in screen.getvalue()


@pytest.mark.parametrize(
    "words",
    [["--optimizer", "Adamm"], ["--out", "."], ["--resume"], ["--steps", "x"], ["--lr", "-1"]],
    ids=" ".join,
)
def test_a_mistake_is_found_before_torch_is_loaded(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "used").touch()
    code = "import sys; from glideslope.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, "train", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "torch" not in done.stdout.split()


def test_the_names_of_optimizers_are_those_that_can_be_created() -> None:
    assert {name.lower() for name in exported_names()} >= {row.name.lower() for row in available()}


def test_help_names_every_option_and_loads_nothing_heavy() -> None:
    code = "import sys; from glideslope.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, "train", "--help"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    text, loaded = shown.rsplit("\n", 2)[0], shown.splitlines()[-1].split()
    for option in ("schedule", "optimizer", "lr", "weight-decay", "steps", "batch-size", "seed"):
        assert f"--{option} " in text
    assert {"torch", "matplotlib", "numba"} & set(loaded) == set()
