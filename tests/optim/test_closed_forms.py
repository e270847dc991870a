"""Paths and rates that are known exactly: published, or followed with a pencil."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from glideslope.optim import LAMB, SGD, Adam, AdamW, AdEMAMix, RuleOptimizer, StableAdamW

from .cases import AlikeMARS, every_engine

Gradient = Callable[[Tensor], Tensor]


def point(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def descend(optimizer: RuleOptimizer, gradient: Gradient, steps: int) -> Tensor:
    """Where the only parameter is after that many steps."""
    (p,) = optimizer.param_groups[0]["params"]
    for _ in range(steps):
        p.grad = gradient(p.detach())
        optimizer.step()
    return p.detach().clone()


# Heavy ball and its like ---------------------------------------------------------------------


def three_pieces(x: Tensor) -> Tensor:
    """The slope of a smooth, strongly convex function of curvature 25, 1 and 25."""
    return torch.where(x < 1, 25 * x, torch.where(x < 2, x + 24, 25 * x - 24))


@every_engine
def test_the_heavy_ball_cycles_for_ever(engine: Any) -> None:
    """Lessard, Recht and Packard, 2014 (arXiv:1408.3595), section 4.6: a cycle of three points."""
    optimizer = SGD([point(3.3)], lr=1 / 9, momentum=4 / 9, engine=engine)
    descend(optimizer, three_pieces, 400)
    cycle = {descend(optimizer, three_pieces, 1).item() for _ in range(3)}
    published = [-2208 / 1225, 792 / 1225, 2592 / 1225]
    assert sorted(cycle) == pytest.approx(published, abs=1e-10)


class Method(NamedTuple):
    """A step and a momentum for curvatures from 1 to κ, and the rate they give."""

    lr: Callable[[float], float]
    momentum: Callable[[float], float]
    nesterov: bool
    rate: Callable[[float], float]


def _ratio(root: float, gap: float) -> float:
    return (root - gap) / (root + gap)


METHODS = {
    "descent": Method(lambda k: 1 / k, lambda k: 0.0, False, lambda k: 1 - 1 / k),
    "best descent": Method(lambda k: 2 / (k + 1), lambda k: 0.0, False, lambda k: _ratio(k, 1)),
    "nesterov": Method(
        lambda k: 1 / k, lambda k: _ratio(math.sqrt(k), 1), True, lambda k: 1 - 1 / math.sqrt(k)
    ),
    "best nesterov": Method(
        lambda k: 4 / (3 * k + 1),
        lambda k: _ratio(math.sqrt(3 * k + 1), 2),
        True,
        lambda k: 1 - 2 / math.sqrt(3 * k + 1),
    ),
    "heavy ball": Method(
        lambda k: 4 / (math.sqrt(k) + 1) ** 2,
        lambda k: _ratio(math.sqrt(k), 1) ** 2,
        False,
        lambda k: _ratio(math.sqrt(k), 1),
    ),
}


@every_engine
@pytest.mark.parametrize("condition", [10.0, 100.0])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_rates_on_a_quadratic_are_the_published_ones(
    method: Method, condition: float, engine: Any
) -> None:
    """Table 1 of the same paper. A double root adds a factor of k, so .005 more is allowed."""
    curvatures = torch.tensor([1.0, condition], dtype=torch.float64)
    settings = {"lr": method.lr(condition), "momentum": method.momentum(condition)}
    optimizer = SGD([point(1.0, 1.0)], nesterov=method.nesterov, **settings, engine=engine)
    half = descend(optimizer, lambda x: curvatures * x, 200).norm()
    end = descend(optimizer, lambda x: curvatures * x, 200).norm()
    measured = (end / half).item() ** (1 / 200)
    assert -1e-9 < measured - method.rate(condition) < 0.005


@every_engine
def test_the_spread_of_a_noisy_quadratic(engine: Any) -> None:
    """E x² of 200,000 independent walks; the step contracts by 1 - ah and adds a² s² of noise."""
    rate, curvature, spread, start, count = 0.1, 1.0, 1.0, 3.0, 200_000
    generator = torch.Generator().manual_seed(0)
    walks = torch.full((count,), start, dtype=torch.float64, requires_grad=True)
    optimizer = SGD([walks], lr=rate, engine=engine)

    def noisy(x: Tensor) -> Tensor:
        noise = torch.randn(count, generator=generator, dtype=torch.float64)
        return curvature * x + spread * noise

    contraction, done = (1 - rate * curvature) ** 2, 0
    for steps, value in ((1, 7.3), (10, 1.1404), (60, 0.05266)):
        squares = descend(optimizer, noisy, steps - done).square()
        done = steps
        remaining = contraction**steps
        noise = rate**2 * spread**2 * (1 - remaining) / (1 - contraction)
        expected = remaining * start**2 + noise
        assert expected == pytest.approx(value, rel=1e-4)
        deviation = squares.std().item() / math.sqrt(count)
        assert squares.mean().item() == pytest.approx(expected, abs=4 * deviation)


# Adam and its like ---------------------------------------------------------------------------

LIKE_ADAM: dict[str, tuple[type[RuleOptimizer], dict[str, Any]]] = {
    "adam": (Adam, {}),
    "amsgrad": (Adam, {"amsgrad": True}),
    "adamw": (AdamW, {"weight_decay": 0.0}),
    "ademamix": (AdEMAMix, {"alpha": 0.0}),
    "stable-adamw": (StableAdamW, {"weight_decay": 0.0, "eps": 1e-8}),
    "mars": (AlikeMARS, {"variance_reduction": False, "weight_decay": 0.0}),
    "lamb": (LAMB, {"adapt": False, "weight_decay": 0.0, "eps": 1e-8}),
}


@every_engine
@pytest.mark.parametrize("name", LIKE_ADAM)
def test_adam_takes_equal_steps_under_a_constant_gradient(name: str, engine: Any) -> None:
    """x_k = x_0 - k η g / (|g| + ε) for every k: any other place of ε fails for the smallest g."""
    kind, arguments = LIKE_ADAM[name]
    for gradient in (3.0, -1e-4, 1e-8):
        p = point(1.0)
        optimizer = kind([p], lr=0.01, **arguments, engine=engine)  # type: ignore[call-arg]
        step = 0.01 * gradient / (abs(gradient) + 1e-8)
        for count in (1, 2, 7, 90):
            before = p.item()
            descend(optimizer, lambda _, g=gradient: point(g).detach(), count)  # type: ignore[misc]
            assert before - p.item() == pytest.approx(count * step, rel=1e-9)


@every_engine
@pytest.mark.parametrize(("amsgrad", "limit"), [(False, 1.0), (True, -1.0)])
def test_adam_goes_to_the_worst_point_and_amsgrad_to_the_best(
    amsgrad: bool, limit: float, engine: Any
) -> None:
    """Reddi, Kale and Kumar, 2018 (arXiv:1904.09237), theorem 1: f_t is 3x at every third step."""
    p = point(0.0)
    optimizer = Adam([p], betas=(0.0, 0.1), amsgrad=amsgrad, engine=engine)
    for t in range(1, 6001):
        optimizer.param_groups[0]["lr"] = 0.1 / math.sqrt(t)
        p.grad = point(3.0 if t % 3 == 1 else -1.0).detach()
        optimizer.step()
        p.data.clamp_(-1.0, 1.0)
    assert p.item() == pytest.approx(limit, abs=0.005)
