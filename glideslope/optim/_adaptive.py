"""Optimizers that divide by a root of the averaged squared gradient, from simple to complex."""

from __future__ import annotations

from typing import Unpack

from glideslope import rules

from ._base.common import Common
from ._base.hyperparameters import Scalar
from ._base.optimizer import Params
from ._base.rule_optimizer import RuleOptimizer

__all__ = ["Adam", "AdamW", "RMSprop"]


class RMSprop(RuleOptimizer):
    r"""The gradient over the root of its averaged square.

    .. math::
        v_t = \alpha v_{t-1} + (1 - \alpha) g_t^2, \quad
        p_t = p_{t-1} - \eta \frac{g_t}{\sqrt{v_t} + \epsilon}

    Centered, the averaged gradient's square is taken off :math:`v_t` first; with momentum μ,
    :math:`b_t = \mu b_{t-1} + g_t / (\sqrt{v_t} + \epsilon)` is the step.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        alpha: α.
        eps: ε, added to the root.
        weight_decay: λ, added to the gradient.
        momentum: μ; 0 keeps no second state.
        centered: divide by the standard deviation of the gradient.
        capturable: keep counts and hyperparameters on the GPU, for a CUDA graph of the step.
        foreach: taken for torch's sake, without effect: `engine` decides.
        maximize: go uphill.
        differentiable: let gradients flow through the step.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = RMSprop([weight], lr=0.05)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.5000, -1.5000], requires_grad=True)

    Source: Tieleman and Hinton, lecture 6.5 of *Neural Networks for Machine Learning* (2012), in
    the form of `torch.optim.RMSprop`.
    """

    rule = rules.rmsprop

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-2,
        alpha: Scalar = 0.99,
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 0.0,
        momentum: Scalar = 0.0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults, **common)


class Adam(RuleOptimizer):
    r"""The averaged gradient over the root of its averaged square, both corrected for their start.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        p_t &= p_{t-1} - \eta \frac{m_t / (1 - \beta_1^t)}
        {\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the corrected root.
        weight_decay: λ, added to the gradient.
        amsgrad: divide by the largest :math:`v` so far.
        foreach: taken for torch's sake, without effect: `engine` decides.
        maximize: go uphill.
        capturable: keep counts and hyperparameters on the GPU, for a CUDA graph of the step.
        differentiable: let gradients flow through the step.
        fused: as ``foreach``.
        decoupled_weight_decay: subtract :math:`\eta \lambda p` instead: `AdamW`.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = Adam([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)

    Source: Kingma and Ba, `Adam: A Method for Stochastic Optimization
    <https://arxiv.org/abs/1412.6980>`_ (2014); ``amsgrad``: Reddi et al., `On the Convergence of
    Adam and Beyond <https://arxiv.org/abs/1904.09237>`_ (2018), with the maximum taken of the
    uncorrected :math:`v`, as torch does.
    """

    rule = rules.adam

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 0.0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **common)


class AdamW(Adam):
    r"""Adam with decoupled weight decay: each step begins by shrinking the parameters.

    As `Adam`, after :math:`p` has been scaled by :math:`1 - \eta\lambda`.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the corrected root.
        weight_decay: λ.
        amsgrad: divide by the largest :math:`v` so far.
        maximize: go uphill.
        foreach: taken for torch's sake, without effect: `engine` decides.
        capturable: keep counts and hyperparameters on the GPU, for a CUDA graph of the step.
        differentiable: let gradients flow through the step.
        fused: as ``foreach``.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = AdamW([weight], lr=0.25, weight_decay=0.1)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7250, -1.7000], requires_grad=True)

    Source: Loshchilov and Hutter, `Decoupled Weight Decay Regularization
    <https://arxiv.org/abs/1711.05101>`_ (2017).
    """

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
            **common,
        )
