"""Steps of the Triton engine that the host takes no part in: no number is read from the device.

The device is the CPU, on which Triton interprets; what would be a wait on a GPU is counted.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import glideslope as gs
from glideslope import optim
from glideslope.optim import SGD, AdamW, RuleOptimizer

pytest.importorskip("triton", reason="Triton has no wheels for this platform")

from glideslope.engines._triton import batch, launch

from .triton_cases import (
    FLOAT32,
    FLOAT64,
    READS,
    Case,
    Counted,
    Run,
    distance,
    give_gradients,
    parameters,
    run,
)

ALL: dict[str, Any] = {"max_grad_norm": 0.5, "skip_nonfinite": True, "ema_decay": 0.75}
PASSES = {
    "AdamW": (1, 2),
    "LAMB": (2, 3),
    "LARS": (2, 3),
    "StableAdamW": (2, 3),
    "MARS": (3, 5),  # vectors and matrices are of two kinds, and only these have a norm
    "Prodigy": (2, 3),
}
"""Launches over all tensors, for each kind the passes that measure and the one that updates."""


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Numbers of launches; the kernels do nothing."""
    made: Counter[str] = Counter()
    monkeypatch.setattr(launch.Launch, "chunks", lambda *_: made.update(["chunks"]))
    monkeypatch.setattr(launch.Launch, "add_up", lambda *_: made.update(["sums"]))
    return made


@pytest.mark.parametrize("options", [{}, ALL], ids=["plain", "all options"])
@pytest.mark.parametrize("name", PASSES)
def test_a_step_is_one_launch_for_each_pass_and_reads_nothing(
    name: str, options: dict[str, Any], launches: Counter[str]
) -> None:
    with Counted() as counted:  # what a step finds prepared is of another mode otherwise
        params, optimizer = run(Case(name, FLOAT32, options, 0.0), "triton", steps=2)
        give_gradients(params, 2)
        launches.clear()
        counted.calls.clear()
        optimizer.step()
    assert not READS & counted.calls.keys()
    assert launches["chunks"] == PASSES[name][bool(options)]


@pytest.mark.parametrize("name", ["AdamW", "LAMB"])
def test_the_text_of_kernels_is_written_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    params, optimizer = run(Case(name, FLOAT32, ALL, 0.0), "triton", steps=1)
    give_gradients(params, 1)
    monkeypatch.setattr(batch, "launch_of", None)
    optimizer.step()


Act = Callable[[RuleOptimizer, list[Tensor], int], None]


def steps_of(name: str, engine: str, act: Act) -> Run:
    """Five steps, each done by ``act``: parameters and state afterwards."""
    case = Case(name, FLOAT64, {}, 0.0, ((3,), (4, 5)))
    params = parameters(case)
    options = {"lr": 0.1, "momentum": 0.9, "dampening": 0.5} if name == "SGD" else {}
    optimizer = getattr(optim, name)(params, engine=engine, skip_nonfinite=True, **options)
    for step in range(5):
        give_gradients(params, step)
        act(optimizer, params, step)
    return Run(params, optimizer)


def with_a_bad_gradient(optimizer: RuleOptimizer, params: list[Tensor], step: int) -> None:
    if step in (0, 3):
        params[0].grad[0] = torch.inf  # type: ignore[index]
    optimizer.step(zero_grad=True)
    assert not any(p.grad.any() for p in params)  # type: ignore[union-attr]


def without_the_bad_ones(optimizer: RuleOptimizer, params: list[Tensor], step: int) -> None:
    if step not in (0, 3):
        optimizer.step()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of infinities
@pytest.mark.parametrize("name", ["SGD", "AdamW", "NAdam", "LAMB", "Prodigy", "SGDScheduleFree"])
def test_a_step_that_is_skipped_leaves_no_trace(name: str) -> None:
    """Neither in counts, nor in the first step, whose average starts at the gradient."""
    ours, skipping = steps_of(name, "triton", with_a_bad_gradient)
    theirs, plain = steps_of(name, "fused", without_the_bad_ones)
    assert skipping.skipped_steps == 2
    for p, q in zip(ours, theirs, strict=True):
        assert distance(p, q) <= 1e-14
        for key, value in plain.state[q].items():
            assert distance(skipping.state[p][key], value) <= 1e-14
    for group, other in zip(skipping.param_groups, plain.param_groups, strict=True):
        for key in {"d", "d_max", "d_numerator"} & other.keys():
            assert float(group[key]) == pytest.approx(other[key], rel=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("name", ["SGD", "AdamW", "LAMB"])
def test_a_loss_scaler_leaves_scale_and_verdict_to_the_step(name: str, clip: float | None) -> None:
    found = []
    for engine in ("triton", "fused"):
        torch.manual_seed(0)
        weight = torch.randn(4, 4, requires_grad=True)
        optimizer = getattr(optim, name)([weight], engine=engine, max_grad_norm=clip)
        assert optimizer._step_supports_amp_scaling
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        for step in range(4):
            optimizer.zero_grad()
            x = torch.randn(3, 4) * (torch.inf if step in (0, 2) else 1.0)
            scaler.scale((x @ weight).square().mean()).backward()
            scaler.step(optimizer)
            scaler.update()
        found.append((weight.detach(), optimizer.state[weight].get("step"), optimizer.grad_norm))
    (ours, count, norm), (theirs, other_count, other_norm) = found
    assert distance(ours, theirs) <= 1e-6
    assert count == other_count
    assert norm == (None if clip is None else pytest.approx(other_norm, rel=1e-6))


def test_counts_are_saved_loaded_and_copied() -> None:
    """Between engines, of which one has them on the device."""
    params, optimizer = run(Case("AdamW", FLOAT64, {"skip_nonfinite": True}, 0.0), "triton", 2)
    saved = copy.deepcopy(optimizer.state_dict())
    others = [p.detach().clone().requires_grad_() for p in params]
    resumed = AdamW(others, engine="fused")
    resumed.load_state_dict(saved)
    again = copy.deepcopy(optimizer)
    copies = again.param_groups[0]["params"]
    for each in (params, others, copies):
        give_gradients(each, 2)
    for each in (optimizer, resumed, again):
        each.step()
    for p, q, r in zip(params, others, copies, strict=True):
        assert optimizer.state[p]["step"] == resumed.state[q]["step"] == again.state[r]["step"] == 3
        assert distance(p, q) <= 1e-14
        assert torch.equal(p, r)


def test_a_count_that_was_written_is_used() -> None:
    params, optimizer = run(Case("AdamW", FLOAT64, {"skip_nonfinite": True}, 0.0), "triton", 1)
    for p in params:
        optimizer.state[p]["step"].fill_(9)
    give_gradients(params, 1)
    optimizer.step()
    assert {float(optimizer.state[p]["step"]) for p in params} == {10.0}


def test_a_schedule_of_the_optimizer_counts_only_steps_that_are_taken() -> None:
    params = parameters(Case("SGD", FLOAT64, {}, 0.0))
    schedule = gs.parse("linear(4, start=1, end=0)")
    optimizer = SGD(params, lr=schedule, engine="triton", skip_nonfinite=True)
    for step in range(3):
        give_gradients(params, step)
        if step == 1:
            params[1].grad[0] = torch.nan  # type: ignore[index]
        optimizer.step()
    assert optimizer.param_groups[0]["lr"] == schedule(2)
