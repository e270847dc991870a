"""Several schedulers at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._alike import compounded
from ._composable import Composable
from ._composite import Composite, Foreign


class ChainedScheduler(Composite):
    """Several schedulers at once: ``base × Π rate / base`` over the members.

    Schedulers that are stepped side by side on one optimizer multiply without it too; it makes one
    scheduler of them. Members may be composites themselves, and `ReduceLROnPlateau`, for which
    `step` takes the metric.

    Args:
        schedulers: the members.
        optimizer: see `LRScheduler`; that of the first member unless given.
        verbose: print the rates at every step.

    Raises:
        InvalidType: a member that is not a scheduler.
        InvalidValue: no member, or one of another optimizer.

    Example:
        >>> import torch
        >>> from glideslope.optim.lr_scheduler import ConstantLR, ExponentialLR
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
        >>> warmup = ConstantLR(optimizer, factor=0.25, total_iters=2)
        >>> scheduler = ChainedScheduler([warmup, ExponentialLR(optimizer, gamma=0.5)])
        >>> for _ in range(4):
        ...     print(f"{scheduler.last_lr:.1f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.2 0.1 0.2 0.1

    `torch.optim.lr_scheduler.ChainedScheduler`
    """

    __slots__ = ()
    _settings = ()

    def __init__(
        self, schedulers: Sequence[Any], optimizer: Any = None, verbose: bool = False
    ) -> None:
        ledger = self._gather(optimizer, schedulers, verbose)
        if any(isinstance(member, Foreign) for member in self._members):
            ledger.rebase(self.base_lrs)  # what they wrote when they were built tells nothing
            self._join(ledger)
            self._last_lr = self._write(ledger, self._now(), ledger.groups())
        else:
            self._reenter(ledger, None)  # the members have written their factors already
            self._last_lr = ledger.written
        if self._verbose:
            self._announce(self._clock())

    @property
    def _starts_anew(self) -> bool:  # type: ignore[override]
        return any(getattr(member, "_starts_anew", False) for member in self._members)

    @property
    def base_lrs(self) -> list[float]:  # type: ignore[override]
        """The bases of the last member."""
        return self._members[-1].base_lrs  # type: ignore[no-any-return]

    def _clock(self) -> int:
        return self._members[0]._clock()  # type: ignore[no-any-return]

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The product of the members' learning rates, one per parameter group."""
        return list(self._now())

    def _product(self, rates: list[list[float]]) -> list[float]:
        product = self.base_lrs
        for member, values in zip(self._members, rates):  # noqa: B905
            product = compounded(product, values, member.base_lrs)
        for member in self._members:
            if isinstance(member, Composable):  # as it would remember what it wrote
                member._last_lr = product
        return product

    def _now(self) -> list[float]:
        return self._product([member._now() for member in self._members])

    def _move(self, t: int) -> list[float]:
        return self._product([member._move(t) for member in self._members])

    def _advance(self, metrics: Any) -> list[float]:
        return self._product([member._advance(metrics) for member in self._members])

    def _settle(self) -> None:
        for member in self._members:
            member._settle()
