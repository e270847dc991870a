"""A schedule as a table in a file."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import glideslope as gs
from glideslope.errors import GlideslopeError


def test_the_table_holds_every_digit(tmp_path: Path) -> None:
    schedule = 3e-4 * (gs.warmup(7) >> gs.exponential(0.9))
    gs.to_csv(schedule, tmp_path / "rates.csv", steps=50)
    with (tmp_path / "rates.csv").open(newline="") as file:
        rows = [(int(row["step"]), float(row["value"])) for row in csv.DictReader(file)]
    assert rows == list(enumerate(schedule.values(50)))


def test_a_refusal_leaves_no_file(tmp_path: Path) -> None:
    for schedule in (gs.exponential(0.9), gs.cosine("5ep")):
        with pytest.raises(GlideslopeError):
            gs.to_csv(schedule, tmp_path / "rates.csv")
    assert list(tmp_path.iterdir()) == []
