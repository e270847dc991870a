"""The learning rate of stochastic weight averaging."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from glideslope.errors import InvalidValue
from glideslope.groups import blended
from glideslope.schedules import Cosine, Linear, Schedule

from ._base import LRScheduler
from ._checks import per_group
from ._sources import Evaluated, OwnRates


class SWALR(LRScheduler):
    """From the present rate to a fixed one: ``swa_lr · a(t) + lr · (1 - a(t))``.

    ``lr`` is the rate in the groups when the annealing begins, and ``a`` goes from 0 to 1 in
    ``anneal_epochs`` steps: as ``(1 - cos(π x)) / 2`` or as ``x``. Afterwards the rate stays at
    ``swa_lr``, which is kept in the groups. To use it after another scheduler, step that one first,
    and this one from some epoch on.

    Args:
        optimizer: see `LRScheduler`.
        swa_lr: the rate to reach, or a list with one for each group.
        anneal_epochs: the number of steps; 0 to reach ``swa_lr`` at once.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: see `LRScheduler`; the rates in the groups are taken to be those of that step.
        verbose: see `LRScheduler`.

    Raises:
        InvalidValue: another strategy, ``anneal_epochs`` not a whole number of at least 0, a list
            whose length is not the number of groups.

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

    __slots__ = ("_annealing", "_left", "_starts")
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
        groups = self._shared_lr().groups()
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

    def _shape(self, steps: int) -> Schedule:
        """The share of ``swa_lr``, from 0 to 1."""
        ramp = Cosine if self._anneal_strategy == "cos" else Linear
        return ramp(steps, start=0.0, end=1.0)

    def _curve(self) -> Schedule:
        goal, start = self._goals()[0], self._starts[0]
        return start + (goal - start) * self._shape(self.anneal_epochs)

    def _lr_source(self) -> OwnRates:
        self._annealing = Evaluated(self._shape(self.anneal_epochs))
        return OwnRates(self, outright=True)

    @property
    def anneal_func(self) -> Callable[[float], float]:
        """The share of ``swa_lr`` at a share of the annealing."""
        return self._shape(1)

    def step(self, epoch: int | None = None) -> None:
        """Go to the next step and write its learning rates; call it after ``optimizer.step()``.

        Args:
            epoch: go to this step instead.
        """
        shared = self._shared_lr()
        rates = shared.observe()
        if shared.holds_loaded():  # which is progress: the known starts remain
            self._starts = [*self._starts, *shared.bases[len(self._starts) :]]
        elif rates is not self._left:  # changed by other code
            clock = self.last_epoch + 1 if self._is_initial else self._written_at
            self._find_starts(rates, self._annealing.at(clock))
        super().step(epoch)
        self._left = self._last_lr

    def _find_starts(self, rates: list[float], share: float) -> None:
        """Undo the annealing so far; once it is over, the known starts remain."""
        known = len(self._starts) or len(rates)
        if share < 1 or not self._starts:
            rest = 1 - share or 1.0
            self._starts = blended(self._goals(), rates, -share / rest)
        self._starts = [*self._starts[:known], *self._shared_lr().bases[known:]]

    def _goals(self) -> list[float]:
        """Every group's ``swa_lr``; a new group has that of the others if they agree."""
        groups = self._shared_lr().groups()
        try:
            return [group["swa_lr"] for group in groups]
        except KeyError:
            goals = {group["swa_lr"] for group in groups if "swa_lr" in group}
        if len(goals) != 1:
            raise InvalidValue("a new parameter group needs an 'swa_lr' of its own")
        for group in groups:
            (group["swa_lr"],) = goals
        return self._goals()

    def own_rates(self) -> list[float]:
        """The rates of the step ``last_epoch``."""
        return self.rates_at(self.last_epoch)

    def rates_at(self, t: int) -> list[float]:
        """The learning rates of step ``t``, without the factors of other schedulers."""
        return blended(self._goals(), self._starts, self._annealing.at(t))

    def _write_loaded(self, rates: list[float] | None) -> None:
        super()._write_loaded(rates)
        known, shared = len(rates or []), self._shared_lr()
        self._starts = []
        self._find_starts(shared.observe(), self._annealing.at(self.last_epoch))
        self._starts[known:] = shared.bases[known:]
        if known < len(self._starts):
            self._last_lr = shared.edit(self.rates_at(self.last_epoch))
        self._left = self._last_lr

    def _resumed(self) -> None:
        self._starts = list(self.base_lrs)

    # As a member of a composite: from the bases, whatever the groups hold.

    can_enter = True

    def stop_writing(self) -> None:
        """Stop writing, for a composite does it."""
        (binding,) = self._bindings
        if binding.source.outright:
            binding.source.outright = False  # type: ignore[misc]
            binding.join_as_factor()
        self._starts = list(self.base_lrs)
        super().stop_writing()
