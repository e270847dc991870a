"""Gives one rank another rate, counter or shape, and writes down what all ranks see of it."""

from __future__ import annotations

import json
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

import glideslope as gs
from glideslope import optim
from glideslope.errors import GlideslopeError

WAYS = ("same", "rate", "counter", "shape")


def run_of(way: str, is_other: bool) -> gs.training.TrainingState:
    model = torch.nn.Linear(2, 2 if way == "shape" and is_other else 1)
    optimizer = optim.AdamW(model.parameters(), lr=0.2 if way == "rate" and is_other else 0.1)
    return gs.training.TrainingState(
        model=model, optimizer=optimizer, step=4 if way == "counter" and is_other else 3
    )


def refusal(run: gs.training.TrainingState) -> str:
    try:
        run.check_ranks()
    except GlideslopeError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def warned(run: gs.training.TrainingState, folder: Path) -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with gs.training.Checkpointer(folder) as saved:
            saved.save(3, run.state_dict())
    return [str(each.message) for each in found if "ranks" in str(each.message)]


def main(file: Path) -> None:
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    is_other = dist.get_rank() == 1
    results: dict[str, Any] = {}
    for way in WAYS:
        run = run_of(way, is_other)
        results[way] = refusal(run)
        if way != "shape":
            results[f"saved: {way}"] = warned(run, file.with_name(way))
    file.write_text(json.dumps(results))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
