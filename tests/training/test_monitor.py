"""Records of hyperparameters, and the writers that take them."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import glideslope as gs
from glideslope.errors import CheckpointError, InvalidType, InvalidValue, MissingDependency
from glideslope.training import CSVWriter, History, LRMonitor, TensorBoardWriter, TrainingState

Names = dict[str, Any]


def weight() -> nn.Parameter:
    return nn.Parameter(torch.zeros(1))


def adam(*groups: Names, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam([{"params": [weight()], **group} for group in groups], **options)


class Plain:
    """An optimizer that keeps its rate as an attribute."""

    lr = 0.25


ADAM = {"betas[0]": 0.9, "betas[1]": 0.999, "weight_decay": 0}
OPTIMIZERS: dict[str, tuple[Any, Names]] = {
    "one group": (adam({}, lr=0.1), {"lr": 0.1, **ADAM}),
    "a tensor": (
        adam({}, lr=torch.tensor(0.5), foreach=False),
        {"lr": 0.5, **ADAM},
    ),
    "momentum": (
        torch.optim.SGD([weight()], lr=0.1, momentum=0.9, weight_decay=0.01),
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    ),
    "named groups": (
        adam({"name": "body"}, {"name": "head", "lr": 0.2, "betas": (0.8, 0.9)}, lr=0.1),
        {
            **{"lr/body": 0.1, **{f"{name}/body": value for name, value in ADAM.items()}},
            **{"lr/head": 0.2, "betas[0]/head": 0.8, "betas[1]/head": 0.9},
            "weight_decay/head": 0,
        },
    ),
    "a plain rate": (Plain(), {"lr": 0.25}),
}


@pytest.mark.parametrize(("optimizer", "values"), OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_hyperparameter_has_its_name(optimizer: Any, values: Names) -> None:
    assert LRMonitor(optimizer).values() == values


def test_groups_without_a_name_of_their_own_are_numbered() -> None:
    optimizer = adam({"name": "a"}, {"name": "a"}, {"name": "b"}, {}, lr=0.1)
    names = [name for name in LRMonitor(optimizer).values() if name.startswith("lr")]
    assert names == ["lr/0", "lr/1", "lr/b", "lr/3"]


def test_a_record_goes_to_every_writer(tmp_path: Path) -> None:
    optimizer = torch.optim.SGD([weight()], lr=0.1)
    scheduler = gs.optim.lr_scheduler.Scheduler(optimizer, lr="linear(4)")
    history, table = History(tmp_path / "a.jsonl"), CSVWriter(tmp_path / "a.csv")
    taken: list[Mapping[str, Any]] = []
    monitor = LRMonitor(optimizer, history, table, taken)
    for step in range(4):
        optimizer.step()
        monitor.record(step, loss=torch.tensor(0.5))
        scheduler.step()
    assert history.values("lr") == pytest.approx([0.1, 0.075, 0.05, 0.025])
    first = {"step": 0, "lr": 0.1, "momentum": 0, "weight_decay": 0, "loss": 0.5}
    assert next(iter(history)) == first
    assert [row["lr"] for row in rows(table)] == [str(lr) for lr in history.values("lr")]
    assert len(taken) == 4


def test_a_skipped_update_is_marked(tmp_path: Path) -> None:
    parameter = weight()
    optimizer = gs.optim.AdamW([parameter], skip_nonfinite=True)
    history, table = History(tmp_path / "a.jsonl"), CSVWriter(tmp_path / "a.csv")
    board = TensorBoardWriter(tmp_path / "board")
    monitor = LRMonitor(optimizer, history, table, board)
    for step, gradient in enumerate((1.0, math.inf, 1.0)):
        parameter.grad = torch.tensor([gradient])
        optimizer.step()
        monitor.record(step)
    assert [record.get("skipped") for record in history] == [None, True, None]
    assert [row["skipped"] for row in rows(table)] == ["", "True", ""]


def test_a_writer_that_takes_no_records_is_refused() -> None:
    with pytest.raises(InvalidType, match=r"`writer` must have `append`, got 'run\.csv'"):
        LRMonitor(adam({}), "run.csv")  # type: ignore[arg-type]


# -- tables --------------------------------------------------------------------------------------


def rows(table: CSVWriter) -> list[dict[str, str]]:
    with table.path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_late_name_gets_a_column(tmp_path: Path) -> None:
    table = CSVWriter(tmp_path / "a.csv")
    table.append({"step": 0, "note": 'état, "quoted"\nin two lines'})
    table.append({"step": 1, "loss": 0.5})
    table.append({"loss": 0.25})
    assert rows(table) == [
        {"step": "0", "note": 'état, "quoted"\nin two lines', "loss": ""},
        {"step": "1", "note": "", "loss": "0.5"},
        {"step": "", "note": "", "loss": "0.25"},
    ]


def test_an_existing_table_is_continued(tmp_path: Path) -> None:
    CSVWriter(tmp_path / "a.csv").append({"step": 0, "loss": 0.5})
    CSVWriter(tmp_path / "a.csv").append({"loss": 0.25, "step": 1})
    assert (tmp_path / "a.csv").read_text() == "step,loss\n0,0.5\n1,0.25\n"


def test_a_table_goes_back_with_the_run(tmp_path: Path) -> None:
    run = TrainingState(table=CSVWriter(tmp_path / "a.csv"))
    run.table.append({"step": 0})
    saved = run.state_dict()
    run.table.append({"step": 1, "loss": 0.5})
    again = TrainingState(table=CSVWriter(tmp_path / "a.csv"))
    again.load_state_dict(saved)
    again.table.append({"step": 1, "loss": 0.75})
    assert rows(again.table) == [{"step": "0", "loss": ""}, {"step": "1", "loss": "0.75"}]


def test_the_error_says_which_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"could not write .*a\.csv: No such file"):
        CSVWriter(tmp_path / "none" / "a.csv").append({"step": 0})


# -- TensorBoard ---------------------------------------------------------------------------------


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulators.EventAccumulator(str(folder)).Reload()
    names = events.Tags()["scalars"]
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in names}


def test_every_number_is_a_curve(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with TensorBoardWriter(tmp_path) as board:
        board.append({"step": 0, "loss": torch.tensor(0.5), "lr/head": 0.25, "note": "begun"})
        board.append({"step": 1, "loss": 0.25})
    assert curves(tmp_path) == {"loss": [(0, 0.5), (1, 0.25)], "lr/head": [(0, 0.25)]}


def test_the_curves_go_back_with_the_run(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = TrainingState(board=TensorBoardWriter(tmp_path))
    run.board.append({"step": 0, "loss": 4.0})
    saved = run.state_dict()
    run.board.append({"step": 1, "loss": 3.0})
    run.board.append({"step": 2, "loss": 2.0})
    run.load_state_dict(saved)
    run.board.append({"step": 1, "loss": 3.5})
    run.board.close()
    assert curves(tmp_path) == {"loss": [(0, 4.0), (1, 3.5)]}


def test_a_record_without_a_step_has_no_place(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with (
        TensorBoardWriter(tmp_path) as board,
        pytest.raises(InvalidValue, match="`a record for TensorBoard` must have a step, got"),
    ):
        board.append({"loss": 1.0})


def test_without_the_package_the_error_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingDependency, match=r"pip install .*\[tensorboard\]'"):
        TensorBoardWriter(tmp_path)
