"""QK-Clip: logits of attention before and after it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope.errors import InvalidType, InvalidValue
from glideslope.optim import qk_clip

ROWS, WIDTH, THRESHOLD = 3, 7, 65.0


def weights(heads: int, keys: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """The weights and biases of queries and of keys; heads differ in size."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.arange(1.0, 1 + heads).repeat_interleave(ROWS)[:, None] / 2
    made = [
        torch.randn(n * ROWS, k, generator=generator) for k in (WIDTH, 1) for n in (heads, keys)
    ]
    made[0] *= sizes
    return [each.to(dtype).squeeze(1).requires_grad_() for each in made]


def logits(query: Tensor, key: Tensor, query_bias: Tensor, key_bias: Tensor) -> Tensor:
    """The logits of each head for pairs of inputs."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(20, WIDTH, generator=generator, dtype=torch.float64)
    q, k = (
        (x @ w.T + b).unflatten(1, (-1, ROWS)) for w, b in ((query, query_bias), (key, key_bias))
    )
    k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
    return torch.einsum("ihr,jhr->hij", q, k).detach()


@pytest.mark.parametrize("keys", [4, 2, 1])
def test_large_logits_are_those_of_the_threshold_and_others_stay(keys: int) -> None:
    query, key, query_bias, key_bias = parts = weights(4, keys)
    before = logits(*parts)
    largest = before.amax((1, 2))
    assert 0 < (largest > THRESHOLD).sum() < 4 or keys < 4
    factors = qk_clip(query, key, largest, THRESHOLD)
    qk_clip(query_bias, key_bias, largest.tolist(), THRESHOLD)
    expected = (THRESHOLD / largest).clamp(max=1)
    torch.testing.assert_close(factors.double(), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(
        logits(*parts), before * expected[:, None, None], rtol=1e-6, atol=1e-6
    )


def test_each_takes_its_half_and_parts_of_a_weight_are_written_to() -> None:
    query, key, *_ = weights(2, 2, torch.float32)
    fused = torch.cat([query, key, key]).detach().requires_grad_()
    first, second, third = fused.split(2 * ROWS)
    qk_clip(first, second, [20.0, 1.0], 5.0)
    torch.testing.assert_close(fused[:ROWS], query[:ROWS] / 2)
    torch.testing.assert_close(fused[2 * ROWS : 3 * ROWS], key[:ROWS] / 2)
    assert torch.equal(fused[ROWS : 2 * ROWS], query[ROWS:])
    assert torch.equal(third, key)


def test_keys_that_heads_share_take_the_root_of_the_least_factor() -> None:
    query, key, *_ = weights(4, 2)
    start = key.detach().clone()
    qk_clip(query, key, [400.0, 1600.0, 1.0, 2.0])
    torch.testing.assert_close(key[:ROWS], start[:ROWS] / 4)
    assert torch.equal(key[ROWS:], start[ROWS:])


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "threshold": ({"threshold": 0.0}, InvalidValue, "`threshold` must be more than 0, got 0.0"),
    "heads": (
        {"max_logits": [9.0] * 4},
        InvalidValue,
        "`max_logits` must be numbers of heads that",
    ),
    "none": ({"max_logits": []}, InvalidValue, "`max_logits` must be numbers of heads that"),
    "nan": ({"max_logits": [9.0, torch.nan]}, InvalidValue, "`max_logits` must be finite, got"),
    "keys": ({"key": torch.ones(4, 7)}, InvalidValue, "`key` must have a head of 3 rows for each"),
    "no tensor": ({"key": None}, InvalidType, "`key` must be a tensor, got None"),
}


@pytest.mark.parametrize(("options", "error", "words"), BAD.values(), ids=BAD)
def test_what_does_not_fit_is_refused_and_nothing_is_changed(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    query, key, *_ = weights(2, 2)
    before = query.detach().clone()
    usual = {"key": key, "max_logits": [200.0, 200.0]}
    with pytest.raises(error, match=words):
        qk_clip(query, **{**usual, **options})
    assert torch.equal(query, before)
