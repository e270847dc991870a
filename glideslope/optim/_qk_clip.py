"""Queries and keys scaled down, head by head, where logits of attention are too large."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from glideslope.distributed import is_sharded
from glideslope.errors import require, require_type


@torch.no_grad()
def qk_clip(
    query: Tensor, key: Tensor, max_logits: Tensor | Sequence[float], threshold: float = 100.0
) -> Tensor:
    r"""QK-Clip: scale queries and keys so that no head has a logit above a threshold.

    .. math:: \gamma_h = \min(1, \tau / S_h)

    The logits of each head are multiplied by its γ. Where each head has its own keys, queries and
    keys take √γ each. Where heads share keys, these take the root of the least γ among them, and
    the queries of each head what is left.

    Call it after ``optimizer.step()``, for each layer. For weights with a bias call it again for
    the biases. Where a process group shares out the batch, reduce the logits to their maximum
    first: the ranks must scale alike.

    Args:
        query: the weight of the queries, such as that of a `torch.nn.Linear`: the rows of head 0,
            then those of head 1, and so on. It may be a part of a larger weight, and is written to.
        key: that of the keys; a head has as many rows as in ``query``, and consecutive heads of
            queries share one of keys where there are fewer.
        max_logits: S, the largest logit of each head of queries since the last call, before the
            softmax and with all factors of the model's.
        threshold: τ.

    Returns:
        γ of each head.

    Raises:
        InvalidValue: the heads do not make up the rows, a logit is not finite, or the threshold is
            not above 0. Then nothing was changed.

    Example:
        >>> import torch
        >>> query, key = torch.ones(4, 2), torch.ones(4, 2)    # two heads of two rows
        >>> qk_clip(query, key, max_logits=[400.0, 90.0])
        tensor([0.2500, 1.0000])
        >>> query[:, 0], key[:, 0]
        (tensor([0.5000, 0.5000, 1.0000, 1.0000]), tensor([0.5000, 0.5000, 1.0000, 1.0000]))

    Source: Kimi Team, `Kimi K2 <https://arxiv.org/abs/2507.20534>`_ (2025), section 2.1.
    """
    require(threshold > 0, "threshold", "be more than 0", threshold)
    logits = torch.as_tensor(max_logits, dtype=torch.float32, device=query.device).detach()
    _check(query, key, logits)
    factors = (threshold / logits.clamp(min=threshold)).clamp(max=1.0)
    heads, rows = len(logits), len(query) // len(logits)
    own = heads * rows // len(key)
    shared = factors.view(-1, own).amin(1).sqrt()
    if bool((factors < 1).any()):
        _scale(key, shared, rows)
        _scale(query, factors / shared.repeat_interleave(own), rows)
    return factors


def _check(query: Tensor, key: Tensor, logits: Tensor) -> None:
    for name, tensor in (("query", query), ("key", key)):
        require_type(isinstance(tensor, Tensor), name, "be a tensor", tensor)
    heads, rows = logits.numel(), len(query)
    fits = logits.ndim == 1 and heads > 0 and rows > 0 and rows % heads == 0
    require(fits, "max_logits", f"be numbers of heads that make up {rows} rows", logits.tolist())
    require(bool(logits.isfinite().all()), "max_logits", "be finite", logits.tolist())
    each = rows // heads
    fits = len(key) > 0 and rows % len(key) == 0 and len(key) % each == 0
    rule = f"have a head of {each} rows for each of the {heads} heads of `query`, or share them"
    require(fits, "key", rule, tuple(key.shape))


def _scale(weight: Tensor, factors: Tensor, rows: int) -> None:
    """Multiply the rows of each head by its factor."""
    column = factors.repeat_interleave(rows).to(weight.dtype)
    column = column.view(-1, *[1] * (weight.ndim - 1))
    if is_sharded(weight):
        from torch.distributed.tensor import DTensor, Replicate

        mesh = weight.device_mesh
        everywhere = [Replicate()] * mesh.ndim
        column = DTensor.from_local(column, mesh, everywhere, run_check=False)
    weight.mul_(column)
