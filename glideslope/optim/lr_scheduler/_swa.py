"""The learning rate of stochastic weight averaging."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from glideslope.errors import InvalidValue

from ._alike import Blend
from ._base import LRScheduler
from ._checks import per_group
from ._ledger import Ledger


def _cosine(x: float) -> float:
    return math.sin(math.pi / 2 * x) ** 2


def _line(x: float) -> float:
    return x


class SWALR(LRScheduler):
    """From whatever the rate is to a fixed one: ``swa_lr · a(t) + lr · (1 - a(t))``.

    ``lr`` is what the groups hold when the annealing begins, and ``a`` goes from 0 to 1 in
    ``anneal_epochs`` steps: as ``(1 - cos(π x)) / 2`` or as ``x``. Afterwards the rate stays at
    ``swa_lr``, which is kept in the groups. Step another scheduler first and this one from some
    epoch on, and the rates go on from where the other left them.

    Args:
        optimizer: see `LRScheduler`.
        swa_lr: the rate to reach, or a list with one for each group.
        anneal_epochs: the number of steps; 0 to be there at once.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: see `LRScheduler`; the rates in the groups are taken to be those of that step.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: another strategy, ``anneal_epochs`` not a whole number of at least 0, a list
            of another length than there are groups.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
        >>> for _ in range(4):
        ...     print(f"{scheduler.last_lr:.1f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.1 0.3 0.5 0.5

    `torch.optim.swa_utils.SWALR`; Izmailov et al., https://arxiv.org/abs/1803.05407
    """

    __slots__ = ("_left", "_starts")
    _settings = ("_anneal_strategy", "anneal_epochs")

    def __init__(
        self,
        optimizer: Any,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.optimizer = optimizer
        groups = self._bind().groups()
        for group, rate in zip(groups, per_group("swa_lr", swa_lr, groups), strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise InvalidValue(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise InvalidValue(
                f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}"
            )
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        self._starts: list[float] = []
        self._left: list[float] | None = None
        super().__init__(optimizer, last_epoch, verbose)

    @property
    def anneal_func(self) -> Callable[[float], float]:
        """The share of ``swa_lr`` at a share of the annealing."""
        return _cosine if self._anneal_strategy == "cos" else _line

    def _alpha(self, t: int) -> float:
        return self.anneal_func(t / self.anneal_epochs if t < self.anneal_epochs else 1.0)

    def step(self, epoch: int | None = None) -> None:
        """Go to the next step and write its learning rates; call it after ``optimizer.step()``.

        Args:
            epoch: go to this step instead.
        """
        ledger = self._ledger if self._bound is self.optimizer else self._bind()
        rates = ledger.observe()
        if rates is not self._left:  # somebody else has been at work
            clock = self.last_epoch + 1 if self._is_initial else self.last_epoch
            self._find_starts(rates, self._alpha(clock))
        super().step(epoch)
        self._left = self._last_lr

    def _write(self, ledger: Ledger, values: Any, groups: list[Any]) -> list[float]:
        return ledger.edit(values)

    def _find_starts(self, rates: list[float], alpha: float) -> None:
        """Undo the annealing so far; once it is over, the starts that are known remain."""
        if alpha < 1 or len(self._starts) != len(rates):
            rest = 1 - alpha or 1.0
            self._starts = Blend(self._goals(), rates).at(-alpha / rest)

    def _goals(self) -> list[float]:
        """Every group's ``swa_lr``; a new group has that of the others if they agree."""
        groups = self._ledger.groups()
        try:
            return [group["swa_lr"] for group in groups]
        except KeyError:
            goals = {group["swa_lr"] for group in groups if "swa_lr" in group}
        if len(goals) != 1:
            raise InvalidValue("a new parameter group needs an 'swa_lr' of its own")
        for group in groups:
            (group["swa_lr"],) = goals
        return self._goals()

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The learning rates of the step ``last_epoch``, one per parameter group."""
        return self._rates(self.last_epoch)

    def _rates(self, t: int) -> list[float]:
        return Blend(self._goals(), self._starts).at(self._alpha(t))

    # As a member of a composite: from the bases, whatever stands in the groups.

    def _set_base(self, group: int, base: float) -> None:
        super()._set_base(group, base)
        self._starts[group : group + 1] = [base]

    def _base_on(self, bases: list[float]) -> None:
        super()._base_on(bases)
        self._starts = list(bases)

    def _hand_over(self) -> None:
        super()._hand_over()
        self._starts = list(self.base_lrs)

    def _now(self) -> list[float]:
        return self._rates(self.last_epoch)

    def _advance(self, _metrics: Any) -> list[float]:
        return self._move(self.last_epoch + 1)
