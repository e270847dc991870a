"""Sharded runs are saved once per shard, and continue on any number of ranks, cut in any way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from . import ranks, saving_sharded
from .saving_sharded import OPTIMIZERS

Results = dict[str, list[dict[str, Any]]]

ON_TWO = ["fsdp", "rows", "columns", "fsdp<fsdp", "rows<plain", "columns<rows", "fsdp<columns"]
ON_ONE = ["plain<fsdp", "plain<columns"]
ON_FOUR = ["rows<fsdp", "grid<columns", "fsdp<plain", "grid"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sharded")


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    alone = saving_sharded.results_of(folder, ["plain"])
    two = on_ranks(folder, 2, ON_TWO)
    again = saving_sharded.results_of(folder, ON_ONE)
    return {**{name: [found] for name, found in (alone | again).items()}, **two}


def on_ranks(folder: Path, count: int, names: list[str]) -> Results:
    own = folder / str(count)
    own.mkdir()
    every = ranks.run("saving_sharded.py", own, count, [str(folder), *names])
    return {name: [each[name] for each in every] for name in every[0]}


def differing(results: Results) -> list[str]:
    """The names of the runs that do not end as that of one process."""
    return [
        name
        for name, every in results.items()
        for found in every
        if any(
            found[what] != results[f"plain {name.split()[-1]}"][0][what]
            for what in ("weights", "state")
        )
    ]


def test_every_run_ends_with_the_bits_of_one_process(results: Results) -> None:
    assert len(results) == len(OPTIMIZERS) * (1 + len(ON_TWO) + len(ON_ONE))
    assert differing(results) == []


@pytest.mark.long
def test_four_ranks_continue_what_one_and_two_saved(results: Results, folder: Path) -> None:
    four = on_ranks(folder, 4, ON_FOUR)
    one = saving_sharded.results_of(folder, ["plain<grid"])
    every = {**results, **four, **{name: [found] for name, found in one.items()}}
    assert differing(every) == []


@pytest.mark.parametrize("name", ["fsdp<fsdp AdamW", "rows<plain torch", "columns<rows AdamW"])
def test_the_state_of_a_sharded_parameter_is_sharded(name: str, results: Results) -> None:
    for found in results[name]:
        assert found["sharded"]
        assert all(found["sharded"])


def test_each_element_is_written_once(results: Results, folder: Path) -> None:
    del results
    whole = torch.load(folder / "plain AdamW" / "step-00000003.pt", weights_only=True)
    sharded = folder / "fsdp AdamW" / "step-00000003"
    counts = []
    for file in sorted(sharded.iterdir()):
        parts = torch.load(file, weights_only=True)["parts"]
        counts.append({key: sum(data.numel() for _, data in row) for key, row in parts.items()})
    for place, tensor in (
        ("('model', '0.weight')", whole["state"]["model"]["0.weight"]),
        (
            "('optimizer', 'state', 0, 'exp_avg')",
            whole["state"]["optimizer"]["state"][0]["exp_avg"],
        ),
        ("('optimizer', 'state', 0, 'step')", whole["state"]["optimizer"]["state"][0]["step"]),
    ):
        (key,) = {key for each in counts for key in each if key.startswith(place)}
        assert sum(each.get(key, 0) for each in counts) == tensor.numel()
    assert {path.name for path in sharded.iterdir()} == {"rank-00000.pt", "rank-00001.pt"}
