"""Norms over a whole tensor: of empty tensors and zeros, and which tensors are measured."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glideslope.errors import InvalidValue, StateMismatch
from glideslope.optim import LAMB, LARS, MARS, AdamW, StableAdamW

from .cases import every_engine


def weight(value: Tensor, gradient: Tensor) -> Tensor:
    p = value.clone().requires_grad_()
    p.grad = gradient.clone()
    return p


@every_engine
@pytest.mark.parametrize("kind", [LARS, LAMB])
@pytest.mark.parametrize("nothing", ["weight", "gradient"])
def test_the_ratio_is_1_where_either_norm_is_0(kind: Any, nothing: str, engine: Any) -> None:
    zero, one = torch.zeros(20), torch.ones(20)
    value, gradient = (zero, one) if nothing == "weight" else (one, zero)
    p, q = weight(value, gradient), weight(value, gradient)
    for adapt, each in ((True, p), (False, q)):
        kind([each], lr=0.5, weight_decay=0.0, adapt=adapt, engine=engine).step()
    assert torch.equal(p, q)
    assert p.isfinite().all()


@every_engine
def test_each_tensor_has_its_own_ratio_and_a_group_may_have_none(engine: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = [1.0, 10.0, 100.0]
    params = [weight(s * torch.ones(30), torch.randn(30, generator=generator)) for s in sizes]
    groups = [{"params": params[:2]}, {"params": params[2:], "adapt": False}]
    before = [p.detach().clone() for p in params]
    LAMB(groups, lr=0.1, weight_decay=0.0, engine=engine).step()
    moved = [(p.detach() - q).norm().item() for p, q in zip(params, before, strict=True)]
    assert moved == pytest.approx([0.1 * 30**0.5, 1.0 * 30**0.5, 0.1 * 30**0.5], rel=1e-4)


@every_engine
def test_a_surprising_gradient_slows_stable_adamw_down(engine: Any) -> None:
    """By how much larger it is than the root of the average square, itself included."""

    def last_step(kind: Any) -> float:
        p = weight(torch.zeros(5), torch.ones(5))
        optimizer = kind([p], lr=0.1, betas=(0.9, 0.999), weight_decay=0.0, engine=engine)
        for _ in range(50):
            optimizer.step()
        before = p.detach().clone()
        p.grad.fill_(1000.0)
        optimizer.step()
        return float((p.detach() - before).abs().max())

    square = (0.999 * (1 - 0.999**50) + 0.001 * 1000.0**2) / (1 - 0.999**51)
    slower = 1000.0 / square**0.5
    assert last_step(StableAdamW) == pytest.approx(last_step(AdamW) / slower, rel=1e-4)


@every_engine
def test_mars_clips_each_tensor_after_moving_its_gradient_on(engine: Any) -> None:
    small, large = torch.full((2, 2), 0.01), torch.full((2, 2), 10.0)
    params = [weight(torch.zeros(2, 2), g) for g in (small, large)]
    optimizer = MARS(params, lr=0.1, engine=engine)
    optimizer.step()
    averages = [optimizer.state[p]["exp_avg"].norm().item() for p in params]
    assert averages == pytest.approx([0.05 * 1.475 * 0.02, 0.05 * 1.0], rel=1e-5)
    assert torch.equal(optimizer.state[params[1]]["last_grad"], large)


def test_mars_leaves_vectors_to_adamw() -> None:
    torch.manual_seed(0)
    model, twin = nn.Linear(4, 3), nn.Linear(4, 3)
    twin.load_state_dict(model.state_dict())
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        p.grad = torch.randn_like(p)
        q.grad = p.grad.clone()
    optimizer = MARS(model.named_parameters(), lr=0.1, weight_decay=0.5)
    torch.optim.AdamW([twin.bias], lr=0.1, betas=(0.9, 0.95), weight_decay=0.5).step()
    optimizer.step()
    torch.testing.assert_close(model.bias, twin.bias)
    assert "last_grad" not in optimizer.state[model.bias]
    assert [group["param_names"] for group in optimizer.param_groups] == [["weight", "bias"]]
    assert [row.name for row in optimizer.engine_report()] == ["weight", "bias"]


def test_mars_keeps_the_groups_it_is_given() -> None:
    """Lists with one rate for each group fit, and so do optimizers that share groups out."""
    layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
    optimizer = MARS(
        [
            {"params": [*layer.parameters()], "lr": lr}
            for layer, lr in zip(layers, (0.1, 0.2), strict=True)
        ]
    )
    optimizer.add_param_group({"params": [torch.ones(2), torch.ones(2, 2)]})
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 2, 2]


def test_vectors_follow_a_change_of_their_averages() -> None:
    p = torch.ones(2, requires_grad=True)
    optimizer = copy.deepcopy(MARS([p], lr=0.1, weight_decay=0.0, vector_betas=(0.5, 0.6)))
    (own,) = optimizer.param_groups[0]["params"]
    twin = own.detach().clone().requires_grad_()
    adamw = torch.optim.AdamW([twin], lr=0.1, weight_decay=0.0, betas=(0.5, 0.6))
    for step in range(4):
        if step == 2:
            optimizer.param_groups[0]["vector_betas"] = (0.7, 0.8)
            adamw.param_groups[0]["betas"] = (0.7, 0.8)
        own.grad, twin.grad = torch.full((2,), 1.0 + step), torch.full((2,), 1.0 + step)
        optimizer.step()
        adamw.step()
    torch.testing.assert_close(own, twin)


@pytest.mark.parametrize("is_reduced", [True, False])
def test_a_group_of_mars_may_say_what_it_is(is_reduced: bool) -> None:
    layer = nn.Linear(2, 2)
    group = {"params": list(layer.parameters()), "variance_reduction": is_reduced}
    optimizer = MARS([group])
    layer(torch.ones(2)).sum().backward()
    optimizer.step()
    assert all(("last_grad" in optimizer.state[p]) is is_reduced for p in layer.parameters())


def test_an_error_of_mars_names_the_parameter_by_its_number() -> None:
    params = [torch.ones(2, requires_grad=True), torch.ones(2, 2, requires_grad=True)]
    optimizer = MARS(params)
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    optimizer.state[params[0]]["exp_avg"] = torch.ones(3)
    with pytest.raises(StateMismatch, match="state `exp_avg` of parameter 0"):
        optimizer.step()


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        (LARS, {"momentum": 1.0}, "`momentum` must be at least 0 and less than 1"),
        (LARS, {"trust_coefficient": -1.0}, "`trust_coefficient` must be at least 0"),
        (MARS, {"gamma": -0.1}, "`gamma` must be at least 0"),
        (MARS, {"vector_betas": (0.9, 1.0)}, "betas` must be at least 0 and less than 1"),
    ],
)
def test_bad_values_are_refused(kind: Any, arguments: Any, sentence: str) -> None:
    with pytest.raises(InvalidValue, match=sentence):
        kind([torch.ones(1, requires_grad=True)], **arguments)
