"""SOAP: Adam in the directions in which gradients have varied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import Unpack

import torch
from torch import Tensor

from glideslope import rules
from glideslope.errors import require

from .._base.common import Common
from .._base.hyperparameters import Scalar, require_fraction
from .._base.optimizer import Params
from .._base.step_config import Group
from .directed_optimizer import DirectedOptimizer
from .direction import Direction, Tensors

__all__ = ["SOAP"]

SIDES = ("row", "col")
OTHER = {"row": "col", "col": "row"}

FIRST_EIGENVALUE, WIDEST = 0.1, 4000
"""Constants of the code of Lin et al.: where eigenvalues start, and what bounds their floor."""


class Rotated(Direction):
    """The direction of Adam's step, taken in bases that turn with the gradients.

    For each side of the matrix the average of its gradients' products, the covariance, and its
    eigenvectors, the basis, are kept. Both averages of Adam are of gradients in the bases.
    """

    state = (
        "exp_avg",
        "exp_avg_sq",
        "row_covariance",
        "col_covariance",
        "row_basis",
        "col_basis",
        "row_eigenvalues",
        "col_eigenvalues",
    )
    widened = frozenset(state)
    switches = MappingProxyType({f"{side}_eigenvalues": "kl" for side in SIDES})

    def shapes(self, p: Tensor, group: Group) -> dict[str, Sequence[int]]:
        """Two squares for each side that turns, beside Adam's averages."""
        kept: dict[str, Sequence[int]] = {"exp_avg": p.shape, "exp_avg_sq": p.shape}
        sides = _matrix(p).shape if p.ndim > 1 else ()
        for name, side in zip(SIDES, sides, strict=False):
            if side <= group["max_precond_dim"]:
                kept |= {f"{name}_covariance": (side, side), f"{name}_basis": (side, side)}
                kept |= {f"{name}_eigenvalues": (side,)} if group["kl"] else {}
        return kept

    def start(self, name: str, p: Tensor) -> float:
        """0, but for eigenvalues, which divide."""
        return FIRST_EIGENVALUE if name.endswith("eigenvalues") else 0.0

    def __call__(
        self, p: Tensor, g: Tensor, state: Tensors, group: Group, step: int
    ) -> tuple[Tensor, Tensors]:
        """The first gradient finds the bases; Adam begins with the second."""
        g, shape = _matrix(g), g.shape
        averages: Tensors = {name: _matrix(state[name]) for name in ("exp_avg", "exp_avg_sq")}
        covariances, bases = _kept(state, "covariance"), _kept(state, "basis")
        found = torch.zeros_like(g)
        if step > 1:
            found, averages = _adam_step(g, averages, bases, group, step - 1)
        values, share = _kept(state, "eigenvalues"), _covariance_share(group)
        halves = _whitened(g, bases if step > 1 else {}, values) if group["kl"] else _plain(g)
        covariances = {
            k: old.lerp(halves[k] @ halves[k].T, share) for k, old in covariances.items()
        }
        if step == 1:
            bases = {name: _eigenvectors(each) for name, each in covariances.items()}
        else:
            values = {k: _eigenvalues(v, bases[k], halves[k], share) for k, v in values.items()}
            if (step - 1) % group["precondition_frequency"] == 0:
                averages, bases, values = _refreshed(averages, covariances, bases, values)
        kept = {name: value.reshape(shape) for name, value in averages.items()}
        return found.reshape(shape), {
            **kept,
            **{f"{name}_covariance": value for name, value in covariances.items()},
            **{f"{name}_basis": value for name, value in bases.items()},
            **{f"{name}_eigenvalues": value for name, value in values.items()},
        }


def _adam_step(
    g: Tensor, averages: Tensors, bases: Tensors, group: Group, step: int
) -> tuple[Tensor, Tensors]:
    """The direction of a step of Adam in the bases, which is a step from 0 at the rate -1."""
    beta1, beta2 = group["betas"]
    scalars = {"lr": -1.0, "beta1": beta1, "beta2": beta2, "eps": group["eps"]}
    options = dict.fromkeys(rules.adam.options, False)
    found, exp_avg, exp_avg_sq, _ = rules.adam(
        0.0,
        _into(g, bases),
        averages["exp_avg"],
        averages["exp_avg_sq"],
        None,
        weight_decay=0.0,
        step=step,
        **scalars,
        **options,
    )
    return _out_of(found, bases), {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}


def _matrix(tensor: Tensor) -> Tensor:
    """The first dimension against all others; a vector or a number stays as it is."""
    return tensor.flatten(1) if tensor.ndim > 1 else tensor


def _kept(state: Tensors, kind: str) -> Tensors:
    """The covariances, bases or eigenvalues that there are, by side."""
    return {name: state[f"{name}_{kind}"] for name in SIDES if f"{name}_{kind}" in state}


def _covariance_share(group: Group) -> float:
    """The weight of the new products in the covariances."""
    beta = group["betas"][1] if group["shampoo_beta"] is None else group["shampoo_beta"]
    return 1.0 - float(beta)


def _plain(g: Tensor) -> Tensors:
    """For each side the matrix whose product with its transpose is new in the covariance."""
    return {"row": g, "col": g.T} if g.ndim > 1 else {}


def _whitened(g: Tensor, bases: Tensors, values: Tensors) -> Tensors:
    """The same for the Kullback-Leibler divergence: divided by the root of the other covariance."""
    halves = {}
    for name, half in _plain(g).items():
        other = OTHER[name]
        if other in bases:
            half = half @ bases[other] * values[other].rsqrt()
        halves[name] = half / math.sqrt(half.shape[-1])
    return halves


def _eigenvalues(old: Tensor, basis: Tensor, half: Tensor, share: float) -> Tensor:
    """The averaged variances along the axes of a basis, no less than a floor."""
    floor = max(10, min(len(old), WIDEST)) ** -2.0
    return old.lerp((basis.T @ half).square().sum(1), share).clamp(min=floor)


def _into(matrix: Tensor, bases: Tensors) -> Tensor:
    """A matrix in the coordinates of the bases."""
    if "row" in bases:
        matrix = bases["row"].T @ matrix
    return matrix @ bases["col"] if "col" in bases else matrix


def _out_of(matrix: Tensor, bases: Tensors) -> Tensor:
    """The inverse of `_into`."""
    return _into(matrix, {name: basis.T for name, basis in bases.items()})


def _eigenvectors(covariance: Tensor) -> Tensor:
    """The eigenvectors, those of the largest eigenvalues first; of no numbers there are none."""
    if not covariance.isfinite().all():
        return torch.full_like(covariance, math.nan)  # as the parameter after any other optimizer
    # In float32 LAPACK finds no eigenvectors, or NaN, of one singular matrix in fifteen: of
    # gradients of an embedding, whose rows for tokens that are not in the batch are 0.
    vectors: Tensor = torch.linalg.eigh(covariance.double()).eigenvectors
    return vectors.flip(1).to(covariance.dtype)


def _refreshed(
    averages: Tensors, covariances: Tensors, bases: Tensors, values: Tensors
) -> tuple[Tensors, Tensors, Tensors]:
    """Bases that are nearer to the eigenvectors, and the averages as they are seen in them.

    The averaged gradient is turned along. Squares cannot be: those of each axis go where it goes,
    and so do eigenvalues.
    """
    exp_avg, exp_avg_sq = _out_of(averages["exp_avg"], bases), averages["exp_avg_sq"]
    turned: dict[str, Tensor] = {}
    moved: dict[str, Tensor] = {}
    for axis, name in enumerate(SIDES):
        if name in bases:
            turned[name], order = _power_iteration(covariances[name], bases[name])
            exp_avg_sq = exp_avg_sq.index_select(axis, order)
            moved |= {name: values[name][order]} if name in values else {}
    return {"exp_avg": _into(exp_avg, turned), "exp_avg_sq": exp_avg_sq}, turned, moved


def _power_iteration(covariance: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """One step towards the eigenvectors, and the new position of each axis of the old basis."""
    product = covariance @ basis
    order = (basis * product).sum(0).argsort(descending=True)
    return torch.linalg.qr(product[:, order]).Q, order


class SOAP(DirectedOptimizer):
    r"""Adam in the eigenvectors of the gradients' covariances: Shampoo's bases, Adam's step.

    .. math::
        G'_t &= Q_L^\top G_t Q_R, \quad D_t = Q_L \operatorname{Adam}(G'_t) Q_R^\top, \quad
        P_t = (1 - \eta\lambda) (P_{t-1} - \eta D_t) \\
        L_t &= \beta L_{t-1} + (1 - \beta) G_t G_t^\top, \quad
        R_t = \beta R_{t-1} + (1 - \beta) G_t^\top G_t

    The first gradient only starts L and R, whose eigenvectors become Q; nothing moves. Every
    ``precondition_frequency`` steps Q is improved by one power iteration and made orthogonal
    again; the averaged gradient turns with it, and the averaged squares follow their axes. Of a
    parameter with more than two dimensions, the first is the rows and all others the columns. One
    of fewer is updated as by Adam.

    State is always float32 or wider: for a square matrix, six times as many numbers as it has.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: Adam's β₁ and β₂.
        shampoo_beta: β; by default β₂.
        eps: Adam's ε, added to the corrected root.
        weight_decay: λ, decoupled from the gradient, after the step.
        precondition_frequency: how many steps bases are kept.
        max_precond_dim: a longer side is not turned: it keeps its own axes.
        kl: KL-SOAP, whose L and R minimise the Kullback-Leibler divergence from the covariance of
            the gradients: for m rows and n columns L averages :math:`G R^{-1} G^\top / n` and R
            :math:`G^\top L^{-1} G / m`, with averaged eigenvalues in the present bases.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([[3.0, 0.0], [0.0, 2.0]], requires_grad=True)
        >>> optimizer = SOAP([weight], lr=0.5, weight_decay=0.0)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     weight.square().sum().backward()
        ...     optimizer.step()    # the first only finds the bases
        >>> weight
        tensor([[2.5000, 0.0000],
                [0.0000, 1.5000]], requires_grad=True)

    Source: Vyas et al., `SOAP: Improving and Stabilizing Shampoo using Adam
    <https://arxiv.org/abs/2409.11321>`_ (2024), in the form of their published code, but for two
    things: ε is added after the correction of the root, as in `Adam`, not before; and the averaged
    gradient stays in the bases between two of their changes, which is the same number. ``kl``: Lin
    et al., `Understanding and Improving Shampoo and SOAP via Kullback-Leibler Minimization
    <https://arxiv.org/abs/2509.03378>`_ (2025), with the eigenvalues of their published code, and
    SOAP's order of axes and correction of Adam's averages, which it lacks.
    """

    rule = rules.soap
    direction = Rotated()

    def __init__(
        self,
        params: Params,
        lr: Scalar = 3e-3,
        betas: tuple[Scalar, Scalar] = (0.95, 0.95),
        shampoo_beta: Scalar | None = None,
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 1e-2,
        precondition_frequency: int = 10,
        max_precond_dim: int = 10_000,
        kl: bool = False,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "shampoo_beta": shampoo_beta,
            "eps": eps,
            "weight_decay": weight_decay,
            "precondition_frequency": precondition_frequency,
            "max_precond_dim": max_precond_dim,
            "kl": kl,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        steps, longest, beta = (
            group[name] for name in ("precondition_frequency", "max_precond_dim", "shampoo_beta")
        )
        require(steps >= 1, "precondition_frequency", "be at least 1", steps)
        require(longest >= 0, "max_precond_dim", "be at least 0", longest)
        if beta is not None:
            require_fraction("shampoo_beta", beta)
