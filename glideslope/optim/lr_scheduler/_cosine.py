"""Half a cosine wave, once and with warm restarts."""

from __future__ import annotations

import math
from typing import Any

from glideslope.errors import InvalidValue

from ._alike import scaled
from ._checks import above, number
from ._closed_form import ClosedForm


class CosineAnnealingLR(ClosedForm):
    """Half a cosine wave: ``eta_min + (base - eta_min) · (1 + cos(π t / T_max)) / 2``.

    It goes on as the wave does: up again after ``T_max``, down after ``2 T_max``. To stay at the
    bottom, stop stepping, or use the schedule ``cosine(T_max)``, which holds its end.

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

    def _values(self, t: int) -> list[float]:
        # (1 + cos πx) / 2 as the square of a sine, which loses no digits where it is small.
        sine = math.sin(math.pi / 2 * (self.T_max - t % (2 * self.T_max)) / self.T_max)
        high = sine * sine
        return scaled(self.base_lrs, high, self.eta_min * (1 - high))


class CosineAnnealingWarmRestarts(ClosedForm):
    """Half a cosine wave, again and again: ``eta_min + (base - eta_min) · (1 + cos(π x)) / 2``.

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

    __slots__ = ("_placed_at",)
    _settings = ("T_0", "T_mult", "eta_min")
    _progress = (*ClosedForm._progress, "T_cur", "T_i")
    _watches_order = False
    _warns_of_epoch = False
    _starts_anew = True

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
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = number("eta_min", eta_min)
        self.T_cur: float = last_epoch
        self._placed_at = -1
        super().__init__(optimizer, last_epoch, verbose)

    def _jump(self, t: float) -> list[float]:
        if t < 0:
            raise InvalidValue(f"Expected non-negative epoch, but got {t}")
        self._place(t)
        return self._rates(self.last_epoch)

    def _place(self, t: float) -> None:
        """Find the cycle of a step, in whole numbers where the step is one."""
        start, self.T_i = 0, self.T_0
        if self.T_mult == 1:
            start = int(t // self.T_0) * self.T_0
        while t >= start + self.T_i:
            start, self.T_i = start + self.T_i, self.T_i * self.T_mult
        self.T_cur = t - start
        self.last_epoch = self._placed_at = math.floor(t)

    def _values(self, t: int) -> list[float]:
        if t == self._placed_at + 1 > 0:  # one step further from `T_cur`, a fraction maybe
            self._placed_at = t
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
        elif t != self._placed_at:
            self._place(t)
        sine = math.sin(math.pi / 2 * (self.T_i - self.T_cur) / self.T_i)
        high = sine * sine
        return scaled(self.base_lrs, high, self.eta_min * (1 - high))

    def _adopt(self, state: Any) -> None:
        super()._adopt(state)
        self._placed_at = self.last_epoch
