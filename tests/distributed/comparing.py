"""Gives one rank another rate, counter or shape, and writes down what all ranks see of it."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

import glideslope as gs
from glideslope import optim
from glideslope.errors import GlideslopeError
from tests.training.values import same as is_same

WAYS = ("same", "rate", "counter", "shape", "name")


class Renamed(torch.nn.Module):
    """A linear layer whose parameters have other names."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(2, 1)


def run_of(way: str, is_other: bool) -> gs.training.TrainingState:
    is_renamed = way == "name" and is_other
    linear = torch.nn.Linear(2, 2 if way == "shape" and is_other else 1)
    model = Renamed() if is_renamed else linear
    optimizer = optim.AdamW(model.parameters(), lr=0.2 if way == "rate" and is_other else 0.1)
    return gs.training.TrainingState(
        model=model, optimizer=optimizer, step=4 if way == "counter" and is_other else 3, losses=[1]
    )


def refusal(call: Callable[[], object]) -> str:
    try:
        call()
    except GlideslopeError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def warned(run: gs.training.TrainingState, folder: Path) -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with gs.training.Checkpointer(folder) as saved:
            saved.save(3, run.state_dict())
    return [str(each.message) for each in found if "ranks" in str(each.message)]


def resumed(run: gs.training.TrainingState, folder: Path) -> tuple[str, bool]:
    """The refusal of a checkpoint, and if the run is as it was before."""
    state = deepcopy(run.state_dict())
    told = refusal(lambda: gs.training.Checkpointer(folder).resume(run))
    return told, is_same(state, run.state_dict())


def main(file: Path) -> None:
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    is_other = dist.get_rank() == 1
    results: dict[str, Any] = {}
    for way in WAYS:
        run = run_of(way, is_other)
        empty = gs.training.Checkpointer(file.with_name("empty"))
        results[way] = {
            "checked": refusal(run.check_ranks),
            "begun": refusal(lambda run=run, empty=empty: empty.resume(run)),  # type: ignore[misc]
            "saved": warned(run, file.with_name(way)),
        }
    for way in ("shape", "name"):
        results[f"resumed: {way}"] = resumed(run_of(way, is_other), file.with_name("same"))
    file.write_text(json.dumps(results))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
