"""PSGD Kron: momentum whitened on both sides by factors that are fitted to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Unpack

import torch
from torch import Tensor

from glideslope import rules
from glideslope.engines import generator_of
from glideslope.errors import require

from .._base.common import Common
from .._base.hyperparameters import Scalar, at_start, require_fraction, require_number
from .._base.optimizer import Params
from .._base.step_config import Group
from .directed_optimizer import DirectedOptimizer
from .direction import Direction, Tensors

__all__ = ["Kron"]

SIDES = ("row", "col")
PROBABILITY = "preconditioner_update_probability"

FLAT, FALL, LEAST = 500, 1e-3, 0.03
"""How many updates fit the factors each time, and how fast to what the probability falls then."""
BALANCED = 0.01
"""How many of the fits are preceded by a balance."""
LONGEST, TINY = 1.1, 1e-8
"""The largest root of the mean square of a direction, and what is added to those that divide."""
LEAST_NORM = 1e-38

Operation = Callable[[Tensor, Tensor], Tensor]


class Whitened(Direction):
    """The averaged gradient, preconditioned by the square of a triangular factor on each side."""

    state = ("momentum_buffer", "row_factor", "col_factor")
    widened = frozenset({"row_factor", "col_factor"})

    def shapes(self, p: Tensor, group: Group) -> Mapping[str, Sequence[int]]:
        """A square for each side, or its diagonal where the side is long, or 1, or all there is."""
        kept: dict[str, Sequence[int]] = {"momentum_buffer": p.shape}
        for name, side in zip(SIDES, _matrix(p).shape[: max(1, min(p.ndim, 2))], strict=False):
            is_full = p.ndim > 1 and 1 < side <= group["max_size_triangular"]
            kept[f"{name}_factor"] = (side, side) if is_full else (side,)
        return kept

    def __call__(
        self, p: Tensor, g: Tensor, state: Tensors, group: Group, step: int
    ) -> tuple[Tensor, Tensors]:
        """Average the gradient, fit the factors to the average in some steps, and apply them."""
        beta, chance = float(group["momentum"]), Random(step)
        average = state["momentum_buffer"].lerp(g, 1 - beta)
        momentum = _matrix(average) / (1 - beta**step)
        factors = [state[f"{name}_factor"] for name in SIDES if f"{name}_factor" in state]
        if step == 1:
            factors = [_identity(factor) for factor in factors]
        if chance.random() < _probability(group[PROBABILITY], step):
            if chance.random() < BALANCED:
                factors = _balanced(factors)
            factors = _fitted(factors, momentum, step, float(group["precond_lr"]))
        found = _on_sides(_transposed_times, factors, _on_sides(_times, factors, momentum))
        found = found * (LONGEST / (found.square().mean().sqrt() + TINY)).clamp(max=1.0)
        kept = {f"{name}_factor": each for name, each in zip(SIDES, factors, strict=False)}
        return found.reshape(g.shape), {"momentum_buffer": average, **kept}


def _matrix(tensor: Tensor) -> Tensor:
    """The first dimension against all others; a vector or a number as a column."""
    return tensor.flatten(1) if tensor.ndim > 1 else tensor.reshape(-1, 1)


def _identity(factor: Tensor) -> Tensor:
    ones = torch.ones_like(factor)
    return ones if factor.ndim == 1 else ones.tril().triu()


def _probability(given: Scalar | None, step: int) -> float:
    """The probability that an update fits the factors; by default the published one."""
    if given is not None:
        return float(given)  # type: ignore[arg-type]  # a schedule gives a number
    return min(1.0, max(LEAST, math.exp(-FALL * (step - 1 - FLAT))))


def _balanced(factors: list[Tensor]) -> list[Tensor]:
    """The same product of factors whose largest elements are equal."""
    norms = torch.stack([factor.abs().max() for factor in factors])
    mean = norms.log().mean().exp()
    return [factor * (mean / norm) for factor, norm in zip(factors, norms, strict=True)]


def _fitted(factors: list[Tensor], momentum: Tensor, seed: int, rate: float) -> list[Tensor]:
    """One step of each factor towards whitened momentum, against noise that is white."""
    noise = torch.randn(
        momentum.shape, generator=generator_of(momentum.device, seed), device=momentum.device
    )
    whitened = _on_sides(_times, factors, momentum)
    coloured = _on_sides(_inverse_transposed_times, factors, noise.to(momentum.dtype))
    pairs = (whitened, coloured), (whitened.T, coloured.T)
    return [
        _stepped(factor, _squared(one, factor.ndim), _squared(other, factor.ndim), rate)
        for factor, (one, other) in zip(factors, pairs, strict=False)
    ]


def _squared(half: Tensor, ndim: int) -> Tensor:
    """The product of a matrix and its transpose, or its diagonal."""
    return half @ half.T if ndim == 2 else half.square().sum(1)


def _stepped(factor: Tensor, square: Tensor, other: Tensor, rate: float) -> Tensor:
    """A factor after a step that makes one product smaller where it is larger than the other."""
    if factor.ndim == 1:
        largest = (square + other).max() + LEAST_NORM
        return factor - rate * (square - other) * factor / largest
    largest = _norm_bound(square + other) + LEAST_NORM
    return factor - rate * (square - other).triu() @ factor / largest


def _norm_bound(square: Tensor) -> Tensor:
    """A lower bound of the largest eigenvalue of a symmetric matrix, from its longest row."""
    largest = square.abs().max().clamp(min=LEAST_NORM)
    scaled = square / largest
    row: Tensor = scaled @ scaled[scaled.square().sum(1).argmax()]
    bound: Tensor = (scaled @ row).norm() / row.norm()
    return largest * bound


def _on_sides(operation: Operation, factors: Sequence[Tensor], matrix: Tensor) -> Tensor:
    """An operation of the first factor on the rows, and of the second on the columns."""
    matrix = operation(factors[0], matrix)
    return operation(factors[1], matrix.T).T if factors[1:] else matrix


def _times(factor: Tensor, matrix: Tensor) -> Tensor:
    return factor @ matrix if factor.ndim == 2 else factor.unsqueeze(1) * matrix


def _transposed_times(factor: Tensor, matrix: Tensor) -> Tensor:
    return _times(factor.T if factor.ndim == 2 else factor, matrix)


def _inverse_transposed_times(factor: Tensor, matrix: Tensor) -> Tensor:
    if factor.ndim == 1:
        return matrix / factor.unsqueeze(1)
    solved: Tensor = torch.linalg.solve_triangular(factor.T, matrix, upper=False)
    return solved


class Kron(DirectedOptimizer):
    r"""PSGD Kron: the averaged gradient whitened on both sides, by triangular factors.

    .. math::
        M_t &= \mu M_{t-1} + (1 - \mu) G_t, \quad \hat{M}_t = \frac{M_t}{1 - \mu^t}, \quad
        A = Q_L \hat{M}_t Q_R^\top, \quad B = Q_L^{-\top} V Q_R^{-1} \\
        Q_L &\leftarrow Q_L - \frac{\rho \operatorname{triu}(A A^\top - B B^\top)}
        {\lVert A A^\top + B B^\top \rVert} Q_L, \quad
        Q_R \leftarrow Q_R - \frac{\rho \operatorname{triu}(A^\top A - B^\top B)}
        {\lVert A^\top A + B^\top B \rVert} Q_R \\
        D_t &= Q_L^\top Q_L \hat{M}_t Q_R^\top Q_R, \quad
        P_t = (1 - \eta\lambda) P_{t-1} - \eta \frac{D_t}{\max(1, \operatorname{rms}(D_t) / 1.1)}

    V is white noise, drawn from the number of the update; factors start as the identity. They are
    not fitted in each update: by default in the first 500, then in ever fewer, from 4000 on in 3 of
    100, which are the same for all parameters. Before one of a hundred of these they are balanced:
    their largest elements are made equal. Of a parameter with more than two dimensions, the first
    is the rows and all others the columns. One of fewer has a diagonal factor.

    Factors are always float32 or wider: for a square matrix, state is three times as many numbers
    as it has.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        momentum: μ.
        weight_decay: λ, decoupled from the gradient.
        preconditioner_update_probability: of a fit of the factors: a number, a schedule, or None
            for the published one, :math:`e^{-(t - 500) / 1000}`, at most 1 and at least 0.03.
        precond_lr: ρ, at most 1.
        max_size_triangular: a longer side has a diagonal factor.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.diag(torch.tensor([3.0, 2.0])).requires_grad_()
        >>> optimizer = Kron([weight], lr=0.1)
        >>> for _ in range(30):
        ...     optimizer.zero_grad()
        ...     weight.square().sum().backward()
        ...     optimizer.step()
        >>> bool(weight.norm() < 1)
        True

    Source: Li, `Preconditioned Stochastic Gradient Descent <https://arxiv.org/abs/1512.04202>`_
    (2015), and Pooladzandi and Li, `Curvature-Informed SGD via General Purpose Lie-Group
    Preconditioners <https://arxiv.org/abs/2402.11858>`_ (2024), in the form of Walters's
    `kron_torch <https://github.com/evanatyourservice/kron_torch>`_, which timm has too, but for two
    things: there, dimensions after the second have factors of their own, and the noise and the
    updates that fit are drawn from generators with a state.
    """

    rule = rules.kron
    direction = Whitened()
    _of_several_forms = frozenset({PROBABILITY})

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        momentum: Scalar = 0.9,
        weight_decay: Scalar = 0.0,
        preconditioner_update_probability: Scalar | None = None,
        precond_lr: Scalar = 0.1,
        max_size_triangular: int = 8192,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            PROBABILITY: preconditioner_update_probability,
            "precond_lr": precond_lr,
            "max_size_triangular": max_size_triangular,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        require_fraction("momentum", at_start(group["momentum"]))
        for name in ("precond_lr", PROBABILITY):
            value = at_start(group[name])
            if value is not None:
                require_number(name, value)
                require(bool(0 <= value <= 1), name, "be from 0 to 1", value)
        longest = group["max_size_triangular"]
        require(longest >= 0, "max_size_triangular", "be at least 0", longest)
