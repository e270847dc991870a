"""Schedule-free optimizers: iterate averaging instead of a decaying learning rate."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Unpack

import torch
from torch import Tensor

from glideslope import rules
from glideslope.errors import InvalidValue, require
from glideslope.schedules import Schedule

from ._base.common import Common
from ._base.hyperparameters import FRACTIONS, Scalar
from ._base.masters import master_of, set_master
from ._base.optimizer import Params
from ._base.rule_optimizer import RuleOptimizer

__all__ = ["AdamWScheduleFree", "SGDScheduleFree", "ScheduleFree"]


class ScheduleFree(RuleOptimizer):
    """Base of the schedule-free optimizers, whose parameters are one of two points.

    In training they are ``y``, where gradients are computed; `eval` replaces them by the average
    ``x``, and `train` restores ``y``. Both do nothing where they are already. Trainers that
    call ``optimizer.train()`` and ``optimizer.eval()`` where these exist, as transformers' does,
    are right to. See `AdamWScheduleFree`.
    """

    def train(self) -> None:
        """Set the parameters to y, the point where gradients are computed."""
        self._move(True, lambda share: 1 - share)

    def eval(self) -> None:
        """Set the parameters to x, the average, to evaluate, save or use the model.

        The way back is exact but for the rounding of the parameters' dtype.
        """
        self._move(False, lambda share: 1 - 1 / share)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters: see `RuleOptimizer.add_param_group`.

        Raises:
            InvalidValue: the weight of x in y is a schedule, or not above 0.
        """
        share = self._share_of_average({**self.defaults, **param_group})
        fixed = not isinstance(share, Schedule)
        require(fixed, self._share_name, "be fixed, for x follows from y by it", share)
        super().add_param_group(param_group)
        require(bool(share > 0), self._share_name, "be more than 0", share)

    _share_name: str
    """The hyperparameter that holds the weight of x in y."""

    @staticmethod
    @abstractmethod
    def _share_of_average(group: dict[str, Any]) -> Any:
        """The weight of x in y; the rest is z."""

    def _check_ready(self) -> None:
        if not all(group["train_mode"] for group in self.param_groups):
            raise InvalidValue("the parameters are the average: call `train()` before `step()`")

    @torch.no_grad()
    def _move(self, training: bool, share_of_z: Callable[[float], float]) -> None:
        """Go to the other point, which is on the line through z and the present one."""
        for group in self.param_groups:
            if group["train_mode"] is not training:
                group["train_mode"] = training
                weight = share_of_z(float(self._share_of_average(group)))
                for parameter in group["params"]:
                    if (z := self.state[parameter].get("z")) is not None:
                        _move_along(parameter, self.state[parameter], z, weight)


def _move_along(parameter: Tensor, state: dict[str, Any], z: Tensor, weight: float) -> None:
    own = master_of(parameter, state)
    wide = torch.promote_types(torch.promote_types(own.dtype, z.dtype), torch.float32)
    set_master(parameter, state, torch.lerp(own.to(wide), z.to(wide), weight))


class SGDScheduleFree(ScheduleFree):
    r"""Gradient descent that needs no decaying learning rate: it averages its iterates.

    .. math::
        y_t &= (1 - \beta) z_t + \beta x_t, \quad
        z_{t+1} = z_t - \eta_t (g(y_t) + \lambda y_t) \\
        x_{t+1} &= (1 - c_t) x_t + c_t z_{t+1}, \quad
        c_t = \frac{t^r \bar\eta_t^p}{\sum_{i \le t} i^r \bar\eta_i^p}

    where :math:`\eta_t` warms up in a straight line and :math:`\bar\eta_t` is the largest so far.
    The parameters are :math:`y`: call `eval` before evaluating or saving the model, and `train`
    before training again. Statistics of batch normalisation belong to :math:`y`; run some batches
    through the model after `eval`, before using it.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η, larger than with a schedule: 1 to 50 times.
        momentum: β, more than 0 and less than 1.
        weight_decay: λ, at :math:`y`.
        warmup_steps: updates until :math:`\eta_t` is η.
        r: power of the update's number in its weight.
        weight_lr_power: p.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = SGDScheduleFree([weight], lr=0.25, momentum=0.5)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     weight.square().sum().backward()
        ...     optimizer.step()
        >>> weight
        tensor([ 0.3125, -0.6250], requires_grad=True)
        >>> optimizer.eval()
        >>> weight    # the mean of 0.5 and 0.25, and of -1 and -0.5
        tensor([ 0.3750, -0.7500], requires_grad=True)

    Source: Defazio et al., `The Road Less Scheduled <https://arxiv.org/abs/2405.15682>`_ (2024),
    with the weights of the authors' package ``schedulefree``.
    """

    rule = rules.sgd_schedule_free
    _fractions = FRACTIONS | {"momentum"}
    _share_name = "momentum"

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1.0,
        momentum: float = 0.9,
        weight_decay: Scalar = 0.0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "warmup_steps": warmup_steps,
            "r": r,
            "weight_lr_power": weight_lr_power,
            "maximize": maximize,
            "train_mode": True,
        }
        super().__init__(params, defaults, **common)

    @staticmethod
    def _share_of_average(group: dict[str, Any]) -> Any:
        return group["momentum"]


class AdamWScheduleFree(ScheduleFree):
    r"""AdamW that needs no decaying learning rate: it averages its iterates.

    .. math::
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g(y_t)^2, \quad
        z_{t+1} = z_t - \eta_t \Bigl( \frac{g(y_t)}
        {\sqrt{v_t / (1 - \beta_2^t)} + \epsilon} + \lambda y_t \Bigr) \\
        x_{t+1} &= (1 - c_t) x_t + c_t z_{t+1}, \quad y_t = (1 - \beta_1) z_t + \beta_1 x_t

    with :math:`c_t` and the rest as in `SGDScheduleFree`. There is no average of the gradient:
    β₁ is the weight of the average of the path in :math:`y`, where gradients are computed.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η, one to ten times what it is with a schedule.
        betas: β₁, more than 0, and β₂.
        eps: ε, added to the corrected root.
        weight_decay: λ, decoupled from the gradient, at :math:`y`.
        warmup_steps: updates until :math:`\eta_t` is η.
        r: power of the update's number in its weight.
        weight_lr_power: power of the largest rate so far in it.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = AdamWScheduleFree([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> optimizer.eval()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)

    Source: Defazio et al., `The Road Less Scheduled <https://arxiv.org/abs/2405.15682>`_ (2024),
    in the form of the authors' package ``schedulefree``: the paper puts the correction
    :math:`\sqrt{1 - \beta_2^t}` into :math:`\eta_t`, and so into the weights and the decay too, and
    weighs by :math:`\eta_t`, not by the largest so far.
    """

    rule = rules.adamw_schedule_free
    _share_name = "betas"

    def __init__(
        self,
        params: Params,
        lr: Scalar = 2.5e-3,
        betas: tuple[float, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 0.0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "warmup_steps": warmup_steps,
            "r": r,
            "weight_lr_power": weight_lr_power,
            "maximize": maximize,
            "train_mode": True,
        }
        super().__init__(params, defaults, **common)

    @staticmethod
    def _share_of_average(group: dict[str, Any]) -> Any:
        return group["betas"][0]
