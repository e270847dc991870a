"""Optimizers that use only the sign of the gradient."""

from __future__ import annotations

from typing import Unpack

from glideslope import rules
from glideslope.errors import require

from ._base.common import Common
from ._base.hyperparameters import Scalar, at_start
from ._base.optimizer import Params
from ._base.rule_optimizer import RuleOptimizer

__all__ = ["Rprop"]


class Rprop(RuleOptimizer):
    r"""Steps of each element's own size, which grows while its gradient keeps its sign.

    .. math::
        \Delta_t = \begin{cases}
        \min(\eta^+ \Delta_{t-1}, \Delta_{\max}) & \text{if } g_t g_{t-1} > 0 \\
        \max(\eta^- \Delta_{t-1}, \Delta_{\min}) & \text{if } g_t g_{t-1} < 0 \\
        \Delta_{t-1} & \text{otherwise} \end{cases}, \quad
        p_t = p_{t-1} - \Delta_t \operatorname{sign}(g_t)

    After a change of sign :math:`g_t` counts as 0, in this step and as the next one's
    :math:`g_{t-1}`. Made for whole batches: noise changes signs.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: :math:`\Delta_0`; without effect from the second step on.
        etas: :math:`\eta^-` and :math:`\eta^+`.
        step_sizes: :math:`\Delta_{\min}` and :math:`\Delta_{\max}`.
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
        >>> optimizer = Rprop([weight], lr=0.25)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     weight.square().sum().backward()
        ...     optimizer.step()
        >>> weight
        tensor([ 0.4500, -1.4500], requires_grad=True)

    Source: Riedmiller and Braun, *A Direct Adaptive Method for Faster Backpropagation Learning: The
    RPROP Algorithm* (1993), without its step back after a change of sign, as `torch.optim.Rprop`.
    """

    rule = rules.rprop

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-2,
        etas: tuple[Scalar, Scalar] = (0.5, 1.2),
        step_sizes: tuple[Scalar, Scalar] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        **common: Unpack[Common],
    ) -> None:
        smaller, larger = map(at_start, etas)
        require(bool(0 < smaller < 1 < larger), "etas", "be one less than 1, one more", etas)
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults, **common)
