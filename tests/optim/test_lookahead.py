"""Lookahead around other optimizers, against algorithm 1 of Zhang et al., 2019, in float64."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import glideslope as gs
from glideslope import optim
from glideslope.errors import GlideslopeError, InvalidValue
from glideslope.optim import SAM, Lookahead, Scheduler

SHAPES = [(4, 6), (3,), (4, 6)]
Make = Callable[[Any], torch.optim.Optimizer]
INSIDE: dict[str, Make] = {
    "AdamW": lambda params: optim.AdamW(params, lr=0.1),
    "SGD": lambda params: optim.SGD(params, lr=0.1),
    "momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
    "Muon": lambda params: optim.MuonWithAuxAdam(params, lr=0.1),
    "torch's AdamW": lambda params: torch.optim.AdamW(params, lr=0.1),
    "torch's SGD": lambda params: torch.optim.SGD(params, lr=0.1),
    "SAM": lambda params: SAM(optim.SGD(params, lr=0.1), rho=0.0),
}
every_optimizer = pytest.mark.parametrize("make", INSIDE.values(), ids=INSIDE)


def parameters(dtype: torch.dtype = torch.float64, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in SHAPES]
    return [values.to(dtype).requires_grad_() for values in made]


def give_gradients(params: list[Tensor], step: int) -> None:
    """Gradients of a step; the second parameter has none at first, and not in each."""
    generator = torch.Generator().manual_seed(100 + step)
    for i, p in enumerate(params):
        g = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
        p.grad = None if i == 1 and step % 3 != 1 else g


def update(optimizer: Any, params: list[Tensor], step: int) -> None:
    """A step, by a closure that gives the same gradients each time if there has to be one."""
    if isinstance(optimizer, SAM) or isinstance(getattr(optimizer, "optimizer", None), SAM):
        optimizer.step(lambda: give_gradients(params, step))
    else:
        give_gradients(params, step)
        optimizer.step()


def train(optimizer: Any, params: list[Tensor], first: int, last: int) -> None:
    for step in range(first, last):
        update(optimizer, params, step)


@pytest.mark.parametrize(("k", "alpha"), [(3, 0.5), (1, 0.25), (2, 1.0)])
@every_optimizer
def test_every_k_updates_the_slow_weights_follow(make: Make, k: int, alpha: float) -> None:
    ours, theirs = parameters(), parameters()
    lookahead, plain = Lookahead(make(ours), k=k, alpha=alpha), make(theirs)
    slow = [p.detach().clone() for p in theirs]
    for step in range(7):
        update(lookahead, ours, step)
        update(plain, theirs, step)
        if (step + 1) % k == 0:
            for p, weight in zip(theirs, slow, strict=True):
                weight += alpha * (p.detach() - weight)
                p.data.copy_(weight)
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("named", [True, False], ids=["by name", "by position"])
@pytest.mark.parametrize("at", range(6))
@every_optimizer
def test_a_run_that_is_resumed_at_any_step_is_the_same(make: Make, at: int, named: bool) -> None:
    def names(params: list[Tensor]) -> Any:
        return [(f"p{i}", p) for i, p in enumerate(params)] if named else params

    ours, theirs = parameters(), parameters()
    lookahead = Lookahead(make(names(ours)), k=3)
    train(lookahead, ours, 0, at)
    buffer = io.BytesIO()
    torch.save(lookahead.state_dict(), buffer)
    buffer.seek(0)
    for p, q in zip(ours, theirs, strict=True):
        q.data.copy_(p)
    resumed = Lookahead(make(names(theirs)), k=3)
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    train(lookahead, ours, at, 7)
    train(resumed, theirs, at, 7)
    for p, q in zip(ours, theirs, strict=True):
        assert torch.equal(p, q)
    for copied in (copy.deepcopy(resumed), pickle.loads(pickle.dumps(resumed))):
        assert copied.param_groups[0]["lookahead_step"] == 7


def test_bfloat16_has_slow_weights_of_float32_and_parts_of_a_parameter_are_seen() -> None:
    """A quarter of a step of half a unit is lost in bfloat16, where slow weights would not move."""
    for options in ({}, {"rounding": "compensated"}, {"rounding": "split"}):
        p = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
        wide = torch.ones(3, requires_grad=True)
        more: Any = {"state_dtype": torch.float32, **options} if options else {}
        narrow = Lookahead(optim.SGD([p], lr=2.0**-8, **more), k=1, alpha=0.25)
        reference = Lookahead(optim.SGD([wide], lr=2.0**-8), k=1, alpha=0.25)
        for _ in range(8):
            p.grad, wide.grad = torch.ones_like(p), torch.ones_like(wide)
            narrow.step()
            reference.step()
        slow = narrow.state[p]["lookahead_slow"]
        assert slow.dtype is torch.float32
        if options:
            torch.testing.assert_close(slow, wide.detach(), rtol=1e-4, atol=0)


def test_schedules_of_all_kinds_drive_the_optimizer_inside() -> None:
    rate = 0.1 * gs.linear(8)
    ours, theirs = parameters(), parameters()
    owned = Lookahead(optim.SGD(ours, lr=rate), k=100)
    driven = Lookahead(optim.SGD(theirs, lr=0.1), k=100)
    scheduler = Scheduler(driven, lr=gs.linear(8))
    classic = Lookahead(torch.optim.SGD(parameters(), lr=0.1), k=100)
    theirs_scheduler = torch.optim.lr_scheduler.LambdaLR(classic, gs.linear(8))
    for step in range(5):
        seen = [each.param_groups[0]["lr"] for each in (owned, driven, classic)]
        assert seen == pytest.approx([rate(step)] * 3)
        train(owned, ours, step, step + 1)
        train(driven, theirs, step, step + 1)
        classic.step()
        scheduler.step()
        theirs_scheduler.step()
    torch.testing.assert_close(ours, theirs)


def test_what_it_shares_with_the_optimizer_inside() -> None:
    p, q = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    inside = optim.AdamW([p], lr=0.1, max_grad_norm=1.0, skip_nonfinite=True)
    lookahead = Lookahead(inside, k=2)
    calls: list[Any] = []
    lookahead.register_step_post_hook(lambda *_: calls.append(None))
    lookahead.add_param_group({"params": [q], "lr": 0.2})
    assert lookahead.param_groups is inside.param_groups
    assert lookahead.state is inside.state
    assert isinstance(lookahead, torch.optim.Optimizer)
    assert repr(lookahead).startswith("Lookahead(k=2, alpha=0.5) of AdamW(max_grad_norm=1, ")
    p.grad, q.grad = torch.full((2,), torch.inf), torch.ones(2)
    lookahead.step()
    assert lookahead.skipped_steps == 1
    assert "lookahead_step" not in inside.param_groups[0]
    p.grad = torch.ones(2)
    loss = lookahead.step(lambda: 3.0, zero_grad=True)
    assert (loss, len(calls), lookahead.grad_norm) == (3.0, 2, 2.0)
    assert not p.grad.any()
    lookahead.zero_grad()
    assert p.grad is None


def test_a_scaler_unscales_before_the_step() -> None:
    ours, theirs = parameters(torch.float32), parameters(torch.float32)
    scaled, plain = (Lookahead(optim.SGD(each, lr=0.1), k=2) for each in (ours, theirs))
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    for step in range(4):
        give_gradients(theirs, step)
        for p, q in zip(ours, theirs, strict=True):
            p.grad = None if q.grad is None else q.grad * scaler.scale(torch.ones(()))
        scaler.step(scaled)
        scaler.update()
        plain.step()
    torch.testing.assert_close(ours, theirs)


def test_states_with_and_without_slow_weights_go_both_ways() -> None:
    ours, theirs = parameters(), parameters()
    plain, lookahead = optim.AdamW(ours, lr=0.1), Lookahead(optim.AdamW(theirs, lr=0.1), k=2)
    train(plain, ours, 0, 3)
    lookahead.load_state_dict(plain.state_dict())
    train(lookahead, theirs, 3, 6)
    plain.load_state_dict(lookahead.state_dict())
    train(plain, ours, 6, 7)
    bad = lookahead.state_dict()
    bad["state"][0]["lookahead_slow"] = torch.zeros(9)
    with pytest.raises(GlideslopeError, match=r"`lookahead_slow` has the shape \(9,\)"):
        lookahead.load_state_dict(bad)


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "none": (lambda: Lookahead(3), "`optimizer` must be an optimizer"),  # type: ignore[arg-type]
    "k": (lambda: Lookahead(optim.SGD(parameters()), k=0), "`k` must be at least 1, got 0"),
    "kind": (lambda: Lookahead(optim.SGD(parameters()), k=2.5), "`k` must be an integer"),  # type: ignore[arg-type]
    "alpha": (lambda: Lookahead(optim.SGD(parameters()), alpha=0.0), "`alpha` must be more than 0"),
    "text": (lambda: Lookahead(optim.SGD(parameters()), alpha="a"), "`alpha` must be a number"),  # type: ignore[arg-type]
    "average": (
        lambda: Lookahead(optim.AdamWScheduleFree(parameters())),
        "`optimizer` must not be AdamWScheduleFree",
    ),
    "released": (
        lambda: Lookahead(optim.SGD(parameters())).release_gradients(torch.nn.Linear(1, 1)),
        "Lookahead has no `release_gradients`",
    ),
}


@pytest.mark.parametrize(("build", "words"), BAD.values(), ids=BAD)
def test_what_it_refuses(build: Callable[[], Any], words: str) -> None:
    with pytest.raises(GlideslopeError, match=words):
        build()


def test_slow_weights_of_a_skipped_first_step_do_not_begin() -> None:
    p = torch.ones(2, requires_grad=True)
    lookahead = Lookahead(optim.AdamW([p], skip_nonfinite=True), k=1)
    p.grad = torch.full((2,), torch.nan)
    lookahead.step()
    assert "lookahead_slow" not in lookahead.state[p]
    assert "lookahead_step" not in lookahead.param_groups[0]
    with pytest.raises(InvalidValue, match="takes a closure"):
        Lookahead(SAM(optim.SGD([p]))).step()
