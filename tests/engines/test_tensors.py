"""Tensors that are updated as one list get the numbers that they get one by one, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope.engines import _tensor
from glideslope.engines._tensors import Tensors
from glideslope.optim import AdamW, RuleOptimizer, available
from glideslope.rules import clip, maximum, mean, minimum, norm, sign, sqrt, where

SHAPES = ((4, 3), (2, 2), (5, 1), (3, 4))
OPTIMIZERS = [row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)]
OPTIONS = {
    "plain": {},
    "folded": {"max_grad_norm": 0.1, "ema_decay": 0.9},
}


def trained(name: str, dtype: torch.dtype, **options: Any) -> list[Tensor]:
    """Parameters after three steps."""
    kind = next(row.optimizer for row in available() if row.name == name)
    torch.manual_seed(0)
    params = [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in SHAPES]
    optimizer = kind(params, engine="tensor", **options)  # type: ignore[call-arg]
    for _ in range(3):
        for p in params:
            p.grad = torch.randn_like(p)
        optimizer.step(zero_grad=True)  # type: ignore[call-arg]
    return [p.detach() for p in params]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_list_is_updated_as_its_members_are(
    name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = trained(name, torch.float32, **options)
    monkeypatch.setattr(_tensor, "CACHED", 0)
    apart = trained(name, torch.float32, **options)
    assert all(map(torch.equal, together, apart))


@pytest.mark.parametrize("rounding", ["nearest", "compensated"])
def test_lists_of_16_bits(rounding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    together = trained("AdamW", torch.bfloat16, rounding=rounding)
    monkeypatch.setattr(_tensor, "CACHED", 0)
    assert all(map(torch.equal, together, trained("AdamW", torch.bfloat16, rounding=rounding)))


def test_parameters_at_different_steps_are_in_different_lists() -> None:
    first, second = (torch.ones(2, requires_grad=True) for _ in range(2))
    optimizer = AdamW([first, second], lr=0.5, weight_decay=0.0, engine="tensor")
    first.grad = torch.ones(2)
    optimizer.step()
    second.grad = torch.ones(2)
    optimizer.step()
    torch.testing.assert_close(first.detach(), torch.zeros(2), rtol=0, atol=1e-6)
    torch.testing.assert_close(second.detach(), torch.full((2,), 0.5), rtol=0, atol=1e-6)


def test_a_tensor_for_a_rate_moves_a_list() -> None:
    params = [torch.ones(shape, requires_grad=True) for shape in SHAPES]
    optimizer = AdamW(params, lr=torch.tensor(0.5), weight_decay=0.0, engine="tensor")
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    for p in params:
        torch.testing.assert_close(p.detach(), torch.full_like(p, 0.5), rtol=0, atol=1e-6)


WORDS: dict[str, Callable[[Any, Any], Any]] = {
    "arithmetic": lambda x, y: (1.5 - x) * y / 3 + (-x) - y * 0.5,
    "quotients": lambda x, y: 2.0 / (1 + abs(x)) + x / (abs(y) + 1),
    "roots and signs": lambda x, y: sqrt(abs(x)) * sign(y),
    "extremes": lambda x, y: maximum(x, y) - minimum(x, 0.1) + clip(y, -0.2, 0.3),
    "choices": lambda x, y: where((x > 0) & (y <= 0) | (x < -1) | (y >= 2), x, 0.0),
    "totals": lambda x, y: x * norm(y) + mean(x) - y / maximum(1.0, norm(x)),
    "numbers that are tensors": lambda x, y: (
        x * torch.tensor(2.0) + torch.tensor(3.0) - torch.tensor(1.0) / (2 + abs(y))
    ),
}


@pytest.mark.parametrize("formula", WORDS.values(), ids=WORDS)
def test_every_word_means_the_same(formula: Callable[[Any, Any], Any]) -> None:
    generator = torch.Generator().manual_seed(0)
    xs, ys = ([torch.randn(s, generator=generator) for s in SHAPES] for _ in range(2))
    for member, x, y in zip(formula(Tensors(xs), Tensors(ys)).members, xs, ys, strict=True):
        assert torch.equal(member, formula(x, y))
