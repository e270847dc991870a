"""An optimizer that finds out how far it has to go."""

from __future__ import annotations

import math
from typing import Any, Unpack

from torch import Tensor

from glideslope import rules
from glideslope.errors import require

from ._base.common import Common
from ._base.hyperparameters import Scalar
from ._base.optimizer import Params
from ._base.plan import Plan, PreparedStep
from ._base.rule_optimizer import RuleOptimizer
from ._base.verdict import Number, Verdict

__all__ = ["Prodigy"]

FOUND = ("d", "d_max", "d_numerator")
"""The keys of the estimate, the same in all groups."""


class Prodigy(RuleOptimizer):
    r"""AdamW whose rate is an estimate of the distance from the start to the solution.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) d_t g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) d_t^2 g_t^2, \quad
        p_t = (1 - \eta d_t \lambda) p_{t-1}
        - \eta d_t \frac{m_t}{\sqrt{v_t} + d_t \epsilon} \\
        r_t &= \sqrt{\beta_2} r_{t-1} + \eta d_t^2 \langle g_t, p_0 - p_{t-1} \rangle, \quad
        s_t = \sqrt{\beta_2} s_{t-1} + \eta d_t^2 g_t, \quad
        d_{t+1} = \max\Bigl(d_t, c \frac{r_t}{\lVert s_t \rVert_1}\Bigr)

    The sums are over all parameters of all groups, so :math:`d` is one number, ``"d"`` in every
    group. Leave η at 1 and give it a schedule that starts and ends as usual; what is tuned is c.
    Every group must have the same η, or 0.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the root, times :math:`d`.
        weight_decay: λ, decoupled from the gradient.
        use_bias_correction: multiply η by Adam's corrections for the start of both averages.
        safeguard_warmup: leave η out of :math:`s`, so that a warm-up does not inflate :math:`d`.
        d0: the first :math:`d`, much smaller than any distance.
        d_coef: c.
        growth_rate: how many times larger :math:`d` may become in a step, but for the first.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds, or groups differ in η at a step.

    Example:
        >>> import torch
        >>> weight = torch.tensor([10.0, -20.0], requires_grad=True)
        >>> optimizer = Prodigy([weight])
        >>> for _ in range(150):
        ...     optimizer.zero_grad()
        ...     weight.square().sum().backward()
        ...     optimizer.step()
        >>> 1 < optimizer.param_groups[0]["d"] < 20
        True

    Source: Mishchenko and Defazio, `Prodigy: An Expeditiously Adaptive Parameter-Free Learner
    <https://arxiv.org/abs/2306.06101>`_ (2023), algorithm 4, with the options of the authors'
    package ``prodigyopt``. The package multiplies ε by :math:`d_{t+1}`; this one by :math:`d_t`, as
    the paper does.
    """

    rule = rules.prodigy
    _traceable = False

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1.0,
        betas: tuple[Scalar, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 0.0,
        use_bias_correction: bool = False,
        safeguard_warmup: bool = False,
        d0: float = 1e-6,
        d_coef: float = 1.0,
        growth_rate: float = math.inf,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        require(d0 > 0, "d0", "be more than 0", d0)
        require(growth_rate > 1, "growth_rate", "be more than 1", growth_rate)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "use_bias_correction": use_bias_correction,
            "safeguard_warmup": safeguard_warmup,
            "d0": d0,
            "d_coef": d_coef,
            "growth_rate": growth_rate,
            "maximize": maximize,
            "d": d0,
            "d_max": d0,
            "d_numerator": 0.0,
        }
        super().__init__(params, defaults, **common)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, which starts at the estimate of the others."""
        super().add_param_group(param_group)
        self._tell({name: self.param_groups[0][name] for name in FOUND})

    def _need_of_all(self) -> str | None:
        return "Prodigy takes sums over all of them"

    def _run(self, plan: PreparedStep, verdict: Verdict) -> None:
        assert isinstance(plan, Plan), "the rule has no direction"
        if plan.device is None:
            rates = {float(group["lr"]) for group in self.param_groups} - {0.0}
            require(len(rates) < 2, "lr", "be the same in every group, or 0", sorted(rates))
        numerator, length = plan.totals(rules.prodigy_totals, self.param_groups, verdict.factor)
        super()._run(plan, verdict)
        self._grow(numerator, length, verdict.skip)

    def _grow(self, numerator: Number, length: Number, skip: bool | Tensor) -> None:
        """Update the estimate of the distance from the totals of a step."""
        group = self.param_groups[0]
        numerator = numerator + rules.sqrt(group["betas"][1]) * group["d_numerator"]
        d, is_known = group["d"], (length > 0) & (skip == 0)
        estimate = group["d_coef"] * numerator / rules.where(length > 0, length, 1.0)
        d_max = rules.maximum(group["d_max"], estimate)
        limit = rules.where(d == group["d0"], d_max, d * group["growth_rate"])
        grown = {"d": rules.minimum(d_max, limit), "d_max": d_max, "d_numerator": numerator}
        found = {name: rules.where(is_known, new, group[name]) for name, new in grown.items()}
        on_device = isinstance(length, Tensor)
        self._tell(found if on_device else {name: float(each) for name, each in found.items()})

    def _tell(self, found: dict[str, Any]) -> None:
        for group in self.param_groups:
            group.update(found)
