"""The distance that Prodigy finds: as in the paper, one for all groups, and kept."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope.errors import InvalidValue
from glideslope.optim import Prodigy

from . import transcriptions
from .cases import every_engine


def weights(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    return [torch.full((size,), 3.0, dtype=dtype, requires_grad=True) for size in (5, 40)]


def descend(optimizer: torch.optim.Optimizer, params: list[Tensor], steps: int) -> list[float]:
    """Steps on a sum of squares; the distance after each."""
    found = []
    for _ in range(steps):
        for p in params:
            p.grad = 2 * p.detach()
        optimizer.step()
        found.append(optimizer.param_groups[0]["d"])
    return found


@every_engine
def test_the_distance_grows_as_in_the_paper(engine: Any) -> None:
    ours, theirs = weights(), weights()
    reference = transcriptions.Prodigy(theirs, lr=1.0, d0=1e-4, weight_decay=0.01)
    optimizer = Prodigy(ours, d0=1e-4, weight_decay=0.01, engine=engine)
    found, expected = descend(optimizer, ours, 60), descend(reference, theirs, 60)
    assert found[-1] > 1000 * 1e-4
    assert found == pytest.approx(expected, rel=1e-10)
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-10)


@every_engine
def test_one_distance_serves_all_groups_and_dtypes(engine: Any) -> None:
    """Groups, and kernels for other dtypes, add to the same two sums; float32 rounds the way."""
    together, apart = weights(), weights()
    apart[1] = apart[1].detach().float().requires_grad_()
    found = descend(Prodigy(together, d0=1e-4, engine=engine), together, 40)
    optimizer = Prodigy([{"params": [p]} for p in apart], d0=1e-4, engine=engine)
    assert descend(optimizer, apart, 40) == pytest.approx(found, rel=1e-2)
    assert len({group["d"] for group in optimizer.param_groups}) == 1


def test_a_later_group_takes_over_what_was_found() -> None:
    params = weights()
    optimizer = Prodigy(params[:1])
    found = descend(optimizer, params[:1], 60)
    optimizer.add_param_group({"params": params[1:]})
    assert optimizer.param_groups[1]["d"] == found[-1] > 1e-6


def test_a_group_at_rate_0_stays_where_it_is_and_other_rates_are_refused() -> None:
    params = weights()
    optimizer = Prodigy([{"params": params[:1]}, {"params": params[1:], "lr": 0.0}], d0=1e-3)
    alone = weights()
    found = descend(Prodigy(alone[:1], d0=1e-3), alone[:1], 40)
    assert descend(optimizer, params, 40) == found
    assert params[1].eq(3.0).all()
    optimizer.param_groups[1]["lr"] = 0.5
    with pytest.raises(InvalidValue, match="`lr` must be the same in every group, or 0"):
        optimizer.step()


@pytest.mark.parametrize("hyperparameters", ["saved", "own"])
def test_a_resumed_run_continues_alike(hyperparameters: Any) -> None:
    params = weights()
    optimizer = Prodigy(params, d0=1e-3)
    descend(optimizer, params, 30)
    resumed_params = [p.detach().clone().requires_grad_() for p in params]
    resumed = Prodigy(resumed_params, d0=1e-3)
    resumed.load_state_dict(optimizer.state_dict(), hyperparameters=hyperparameters)
    assert descend(resumed, resumed_params, 10) == descend(optimizer, params, 10)


def test_the_growth_is_limited_but_for_the_first() -> None:
    params = weights()
    found = descend(Prodigy(params, d0=1e-6, growth_rate=1.05), params, 200)
    ratios = [b / a for a, b in pairwise(found) if a > 1e-6]
    assert max(ratios) == pytest.approx(1.05)


@every_engine
def test_corrected_for_the_start_the_first_step_is_d_long(engine: Any) -> None:
    params = weights()
    descend(Prodigy(params, d0=0.25, use_bias_correction=True, engine=engine), params, 1)
    assert params[0].tolist() == pytest.approx([2.75] * 5)


@every_engine
def test_a_warm_up_may_be_left_out_of_the_length(engine: Any) -> None:
    def length_after_a_step(safeguard: bool) -> float:
        params = weights()
        arguments = {"d0": 0.5, "lr": 0.01, "safeguard_warmup": safeguard, "engine": engine}
        optimizer = Prodigy(params, **arguments)
        descend(optimizer, params, 1)
        return float(optimizer.state[params[0]]["s"][0])

    assert length_after_a_step(True) == pytest.approx(0.5 * 6.0)
    assert length_after_a_step(False) == pytest.approx(0.01 * 0.5 * 6.0)


def test_nothing_is_learnt_from_no_gradient() -> None:
    params = weights()
    optimizer = Prodigy(params)
    optimizer.step()
    for p in params:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert optimizer.param_groups[0]["d"] == 1e-6
    assert params[0].eq(3.0).all()


def test_the_distance_grows_in_a_compiled_step_too() -> None:
    ours, theirs = weights(), weights()
    optimizer = Prodigy(ours, d0=1e-3)
    expected = descend(Prodigy(theirs, d0=1e-3), theirs, 20)
    compiled = torch.compile(optimizer.step, backend="eager")
    for _ in range(20):
        for p in ours:
            p.grad = 2 * p.detach()
        compiled()
    assert optimizer.param_groups[0]["d"] == expected[-1] > 1e-3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"d0": 0.0}, "`d0` must be more than 0"),
        ({"d_coef": -1.0}, "`d_coef` must be at least 0"),
        ({"growth_rate": 1.0}, "`growth_rate` must be more than 1"),
    ],
)
def test_bad_values_are_refused(arguments: Any, sentence: str) -> None:
    with pytest.raises(InvalidValue, match=sentence):
        Prodigy(weights(), **arguments)
