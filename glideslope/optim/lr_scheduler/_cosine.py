"""Half a cosine wave, once and with warm restarts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from glideslope.errors import InvalidValue
from glideslope.groups import Due, Source
from glideslope.schedules import Cosine, Schedule

from ._base import LRScheduler
from ._checks import above, number
from ._curves import over
from ._sources import Floored, Scaled


def floored(schedule: Schedule, base: float, floor: float) -> Schedule:
    """A schedule of factors of ``base`` that comes down to ``floor`` instead of 0."""
    return schedule * (1 - floor / base) + floor / base if floor and base else schedule


class CosineAnnealingLR(LRScheduler):
    """Half a cosine wave: ``eta_min + (base - eta_min) · (1 + cos(π t / T_max)) / 2``.

    It is periodic: up again after ``T_max``, down after ``2 T_max``. To stay at the bottom, stop
    stepping, or use the schedule ``cosine(T_max)``, which holds its end.

    Args:
        optimizer: see `LRScheduler`.
        T_max: the number of steps down.
        eta_min: the rate at the bottom.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: ``T_max`` not above 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = CosineAnnealingLR(optimizer, T_max=3)
        >>> for _ in range(5):
        ...     print(f"{scheduler.last_lr:.3f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.100 0.075 0.025 0.000 0.025

    `torch.optim.lr_scheduler.CosineAnnealingLR`; Loshchilov and Hutter, "SGDR",
    https://arxiv.org/abs/1608.03983
    """

    __slots__ = ()
    _settings = ("T_max", "eta_min")

    def __init__(
        self,
        optimizer: Any,
        T_max: int,
        eta_min: float = 0.0,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.T_max = above("T_max", T_max, 0)
        self.eta_min = number("eta_min", eta_min)
        super().__init__(optimizer, last_epoch, verbose)

    def _wave(self) -> Schedule:
        return over(2 * self.T_max, lambda steps: _up_and_down(steps / 2)).repeat()

    def _curve(self) -> Schedule:
        return floored(self._wave(), self.base_lrs[0], self.eta_min)

    def _lr_source(self) -> Source:
        return _between(self, self._wave())


def _up_and_down(steps: float) -> Schedule:
    down = over(steps, Cosine)
    return down >> down.reverse()


def _between(scheduler: Any, wave: Schedule) -> Source:
    """A wave between the groups' bases and one floor."""
    resets, eta_min = scheduler._resets, scheduler.eta_min
    if not eta_min:
        return Scaled(wave, resets=resets)
    return Floored(wave, eta_min, resets=resets)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine wave, repeated: ``eta_min + (base - eta_min) · (1 + cos(π x)) / 2``.

    With ``x = T_cur / T_i``, where ``T_cur`` counts the steps in a cycle and ``T_i`` is its length:
    the first has ``T_0`` steps, each next one ``T_mult`` times as many. `step` takes fractions of a
    step too, such as ``epoch + batch / batches``, without any warning.

    Args:
        optimizer: see `LRScheduler`.
        T_0: the length of the first cycle.
        T_mult: the ratio of two lengths.
        eta_min: the rate that a cycle goes down towards.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: ``T_0`` or ``T_mult`` not a whole number of at least 1, ``eta_min`` no number,
            a step below 0.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=2)
        >>> for _ in range(5):
        ...     print(f"{scheduler.last_lr:.2f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.10 0.05 0.10 0.05 0.10

    `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`; Loshchilov and Hutter, "SGDR",
    https://arxiv.org/abs/1608.03983
    """

    __slots__ = ()
    _settings = ("T_0", "T_mult", "eta_min")
    _progress = (*LRScheduler._progress, "T_cur", "T_i")
    _watches_order = False
    _warns_of_epoch = False
    _resets = True

    def __init__(
        self,
        optimizer: Any,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        if T_0 <= 0 or not isinstance(T_0, int):
            raise InvalidValue(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise InvalidValue(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, float | int):
            raise InvalidValue(
                f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}"
            )
        self.T_0 = T_0
        self.T_mult = T_mult
        self.eta_min = number("eta_min", eta_min)
        super().__init__(optimizer, last_epoch, verbose)

    def _cycles(self) -> Schedule:
        return Cosine(self.T_0).repeat(stretch=self.T_mult)

    def _curve(self) -> Schedule:
        return floored(self._cycles(), self.base_lrs[0], self.eta_min)

    def _lr_source(self) -> Source:
        return _between(self, self._cycles())

    def _jump(self, t: float, before: int) -> list[float]:
        if t < 0:
            raise InvalidValue(f"Expected non-negative epoch, but got {t}")
        ahead, self._ahead = self._ahead, t - math.floor(t)
        try:
            return super()._jump(math.floor(t), before)
        except Exception:
            self._ahead = ahead  # the step was not taken
            raise

    def enter(self, t: int) -> list[Due]:
        """Go to step ``t``; return the values that are due."""
        if t not in (self.last_epoch, self.last_epoch + 1):
            self._ahead = 0
        return super().enter(t)

    @property
    def T_cur(self) -> float:  # noqa: N802 -- torch's name
        """The steps in the present cycle."""
        return self._position()[0]

    @T_cur.setter
    def T_cur(self, steps: float) -> None:  # noqa: N802 -- torch's name
        self._ahead += steps - self.T_cur

    @property
    def T_i(self) -> int:  # noqa: N802 -- torch's name
        """The length of the present cycle."""
        return self._position()[1]

    def _position(self) -> tuple[float, int]:
        """The steps in the present cycle, in whole numbers where they are, and its length."""
        t, length = self.last_epoch + self._ahead, self.T_0
        if self.T_mult == 1:
            return t % length, length
        while t >= length:
            t, length = t - length, length * self.T_mult
        return t, length

    def state_dict(self) -> dict[str, Any]:
        """The state in torch's format."""
        return super().state_dict() | {"T_cur": self.T_cur, "T_i": self.T_i}

    def _adopt(self, state: Mapping[str, Any]) -> None:
        super()._adopt({key: state[key] for key in state if key not in ("T_cur", "T_i")})
        self._ahead = 0
        self.T_cur = state["T_cur"]
