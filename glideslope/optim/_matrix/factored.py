"""Optimizers that keep the means of a matrix's rows and columns instead of the matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Unpack

import torch
from torch import Tensor

from glideslope import rules
from glideslope.errors import require

from .._base.common import Common
from .._base.hyperparameters import Scalar
from .._base.optimizer import Params
from .._base.step_config import Group
from .directed_optimizer import DirectedOptimizer
from .direction import Direction, Tensors

__all__ = ["Adafactor", "CAME"]


def _factor_shapes(p: Tensor) -> tuple[Sequence[int], Sequence[int]]:
    """The shapes of the means of rows and of columns, the last two dimensions."""
    *outer, rows, columns = p.shape
    return (*outer, rows, 1), (*outer, 1, columns)


def _mean_squares(values: Tensor) -> tuple[Tensor, Tensor]:
    """The mean squares of rows and of columns."""
    squares = values.square()
    return squares.mean(-1, keepdim=True), squares.mean(-2, keepdim=True)


def _root(mean_squares: Iterable[Tensor], least: float) -> Tensor:
    """The root of the matrix that has these means, were it of rank 1."""
    rows, columns = mean_squares
    return rows.sqrt() * (columns / rows.mean(-2, keepdim=True).clamp(min=least)).sqrt()


class OverFactoredRoot(Direction):
    """The gradient over the root of its averaged square, of which the factors are kept."""

    state = ("row_var", "col_var", "variance")

    def shapes(self, p: Tensor, group: Group) -> Mapping[str, Sequence[int]]:
        """Two factors, or the average itself where there is nothing to factor."""
        if p.ndim < 2:
            return {"variance": p.shape}
        return dict(zip(("row_var", "col_var"), _factor_shapes(p), strict=True))

    def __call__(
        self, p: Tensor, g: Tensor, state: Tensors, group: Group, step: int
    ) -> tuple[Tensor, Tensors]:
        """The average forgets less and less."""
        share, least = step ** float(group["beta2_decay"]), group["eps"][0]
        least = torch.finfo(p.dtype).eps if least is None else float(least)
        if p.ndim < 2:
            variance = state["variance"].lerp(g * g, share)
            return g / variance.sqrt().clamp(min=least), {"variance": variance}
        factors = zip(("row_var", "col_var"), _mean_squares(g), strict=True)
        kept = {name: state[name].lerp(mean, share) for name, mean in factors}
        root = _root(kept.values(), least).clamp_(min=least)
        return torch.div(g, root, out=root), kept


class Confident(Direction):
    """The averaged `OverFactoredRoot`, over the root of how far it is from what it averages."""

    state = (
        "exp_avg",
        "exp_avg_sq",
        "exp_avg_sq_row",
        "exp_avg_sq_col",
        "exp_avg_res_row",
        "exp_avg_res_col",
    )

    def shapes(self, p: Tensor, group: Group) -> Mapping[str, Sequence[int]]:
        """The factors of both squares and one average, or two averages."""
        if p.ndim < 2:
            return {"exp_avg": p.shape, "exp_avg_sq": p.shape}
        return {"exp_avg": p.shape, **dict(zip(self.state[2:], 2 * _factor_shapes(p), strict=True))}

    def __call__(
        self, p: Tensor, g: Tensor, state: Tensors, group: Group, step: int
    ) -> tuple[Tensor, Tensors]:
        """Confidence is for matrices only."""
        (beta1, beta2, beta3), (eps1, eps2) = group["betas"], group["eps"]
        root, squares = _averaged_root(state, "exp_avg_sq", g, eps1, beta2)
        update = g / root
        update = update / (_rms(update) / group["clip_threshold"]).clamp(min=1.0)
        average = state["exp_avg"].lerp(update, 1 - beta1)
        if p.ndim < 2:
            return average, {"exp_avg": average, **squares}
        surprise = update - average
        doubt, residues = _averaged_root(state, "exp_avg_res", surprise, eps2, beta3)
        return average / doubt, {"exp_avg": average, **squares, **residues}


def _averaged_root(
    state: Tensors, name: str, values: Tensor, eps: float, beta: float
) -> tuple[Tensor, Tensors]:
    """The root of averaged squares, and what is kept of them: as they are, or their factors."""
    if name in state:
        average = state[name].lerp(values.square() + eps, 1 - beta)
        return average.sqrt(), {name: average}
    names = f"{name}_row", f"{name}_col"
    means = zip(names, _mean_squares(values), strict=True)
    kept = {each: state[each].lerp(mean + eps, 1 - beta) for each, mean in means}
    return _root(kept.values(), 0.0), kept


def _rms(values: Tensor) -> Tensor:
    return values.square().mean().sqrt()


class Adafactor(DirectedOptimizer):
    r"""The gradient over the root of its averaged square, which is kept as two vectors.

    .. math::
        R_t &= R_{t-1} + t^\tau (\operatorname{rows}(G_t^2) - R_{t-1}), \quad
        C_t = C_{t-1} + t^\tau (\operatorname{columns}(G_t^2) - C_{t-1}) \\
        V_t &= \frac{R_t C_t}{\max(\operatorname{mean}(R_t), \epsilon_1)}, \quad
        U_t = \frac{G_t}{\max(\sqrt{V_t}, \epsilon_1)} \\
        P_t &= (1 - \eta\lambda) P_{t-1} - \min\bigl(\eta, t^{-1/2}\bigr)
        \max(\epsilon_2, \operatorname{rms}(P_{t-1}))
        \frac{U_t}{\max(1, \operatorname{rms}(U_t) / d)}

    Rows and columns give the means over them. A parameter of fewer than two dimensions keeps V
    itself; of one with more, the last two are the matrix.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η, the longest step in units of the parameter's length.
        beta2_decay: τ, at most 0.
        eps: ε₁, by default the distance from 1 to the next number of the parameter's dtype, and ε₂.
        d: the greatest length of U, at least 1.
        weight_decay: λ, decoupled from the gradient.
        foreach: taken for torch's sake, without effect: `engine` decides.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([[3.0, -4.0]], requires_grad=True)
        >>> optimizer = Adafactor([weight], lr=0.5)
        >>> weight.square().sum().backward()
        >>> optimizer.step()    # half of the root mean square, 3.5355, for each
        >>> weight
        tensor([[ 1.2322, -2.2322]], requires_grad=True)

    Source: Shazeer and Stern, `Adafactor: Adaptive Learning Rates with Sublinear Memory Cost
    <https://arxiv.org/abs/1804.04235>`_ (2018), in the form of `torch.optim.Adafactor`: the paper
    adds ε₁ to the squares of the gradient and has no η but 0.01.
    """

    rule = rules.adafactor
    direction = OverFactoredRoot()

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-2,
        beta2_decay: Scalar = -0.8,
        eps: tuple[Scalar | None, Scalar] = (None, 1e-3),
        d: Scalar = 1.0,
        weight_decay: Scalar = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        decay, longest = group["beta2_decay"], group["d"]
        require(bool(decay <= 0), "beta2_decay", "be at most 0", decay)
        require(bool(longest >= 1), "d", "be at least 1", longest)


class CAME(DirectedOptimizer):
    r"""Adafactor with momentum, which goes slower where the momentum is uncertain.

    .. math::
        U_t &= \frac{G_t}{\sqrt{\operatorname{factored}_{\beta_2}(G_t^2 + \epsilon_1)}}, \quad
        \hat U_t = \frac{U_t}{\max(1, \operatorname{rms}(U_t) / d)} \\
        M_t &= \beta_1 M_{t-1} + (1 - \beta_1) \hat U_t \\
        P_t &= (1 - \eta\lambda) P_{t-1} - \eta \frac{M_t}
        {\sqrt{\operatorname{factored}_{\beta_3}((\hat U_t - M_t)^2 + \epsilon_2)}}

    where factored averages the means of rows R and of columns C, and gives :math:`R C /
    \operatorname{mean}(R)`. No average is corrected for its start. A parameter of fewer than two
    dimensions keeps its averaged square itself, and steps along M.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η, one to three times smaller than AdamW's.
        eps: ε₁ and ε₂.
        clip_threshold: d, the greatest length of U.
        betas: β₁, β₂ and β₃.
        weight_decay: λ, decoupled from the gradient.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([[3.0, -4.0]], requires_grad=True)
        >>> optimizer = CAME([weight], lr=0.001)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([[ 2.9889, -3.9889]], requires_grad=True)

    Source: Luo et al., `CAME: Confidence-guided Adaptive Memory Efficient Optimization
    <https://arxiv.org/abs/2307.02047>`_ (2023), in the form of their published code: the paper does
    not say what becomes of a vector.
    """

    rule = rules.descent
    direction = Confident()

    def __init__(
        self,
        params: Params,
        lr: Scalar = 2e-4,
        eps: tuple[Scalar, Scalar] = (1e-30, 1e-16),
        clip_threshold: Scalar = 1.0,
        betas: tuple[Scalar, Scalar, Scalar] = (0.9, 0.999, 0.9999),
        weight_decay: Scalar = 0.0,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "eps": eps,
            "clip_threshold": clip_threshold,
            "betas": betas,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        longest = group["clip_threshold"]
        require(bool(longest > 0), "clip_threshold", "be more than 0", longest)
