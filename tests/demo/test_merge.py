"""`glideslope merge`: its table, its file, runs that continue, and refusals."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import glideslope as gs
from glideslope.demo import CharTransformer, Corpus, TrainedRun, python_reference

from .run_digest import digest

Program = Callable[..., Any]

RUN = ("train", "--batch-size", 2, "--steps", 40, "--out", "run", "--schedule", "hold(100%)")
KEPT = (*RUN, "--save-every", 2, "--keep", 6)


@pytest.fixture(autouse=True)
def _quick(quick_run: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template") / "run"


@pytest.fixture
def run(glideslope: Program, template: Path) -> None:
    """The folder of a run, which is trained once."""
    if not template.exists():
        glideslope(*KEPT, "--out", template)
    shutil.copytree(template, "run")


def loss_of(state: dict[str, Any]) -> float:
    """The loss of a model on the held-out text."""
    corpus = Corpus.of(python_reference())
    model = CharTransformer(len(corpus.vocabulary))
    model.load_state_dict(state)
    with torch.no_grad():
        return float(model.loss(*corpus.held_out_windows(model.context)))


def test_each_cooldown_has_a_row(run: None, glideslope: Program) -> None:
    before = digest(Path("run"))
    ended = glideslope("merge", "run", "linear(20%)", "cosine(6)")
    assert (ended.code, ended.err) == (0, "")
    head, now, *rows = [re.split("  +", line.strip()) for line in ended.out.splitlines()[:4]]
    assert head == ["val_loss", "checkpoints", "of steps", "apart", "cooldown"]
    result = gs.training.History("run/history.jsonl").values("val_loss")
    assert now == [f"{result[-1]:.3f}", "1", "40", "none"]
    checkpoints = gs.training.Checkpointer("run/checkpoints")
    for row, spec in zip(rows, ("linear(8)", "cosine(6)"), strict=True):
        found = gs.training.merge(checkpoints, spec, key=("run", "model"))
        count, span = str(len(found.steps)), f"{found.steps[0]} to 40"
        assert row == [f"{loss_of(found.state):.3f}", count, span, "2", spec]
    assert digest(Path("run")) == before


def test_the_merged_model_is_written(run: None, glideslope: Program) -> None:
    ended = glideslope("merge", "run", "linear(20%)", "--out", "merged.pt")
    assert ended.out.endswith("written to merged.pt\n")
    saved = gs.load_checkpoint("merged.pt")
    assert saved["schedule"] == "linear(8)"
    assert saved["val_loss"] == pytest.approx(loss_of(saved["model"]), rel=1e-6)
    assert saved["weights"] == gs.linear(8).merge_weights(saved["steps"])


def test_a_run_that_continues_is_merged_and_not_disturbed(run: None, stopped: Program) -> None:
    found: list[Any] = []

    def look() -> None:
        found.append(TrainedRun(Path("other")).cooled(gs.linear(4)))

    stopped(13, look, *KEPT, "--out", "other")
    assert found[0].merged.steps[-1] in (10, 12)  # the last may be on its way to the disk
    assert digest(Path("run")) == digest(Path("other"))


def test_few_checkpoints_have_a_note(run: None, glideslope: Program) -> None:
    notes = glideslope("merge", "run", "linear(4)").out.splitlines()[3:]
    assert notes == [
        "note: the checkpoints for linear(4) are up to 2 updates apart: --save-every 1 or less "
        "brings it closer to a real cooldown"
    ]


def test_kept_checkpoints_may_be_more_on_resuming(glideslope: Program) -> None:
    glideslope(*RUN, "--save-every", 2)
    assert len(list(Path("run/checkpoints").glob("*.pt"))) <= 4
    words = ("--extend", 20, "--schedule", "hold(60)", "--save-every", 2, "--keep", 9)
    assert glideslope("train", "--resume", "--out", "run", *words).code == 0
    assert len(list(Path("run/checkpoints").glob("*.pt"))) >= 9


def broken(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def test_a_damaged_checkpoint_is_a_note(run: None, glideslope: Program) -> None:
    broken(Path("run/checkpoints/step-00000036.pt"))
    ended = glideslope("merge", "run", "linear(20%)")
    assert re.match(r"note: skipping a checkpoint: .*step-00000036.pt is cut short", ended.out)
    assert (ended.code, ended.err) == (0, "")


@pytest.fixture
def others(run: None) -> None:
    """Folders without checkpoints, and with those of another program."""
    for name in ("none", "other"):
        shutil.copytree("run", name)
        shutil.rmtree(f"{name}/checkpoints")
    Path("other/checkpoints").mkdir()
    content = {"step": 8, "metrics": {}, "state": {}}
    gs.save_checkpoint(content, "other/checkpoints/step-00000008.pt")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("here", "linear(4)"), "`run` must be the folder of a run of `glideslope train`, got"),
        (("none", "linear(4)"), "there is no checkpoint in none"),
        (("other", "linear(4)"), "step-00000008.pt was not saved by `glideslope train`"),
        (("run", "linear(40ep)"), "the length '40ep' needs to be a number of updates"),
        (("run", "linear(4"), "expected"),
        (("run", "warmup(20)"), "`warmup(20)` must be at most"),
        (("run", "linear(50)"), "`schedule` must be no longer than the run, 40 updates"),
        (
            ("run", "linear(90%)"),
            "`steps` must begin at 5 or before, where linear(36) leaves 1, got 30: "
            "`glideslope train` keeps more with --keep and --save-every",
        ),
        (("run", "linear(4)", "linear(5)", "--out", "x"), "`out` must come with one SPEC"),
        (("run", "linear(4)", "--out", "no/x"), "could not save no/x: No such file"),
    ],
)
def test_a_mistake_is_one_sentence(
    others: None, glideslope: Program, words: tuple[str, ...], sentence: str
) -> None:
    ended = glideslope("merge", *words)
    assert ended.code == 2
    assert sentence in ended.err
    assert "Traceback" not in ended.err


def test_an_optimizer_with_an_average_of_its_own_is_refused(glideslope: Program) -> None:
    glideslope(*KEPT, "--optimizer", "AdamWScheduleFree")
    ended = glideslope("merge", "run", "linear(4)")
    assert ended.err == (
        "error: `run` must have an optimizer without an average of its own, "
        "got 'AdamWScheduleFree'\n"
    )


@pytest.mark.parametrize("keep", [0, -1])
def test_at_least_one_checkpoint_is_kept(glideslope: Program, keep: int) -> None:
    assert f"`keep` must be at least 1, got {keep}" in glideslope(*RUN, "--keep", keep).err
