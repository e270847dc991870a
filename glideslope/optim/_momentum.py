"""Optimizers that keep at most one average of the gradient, from simple to complex."""

from __future__ import annotations

from typing import Unpack

from glideslope import rules
from glideslope.errors import require

from ._base.common import Common
from ._base.hyperparameters import FRACTIONS, Scalar
from ._base.optimizer import Params
from ._base.rule_optimizer import RuleOptimizer

__all__ = ["Lion", "SGD", "Signum"]


class SGD(RuleOptimizer):
    r"""Gradient descent, with momentum if wanted.

    .. math::
        b_1 = g_1, \quad b_t = \mu b_{t-1} + (1 - d) g_t, \quad p_t = p_{t-1} - \eta b_t

    where weight decay :math:`\lambda` has been added to the gradient, :math:`g + \lambda p`, and
    Nesterov's variant steps along :math:`g_t + \mu b_t`.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        momentum: μ; 0 keeps no state.
        dampening: d.
        weight_decay: λ, added to the gradient.
        nesterov: look one step ahead.
        maximize: go uphill.
        foreach: taken for torch's sake, without effect: `engine` decides.
        differentiable: let gradients flow through the step.
        fused: as ``foreach``.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds, or ``nesterov`` without momentum or with
            dampening.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> optimizer = SGD([weight], lr=0.25, momentum=0.9)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([0.5000, 1.0000], requires_grad=True)

    Source: Sutskever et al., *On the importance of initialization and momentum in deep learning*
    (2013), in the form of `torch.optim.SGD`.
    """

    rule = rules.sgd

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        momentum: Scalar = 0.0,
        dampening: Scalar = 0.0,
        weight_decay: Scalar = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
        **common: Unpack[Common],
    ) -> None:
        looks_ahead = bool(momentum != 0 and dampening == 0)
        require(not nesterov or looks_ahead, "nesterov", "have momentum and no dampening", nesterov)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults, **common)


class Signum(RuleOptimizer):
    r"""The sign of the averaged gradient.

    .. math::
        m_t = \mu m_{t-1} + (1 - \mu) g_t, \quad
        p_t = p_{t-1} - \eta (\operatorname{sign}(m_t) + \lambda p_{t-1})

    Every parameter moves by η, so η is three to ten times smaller than AdamW's. `Lion` steps first
    and averages afterwards; here the present gradient is in the average that is stepped along.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        momentum: μ, less than 1; 0 is signSGD.
        weight_decay: λ, decoupled from the gradient.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = Signum([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)

    Source: Bernstein et al., `signSGD: Compressed Optimisation for Non-Convex Problems
    <https://arxiv.org/abs/1802.04434>`_ (2018), algorithm 2; weight decay as in MXNet's ``wd_lh``.
    """

    rule = rules.signum
    _fractions = FRACTIONS | {"momentum"}

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-4,
        momentum: Scalar = 0.9,
        weight_decay: Scalar = 0.0,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)


class Lion(RuleOptimizer):
    r"""The sign of a short average of the gradient, while a longer one is kept.

    .. math::
        u_t = \operatorname{sign}(\beta_1 m_{t-1} + (1 - \beta_1) g_t), \quad
        p_t = p_{t-1} - \eta (u_t + \lambda p_{t-1}), \quad
        m_t = \beta_2 m_{t-1} + (1 - \beta_2) g_t

    Every parameter moves by η, so η is three to ten times smaller than AdamW's, and λ as much
    larger.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        weight_decay: λ, decoupled from the gradient.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = Lion([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)

    Source: Chen et al., `Symbolic Discovery of Optimization Algorithms
    <https://arxiv.org/abs/2302.06675>`_ (2023).
    """

    rule = rules.lion

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-4,
        betas: tuple[Scalar, Scalar] = (0.9, 0.99),
        weight_decay: Scalar = 0.0,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults, **common)
