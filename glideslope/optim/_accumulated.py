"""Optimizers that scale each element by what its gradients have added up to, simple ones first."""

from __future__ import annotations

from typing import Unpack

from glideslope import rules

from ._base.common import Common
from ._base.hyperparameters import Scalar
from ._base.optimizer import Params
from ._base.param_state import complete
from ._base.rule_optimizer import RuleOptimizer
from ._base.step_config import StepConfig

__all__ = ["MADGRAD", "Adadelta", "Adagrad"]


class Adagrad(RuleOptimizer):
    r"""The gradient over the root of the sum of all squared gradients so far.

    .. math::
        s_t = s_{t-1} + g_t^2, \quad
        p_t = p_{t-1} - \frac{\eta}{1 + (t - 1) d} \frac{g_t}{\sqrt{s_t} + \epsilon}

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        lr_decay: d.
        weight_decay: λ, added to the gradient.
        initial_accumulator_value: :math:`s_0`.
        eps: ε, added to the root.
        foreach: taken for torch's sake, without effect: `engine` decides.
        maximize: go uphill.
        differentiable: let gradients flow through the step.
        fused: as ``foreach``.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = Adagrad([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)

    Source: Duchi, Hazan and Singer, `Adaptive Subgradient Methods for Online Learning and
    Stochastic Optimization <https://jmlr.org/papers/v12/duchi11a.html>`_ (2011).
    """

    rule = rules.adagrad

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-2,
        lr_decay: Scalar = 0.0,
        weight_decay: Scalar = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: Scalar = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults, **common)

    def share_memory(self) -> None:
        """Put the sums where other processes can write to them too, as Hogwild training does."""
        config = StepConfig.of(self.rule, self._settings, False, self.param_groups)
        for home, group in enumerate(self.param_groups):
            for parameter in group["params"]:
                recipe, state = config.recipe(home, parameter), self.state[parameter]
                complete(recipe, group, parameter, state, self._settings.float_dtype)
                state["sum"].share_memory_()


class Adadelta(RuleOptimizer):
    r"""The gradient in units of its own size, times the size of recent steps.

    .. math::
        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2, \quad
        d_t = \frac{\sqrt{u_{t-1} + \epsilon}}{\sqrt{v_t + \epsilon}} g_t \\
        u_t &= \rho u_{t-1} + (1 - \rho) d_t^2, \quad
        p_t = p_{t-1} - \eta d_t

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η; the paper has none, that is 1.
        rho: ρ.
        eps: ε, added under both roots; the first steps are about its root in size.
        weight_decay: λ, added to the gradient.
        foreach: taken for torch's sake, without effect: `engine` decides.
        capturable: keep counts and hyperparameters on the GPU, for a CUDA graph of the step.
        maximize: go uphill.
        differentiable: let gradients flow through the step.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = Adadelta([weight], rho=0.75, eps=0.01)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.8010, -1.8002], requires_grad=True)

    Source: Zeiler, `ADADELTA: An Adaptive Learning Rate Method <https://arxiv.org/abs/1212.5701>`_
    (2012).
    """

    rule = rules.adadelta

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1.0,
        rho: Scalar = 0.9,
        eps: Scalar = 1e-6,
        weight_decay: Scalar = 0.0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults, **common)


class MADGRAD(RuleOptimizer):
    r"""Adagrad that steps from the start, weighs later gradients more, and takes a cube root.

    .. math::
        \lambda_t &= \eta \sqrt{t}, \quad s_t = s_{t-1} + \lambda_t g_t, \quad
        \nu_t = \nu_{t-1} + \lambda_t g_t^2 \\
        z_t &= p_0 - \frac{s_t}{\sqrt[3]{\nu_t} + \epsilon}, \quad
        p_t = \mu p_{t-1} + (1 - \mu) z_t

    It keeps the parameter that it began from, to which all steps lead back (dual averaging): a
    parameter that is loaded or changed by hand moves back to it. η is not that of Adam or SGD, and
    has to be searched for; the authors used from 2.5e-4 to 0.025, and little weight decay or none.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        momentum: μ, the share of the old parameter.
        weight_decay: of λ₀, added to the gradient.
        eps: ε, added to the cube root.
        decoupled_weight_decay: subtract :math:`\eta \lambda_0 p_{t-1}` from :math:`p_t` instead.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = MADGRAD([weight], lr=0.125, momentum=0.0)
        >>> weight.square().sum().backward()
        >>> optimizer.step()    # 0.25 times the cube roots of 2 and 4
        >>> weight
        tensor([ 0.6850, -1.6032], requires_grad=True)

    Source: Defazio and Jelassi, `Adaptivity without Compromise: A Momentumized, Adaptive, Dual
    Averaged Gradient Method for Stochastic Optimization <https://arxiv.org/abs/2101.11075>`_
    (2021), algorithm 1. The authors' code adds ε to η as well.
    """

    rule = rules.madgrad

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-2,
        momentum: Scalar = 0.9,
        weight_decay: Scalar = 0.0,
        eps: Scalar = 1e-6,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "eps": eps,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)
