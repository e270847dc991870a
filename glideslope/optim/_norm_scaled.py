"""Optimizers whose step depends on the length of a whole tensor, from simple to complex.

Each takes one pass over the tensors to measure them and one to update them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Unpack

from torch import Tensor

from glideslope import rules

from ._base.common import Common
from ._base.hyperparameters import FRACTIONS, Scalar
from ._base.optimizer import Params
from ._base.rule_optimizer import RuleOptimizer

__all__ = ["LAMB", "LARS", "MARS", "StableAdamW"]


class LARS(RuleOptimizer):
    r"""Gradient descent with momentum whose steps are in proportion to the tensor they change.

    .. math::
        \eta^l_t = \tau \frac{\lVert p_{t-1} \rVert}
        {\lVert g_t \rVert + \lambda \lVert p_{t-1} \rVert},
        \quad b_t = \mu b_{t-1} + \eta \eta^l_t (g_t + \lambda p_{t-1}), \quad p_t = p_{t-1} - b_t

    with the norms of each tensor. Where a norm is 0, :math:`\eta^l_t = 1`; so it is in groups with
    ``"adapt": False``, where biases and the weights of norms belong, with no weight decay. The
    learning rate is inside the momentum, as in the paper; timm and apex multiply by it afterwards,
    which differs while it changes.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        momentum: μ, less than 1.
        weight_decay: λ, added to the gradient.
        trust_coefficient: τ.
        adapt: use the norms.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = LARS([weight], lr=1.0, trust_coefficient=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([2.2500, 3.0000], requires_grad=True)

    Source: You et al., `Large Batch Training of Convolutional Networks
    <https://arxiv.org/abs/1708.03888>`_ (2017), algorithm 1.
    """

    rule = rules.lars
    _fractions = FRACTIONS | {"momentum"}

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1.0,
        momentum: Scalar = 0.9,
        weight_decay: Scalar = 0.0,
        trust_coefficient: Scalar = 1e-3,
        adapt: bool = True,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient,
            "adapt": adapt,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)


class LAMB(RuleOptimizer):
    r"""AdamW whose step, decay and all, is in proportion to the length of the tensor it changes.

    .. math::
        u_t = \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}
        + \lambda p_{t-1}, \quad
        p_t = p_{t-1} - \eta \frac{\lVert p_{t-1} \rVert}{\lVert u_t \rVert} u_t

    with the norms of each tensor and `Adam`'s averages :math:`m` and :math:`v`. Where a norm is 0,
    the ratio is 1; so it is in groups with ``"adapt": False``, where biases and the weights of
    norms belong, with no weight decay.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the corrected root.
        weight_decay: λ, inside the ratio.
        adapt: use the norms.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0, 2.0], requires_grad=True)
        >>> optimizer = LAMB([weight], lr=0.1)
        >>> weight.square().sum().backward()
        >>> optimizer.step()    # ±1 each, made 3 long
        >>> weight
        tensor([ 0.8268, -1.8268,  1.8268], requires_grad=True)

    Source: You et al., `Large Batch Optimization for Deep Learning: Training BERT in 76 minutes
    <https://arxiv.org/abs/1904.00962>`_ (2019), algorithm 2 with φ(x) = x. Published
    variants differ: NVIDIA's divides all gradients by their common norm first (``max_grad_norm=1``
    clips by it), others clamp the tensor's norm to [0, 10] or leave out the corrections.
    """

    rule = rules.lamb

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-6,
        weight_decay: Scalar = 0.0,
        adapt: bool = True,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "adapt": adapt,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)


class StableAdamW(RuleOptimizer):
    r"""AdamW that slows down where a tensor's gradients are larger than its averages expect.

    .. math::
        \eta_t = \frac{\eta}{\max\Bigl(1, \sqrt{\operatorname{mean}\bigl(
        g_t^2 / \max(\hat v_t, \epsilon^2)\bigr)}\Bigr)}, \quad
        p_t = (1 - \eta_t \lambda) p_{t-1} - \eta_t \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}

    with the mean over each tensor, and `Adam`'s averages :math:`m` and :math:`v` over
    :math:`1 - \beta^t`, which are the paper's: it corrects β instead. It does what clipping of the
    gradient's norm is for.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the corrected root.
        weight_decay: λ, decoupled from the gradient, slowed down as well.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = StableAdamW([weight], lr=0.25, weight_decay=0.0)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)

    Source: Wortsman et al., `Stable and low-precision training for large-scale vision-language
    models <https://arxiv.org/abs/2304.13013>`_ (2023), algorithm 2.
    """

    rule = rules.stable_adamw

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.99),
        eps: Scalar = 1e-6,
        weight_decay: Scalar = 1e-2,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)


class MARS(RuleOptimizer):
    r"""AdamW on a gradient that is moved on by how it changed, and clipped tensor by tensor.

    .. math::
        c_t = g_t + \gamma \frac{\beta_1}{1 - \beta_1} (g_t - g_{t-1}), \quad
        \tilde c_t = \frac{c_t}{\max(1, \lVert c_t \rVert)}, \quad
        p_t = (1 - \eta \lambda) p_{t-1} - \eta \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}

    with `Adam`'s corrected averages of :math:`\tilde c`. Only matrices, that is tensors of two
    dimensions or more, are treated so: vectors get plain AdamW with ``vector_betas``. A group that
    does not say ``variance_reduction`` becomes two, the matrices and then the vectors.

    The first :math:`g_0` is 0, as published: :math:`c_1` is longer than :math:`g_1`, before it is
    clipped. The last gradient is that of another batch, the paper's "approximate" MARS, so that one
    evaluation of the model is enough.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂ of matrices.
        eps: ε, added to the corrected root.
        weight_decay: λ, decoupled from the gradient.
        gamma: γ.
        vector_betas: β₁ and β₂ of vectors.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(2, 1)
        >>> optimizer = MARS(layer.parameters())
        >>> [(len(g["params"]), g["betas"]) for g in optimizer.param_groups]
        [(1, (0.95, 0.99)), (1, (0.9, 0.95))]

    Source: Yuan et al., `MARS: Unleashing the Power of Variance Reduction for Training Large Models
    <https://arxiv.org/abs/2411.10438>`_ (2024), algorithm 2, MARS-AdamW.
    """

    rule = rules.mars

    def __init__(
        self,
        params: Params,
        lr: Scalar = 3e-3,
        betas: tuple[Scalar, Scalar] = (0.95, 0.99),
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 0.0,
        gamma: Scalar = 0.025,
        vector_betas: tuple[Scalar, Scalar] = (0.9, 0.95),
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "gamma": gamma,
            "vector_betas": vector_betas,
            "variance_reduction": True,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add the matrices of a group and its vectors: see `RuleOptimizer.add_param_group`.

        Args:
            param_group: as there. With a key ``variance_reduction`` it stays one group.
        """
        for group in self._divided(param_group):
            super().add_param_group(group)

    def _divided(self, group: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if "variance_reduction" in group:
            yield group
            return
        params = group["params"]
        entries = [params] if isinstance(params, Tensor) else list(params)
        matrices = [entry for entry in entries if _tensor(entry).ndim >= 2]
        vectors = [entry for entry in entries if _tensor(entry).ndim < 2]
        if matrices or not vectors:
            yield {**group, "params": matrices, "variance_reduction": True}
        if vectors:
            betas = {**self.defaults, **group}["vector_betas"]
            yield {**group, "params": vectors, "betas": betas, "variance_reduction": False}


def _tensor(entry: Tensor | tuple[str, Tensor]) -> Tensor:
    return entry[1] if isinstance(entry, tuple) else entry
