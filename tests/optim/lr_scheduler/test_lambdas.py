"""A user's function that gives no rate is refused by name and step, and the step is not taken."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from glideslope.errors import InvalidType, InvalidValue
from glideslope.optim.lr_scheduler import LambdaLR, MultiplicativeLR
from glideslope.schedules import function

KINDS = [LambdaLR, MultiplicativeLR]


def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def go_to(scheduler: Any, step: int) -> None:
    while scheduler.last_epoch < step:
        scheduler.optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("value", "error", "rule"),
    [
        ((-0.5) ** 0.5, InvalidType, "be a real number"),
        (np.complex128(1), InvalidType, "be a real number"),
        (np.complex64(1j), InvalidType, "be a real number"),
        (torch.tensor(1j), InvalidType, "be a real number"),
        (None, InvalidType, "be a real number"),
        ("0.5", InvalidType, "be a real number"),
        (b"0.5", InvalidType, "be a real number"),
        ([0.5], InvalidType, "be a real number"),
        (torch.ones(2), InvalidType, "be a real number"),
        (math.nan, InvalidValue, "be finite"),
        (math.inf, InvalidValue, "be finite"),
        (np.float32("-inf"), InvalidValue, "be finite"),
        (torch.tensor(math.nan), InvalidValue, "be finite"),
    ],
)
def test_a_value_that_is_no_factor_is_refused(
    kind: Any, value: Any, error: type[Exception], rule: str
) -> None:
    def decay(epoch: int) -> Any:
        return value if epoch == 3 else 0.5

    optimizer = sgd()
    scheduler = kind(optimizer, decay)
    go_to(scheduler, 2)
    saved, held = scheduler.state_dict(), optimizer.param_groups[0]["lr"]
    for _ in range(2):  # and again when it is tried again
        with pytest.raises(error) as refused:
            scheduler.step()
        says = f"{kind.__name__}, step 3: decay(3) must {rule}, got {value!r}"
        assert str(refused.value) == says
        assert optimizer.param_groups[0]["lr"] == held
        assert scheduler.get_last_lr() == [held]
        assert scheduler.state_dict() == saved


@pytest.mark.parametrize("kind", KINDS)
def test_an_integer_that_no_float_holds_is_refused(kind: Any) -> None:
    optimizer = sgd()
    scheduler = kind(optimizer, lambda epoch: 10 ** (400 * epoch))
    with pytest.raises(InvalidValue, match="step 1: the rate is beyond all floats"):
        go_to(scheduler, 1)
    assert (optimizer.param_groups[0]["lr"], scheduler.last_epoch) == (0.1, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "half", [0.5, Fraction(1, 2), np.float32(0.5), np.array(0.5), torch.tensor(0.5)]
)
def test_any_real_number_is_a_factor(kind: Any, half: Any) -> None:
    scheduler = kind(sgd(), lambda epoch: half)
    go_to(scheduler, 1)
    assert scheduler.get_last_lr() == [0.05]
    assert type(scheduler.get_last_lr()[0]) is float


def test_the_function_of_each_group_is_named() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [each]} for each in parameters], lr=0.1)

    def steady(epoch: int) -> float:
        return 1.0

    def broken(epoch: int) -> float:
        return math.inf if epoch else 1.0

    scheduler = LambdaLR(optimizer, [steady, broken])
    optimizer.step()
    with pytest.raises(InvalidValue, match=r"step 1: broken\(1\) must be finite, got inf"):
        scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.1]


def test_a_first_value_that_is_no_factor_leaves_the_optimizer_alone() -> None:
    optimizer = sgd()
    with pytest.raises(InvalidValue, match=r"LambdaLR, step 0: <lambda>\(0\) must be finite"):
        LambdaLR(optimizer, lambda epoch: math.nan)
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert LambdaLR(optimizer, lambda epoch: 0.5).get_last_lr() == [0.05]


def test_the_schedule_that_is_a_function_is_named() -> None:
    scheduler = LambdaLR(sgd(), function(lambda t: 1.0 if t < 1 else math.nan))
    scheduler.optimizer.step()
    with pytest.raises(InvalidValue, match="must be finite, got nan"):
        scheduler.step()
