"""The metrics of a recorded run, and its clocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glideslope.runs import (
    RecordedRun,
    base_name,
    is_hyperparameter,
    metrics,
    read_run,
    seconds,
    tokens,
)


def recorded(folder: Path, records: list[dict[str, Any]], **files: dict[str, Any]) -> RecordedRun:
    """A run with these records, and files such as ``result`` beside them."""
    text = "".join(json.dumps({"step": step} | r) + "\n" for step, r in enumerate(records))
    (folder / "history.jsonl").write_text(text)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return read_run(folder)


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"accuracy": 0.5, "loss": 1.0, "val_loss": 1.0, "lr": 0.1}, {"accuracy": 0.5}),
        ({"grad_norm": 2, "lr/a": 0.1, "skipped": False}, {"grad_norm": 2.0}),
        ({"betas[0]": 0.9, "weight_decay/head": 0.1}, {"betas[0]": 0.9, "weight_decay/head": 0.1}),
        ({"betas": [0.9, 0.99]}, {"betas[0]": 0.9, "betas[1]": 0.99}),
        ({"norm": {"a": 1, "b": None}}, {"norm/a": 1.0}),
        ({"accuracy": None, "done": True, "name": "x", "bad": float("nan")}, {}),
        ({"loss": 1.0, "train_loss": 2.0}, {"train_loss": 2.0}),
        ({"seconds": 1.0, "tokens": 5}, {}),
    ],
)
def test_any_number_is_a_metric(
    tmp_path: Path, record: dict[str, Any], found: dict[str, float]
) -> None:
    series = metrics(recorded(tmp_path, [record]))
    assert {name: [value for _, value in points] for name, points in series.items()} == {
        name: [value] for name, value in found.items()
    }


@pytest.mark.parametrize(
    ("name", "base", "is_one"),
    [
        ("lr/head", "lr", True),
        ("betas[0]/head", "betas[0]", True),
        ("momentum", "momentum", True),
        ("train/accuracy", "train/accuracy", False),
        ("lrs", "lrs", False),
    ],
)
def test_groups_belong_to_hyperparameters_alone(name: str, base: str, is_one: bool) -> None:
    assert (base_name(name), is_hyperparameter(name)) == (base, is_one)


@pytest.mark.parametrize(
    ("records", "result", "points"),
    [
        ([{"seconds": 2.0}, {"seconds": 5.0}], {}, [(0, 0), (1, 2), (2, 5)]),
        ([{"elapsed": 2}, {"elapsed": 4}, {"elapsed": 1}], {}, [(0, 0), (1, 2), (2, 4), (3, 5)]),
        ([{"time": 1.7e9}, {"time": 1.7e9 + 3}], {}, [(0, 0), (1, 3), (2, 6)]),
        (
            [{"time": "2026-01-02T03:04:05+00:00"}, {"time": "2026-01-02T03:04:07+00:00"}],
            {},
            [(0, 0), (1, 2), (2, 4)],
        ),
        ([{}, {}, {}, {}], {"seconds": 8.0}, [(0, 0), (4, 8)]),
        ([{"time": "noon"}, {"time": None}], {}, []),
        ([{}], {}, []),
        ([], {"seconds": 8.0}, []),
    ],
)
def test_seconds_count_from_the_start(
    tmp_path: Path,
    records: list[dict[str, Any]],
    result: dict[str, Any],
    points: list[tuple[int, float]],
) -> None:
    assert seconds(recorded(tmp_path, records, result=result)) == points


@pytest.mark.parametrize(
    ("records", "config", "points"),
    [
        ([{"tokens": 100}, {"tokens": 250}], {}, [(0, 0), (1, 100), (2, 250)]),
        ([{"tokens": 100}, {"tokens": 100}], {}, [(0, 0), (1, 100), (2, 200)]),
        (
            [{}, {}],
            {"settings": {"batch_size": 8}, "model": {"context": 16}},
            [(0, 0), (2, 256)],
        ),
        ([{}, {}], {}, []),
    ],
)
def test_tokens_are_summed_where_they_are_those_of_an_update(
    tmp_path: Path,
    records: list[dict[str, Any]],
    config: dict[str, Any],
    points: list[tuple[int, float]],
) -> None:
    assert tokens(recorded(tmp_path, records, config=config)) == points
