"""Every row of docs/names.md: their call and our expression give the same values at every step."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch.optim import lr_scheduler, swa_utils

import glideslope as gs
from glideslope.errors import ParseError
from glideslope.schedules._foreign import FOREIGN, general_form

from . import peers_more, peers_others, peers_torch

PAGE = Path(__file__).parents[2] / "docs" / "names.md"
LAST = 250
"""How far rows are compared that agree always."""


class Row(NamedTuple):
    """A row of a table of the page."""

    section: str
    theirs: str
    ours: str
    first: int
    last: int


def rows() -> list[Row]:
    found, section = [], ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        cells = re.fullmatch(r"\| `(.+)` \| `(.+)` \|(?: from (\d+))?(?: to (\d+))? \|", line)
        if cells:
            theirs, ours, first, last = cells.groups()
            found.append(Row(section, theirs, ours, int(first or 0), int(last or LAST)))
    return found


ROWS = rows()
Factor = Callable[[int], float]


def stepped(make: Any) -> Callable[..., Factor]:
    """A scheduler of torch as a function of the update: built on a rate of 1 and stepped there."""

    def build(*args: Any, **options: Any) -> Factor:
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0, momentum=0.9)
        scheduler = make(optimizer, *args, **options)
        values: list[float] = []

        def value(t: int) -> float:
            while len(values) <= t:
                if values:
                    optimizer.step()
                    scheduler.step()
                values.append(optimizer.param_groups[0]["lr"])
            return values[t]

        return value

    return build


TORCH = {
    name: stepped(getattr(lr_scheduler, name))
    for name in lr_scheduler.__all__
    if name != "Optimizer"
}
THEIRS = vars(peers_torch) | vars(peers_more) | vars(peers_others)
NAMES: dict[str, dict[str, Any]] = {
    "torch": TORCH | {"SWALR": stepped(swa_utils.SWALR)},
    "Paddle": {
        "InverseTimeDecay": lambda rate, gamma: peers_others.InverseTimeDecay(rate, 1, gamma),
        "ExponentialDecay": peers_others.exponential_decay,
        "StepDecay": lambda rate, size, gamma: peers_others.step_decay(rate, gamma, size),
        "MultiStepDecay": lambda _, milestones, gamma: TORCH["MultiStepLR"](milestones, gamma),
        "LinearLR": lambda _, steps, start, end: TORCH["LinearLR"](start, end, steps),
        "LinearWarmup": peers_others.LinearWarmup,
    },
    "Ignite": {"CosineAnnealingScheduler": peers_others.CosineCyclicalScheduler},
    "OLMo-core": {"ExponentialScheduler": peers_others.ExponentialLR},
    "pytorch-scheduler": {
        "CosineWithWarmupScheduler": peers_more.CosineScheduler,
        "InverseSqrtScheduler": peers_torch.inverse_sqrt,
        "PolynomialScheduler": peers_more.PolynomialScheduler,
        "RexScheduler": peers_more.REXScheduler,
    },
    "pytorch-optimizer": {"LinearScheduler": peers_more.LinearScheduler},
    "pytorch-warmup": {"LinearWarmup": peers_more.LinearWarmup},
    "mmengine": {name: getattr(peers_more, name) for name in ("LinearLR", "ConstantLR")},
}


def theirs(row: Row) -> Factor:
    if row.section == "optax":
        optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
        schedule = jax.jit(eval(row.theirs, vars(optax)))
        return lambda t: float(schedule(t))
    value: Factor = eval(row.theirs, THEIRS | NAMES.get(row.section, {}))
    return value


def test_the_page_has_all_its_rows() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert len(ROWS) == len(lines) > 150
    assert {row.section for row in ROWS} >= set(NAMES) | {"transformers", "timm", "Keras", "optax"}


def noam_lr(size: int, warmup: int) -> Factor:
    """AllenNLP's: a step before the first is taken for it."""
    return lambda t: float(size**-0.5 * min(max(t, 1) ** -0.5, max(t, 1) * warmup**-1.5))


NAMES["AllenNLP"] = {"NoamLR": noam_lr}


OPERATORS = {"SequentialLR", "ChainedScheduler", "join_schedules"}
"""Functions that join schedules, and are operators here."""


@pytest.mark.parametrize("name", FOREIGN)
def test_an_unknown_name_is_translated_as_on_the_page(name: str) -> None:
    """One row of the page at least, and none against it where the arguments are plain."""
    form = general_form(name)
    with pytest.raises(ParseError, match=re.escape(f"here: {form}")):
        gs.parse(f"{name}(optimizer)")
    if name in OPERATORS:
        assert f"`{name}(" in PAGE.read_text()
        return
    same = [row for row in ROWS if row.theirs.startswith(f"{name}(")]
    assert any(agrees(row) for row in same)


def agrees(row: Row) -> bool:
    """True if the answer to the unknown name in a row is the schedule of the row."""
    with pytest.raises(ParseError) as caught:
        gs.parse(row.theirs)
    try:
        told = gs.parse(caught.value.problem.partition("here: ")[2])
    except ParseError:
        return False
    ours = gs.parse(row.ours)
    return all(math.isclose(told(t), ours(t), rel_tol=1e-12, abs_tol=1e-12) for t in range(200))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.section}: {row.theirs[:50]}")
def test_both_sides_of_a_row_agree(row: Row) -> None:
    ours, expected = gs.parse(row.ours), theirs(row)
    tolerance = 1e-6 if row.section == "optax" else 1e-12  # optax counts in single precision
    for t in range(row.first, row.last + 1):
        assert math.isclose(ours(t), expected(t), rel_tol=tolerance, abs_tol=tolerance), t


@pytest.mark.parametrize("row", [row for row in ROWS if row.last < LAST], ids=lambda row: row.ours)
def test_a_limit_of_agreement_is_a_true_one(row: Row) -> None:
    """One step further they differ, or theirs raises an error."""
    try:
        after = theirs(row)(row.last + 1)
    except (ArithmeticError, IndexError, TypeError, ValueError):
        return
    assert isinstance(after, complex) or abs(after - gs.parse(row.ours)(row.last + 1)) > 1e-6
