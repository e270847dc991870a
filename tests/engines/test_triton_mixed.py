"""The Triton engine with several dtypes in one step, and past 2^31 elements."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope.optim import AdamW, RuleOptimizer

pytest.importorskip("triton", reason="Triton has no wheels for this platform")

from glideslope.engines._triton import launch

from .triton_cases import BFLOAT16, CHUNK, FLOAT16, FLOAT32, FLOAT64, Case, Run, distance, run

ALL: dict[str, Any] = {"max_grad_norm": 0.5, "skip_nonfinite": True, "ema_decay": 0.75}
DTYPES = (FLOAT32, BFLOAT16, FLOAT16, FLOAT64)
FAR = 2**33
"""Elements in front of those that a kernel is made to see."""


def mixed(engine: Any, **options: Any) -> tuple[list[Tensor], RuleOptimizer]:
    """Parameters of all dtypes after three steps; the gradients of the second are not finite."""
    generator = torch.Generator().manual_seed(0)
    params = [torch.randn(30, generator=generator).to(dtype).requires_grad_() for dtype in DTYPES]
    optimizer = AdamW(params, lr=0.1, engine=engine, **options)
    for step in range(3):
        for p in params:
            p.grad = torch.randn(30, generator=generator).to(p.dtype)
        if step == 1:
            params[2].grad[4] = torch.inf  # type: ignore[index]
        optimizer.step()
    return params, optimizer


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of infinities
def test_dtypes_share_a_norm_and_a_verdict() -> None:
    ours, optimizer = mixed("triton", **ALL)
    theirs, plain = mixed("fused", **ALL)
    assert optimizer.skipped_steps == plain.skipped_steps == 1
    assert optimizer.grad_norm == pytest.approx(plain.grad_norm, rel=1e-12)
    for p, q in zip(ours, theirs, strict=True):
        assert distance(p, q) <= 1e-6  # less than a unit of 16 bits
        assert p.dtype == q.dtype


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)
def test_elements_past_two_to_the_thirty_third(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays start so far in front of their memory that the kernel reaches it at these elements."""
    case = Case("AdamW", dtype, {"ema_decay": 0.75}, 0.0, ((CHUNK + 70,), (3,)))
    expected = run(case, "triton")
    started = launch.Launch.chunks

    def far(self: launch.Launch, owners: Tensor, tensors: Tensor, *rest: Any) -> None:
        moved = tensors.clone()
        moved[:, 0] += FAR
        moved[:, 2] -= FAR // CHUNK
        moved[:, 3:] -= FAR * dtype.itemsize
        started(self, owners, moved, *rest)

    monkeypatch.setattr(launch.Launch, "chunks", far)
    same(run(case, "triton"), expected)


def same(one: Run, other: Run) -> None:
    for p, q in zip(one.parameters, other.parameters, strict=True):
        assert torch.equal(p, q)
        assert torch.equal(one.optimizer.state[p]["ema"], other.optimizer.state[q]["ema"])
