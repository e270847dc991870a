"""`glideslope train --resume`: a stopped run continues as if it had not stopped."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest
import torch

from glideslope.training import Checkpointer

from .run_digest import digest

Program = Callable[..., Any]

STEPS = 20
RUN = ("train", "--batch-size", 2, "--steps", STEPS, "--save-every", 3, "--out", "run")
USUAL = "warmup(1, start=0.1) >> linear(19)"
RESUME = ("train", "--resume", "--out", "run")


@pytest.fixture(autouse=True)
def quick(quick_run: None) -> None:
    """A run takes no time."""


def end_at_once() -> None:
    """As a kill, but that what is being saved is saved."""
    raise SystemExit(99)


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def read(name: str, folder: str = "run") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, name).read_text().splitlines()]


def events(*names: str) -> list[dict[str, Any]]:
    rows = read("events.jsonl")
    assert [row["event"] for row in rows] == list(names)
    return rows


@pytest.mark.parametrize(
    "optimizer",
    ["AdamW", "MuonWithAuxAdam", "AdamWScheduleFree", "Prodigy", "SOAP", "LBFGS"],
)
def test_a_run_ends_with_the_same_bits_however_it_was_stopped(
    glideslope: Program, stopped: Program, optimizer: str
) -> None:
    run = (*RUN, "--optimizer", optimizer)
    glideslope(*run, "--out", "straight")
    assert stopped(5, end_at_once, *run).code == 99
    assert [row["step"] for row in read("history.jsonl")] == [0, 1, 2, 3, 4]
    assert stopped(11, ctrl_c, *RESUME).code == 130
    assert glideslope(*RESUME).code == 0
    assert digest(Path("run")) == digest(Path("straight"))
    rows = events("started", "resumed", "interrupted", "resumed", "finished")
    assert [row["step"] for row in rows] == [0, 4, 11, 11, 20]


def test_one_random_number_more_makes_other_bits(glideslope: Program, stopped: Program) -> None:
    glideslope(*RUN, "--out", "straight")
    stopped(11, end_at_once, *RUN)
    with Checkpointer("run/checkpoints") as checkpoints:
        found = checkpoints.latest()
        assert found is not None
        order = torch.Generator()
        order.set_state(found.state["run"]["order"])
        torch.rand(1, generator=order)
        found.state["run"]["order"] = order.get_state()
        checkpoints.save(found.step, found.state)
    glideslope(*RESUME)
    assert digest(Path("run")) != digest(Path("straight"))


def test_ctrl_c_saves_and_says_how_to_continue(glideslope: Program, stopped: Program) -> None:
    ended = stopped(7, ctrl_c, *RUN)
    hints = ["continue with: glideslope train --resume --out run"]
    hints += ["look at it with: glideslope report run --open"]
    assert ended.out.splitlines()[-2:] == hints
    found = Checkpointer("run/checkpoints").latest()
    assert found is not None
    assert found.step == 7
    assert "continue with" not in glideslope(*RESUME).out


def test_the_newest_run_is_resumed_when_none_is_named(
    glideslope: Program, stopped: Program
) -> None:
    stopped(3, ctrl_c, *RUN, "--out", "runs/b")
    stopped(3, ctrl_c, *RUN, "--out", "runs/a")
    assert "kept in runs/a" in glideslope("train", "--resume").out


def test_a_run_that_continues_has_no_end(glideslope: Program, stopped: Program) -> None:
    stopped(3, ctrl_c, *RUN)
    told = {"result.json", "curves.png"}
    assert told <= {path.name for path in Path("run").iterdir()}
    stopped(9, end_at_once, *RESUME)
    assert not told & {path.name for path in Path("run").iterdir()}


def test_the_seconds_of_a_run_are_those_of_all_its_parts(
    glideslope: Program, stopped: Program
) -> None:
    stopped(19, ctrl_c, *RUN)
    first = json.loads(Path("run/result.json").read_text())["seconds"]
    glideslope(*RESUME)
    assert json.loads(Path("run/result.json").read_text())["seconds"] >= first


def test_the_best_checkpoint_is_kept(glideslope: Program) -> None:
    wild = ("--optimizer", "SGD", "--lr", 8, "--schedule", "linear(20, start=0, end=1)")
    glideslope(*RUN, *wild, "--save-every", 1)
    measured = [row for row in read("history.jsonl") if "val_loss" in row]
    best = min(measured, key=lambda row: float(row["val_loss"]))
    assert best["step"] < 16
    steps = Checkpointer("run/checkpoints").steps()
    assert steps == [best["step"] + 1, 18, 19, 20]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--out", "nowhere"), "there is no run in nowhere to resume"),
        ((), "there is no run in runs to resume"),
        (
            ("--out", "run"),
            "the run in run has made all of its 20 updates: `--extend` with a `--schedule` for ",
        ),
        (("--out", "run", "--lr", 0.1), "`lr` must stay 0.02 in this run, got 0.1"),
        (
            ("--out", "run", "--steps", 30),
            "`steps` must stay 20 in this run (--extend makes it longer), got 30",
        ),
        (("--out", "run", "--batch-size", 4), "`batch_size` must stay 2 in this run, got 4"),
        (
            ("--out", "run", "--optimizer", "Lion"),
            "`optimizer` must stay MuonWithAuxAdam in this run, got 'Lion'",
        ),
        (("--out", "run", "--extend", 0), "`extend` must be at least 1, got 0"),
        (
            ("--out", "run", "--extend", 5),
            f"`{USUAL}` has come to its end and cannot be stretched: ",
        ),
    ],
)
def test_what_cannot_continue_is_one_sentence_and_changes_nothing(
    glideslope: Program, words: tuple[object, ...], sentence: str
) -> None:
    glideslope(*RUN)
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    ended = glideslope("train", "--resume", *words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error: {sentence}")
    assert ended.err.count("\n") == 1
    assert before == {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}


def test_settings_that_the_run_has_anyway_may_be_said_again(
    glideslope: Program, stopped: Program
) -> None:
    stopped(3, ctrl_c, *RUN)
    assert glideslope(*RUN, "--resume", "--optimizer", "muonwithauxadam").code == 0


def test_other_threads_are_taken_and_told(glideslope: Program, stopped: Program) -> None:
    stopped(STEPS - 1, ctrl_c, *RUN)
    ended = glideslope(*RESUME, "--threads", 2)
    assert (ended.code, ended.err) == (0, "")
    assert "note: saved with threads 1, resumed with 2: the last bits may differ" in ended.out


def test_without_a_checkpoint_there_is_nothing_to_resume(glideslope: Program) -> None:
    glideslope(*RUN)
    for path in Path("run/checkpoints").iterdir():
        path.unlink()
    ended = glideslope(*RESUME)
    assert ended.err == "error: there is no checkpoint in run: start another run\n"


def test_the_checkpoint_of_another_program_is_refused(glideslope: Program) -> None:
    glideslope(*RUN)
    with Checkpointer("run/checkpoints") as checkpoints:
        checkpoints.save(STEPS, {"run": torch.ones(3)})
    ended = glideslope(*RESUME)
    assert ended.code == 2
    assert ended.err.endswith("step-00000020.pt was not saved by `glideslope train`\n")


def test_a_damaged_checkpoint_is_stepped_over_and_told(
    glideslope: Program, stopped: Program
) -> None:
    glideslope(*RUN, "--out", "straight")
    stopped(11, ctrl_c, *RUN)
    newest = Path("run/checkpoints/step-00000011.pt")
    newest.write_bytes(newest.read_bytes()[:-1])
    ended = glideslope(*RESUME)
    assert (ended.code, ended.err) == (0, "")
    assert "note: skipping a checkpoint: " in ended.out
    assert "resumed   after 10 of 20 updates" in ended.out
    assert digest(Path("run")) == digest(Path("straight"))


def test_the_text_of_another_python_is_refused(
    glideslope: Program, stopped: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(3, ctrl_c, *RUN)
    monkeypatch.setattr("glideslope.demo._corpus.topics", dict([*topics.items()][:4]))
    ended = glideslope(*RESUME)
    assert ended.code == 2
    assert ended.err == "error: the run in run learns the text of another Python\n"


def test_a_longer_run_stretches_what_is_left_of_its_schedule(
    glideslope: Program, stopped: Program
) -> None:
    stopped(10, ctrl_c, *RUN, "--schedule", "linear(100%)", "--lr", 1e-3)
    ended = glideslope(*RESUME, "--extend", 10)
    assert ended.code == 0
    rates = [row["lr"] for row in read("history.jsonl")]
    kept = [1e-3 * (1 - t / 20) for t in range(10)]
    stretched = [0.5e-3 * (1 - t / 20) for t in range(20)]
    assert rates == pytest.approx(kept + stretched, rel=1e-12)
    rows = events("started", "interrupted", "resumed", "extended", "rescheduled", "finished")
    assert (rows[3]["step"], rows[3]["by"], rows[5]["step"]) == (10, 10, 30)
    settings = json.loads(Path("run/config.json").read_text())["settings"]
    assert (settings["steps"], settings["schedule"]) == (
        30,
        "linear(20).take(10) >> linear(20).shift(-10).stretch(20)",
    )


def test_a_new_schedule_takes_over_and_the_difference_is_shown(
    glideslope: Program, stopped: Program
) -> None:
    stopped(10, ctrl_c, *RUN, "--schedule", "linear(100%)", "--lr", 1e-3)
    ended = glideslope(*RESUME, "--extend", 2, "--schedule", "hold(20) >> linear(2)")
    assert [row["lr"] for row in read("history.jsonl")][10:] == [1e-3] * 11 + [0.5e-3]
    _, _, table = ended.out.partition("update    before       now\n")
    assert table.splitlines()[:9] == [
        "    10  5.00e-04  1.00e-03",
        "    11  4.50e-04  1.00e-03",
        "    13  3.50e-04  1.00e-03",
        "    14  3.00e-04  1.00e-03",
        "    16  2.00e-04  1.00e-03",
        "    17  1.50e-04  1.00e-03",
        "    19  5.00e-05  1.00e-03",
        "    21       end  5.00e-04",
        "update    loss  validation  learning rate",
    ]
    rows = events("started", "interrupted", "resumed", "extended", "rescheduled", "finished")
    assert rows[4]["schedule"] == "hold(20) >> linear(2)"


def test_a_change_survives_a_kill(glideslope: Program, stopped: Program) -> None:
    stopped(10, ctrl_c, *RUN)
    change = (*RESUME, "--extend", 10, "--schedule", "linear(100%)")
    stopped(11, end_at_once, *change)
    assert glideslope(*RESUME).code == 0
    assert len(read("history.jsonl")) == 30
    assert read("history.jsonl")[-1]["lr"] == pytest.approx(0.02 / 30, rel=1e-12)


def test_a_run_that_was_killed_at_its_very_end_is_completed(
    glideslope: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit(99)

    with monkeypatch.context() as patch:
        patch.setattr("glideslope.demo._run.draw_curves", die)
        assert glideslope(*RUN).code == 99
    assert glideslope(*RESUME).code == 0
    assert json.loads(Path("run/result.json").read_text())["outcome"] == "finished"
    assert len(read("history.jsonl")) == STEPS
