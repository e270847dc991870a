"""Optimizers that keep an average of the parameters."""

from __future__ import annotations

from typing import Unpack

from glideslope import rules

from ._base.common import Common
from ._base.hyperparameters import Scalar
from ._base.optimizer import Params
from ._base.rule_optimizer import RuleOptimizer

__all__ = ["ASGD"]


class ASGD(RuleOptimizer):
    r"""Gradient descent at a falling rate, with the mean of the parameters beside it.

    .. math::
        \eta_t = \frac{\eta}{(1 + \lambda_0 \eta (t - 1))^\alpha}, \quad
        p_t = (1 - \lambda_0 \eta_t) p_{t-1} - \eta_t g_t, \quad
        a_t = a_{t-1} + \frac{p_t - a_{t-1}}{\max(1, t - 1 - t_0)}

    The parameters themselves are not averaged; the mean :math:`a_t` is ``ax`` in the state. It is
    equal to :math:`p_t` up to step :math:`t_0 + 2`.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η; a change of it takes effect one step later, as in torch.
        lambd: λ₀, a decay towards 0.
        alpha: α, how fast the rate falls.
        t0: :math:`t_0`, the number of steps before the mean begins.
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
        >>> optimizer = ASGD([weight], lr=0.25, lambd=0.0, t0=0.0)
        >>> for _ in range(3):
        ...     optimizer.zero_grad()
        ...     weight.square().sum().backward()
        ...     optimizer.step()
        >>> weight
        tensor([ 0.1250, -0.2500], requires_grad=True)
        >>> optimizer.state[weight]["ax"]
        tensor([ 0.1875, -0.3750])

    Source: Polyak and Juditsky, *Acceleration of Stochastic Approximation by Averaging* (1992); the
    rate is that of Bottou, `Stochastic Gradient Descent Tricks
    <https://doi.org/10.1007/978-3-642-35289-8_25>`_ (2012).
    """

    rule = rules.asgd

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-2,
        lambd: Scalar = 1e-4,
        alpha: Scalar = 0.75,
        t0: Scalar = 1e6,
        weight_decay: Scalar = 0.0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults, **common)
