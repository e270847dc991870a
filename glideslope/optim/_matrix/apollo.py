"""APOLLO: the gradient, scaled by what Adam would do in a space of a few random axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Unpack

import torch
from torch import Tensor

from glideslope import rules
from glideslope.engines import generator_of
from glideslope.errors import require

from .._base.common import Common
from .._base.hyperparameters import Scalar, at_start, require_number
from .._base.optimizer import Params
from .._base.step_config import Group
from .blocks import is_count
from .directed_optimizer import DirectedOptimizer
from .direction import Direction, Tensors

__all__ = ["APOLLO"]

ScaleType = Literal["channel", "tensor"]

GROWTH, TINY = 1.01, 1e-8
"""How much longer a direction may be than the last one, and what is added to norms that divide."""
LENGTH = "scaled_grad_norm"


class ScaledByProjection(Direction):
    """The gradient times the factors by which Adam changes the length of its projection."""

    state = ("exp_avg", "exp_avg_sq", LENGTH)
    widened = frozenset({LENGTH})

    def shapes(self, p: Tensor, group: Group) -> Mapping[str, Sequence[int]]:
        """Adam's averages, of the projection, and the length of the last direction."""
        rows, columns = p.shape
        rank = min(group["rank"], rows, columns)
        low = (rows, rank) if rows >= columns else (rank, columns)
        return {"exp_avg": low, "exp_avg_sq": low, LENGTH: (1,)}

    def __call__(
        self, p: Tensor, g: Tensor, state: Tensors, group: Group, step: int
    ) -> tuple[Tensor, Tensors]:
        """The averages are not corrected for their start: that is a part of the rate."""
        beta1, beta2 = group["betas"]
        low = _projected(g, group["rank"], (step - 1) // group["update_proj_gap"])
        average = state["exp_avg"].lerp(low, 1 - float(beta1))
        squares = state["exp_avg_sq"].lerp(low.square(), 1 - float(beta2))
        normed = average / (squares.sqrt() + float(group["eps"]))
        axes = (0, 1) if group["scale_type"] == "tensor" else (int(_is_tall(g)),)
        factors = normed.norm(dim=axes, keepdim=True) / (low.norm(dim=axes, keepdim=True) + TINY)
        found, length = _limited(g * factors, state[LENGTH])
        kept = {"exp_avg": average, "exp_avg_sq": squares, LENGTH: length}
        return found * math.sqrt(group["scale"]), kept


def _is_tall(matrix: Tensor) -> bool:
    return matrix.shape[0] >= matrix.shape[1]


def _projected(g: Tensor, rank: int, seed: int) -> Tensor:
    """A matrix whose shorter side is projected onto random axes, as many as the rank."""
    shorter = min(g.shape)
    shape = (min(rank, shorter), shorter)
    drawn = torch.randn(shape, generator=generator_of(g.device, seed), device=g.device)
    axes = drawn.to(g.dtype) / math.sqrt(shape[0])
    return g @ axes.T if _is_tall(g) else axes @ g


def _limited(found: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """A direction that is not much longer than the last, and its length.

    A length of 0 limits nothing: it is that of a matrix without a gradient, or of none before.
    """
    length = found.norm()
    excess = (length / (last + TINY) / GROWTH).clamp(min=1.0)
    excess = torch.where(last > 0, excess, torch.ones_like(excess))
    return found / excess, length / excess


class APOLLO(DirectedOptimizer):
    r"""The gradient with rows or columns as long as Adam's, whose state is of a projection.

    For a matrix of m rows and n columns, m < n, with a random matrix :math:`\Pi` of r rows:

    .. math::
        R_t &= \Pi G_t, \quad
        M_t = \beta_1 M_{t-1} + (1 - \beta_1) R_t, \quad
        V_t = \beta_2 V_{t-1} + (1 - \beta_2) R_t^2 \\
        s_j &= \frac{\lVert (M_t / (\sqrt{V_t} + \epsilon))_{:j} \rVert}{\lVert R_{t,:j} \rVert},
        \quad D_t = G_t \operatorname{diag}(s), \quad
        \eta_t = \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \\
        P_t &= (1 - \eta\lambda) (P_{t-1} - \eta_t \sqrt{\alpha} D_t)

    The factors of a matrix that is not wide are of its rows. No D is longer than 1.01 times the
    last. So the state is 2 r n numbers where Adam's is 2 m n: a fourth at r = m / 4. With ``rank``
    1, ``scale_type`` ``"tensor"`` and ``scale`` 128 this is APOLLO-Mini, whose state is nearly
    nothing. The axes are drawn from the number of the update and the shape, so they are not kept,
    and a run that is resumed has the same.

    Embeddings, the output layer, and all that is no matrix are better left to AdamW, which updates
    the groups whose ``rank`` is None::

        groups = param_groups(model, use_muon=True)     # which says what is a hidden matrix
        APOLLO([{**group, "rank": 256 if group["use_muon"] else None} for group in groups])

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the root of V; for AdamW to the corrected root.
        weight_decay: λ, decoupled from the gradient, after the step; for AdamW before it.
        rank: r, at most the shorter side; None leaves a group to AdamW.
        scale: α, of which the root multiplies directions.
        scale_type: ``"channel"`` for a factor of each row or column, ``"tensor"`` for one of each
            matrix.
        update_proj_gap: after how many updates other axes are drawn.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.ones(64, 64, requires_grad=True)
        >>> optimizer = APOLLO([weight], lr=0.01, rank=4)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> optimizer.state[weight]["exp_avg"].shape
        torch.Size([64, 4])

    Source: Zhu et al., `APOLLO: SGD-like Memory, AdamW-level Performance
    <https://arxiv.org/abs/2412.05270>`_ (2024), in the form of their published code, but for three
    things: a direction of length 0 does not limit the next one, which in the code all but stops a
    matrix that once had no gradient; matrices of one shape share their axes; and a side that is
    shorter than r bounds it.
    """

    rule = rules.apollo
    direction = ScaledByProjection()
    companion = rules.adam
    _of_several_forms = frozenset({"rank"})

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-6,
        weight_decay: Scalar = 0.0,
        rank: int | None = 256,
        scale: float = 1.0,
        scale_type: ScaleType = "channel",
        update_proj_gap: int = 200,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "rank": rank,
            "scale": scale,
            "scale_type": scale_type,
            "update_proj_gap": update_proj_gap,
            "maximize": maximize,
            "amsgrad": False,
            "decoupled_weight_decay": True,
        }
        super().__init__(params, defaults, **common)

    def _is_directed(self, p: Tensor, group: Group) -> bool:
        return p.ndim == 2 and group["rank"] is not None

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        rank, scale, kind = (group[name] for name in ("rank", "scale", "scale_type"))
        require(rank is None or is_count(rank), "rank", "be at least 1, or None", rank)
        gap = group["update_proj_gap"]
        require(is_count(gap), "update_proj_gap", "be at least 1", gap)
        require_number("scale", at_start(scale))
        require(bool(at_start(scale) > 0), "scale", "be more than 0", scale)
        known = ("channel", "tensor")
        require(kind in known, "scale_type", f"be one of {', '.join(known)}", kind)
