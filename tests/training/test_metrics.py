"""Metrics of every companion: numbers are taken, other values are refused in our words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import glideslope as gs
from glideslope.errors import GlideslopeError, InvalidType
from glideslope.optim.lr_scheduler import GreedyLR, ReduceLROnPlateau
from glideslope.training import (
    Checkpointer,
    CSVWriter,
    EarlyStopping,
    History,
    LRFinder,
    LRMonitor,
    preview,
)

NO_NUMBER: dict[str, Any] = {
    "None": None,
    "text": "x",
    "text of a number": "0.5",
    "complex": 1j,
    "complex tensor": torch.tensor(1j),
    "two elements": torch.ones(2),
    "no element": torch.ones(0),
    "array": np.ones(2),
    "list": [0.5],
    "dict": {"loss": 0.5},
    "function": len,
}
NUMBERS: dict[str, Any] = {
    "int": 1,
    "bool": True,
    "decimal": Decimal(1),
    "fraction": Fraction(1),
    "float32": np.float32(1),
    "array": np.ones(1),
    "tensor": torch.ones(1),
    "with a gradient": torch.ones((), requires_grad=True),
    "bfloat16": torch.ones((), dtype=torch.bfloat16),
}

Companion = Callable[[Any, Path], object]


def optimizer() -> Any:
    return torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)


def checkpointer(metric: Any, folder: Path) -> Any:
    with Checkpointer(folder, keep_best=("loss", "min")) as checkpoints:
        checkpoints.save(1, {}, loss=metric)


def finder(metric: Any, folder: Path) -> Any:
    model = nn.Linear(1, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)

    def train_step(*_: Any) -> Any:
        sgd.step()
        return metric

    LRFinder(model, sgd, train_step).run([1], gs.linear(2))


COMPANIONS: dict[str, Companion] = {
    "EarlyStopping": lambda metric, _: EarlyStopping(1).step(metric),
    "ReduceLROnPlateau": lambda metric, _: ReduceLROnPlateau(optimizer()).step(metric),
    "GreedyLR": lambda metric, _: GreedyLR(optimizer()).step(metric),
    "Checkpointer": checkpointer,
    "LRFinder": finder,
    "preview of stopping": lambda metric, _: preview([metric], EarlyStopping(1)),
    "preview of a plateau": lambda metric, _: preview([metric], ReduceLROnPlateau(optimizer())),
}
each_companion = pytest.mark.parametrize("companion", COMPANIONS.values(), ids=COMPANIONS)


@each_companion
@pytest.mark.parametrize("metric", NO_NUMBER.values(), ids=NO_NUMBER)
def test_anything_but_a_number_is_refused(
    companion: Companion, metric: Any, tmp_path: Path
) -> None:
    rule = r"^`[a-z_(), ]+` must be a number( or a tensor with one element)?, got "
    with pytest.raises(InvalidType, match=rule) as caught:
        companion(metric, tmp_path)
    assert len(str(caught.value)) < 250


@each_companion
@pytest.mark.parametrize("metric", NUMBERS.values(), ids=NUMBERS)
def test_every_kind_of_number_is_taken(companion: Companion, metric: Any, tmp_path: Path) -> None:
    companion(metric, tmp_path)


@pytest.mark.filterwarnings("ignore:.*the metric is not a number")
@each_companion
@pytest.mark.parametrize("metric", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_one(
    companion: Companion, metric: float, tmp_path: Path
) -> None:
    companion(metric, tmp_path)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "History": lambda folder: History(folder / "a.jsonl"),
    "CSVWriter": lambda folder: CSVWriter(folder / "a.csv"),
    "LRMonitor": lambda folder: Recorder(LRMonitor(optimizer(), History(folder / "a.jsonl"))),
}


class Recorder:
    """A monitor that takes records as a writer does."""

    def __init__(self, monitor: LRMonitor) -> None:
        self.monitor = monitor

    def append(self, record: dict[str, Any]) -> None:
        self.monitor.record(0, **record)


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("value", {**NO_NUMBER, **NUMBERS}.values(), ids={**NO_NUMBER, **NUMBERS})
def test_a_record_is_written_whole_or_not_at_all(
    writer: Callable[[Path], Any], value: Any, tmp_path: Path
) -> None:
    try:
        writer(tmp_path).append({"loss": value, "after": 1})
    except GlideslopeError:
        assert list(lines(tmp_path)) == []
    else:
        assert "1" in list(lines(tmp_path))[-1]


def lines(folder: Path) -> Iterator[str]:
    for path in folder.glob("a.*"):
        yield from path.read_text().splitlines()
