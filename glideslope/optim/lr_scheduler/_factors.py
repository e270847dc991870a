"""Schedulers that multiply every base by the same factor, from simple to complex."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from glideslope.errors import require_type
from glideslope.schedules import (
    Constant,
    Exponential,
    Linear,
    Polynomial,
    Schedule,
    hold,
    multistep,
    step,
)

from ._base import LRScheduler
from ._checks import above, at_least, in_unit, number
from ._curves import over


class ConstantLR(LRScheduler):
    """A factor for the first steps: ``base × factor`` while ``t < total_iters``, then ``base``.

    Args:
        optimizer: see `LRScheduler`.
        factor: the factor, in [0, 1].
        total_iters: the number of steps; 0 for none.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: ``factor`` outside [0, 1], ``total_iters`` below 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = ConstantLR(optimizer, factor=0.5, total_iters=2)
        >>> for _ in range(4):
        ...     print(scheduler.last_lr, end=" ")
        ...     optimizer.step(); scheduler.step()
        [0.05] [0.05] [0.1] [0.1]

    `torch.optim.lr_scheduler.ConstantLR`
    """

    __slots__ = ()
    _settings = ("factor", "total_iters")

    def __init__(
        self,
        optimizer: Any,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.factor = in_unit("factor", factor)
        self.total_iters = at_least("total_iters", total_iters, 0)
        super().__init__(optimizer, last_epoch, verbose)

    def _curve(self) -> Schedule:
        return over(self.total_iters, lambda steps: hold(steps, self.factor)) >> Constant()


class LinearLR(LRScheduler):
    """A straight line between two factors: ``base × (start + (end - start) · min(t, n) / n)``.

    With ``n = total_iters``; with ``n = 0`` the factor is ``end_factor`` at once.

    Args:
        optimizer: see `LRScheduler`.
        start_factor: the factor at step 0, in (0, 1].
        end_factor: the factor from step ``total_iters`` on, in [0, 1].
        total_iters: the number of steps from one to the other.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: a factor outside its range, ``total_iters`` below 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
        >>> scheduler = LinearLR(optimizer, start_factor=0.25, total_iters=3)
        >>> for _ in range(5):
        ...     print(f"{scheduler.last_lr:.1f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.1 0.2 0.3 0.4 0.4

    `torch.optim.lr_scheduler.LinearLR`
    """

    __slots__ = ()
    _settings = ("end_factor", "start_factor", "total_iters")

    def __init__(
        self,
        optimizer: Any,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.start_factor = above("start_factor", in_unit("start_factor", start_factor), 0)
        self.end_factor = in_unit("end_factor", end_factor)
        self.total_iters = at_least("total_iters", total_iters, 0)
        super().__init__(optimizer, last_epoch, verbose)

    def _curve(self) -> Schedule:
        start, end = self.start_factor, self.end_factor
        return over(self.total_iters, lambda steps: Linear(steps, start=start, end=end))


class ExponentialLR(LRScheduler):
    """A factor at every step: ``base × gamma^t``.

    Args:
        optimizer: see `LRScheduler`.
        gamma: the factor, at least 0.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: ``gamma`` below 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
        >>> scheduler = ExponentialLR(optimizer, gamma=0.5)
        >>> for _ in range(4):
        ...     print(f"{scheduler.last_lr:.1f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.8 0.4 0.2 0.1

    `torch.optim.lr_scheduler.ExponentialLR`
    """

    __slots__ = ()
    _keeps_late_rates = True
    _settings = ("gamma",)

    def __init__(
        self, optimizer: Any, gamma: float, last_epoch: int = -1, verbose: bool = False
    ) -> None:
        self.gamma = at_least("gamma", gamma, 0)
        super().__init__(optimizer, last_epoch, verbose)

    def _curve(self) -> Schedule:
        return Exponential(self.gamma)


class PolynomialLR(LRScheduler):
    """Down to 0 as a power of the remaining share: ``base × (1 - min(t, n) / n)^power``.

    With ``n = total_iters``.

    Args:
        optimizer: see `LRScheduler`.
        total_iters: the number of steps down to 0.
        power: 1 for a straight line; at least 0.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: ``total_iters`` not above 0, ``power`` below 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
        >>> scheduler = PolynomialLR(optimizer, total_iters=4, power=2.0)
        >>> for _ in range(5):
        ...     print(f"{scheduler.last_lr:.3f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.400 0.225 0.100 0.025 0.000

    `torch.optim.lr_scheduler.PolynomialLR`
    """

    __slots__ = ()
    _keeps_late_rates = True
    _settings = ("power", "total_iters")

    def __init__(
        self,
        optimizer: Any,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.total_iters = above("total_iters", total_iters, 0)
        self.power = at_least("power", power, 0)
        super().__init__(optimizer, last_epoch, verbose)

    def _curve(self) -> Schedule:
        if not self.power:
            return Constant()
        return over(self.total_iters, lambda steps: Polynomial(steps, power=self.power))


class StepLR(LRScheduler):
    """A factor every ``step_size`` steps: ``base × gamma^⌊t / step_size⌋``.

    Args:
        optimizer: see `LRScheduler`.
        step_size: the number of steps between two decays.
        gamma: the factor, at least 0.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: ``step_size`` not above 0, ``gamma`` below 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
        >>> for _ in range(5):
        ...     print(scheduler.last_lr, end=" ")
        ...     optimizer.step(); scheduler.step()
        [0.1] [0.1] [0.05] [0.05] [0.025]

    `torch.optim.lr_scheduler.StepLR`
    """

    __slots__ = ()
    _keeps_late_rates = True
    _settings = ("gamma", "step_size")

    def __init__(
        self,
        optimizer: Any,
        step_size: int,
        gamma: float = 0.1,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.step_size = above("step_size", step_size, 0)
        self.gamma = at_least("gamma", gamma, 0)
        super().__init__(optimizer, last_epoch, verbose)

    def _curve(self) -> Schedule:
        return step(self.step_size, self.gamma)


class MultiStepLR(LRScheduler):
    """A factor at each milestone: ``base × gamma^k``, ``k`` the number of milestones up to ``t``.

    Args:
        optimizer: see `LRScheduler`.
        milestones: steps, in any order; one that is given twice counts twice.
        gamma: the factor, at least 0.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidType: ``milestones`` that are no steps.
        InvalidValue: a milestone that is not finite, ``gamma`` below 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
        >>> for _ in range(5):
        ...     print(scheduler.last_lr, end=" ")
        ...     optimizer.step(); scheduler.step()
        [0.1] [0.05] [0.05] [0.025] [0.025]

    `torch.optim.lr_scheduler.MultiStepLR`
    """

    __slots__ = ()
    _keeps_late_rates = True
    _settings = ("gamma", "milestones")

    def __init__(
        self,
        optimizer: Any,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        is_iterable = isinstance(milestones, Iterable)
        require_type(is_iterable, "milestones", "be a list of steps", milestones)
        self.milestones = Counter(milestones)
        for milestone in self.milestones:
            number("milestones", milestone)
        self.gamma = at_least("gamma", gamma, 0)
        super().__init__(optimizer, last_epoch, verbose)

    def _translate(self, state: dict[str, Any]) -> dict[str, Any]:
        """Keep the milestones that are numbers: torch's distributed checkpoint adds their texts."""
        state = super()._translate(state)
        saved = state.get("milestones", {})
        numbers = {step: count for step, count in saved.items() if not isinstance(step, str)}
        texts = {float(step): count for step, count in saved.items() if isinstance(step, str)}
        return state | {"milestones": Counter(numbers or texts)} if "milestones" in state else state

    def _curve(self) -> Schedule:
        passed = sorted(self.milestones.elements())
        return multistep([milestone for milestone in passed if milestone >= 0], self.gamma)
