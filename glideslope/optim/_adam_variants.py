"""Optimizers that keep Adam's averages and use them in another way, from simple to complex."""

from __future__ import annotations

from typing import Unpack

from glideslope import rules

from ._base.common import Common
from ._base.hyperparameters import Scalar
from ._base.optimizer import Params
from ._base.rule_optimizer import RuleOptimizer

__all__ = ["Adamax", "NAdam", "RAdam"]


class Adamax(RuleOptimizer):
    r"""The averaged gradient over the largest recent one.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        u_t = \max(\beta_2 u_{t-1}, |g_t| + \epsilon) \\
        p_t &= p_{t-1} - \frac{\eta}{1 - \beta_1^t} \frac{m_t}{u_t}

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the size of the gradient.
        weight_decay: λ, added to the gradient.
        foreach: taken for torch's sake, without effect: `engine` decides.
        maximize: go uphill.
        differentiable: let gradients flow through the step.
        capturable: keep counts and hyperparameters on the GPU, for a CUDA graph of the step.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = Adamax([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)

    Source: Kingma and Ba, `Adam: A Method for Stochastic Optimization
    <https://arxiv.org/abs/1412.6980>`_ (2014), algorithm 2, which has no ε.
    """

    rule = rules.adamax

    def __init__(
        self,
        params: Params,
        lr: Scalar = 2e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 0.0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults, **common)


class NAdam(RuleOptimizer):
    r"""Adam with Nesterov's momentum: it steps along the average of the gradient after this one.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \quad
        \mu_t = \beta_1 (1 - \tfrac{1}{2} 0.96^{t \psi}) \\
        p_t &= p_{t-1} - \eta \left(
        \frac{\mu_{t+1} m_t}{1 - \prod_{i=1}^{t+1} \mu_i}
        + \frac{(1 - \mu_t) g_t}{1 - \prod_{i=1}^{t} \mu_i} \right)
        \Bigl/ \left( \sqrt{v_t / (1 - \beta_2^t)} + \epsilon \right)

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the corrected root.
        weight_decay: λ, added to the gradient.
        momentum_decay: ψ: how soon the momentum :math:`\mu_t` grows from β₁/2 to β₁.
        decoupled_weight_decay: first scale :math:`p` by :math:`1 - \eta\lambda` instead: NAdamW.
        foreach: taken for torch's sake, without effect: `engine` decides.
        maximize: go uphill.
        capturable: keep counts and hyperparameters on the GPU, for a CUDA graph of the step.
        differentiable: let gradients flow through the step.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = NAdam([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7359, -1.7359], requires_grad=True)

    Source: Dozat, `Incorporating Nesterov Momentum into Adam
    <https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ>`_ (2016).
    """

    rule = rules.nadam

    def __init__(
        self,
        params: Params,
        lr: Scalar = 2e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 0.0,
        momentum_decay: Scalar = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults, **common)


class RAdam(RuleOptimizer):
    r"""Adam that does not divide by the root of the averaged square while that is too uncertain.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        \rho_\infty &= \frac{2}{1 - \beta_2} - 1, \quad
        \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \quad
        r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}
        {(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}} \\
        p_t &= p_{t-1} - \eta \frac{m_t}{1 - \beta_1^t} \cdot \begin{cases}
        r_t \sqrt{1 - \beta_2^t} / (\sqrt{v_t} + \epsilon) & \text{if } \rho_t > 5 \\
        1 & \text{otherwise} \end{cases}

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the uncorrected root.
        weight_decay: λ, added to the gradient.
        decoupled_weight_decay: first scale :math:`p` by :math:`1 - \eta\lambda` instead: RAdamW.
        foreach: taken for torch's sake, without effect: `engine` decides.
        maximize: go uphill.
        capturable: keep counts and hyperparameters on the GPU, for a CUDA graph of the step.
        differentiable: let gradients flow through the step.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = RAdam([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.5000, -1.0000], requires_grad=True)

    Source: Liu et al., `On the Variance of the Adaptive Learning Rate and Beyond
    <https://arxiv.org/abs/1908.03265>`_ (2019), with the bound of 5 of its authors' code, where the
    paper has 4.
    """

    rule = rules.radam

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults, **common)
