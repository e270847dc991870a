"""Printed companions: their class, settings and progress."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import glideslope as gs
from glideslope import training
from glideslope.errors import InvalidType
from glideslope.training import (
    Checkpoint,
    Checkpointer,
    CSVWriter,
    EarlyStopping,
    Estimate,
    History,
    LRFinder,
    LRMonitor,
    MergedModel,
    PlateauPreview,
    Prediction,
    Predictor,
    RangeTestResult,
    Recommendation,
    ResumableLoader,
    ScheduledBatchSampler,
    StoppingPreview,
    TensorBoardWriter,
    TrainingState,
    preview,
)

from .predicting import Truth, made_by

TRUTH = Truth("updates", 1.0, 1.0, 0.5, 0.3, 10.0)
LOSSES = [0.9, 0.5, 0.6, 0.7, 0.8]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sgd() -> torch.optim.SGD:
    return torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.5)


def stopping(**settings: Any) -> EarlyStopping:
    found = EarlyStopping(5, **settings)
    for loss in LOSSES[:4]:
        found.step(loss)
    return found


def stopped() -> EarlyStopping:
    found = EarlyStopping(2)
    assert [found.step(loss) for loss in LOSSES[:4]][-1]
    return found


def state(**others: Any) -> TrainingState:
    optimizer = gs.optim.AdamW(nn.Linear(1, 1).parameters())
    return TrainingState(model=nn.Linear(1, 1), optimizer=optimizer, step=40, **others)


def checkpointer(count: int, **settings: Any) -> Checkpointer:
    found = Checkpointer("runs", **settings)
    for step in range(count):
        found.save(100 * step, {"weight": torch.ones(99)}, loss=1.0)
    found.close()
    return found


def checkpoint() -> Checkpoint:
    found = checkpointer(1).latest()
    assert found is not None
    return found


def history(count: int) -> History:
    found = History("history.jsonl")
    for _ in range(count):
        found.append({"step": 1})
    return found


def table(count: int) -> CSVWriter:
    found = CSVWriter("run.csv")
    for step in range(count):
        found.append({"step": step})
    return found


def board() -> TensorBoardWriter:
    with TensorBoardWriter("board") as found:
        found.append({"step": 7, "loss": 1.0})
    return found


def loader(loader: Any, batches: int) -> ResumableLoader[Any]:
    found = ResumableLoader(loader)
    list(found)
    iterator = iter(found)
    LOOPS.append(iterator)  # a loop that ends sets the loader to the beginning
    for _ in range(batches):
        next(iterator)
    return found


LOOPS: list[Iterator[Any]] = []


class Unmeasured:
    def __iter__(self) -> Iterator[int]:
        return iter([1, 2, 3])


def plateau() -> PlateauPreview:
    return preview(LOSSES, gs.optim.lr_scheduler.ReduceLROnPlateau(sgd(), patience=1))


def result(count: int) -> RangeTestResult:
    return RangeTestResult(("0",), (gs.range_test(100),), [1.0] * count)  # type: ignore[arg-type]


TEXTS: dict[str, tuple[Callable[[], object], str]] = {
    "new": (lambda: EarlyStopping(5), "EarlyStopping(patience=5)"),
    "waiting": (
        stopping,
        "EarlyStopping(patience=5, best=0.5 at 1, 2 without improvement)",
    ),
    "upwards": (
        lambda: EarlyStopping(5, mode="max"),
        "EarlyStopping(patience=5, mode='max')",
    ),
    "stopped": (
        stopped,
        "EarlyStopping(patience=2, best=0.5 at 1, stopped: no improvement on 0.5 in 2 values)",
    ),
    "state": (state, "TrainingState(model=Linear, optimizer=AdamW, step=40)"),
    "state of everything": (
        lambda: state(rng=torch.Generator(), losses=[0.5] * 99),
        "TrainingState(model=Linear, optimizer=AdamW, step=40, rng=Generator, "
        "losses=[0.5, 0.5, 0.5,…0.5, 0.5, 0.5])",
    ),
    "no parts": (TrainingState, "TrainingState()"),
    "no checkpoint": (lambda: Checkpointer("runs"), "Checkpointer('HERE/runs', keep=3, empty)"),
    "checkpoint": (
        lambda: checkpointer(1),
        "Checkpointer('HERE/runs', keep=3, 1 checkpoint, the newest of step 0)",
    ),
    "checkpoints": (
        lambda: checkpointer(4, keep=2, keep_best=("loss", "min")),
        "Checkpointer('HERE/runs', keep=2, keep_best=('loss', 'min'), "
        "2 checkpoints, the newest of step 300)",
    ),
    "one that is found": (
        checkpoint,
        "Checkpoint(step=0, metrics={'loss': 1.0}, path=PosixPath('HERE/runs/step-00000000.pt'))",
    ),
    "no history": (lambda: history(0), "History('HERE/history.jsonl', no file yet)"),
    "history": (lambda: history(100), "History('HERE/history.jsonl', 1,200 bytes)"),
    "table": (lambda: table(0), "CSVWriter('HERE/run.csv', 0 rows)"),
    "row": (lambda: table(1), "CSVWriter('HERE/run.csv', 1 row)"),
    "board": (board, "TensorBoardWriter('HERE/board', next step 8)"),
    "monitor": (
        lambda: LRMonitor(sgd(), history(0), table(0)),
        "LRMonitor(SGD, into History and CSVWriter)",
    ),
    "idle monitor": (lambda: LRMonitor(sgd()), "LRMonitor(SGD, into nothing)"),
    "loader": (
        lambda: loader(DataLoader([1, 2, 3]), 2),  # type: ignore[arg-type]
        "ResumableLoader(DataLoader, epoch 1, batch 2 of 3)",
    ),
    "loader without length": (
        lambda: loader(Unmeasured(), 1),
        "ResumableLoader(Unmeasured, epoch 1, batch 1)",
    ),
    "finder": (
        lambda: LRFinder(nn.Linear(1, 1), sgd(), lambda model, batch: 1.0),
        "LRFinder(Linear, SGD, smoothing=0.98, divergence=4)",
    ),
    "range test": (
        lambda: result(100),
        "RangeTestResult(100 updates, lr 1e-07 to 10: the sweep is over)",
    ),
    "failed range test": (lambda: result(0), "RangeTestResult(0 updates: the sweep is over)"),
    "early stop": (
        lambda: preview(LOSSES, EarlyStopping(3)),
        "StoppingPreview(stop=4, reason='no improvement on 0.5 in 3 values', best_step=1, "
        "best=0.5, given_up=0.0)",
    ),
    "estimate": (lambda: Estimate(1.5, 1.25, 2.0), "Estimate(loss=1.5, low=1.25, high=2.0)"),
    "prediction": (
        lambda: Prediction(gs.linear(9), 0.1, "loss", Estimate(1.5, 1.25, 2.0), {}, (), (), (), ()),
        "Prediction(schedule=linear(9), lr=0.1, metric='loss', "
        "final=Estimate(loss=1.5, low=1.25, high=2.0))",
    ),
    "predictor": (
        lambda: Predictor(made_by(TRUTH, gs.parse("hold(60) >> linear(40)"), 0)),
        "Predictor(loss of 100 updates, annealing law and relaxation law)",
    ),
    "recommendation": (
        lambda: Recommendation(gs.linear(9), None, None),  # type: ignore[arg-type]
        "Recommendation(schedule=linear(9))",
    ),
    "merged": (
        lambda: MergedModel({}, [5, 10], [0.5, 0.5]),
        "MergedModel(2 checkpoints, of steps 5 to 10)",
    ),
    "merged from one": (
        lambda: MergedModel({}, [5], [1.0]),
        "MergedModel(1 checkpoint, of step 5)",
    ),
    "batches": (
        lambda: ScheduledBatchSampler(range(8), gs.linear(4, start=1, end=3)),
        "ScheduledBatchSampler(0 batches so far, linear(4, end=3))",
    ),
    "plateau": (plateau, "PlateauPreview(cuts=(3,), end=0.05)"),
}


@pytest.mark.parametrize(("make", "text"), TEXTS.values(), ids=TEXTS)
def test_it_prints_its_class_and_progress(make: Callable[[], object], text: str) -> None:
    assert repr(make()).replace(str(Path.cwd()), "HERE") == text


def test_every_public_class_is_in_the_table() -> None:
    public = {name for name in training.__all__ if isinstance(getattr(training, name), type)}
    assert {text.partition("(")[0] for _, text in TEXTS.values()} == public
    assert StoppingPreview.__name__ in public


def test_no_public_class_prints_its_address() -> None:
    kinds = [getattr(training, name) for name in training.__all__]
    bare = [k for k in kinds if isinstance(k, type) and k.__repr__ is object.__repr__]
    assert bare == []


LONG: dict[str, Callable[[], object]] = {
    "many parts": lambda: TrainingState(**{f"part_{i}": i for i in range(100)}),
    "a long name": lambda: TrainingState(**{"x" * 300: 0}),
    "long values": lambda: state(**{f"losses_{i}": [0.5] * 99 for i in range(9)}),
    "an unread folder": lambda: Checkpointer(Path(history(1).path)),
}


@pytest.mark.parametrize("make", LONG.values(), ids=LONG)
def test_it_stays_a_line(make: Callable[[], object]) -> None:
    text = repr(make())
    assert len(text.replace(str(Path.cwd()), "")) < 230
    assert "\n" not in text


def test_omitted_parts_are_shown_by_an_ellipsis() -> None:
    assert repr(LONG["many parts"]()).endswith(", …)")
    assert repr(LONG["an unread folder"]()).endswith("keep=3, unreadable)")


NO_NUMBERS: dict[str, Any] = {
    "text": "a",
    "text of a number": "0.5",
    "None": None,
    "list": [0.5],
    "complex": 1j,
    "many": torch.ones(3),
    "too large": 10**400,
}

TAKERS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "early stopping": ("value", lambda value: EarlyStopping(5).step(value)),
    "checkpoints": ("loss", lambda value: Checkpointer("runs").save(1, {}, loss=value)),
    "preview": ("metric", lambda value: preview([1.0, value], EarlyStopping(5))),
    "range test": (
        "train_step(model, batch)",
        lambda value: LRFinder(
            nn.Linear(1, 1), gs.optim.SGD([torch.ones(1)]), lambda *_: value
        ).run([0]),
    ),
}


@pytest.mark.parametrize("value", NO_NUMBERS.values(), ids=NO_NUMBERS)
@pytest.mark.parametrize(("name", "take"), TAKERS.values(), ids=TAKERS)
def test_a_value_that_is_no_number_is_refused_by_name(
    name: str, take: Callable[[Any], object], value: Any
) -> None:
    words = f"^`{re.escape(name)}` must be a number, got "
    with pytest.raises(InvalidType, match=words):
        take(value)


@pytest.mark.parametrize("value", [float("nan"), torch.tensor([0.5]), True, 3])
def test_a_number_is_taken(value: Any) -> None:
    found = EarlyStopping(5, non_finite_limit=None)
    assert not found.step(value)
    assert found.values == 1
