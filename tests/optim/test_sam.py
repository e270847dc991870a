"""SAM and ASAM around other optimizers, against their formulas in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import glideslope as gs
from glideslope import optim
from glideslope.errors import GlideslopeError, InvalidValue
from glideslope.optim import SAM, Scheduler

INSIDE: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "AdamW": lambda params: optim.AdamW(params, lr=0.1, max_grad_norm=0.5),
    "momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
    "torch's SGD": lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9),
}
every_optimizer = pytest.mark.parametrize("make", INSIDE.values(), ids=INSIDE)


def parameters(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    made = [
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in [(3, 4), (5,)]
    ]
    return [values.to(dtype).requires_grad_() for values in [*made, torch.ones(2)]]


def loss_of(params: list[Tensor]) -> Tensor:
    """A loss that is not quadratic; the last parameter has no part in it."""
    first, second, _ = params
    return (first.sin() * first).sum() + second.square().square().sum() + first.sum() * second.sum()


def gradients_at(points: list[Tensor]) -> list[Tensor | None]:
    leaves = [point.detach().clone().requires_grad_() for point in points]
    return list(torch.autograd.grad(loss_of(leaves), leaves, allow_unused=True))


def sharp_gradients(params: list[Tensor], rho: float, adaptive: bool) -> list[Tensor | None]:
    """The gradients at w + ε: equation 2 of Foret et al., and that of section 3 of Kwon et al."""
    found = gradients_at(params)
    units = [p.detach().abs() if adaptive else torch.ones_like(p) for p in params]
    lengths = [(u * g).norm() for u, g in zip(units, found, strict=True) if g is not None]
    norm = torch.stack(lengths).norm()
    return gradients_at(
        [
            p.detach() if g is None else p.detach() + rho * u**2 * g / norm
            for p, u, g in zip(params, units, found, strict=True)
        ]
    )


def closure_of(optimizer: Any, params: list[Tensor], clears: bool) -> Callable[[], float]:
    def closure() -> float:
        if clears:
            optimizer.zero_grad()
        loss = loss_of(params)
        loss.backward()
        return loss.item()

    return closure


@pytest.mark.parametrize("how", ["closure", "closure that adds up", "two steps"])
@pytest.mark.parametrize(("rho", "adaptive"), [(0.05, False), (0.5, True), (0.0, False)])
@every_optimizer
def test_a_step_is_along_the_gradient_uphill(
    make: Any, rho: float, adaptive: bool, how: str
) -> None:
    """A closure that does not clear gradients adds to those before the first point: as g does."""
    ours, theirs = parameters(), parameters()
    sam, plain = SAM(make(ours), rho=rho, adaptive=adaptive), make(theirs)
    for _ in range(4):
        for p, g in zip(theirs, sharp_gradients(theirs, rho, adaptive), strict=True):
            p.grad = g
        before = loss_of(ours).item()
        if how == "two steps":
            loss_of(ours).backward()
            sam.first_step(zero_grad=True)
            loss_of(ours).backward()
            sam.second_step(zero_grad=True)
            assert all(p.grad is None for p in ours)
        else:
            assert sam.step(closure_of(sam, ours, how == "closure")) == before
            sam.zero_grad()
        plain.step()
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)
    assert torch.equal(ours[-1], torch.ones(2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [0.0, 1e-42, 1e-30, 1.0, 1e30])
def test_the_way_uphill_is_as_long_whatever_the_gradient(scale: float, dtype: torch.dtype) -> None:
    """And the way back is exact."""
    p = torch.zeros(4, dtype=dtype, requires_grad=True)
    sam = SAM(optim.SGD([p], lr=0.0), rho=2.0)
    p.grad = torch.nan_to_num(torch.full((4,), scale).to(dtype))
    sam.first_step()
    uphill = 1.0 if p.grad.any() else 0.0
    torch.testing.assert_close(p.detach(), torch.full((4,), uphill).to(dtype))
    sam.second_step()
    assert not p.any()


def test_an_error_in_the_second_evaluation_leaves_the_parameters_as_they_were() -> None:
    params = parameters()
    before = [p.detach().clone() for p in params]
    sam = SAM(optim.AdamW(params))
    calls: list[int] = []

    def closure() -> None:
        calls.append(1)
        loss_of(params).backward()
        if len(calls) == 2:
            raise KeyError("a batch")

    with pytest.raises(KeyError, match="a batch"):
        sam.step(closure)
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
    sam.step(closure)
    assert sam.state_dict()["state"][0]["step"] == 1


def test_a_gradient_that_is_no_number_skips_the_step_and_comes_back() -> None:
    p = torch.ones(2, requires_grad=True)
    sam = SAM(optim.AdamW([p], skip_nonfinite=True))

    def closure() -> None:
        sam.zero_grad()
        (p * torch.nan).sum().backward()

    sam.step(closure)
    assert p.tolist() == [1.0, 1.0]
    assert sam.skipped_steps == 1


def test_schedules_and_states_are_those_of_the_optimizer_inside() -> None:
    ours, theirs, third = parameters(), parameters(), parameters()
    owned = SAM(optim.AdamW(ours, lr=0.1 * gs.linear(8)))
    driven = SAM(optim.AdamW(theirs, lr=0.1))
    scheduler = Scheduler(driven, lr=gs.linear(8))
    classic = SAM(torch.optim.AdamW(third, lr=0.1))
    theirs_scheduler = torch.optim.lr_scheduler.LambdaLR(classic, gs.linear(8))
    for step in range(4):
        for sam, params in ((owned, ours), (driven, theirs), (classic, third)):
            assert sam.param_groups[0]["lr"] == pytest.approx(0.1 * (1 - step / 8))
            loss_of(params).backward()
            sam.first_step(zero_grad=True)
            loss_of(params).backward()
            sam.second_step(zero_grad=True)
        scheduler.step()
        theirs_scheduler.step()
    torch.testing.assert_close(ours, theirs)
    resumed_params = [p.detach().clone().requires_grad_() for p in theirs]
    resumed = SAM(optim.AdamW(resumed_params, lr=0.1))
    again = Scheduler(resumed, lr=gs.linear(8))
    resumed.load_state_dict(driven.state_dict())
    again.load_state_dict(scheduler.state_dict())
    for sam, params in ((driven, theirs), (resumed, resumed_params)):
        sam.step(closure_of(sam, params, True))
    assert all(torch.equal(p, q) for p, q in zip(theirs, resumed_params, strict=True))
    assert repr(resumed).startswith("SAM(rho=0.05, adaptive=False) of AdamW(lr=")


BETWEEN: dict[str, tuple[Callable[[SAM], Any], str]] = {
    "first": (lambda sam: sam.first_step(), "call `second_step` before `first_step`"),
    "saved": (lambda sam: sam.state_dict(), "call `second_step` before `state_dict`"),
    "loaded": (lambda sam: sam.load_state_dict({}), "call `second_step` before `load_state_dict`"),
}


@pytest.mark.parametrize(("call", "words"), BETWEEN.values(), ids=BETWEEN)
def test_what_is_refused_between_both_steps(call: Callable[[SAM], Any], words: str) -> None:
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.ones(2)
    sam = SAM(optim.SGD([p]))
    sam.first_step()
    with pytest.raises(InvalidValue, match=words):
        call(sam)
    sam.second_step()


def test_what_else_it_refuses() -> None:
    inside = optim.SGD([torch.ones(2, requires_grad=True)])
    with pytest.raises(InvalidValue, match="call `first_step` before"):
        SAM(inside).second_step()
    with pytest.raises(InvalidValue, match="`step` of SAM takes a closure"):
        SAM(inside).step()
    for rho, words in ((-1.0, "at least 0, got -1"), ("a", "a number"), (torch.nan, "at least 0")):
        with pytest.raises(GlideslopeError, match=f"`rho` must be {words}"):
            SAM(inside, rho=rho)  # type: ignore[arg-type]
    with pytest.raises(GlideslopeError, match="`optimizer` must be an optimizer"):
        SAM([torch.ones(2)])  # type: ignore[arg-type]
