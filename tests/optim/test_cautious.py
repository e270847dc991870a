"""Cautious steps: in every optimizer the update is masked as published, and its decay is not.

The reference is the optimizer's own, in float64: what it subtracts without weight decay is the
update, and what weight decay changes is added to the masked update as it is.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glideslope.errors import InvalidValue
from glideslope.optim import (
    ASGD,
    LAMB,
    SGD,
    Adafactor,
    AdamW,
    AdamWScheduleFree,
    MuonWithAuxAdam,
    RuleOptimizer,
    SGDScheduleFree,
)
from glideslope.rules import rule

from . import matrix_cases
from .cases import CASES, Case, every_engine
from .masking import random_parameter, subtracted

SIZE = 200
COUPLED = (
    *("sgd", "lars", "rmsprop", "adagrad", "adadelta"),
    *("adam-", "adamax", "madgrad-decay", "nadam-decay", "radam-decay"),
)
ALWAYS_AGREE = (
    *("sgd", "rmsprop", "rmsprop-centered"),
    *("adagrad", "adagrad-decay", "adadelta", "adadelta-decay"),
)
"""Without momentum a step never points against its gradient."""
OWN_TESTS = ("adan", "asgd", "lamb", "schedule-free")
"""Optimizers that do more with an update than subtract it."""

elementwise = {name: case for name, case in CASES.items() if not any(o in name for o in OWN_TESTS)}


def masked(update: Tensor, g: Tensor) -> Tensor:
    """Algorithm 1 of Liang et al., 2024 (arXiv:2411.16085), with the scale of their code."""
    phi = (update * g > 0).double()
    return update * phi / phi.mean().clamp(min=1e-3)


@pytest.mark.usefixtures("float64_counts")
@every_engine
@pytest.mark.parametrize("name", elementwise)
def test_the_update_is_masked_and_decoupled_decay_is_not(name: str, engine: Any) -> None:
    case: Case = CASES[name]
    p, q, r = (random_parameter(SIZE) for _ in range(3))
    optimizer = case.build([p], cautious=True, engine=engine)
    is_coupled = name.startswith(COUPLED)
    decay = optimizer.param_groups[0].get("weight_decay", 0.0)
    without_decay = {"weight_decay": 0.0} if decay and not is_coupled else {}
    plain = case.reference([q], **{**case.arguments, **without_decay})
    decayed = case.build_reference([r])
    shares = []
    for _ in range(8):
        g = torch.randn(SIZE, dtype=torch.float64)
        p.grad = g.clone()
        before = p.detach().clone()
        update = subtracted(plain, q, before, g)
        whole = subtracted(decayed, r, before, g)
        signed = -g if case.arguments.get("maximize") else g
        followed = signed + decay * before if is_coupled else signed
        expected = before - masked(update, followed) - (whole - update)
        optimizer.step()
        torch.testing.assert_close(p.detach(), expected, rtol=1e-11, atol=1e-11)
        shares.append((update * followed > 0).double().mean().item())
    assert min(shares) == 1.0 if name in ALWAYS_AGREE else min(shares) < 0.99


DIRECTIONS = {
    "muon": {},
    "muon-plain": {},
    "adafactor": {"d": 1e9},
    "came": {"weight_decay": 0.0},
    "soap": {"weight_decay": 0.0},
    "apollo": {"weight_decay": 0.0},
    "kron": {"weight_decay": 0.0},
}


@every_engine
@pytest.mark.parametrize("name", DIRECTIONS)
def test_a_direction_is_masked_by_the_gradient_it_was_made_of(name: str, engine: Any) -> None:
    case = matrix_cases.CASES[name]
    arguments = {**case.arguments, **DIRECTIONS[name]}
    p, q = random_parameter(9, 9), random_parameter(9, 9)
    optimizer = case.ours([p], **arguments, cautious=True, engine=engine)
    plain = case.reference([q], **arguments)
    decay = arguments["lr"] * arguments.get("weight_decay", 0.1) if "muon" in name else 0.0
    for _ in range(5):
        g = torch.randn(9, 9, dtype=torch.float64)
        p.grad, before = g.clone(), p.detach().clone()
        update = subtracted(plain, q, before, g) - decay * before
        optimizer.step()
        expected = before * (1 - decay) - masked(update, g)
        torch.testing.assert_close(p.detach(), expected, rtol=1e-9, atol=1e-9)


@every_engine
def test_asgd_averages_what_the_masked_step_gives(engine: Any) -> None:
    p = random_parameter(4)
    optimizer = ASGD([p], lr=0.5, lambd=0.1, t0=0.0, cautious=True, engine=engine)
    before = p.detach().clone()
    p.grad = torch.tensor([1.0, 0.0, -2.0, 0.0], dtype=torch.float64)
    optimizer.step()
    torch.testing.assert_close(p.detach(), before * (1 - 0.05) - 0.5 * 2 * p.grad)
    assert torch.equal(optimizer.state[p]["ax"], p)


@every_engine
def test_lamb_measures_the_masked_step(engine: Any) -> None:
    """As in timm: masked, then decayed, then as long as the tensor."""
    p = random_parameter(SIZE)
    optimizer = LAMB([p], lr=0.1, weight_decay=0.1, cautious=True, engine=engine)
    m = v = torch.zeros(SIZE, dtype=torch.float64)
    for t in range(1, 6):
        p.grad = g = torch.randn(SIZE, dtype=torch.float64)
        before = p.detach().clone()
        optimizer.step()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        ratio = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-6)
        step = masked(ratio, g) + 0.1 * before
        expected = before - 0.1 * before.norm() / step.norm() * step
        torch.testing.assert_close(p.detach(), expected, rtol=1e-11, atol=1e-11)


@every_engine
@pytest.mark.parametrize("kind", [SGDScheduleFree, AdamWScheduleFree])
def test_what_is_schedule_free_masks_the_steps_that_it_averages(kind: Any, engine: Any) -> None:
    """They always follow the gradient: all there is to leave out are gradients of 0."""
    p, q = random_parameter(8), random_parameter(8)
    zeros = torch.tensor([1.0, 0.0] * 4, dtype=torch.float64)
    cautious = kind([p], lr=0.1, cautious=True, engine=engine)
    plain = kind([q], lr=0.1, engine=engine)
    start = p.detach().clone()
    for optimizer, parameter in ((cautious, p), (plain, q)):
        parameter.grad = zeros * start
        optimizer.step()
    moved, usual = cautious.state[p]["z"] - start, plain.state[q]["z"] - start
    torch.testing.assert_close(moved, 2 * usual, rtol=1e-12, atol=1e-12)
    cautious.eval()
    torch.testing.assert_close(p.detach(), cautious.state[p]["z"], rtol=1e-12, atol=1e-12)


@every_engine
def test_where_nothing_agrees_nothing_moves_but_the_decay(engine: Any) -> None:
    p = torch.ones(16, requires_grad=True)
    optimizer = AdamW([p], lr=0.1, weight_decay=0.5, cautious=True, engine=engine)
    p.grad = torch.full_like(p, 1.0)
    optimizer.step()
    before = p.detach().clone()
    p.grad = torch.full_like(p, -1e-3)
    optimizer.step()
    torch.testing.assert_close(p.detach(), before * 0.95, rtol=1e-6, atol=0.0)


@every_engine
def test_an_element_alone_is_scaled_by_a_thousand_at_most(engine: Any) -> None:
    p = torch.zeros(5000, dtype=torch.float64, requires_grad=True)
    p.grad = torch.zeros_like(p)
    p.grad[7] = 1.0
    SGD([p], lr=0.01, cautious=True, engine=engine).step()
    assert p[7].item() == pytest.approx(-0.01 * 1000, rel=1e-12)


@every_engine
def test_each_tensor_has_a_scale_of_its_own_and_a_group_may_go_without(engine: Any) -> None:
    full, half, free = (torch.zeros(2, dtype=torch.float64, requires_grad=True) for _ in range(3))
    for p in (full, half, free):
        p.grad = torch.tensor([1.0, 0.0], dtype=torch.float64)
    full.grad[1] = 1.0
    groups = [{"params": [full, half]}, {"params": [free], "cautious": False}]
    SGD(groups, lr=1.0, cautious=True, engine=engine).step()
    assert full.tolist() == [-1.0, -1.0]
    assert half.tolist() == [-2.0, 0.0]
    assert free.tolist() == [-1.0, 0.0]


def test_a_group_of_a_matrix_method_may_go_without_too() -> None:
    def moved(**group: Any) -> Tensor:
        p = random_parameter(6, 6)
        optimizer = MuonWithAuxAdam([{"params": [p], **group}], lr=0.1, cautious=True)
        for _ in range(3):
            p.grad = torch.randn(6, 6, dtype=torch.float64)
            optimizer.step()
        return p.detach()

    p = random_parameter(6, 6)
    plain = MuonWithAuxAdam([p], lr=0.1)
    for _ in range(3):
        p.grad = torch.randn(6, 6, dtype=torch.float64)
        plain.step()
    assert torch.equal(moved(cautious=False), p)
    assert not torch.equal(moved(), p)


def test_adafactor_is_as_long_as_its_masked_direction() -> None:
    p = nn.Parameter(torch.ones(4, dtype=torch.float64))
    p.grad = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    before = p.detach().clone()
    Adafactor([p], lr=0.01, cautious=True).step()
    length = (before - p.detach()).square().mean().sqrt().item()
    assert length == pytest.approx(0.01 * 1.0, rel=1e-9)


@rule
def bare_descent(p, g, /, lr):  # type: ignore[no-untyped-def]
    return p - lr * g


class BareDescent(RuleOptimizer):
    rule = bare_descent

    def __init__(self, params: Any, lr: float = 0.1, **common: Any) -> None:
        super().__init__(params, {"lr": lr}, **common)


def test_a_rule_without_the_option_says_so() -> None:
    sentence = "`cautious` must be False: the rule bare_descent has no such option"
    with pytest.raises(InvalidValue, match=sentence):
        BareDescent([random_parameter(1)], cautious=True)
