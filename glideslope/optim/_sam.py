"""SAM: a step along the gradient where the loss is highest nearby."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch._compile import _disable_dynamo

from glideslope.distributed import reduction_of
from glideslope.errors import InvalidValue, require

from ._base.gradients import dense, large_norm, sum_of_squares
from ._base.hyperparameters import require_number
from ._wrapper import Closure, OptimizerWrapper

__all__ = ["SAM"]


class SAM(OptimizerWrapper):
    r"""Sharpness-aware minimisation: another optimizer's step, along a gradient taken uphill.

    .. math::
        \epsilon = \rho \frac{g}{\lVert g \rVert}, \quad g = \nabla L(w), \qquad
        \text{a step from } w \text{ along } \nabla L(w + \epsilon)

    The norm is over all parameters. With ``adaptive`` (ASAM) the distance is relative to each
    weight: :math:`\epsilon = \rho \, w^2 g / \lVert w g \rVert`, and ρ is some ten times larger.

    Each step evaluates the model twice, so it takes twice the time::

        for batch in batches:
            loss = optimizer.step(closure)    # computes the loss, calls `backward`, returns it

    or, without a closure::

        model_loss(batch).backward()
        optimizer.first_step(zero_grad=True)    # w + ε
        model_loss(batch).backward()
        optimizer.second_step(zero_grad=True)   # w again, and the step

    The running statistics of batch normalisation see both evaluations; a model that should see one
    must leave them alone in the second. Everything else is the optimizer's inside: groups,
    schedules, hooks, `state_dict`, clipping (of the second gradient). SAM keeps no state of its
    own; between both steps it holds a copy of the parameters.

    Args:
        optimizer: the optimizer inside, torch's own or one of these.
        rho: ρ, how far uphill, at least 0.
        adaptive: measure the distance in units of each weight.

    Raises:
        InvalidType: ``optimizer`` is none.
        InvalidValue: ``rho`` is negative.

    Example:
        >>> import torch
        >>> from glideslope.optim import SAM, SGD
        >>> weight = torch.ones(1, requires_grad=True)
        >>> optimizer = SAM(SGD([weight], lr=0.25), rho=0.5)
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = weight.square().sum()
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure).item()
        1.0
        >>> weight.item()    # the gradient at 1.5 is 3
        0.25

    Source: Foret et al., `Sharpness-Aware Minimization for Efficiently Improving Generalization
    <https://arxiv.org/abs/2010.01412>`_ (2021); ``adaptive``: Kwon et al., `ASAM
    <https://arxiv.org/abs/2102.11600>`_ (2021), without its η. The names of both steps are those of
    `davda54/sam <https://github.com/davda54/sam>`_.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, rho: float = 0.05, adaptive: bool = False
    ) -> None:
        super().__init__(optimizer)
        require_number("rho", rho)
        require(rho >= 0, "rho", "be at least 0", rho)
        self.rho, self.adaptive = rho, adaptive
        self._before: list[tuple[Tensor, Tensor]] | None = None

    @_disable_dynamo
    def step(self, closure: Closure | None = None) -> Any:
        """Take both steps.

        Args:
            closure: evaluates the model, calls ``backward`` and returns the loss. It is called
                twice; gradients are cleared between.

        Returns:
            The loss before the step.

        Raises:
            InvalidValue: there is no closure.
        """
        if closure is None:
            raise InvalidValue(
                "`step` of SAM takes a closure, which it calls twice; "
                "without one, call `first_step` and `second_step`"
            )
        with torch.enable_grad():
            loss = closure()
        self.first_step(zero_grad=True)
        try:
            with torch.enable_grad():
                closure()
        except BaseException:
            self._return()
            raise
        self.second_step()
        return loss

    @_disable_dynamo
    @torch.no_grad()
    def first_step(self, zero_grad: bool = False) -> None:
        """Go uphill, along the gradients that there are, to w + ε.

        Args:
            zero_grad: clear the gradients.

        Raises:
            InvalidValue: the last `second_step` is still due.
        """
        self._check_back("first_step")
        found = [(p, dense(p.grad)) for p in self._parameters() if p.grad is not None]
        norm = self._norm([self._scaled(p, g) for p, g in found])
        self._before = [(p, p.detach().clone()) for p, _ in found]
        for p, g in found:
            if norm:
                way = self._scaled(p, self._scaled(p, g)) / norm
                p.add_((way * self.rho).to(p.dtype))
        if zero_grad:
            self.zero_grad()

    @_disable_dynamo
    def second_step(self, zero_grad: bool = False) -> None:
        """Go back to w, and take a step of the optimizer inside along the gradients that there are.

        Args:
            zero_grad: clear the gradients after it.

        Raises:
            InvalidValue: `first_step` was not called.
        """
        if self._before is None:
            raise InvalidValue("the parameters are not uphill: call `first_step` before")
        self._return()
        self.optimizer.step()
        self._opt_called = True  # the mark of a step, for torch's schedulers
        if zero_grad:
            self.zero_grad()

    def state_dict(self, **options: Any) -> dict[str, Any]:
        """Give the state of the optimizer inside.

        Raises:
            InvalidValue: the parameters are those of w + ε.
        """
        self._check_back("state_dict")
        return super().state_dict(**options)

    def load_state_dict(self, state_dict: dict[str, Any], **options: Any) -> None:
        """Take over a state of the optimizer inside.

        Raises:
            InvalidValue: the parameters are those of w + ε.
        """
        self._check_back("load_state_dict")
        super().load_state_dict(state_dict, **options)

    def _check_back(self, method: str) -> None:
        if self._before is not None:
            raise InvalidValue(f"the parameters are uphill: call `second_step` before `{method}`")

    @torch.no_grad()
    def _return(self) -> None:
        for p, weight in self._before or ():
            p.copy_(weight)
        self._before = None

    def _scaled(self, p: Tensor, values: Tensor) -> Tensor:
        """Values in float32 at least; times the length of each weight, if that is the unit."""
        wide = values.to(torch.promote_types(p.dtype, torch.float32))
        return wide * p.detach().abs() if self.adaptive else wide

    def _norm(self, gradients: list[Tensor]) -> float:
        reduction = reduction_of(gradients, getattr(self.optimizer, "process_group", None))
        squares = sum_of_squares(gradients, reduction)
        return large_norm(gradients, reduction) if squares == math.inf else math.sqrt(squares)

    def _options(self) -> dict[str, Any]:
        return {"rho": self.rho, "adaptive": self.adaptive}
