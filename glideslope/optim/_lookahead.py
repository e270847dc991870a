"""Lookahead: slow weights that follow those of another optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._compile import _disable_dynamo

from glideslope.errors import InvalidValue, require, require_type

from ._base.hyperparameters import require_number
from ._base.masters import master_of, set_master
from ._loading.kept import SLOW
from ._loading.merging import LOOKAHEAD_STEP
from ._schedule_free import ScheduleFree
from ._wrapper import Closure, OptimizerWrapper

__all__ = ["Lookahead"]


class Lookahead(OptimizerWrapper):
    r"""Slow weights that follow those of another optimizer, which then continues from them.

    After every k updates of the optimizer inside, with its weights :math:`\theta` and the slow ones
    :math:`\phi`:

    .. math::
        \phi \leftarrow \phi + \alpha (\theta - \phi), \quad \theta \leftarrow \phi

    Everything else is the optimizer's inside: groups, schedules, hooks, `state_dict`, in which each
    parameter has its slow weight as ``lookahead_slow``. The optimizer's own state (momentum)
    continues unchanged. The slow weights start at the parameters before the first update; one of a
    parameter that joins later, there.

    Between two of these points the model holds :math:`\theta`. Evaluate and save after a multiple
    of k updates, where both are the same. With `SAM`, that is the outer one:
    ``SAM(Lookahead(optimizer))``, because its two steps do not pass through a wrapper.

    Args:
        optimizer: the optimizer inside, torch's own or one of these.
        k: how many updates it takes for each of the slow weights.
        alpha: α, the part of the way that these go; more than 0, at most 1.

    Raises:
        InvalidType: ``optimizer`` is none.
        InvalidValue: ``k`` or ``alpha`` is outside its bounds, or the optimizer is schedule-free.

    Example:
        >>> import torch
        >>> from glideslope.optim import SGD, Lookahead
        >>> weight = torch.ones(1, requires_grad=True)
        >>> optimizer = Lookahead(SGD([weight], lr=1.0), k=2, alpha=0.5)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     weight.sum().backward()
        ...     optimizer.step()
        ...     print(weight.item())    # two steps of 1 down, then half of the way back
        0.0
        0.0

    Source: Zhang et al., `Lookahead Optimizer: k steps forward, 1 step back
    <https://arxiv.org/abs/1907.08610>`_ (2019), algorithm 1, with the momentum maintained.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, k: int = 5, alpha: float = 0.5) -> None:
        super().__init__(optimizer)
        require_type(isinstance(k, int) and not isinstance(k, bool), "k", "be an integer", k)
        require(k >= 1, "k", "be at least 1", k)
        require_number("alpha", alpha)
        require(0 < alpha <= 1, "alpha", "be more than 0 and at most 1", alpha)
        if isinstance(optimizer, ScheduleFree):
            raise InvalidValue(
                f"`optimizer` must not be {type(optimizer).__name__}, which averages"
            )
        self.k, self.alpha = k, alpha

    @_disable_dynamo
    def step(self, closure: Closure | None = None, **options: Any) -> Any:
        """Take a step of the optimizer inside; every k of them, move the slow weights.

        Args:
            closure: see the optimizer inside.
            options: further arguments of its ``step``, such as ``zero_grad``.

        Returns:
            What that gives: the closure's loss, or None.
        """
        before, skipped = self._unbegun(), self._skipped()
        loss = self.optimizer.step(closure, **options)
        if self._skipped() == skipped:
            self._begin(before)
            self._count()
        return loss

    def _unbegun(self) -> list[tuple[Tensor, Tensor]]:
        """The parameters that have no slow weights yet, with copies of them."""
        states = ((p, self.state.get(p, {})) for p in self._parameters())
        return [(p, _wide(master_of(p, state))) for p, state in states if SLOW not in state]

    def _begin(self, before: list[tuple[Tensor, Tensor]]) -> None:
        """Start slow weights where parameters were, of those that have been updated.

        Torch's optimizers take state that is not empty for their own, so it comes after theirs.
        """
        for p, weight in before:
            if p.grad is not None or self.state.get(p):
                self.state[p][SLOW] = weight

    def _skipped(self) -> int:
        """The number of steps that the optimizer inside has left out, if it may leave any out."""
        return int(getattr(self.optimizer, "skipped_steps", 0))

    def _count(self) -> None:
        step = 1 + max(int(group.get(LOOKAHEAD_STEP, 0)) for group in self.param_groups)
        for group in self.param_groups:
            group[LOOKAHEAD_STEP] = step
        if step % self.k == 0:
            self._move()

    @torch.no_grad()
    def _move(self) -> None:
        for p in self._parameters():
            state = self.state.get(p, {})
            if SLOW in state:
                fast = _wide(master_of(p, state))
                state[SLOW] = _wide(state[SLOW]).lerp(fast, self.alpha)
                set_master(p, state, state[SLOW])

    def _options(self) -> dict[str, Any]:
        return {"k": self.k, "alpha": self.alpha}


def _wide(weight: Tensor) -> Tensor:
    """A weight in float32 at least: fewer bits would round a part of a small step off."""
    return weight.to(torch.promote_types(weight.dtype, torch.float32))
