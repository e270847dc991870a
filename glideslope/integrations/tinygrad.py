"""A schedule that drives an optimizer of tinygrad."""

from __future__ import annotations

from typing import Any

from tinygrad import Tensor

from glideslope.errors import require_type
from glideslope.schedules import Schedule

from ._given import as_rates

__all__ = ["LRScheduler"]


class LRScheduler:
    """A schedule for an optimizer of tinygrad: update t runs at ``s(t)``.

    The rate is assigned to the optimizer's own tensor, so a step under ``TinyJit`` sees it. Call
    `step` after each update, outside of the function that is compiled.

    Args:
        optimizer: an optimizer of ``tinygrad.nn.optim``, or an ``OptimizerGroup``.
        schedule: the rates, as a schedule or the text of one.

    Raises:
        InvalidType: ``schedule`` is neither, or ``optimizer`` is not one of tinygrad.
        UnboundError: some length is still in epochs, tokens or percent.

    Example:
        >>> from tinygrad.nn.optim import SGD
        >>> optimizer = SGD([Tensor([1.0]).is_param_()], lr=1.0)
        >>> scheduler = LRScheduler(optimizer, "0.5 * linear(4)")
        >>> scheduler.step()
        >>> optimizer.lr.item()
        0.375
    """

    def __init__(self, optimizer: Any, schedule: Schedule | str) -> None:
        has_rate = all(isinstance(getattr(each, "lr", None), Tensor) for each in _each(optimizer))
        require_type(has_rate, "optimizer", "be an optimizer of tinygrad", optimizer)
        self.optimizer, self.schedule = optimizer, as_rates(schedule)
        self.last_epoch = 0
        self._write()

    def step(self) -> None:
        """Go to the next step and write its rate."""
        self.last_epoch += 1
        self._write()

    def get_lr(self) -> float:
        """The rate of the present step."""
        return self.schedule(self.last_epoch)

    def state_dict(self) -> dict[str, int]:
        """The step."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go to a saved step and write its rate."""
        self.last_epoch = int(state["last_epoch"])
        self._write()

    def _write(self) -> None:
        for each in _each(self.optimizer):
            rate = Tensor([self.get_lr()], dtype=each.lr.dtype, device=each.lr.device)
            each.lr.assign(rate).realize()


def _each(optimizer: Any) -> Any:
    """The optimizers of a group, or the one."""
    return getattr(optimizer, "optimizers", (optimizer,))


def __dir__() -> list[str]:
    return __all__
