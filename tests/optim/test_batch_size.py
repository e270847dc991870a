"""Hyperparameters for another batch size."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue
from glideslope.optim import SGD, AdamW, linear_scaling, sqrt_scaling

ADAM: Any = {"lr": 1e-3, "betas": (0.9, 0.99), "eps": 1e-8}


def test_many_small_steps_of_sgd_are_one_large_one() -> None:
    """On a slope that stays, which the rule assumes, they are the same to rounding."""
    p, q = (torch.zeros(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    gradients = torch.randn(8, 3, dtype=torch.float64)
    small, large = SGD([p], lr=0.01), SGD([q], **linear_scaling(8, lr=0.01))
    for g in gradients:
        p.grad = g.clone()
        small.step()
    q.grad = gradients.mean(0)
    large.step()
    torch.testing.assert_close(p, q)


def test_the_variance_of_adams_steps_over_an_epoch_stays() -> None:
    """Where noise is all, a step is η times noise of size 1, and κ times fewer are taken."""
    generator, spread = torch.Generator().manual_seed(0), {}
    for ratio in (1, 16):
        p = torch.zeros(4000, dtype=torch.float64, requires_grad=True)
        scaled = sqrt_scaling(ratio, **{**ADAM, "betas": (0.95, 0.99)})
        optimizer = AdamW([p], **scaled, weight_decay=0.0)
        for _ in range(480 // ratio):
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64)
            p.grad = noise / ratio**0.5
            optimizer.step()
        spread[ratio] = p.detach().std().item()
    assert spread[16] == pytest.approx(spread[1], rel=0.15)


@pytest.mark.parametrize("ratio", [0.25, 1, 4, 9.5])
def test_averages_reach_over_as_many_examples(ratio: float) -> None:
    scaled = sqrt_scaling(ratio, **ADAM)
    for beta, new in zip(ADAM["betas"], scaled["betas"], strict=True):
        assert ratio / (1 - new) == pytest.approx(1 / (1 - beta))
    assert scaled["lr"] ** 2 / ratio == pytest.approx(1e-6)
    assert scaled["lr"] * scaled["eps"] == pytest.approx(1e-11)


def test_two_changes_are_one() -> None:
    twice = sqrt_scaling(2.5, **sqrt_scaling(2, **ADAM))
    once = sqrt_scaling(5, **ADAM)
    assert twice["betas"] == pytest.approx(once["betas"])
    assert [twice["lr"], twice["eps"]] == pytest.approx([once["lr"], once["eps"]])


def test_a_rate_may_be_a_schedule() -> None:
    curve = gs.linear(10, start=1.0, end=0.0)
    for scaled in (
        linear_scaling(4, lr=curve),
        sqrt_scaling(16, lr=curve, betas=(0.99,), eps=1e-8),
    ):
        assert scaled["lr"](5) == 2.0


REFUSED: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "zero": (0, ADAM, InvalidValue, "`ratio` must be more than 0, got 0"),
    "infinite": (float("inf"), ADAM, InvalidValue, "`ratio` must be more than 0, got inf"),
    "text": ("4", ADAM, InvalidType, "`ratio` must be a number"),
    "too large": (16, ADAM, InvalidValue, "`betas` must be at least 0.9375 for a batch 16 times"),
    "beta": (2, {**ADAM, "betas": (1.0, 0.9)}, InvalidValue, "`betas` must be at least 0 and less"),
    "rate": (2, {**ADAM, "lr": -1.0}, InvalidValue, "`lr` must be at least 0"),
    "eps": (2, {**ADAM, "eps": -1.0}, InvalidValue, "`eps` must be at least 0"),
}


@pytest.mark.parametrize(("ratio", "arguments", "kind", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_scaled_is_refused(
    ratio: Any, arguments: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        sqrt_scaling(ratio, **arguments)
    if "ratio" in sentence or "lr" in sentence:
        with pytest.raises(kind, match=sentence):
            linear_scaling(ratio, lr=arguments["lr"])
