"""A schedule as a learning rate of Paddle."""

from __future__ import annotations

import paddle

from glideslope.schedules import Schedule

from ._given import as_rates

__all__ = ["LRScheduler"]


class LRScheduler(paddle.optimizer.lr.LRScheduler):  # type: ignore[misc]
    """A schedule for ``learning_rate=`` of any optimizer of Paddle: the rate of step t is ``s(t)``.

    Call `step` after each update. The state holds the step and the rate, as Paddle's own do.

    Args:
        schedule: the rates, as a schedule or the text of one.
        last_epoch: the last finished step; -1 to begin.
        verbose: print the rate at every step.

    Raises:
        InvalidType: ``schedule`` is neither.
        UnboundError: some length is still in epochs, tokens or percent.

    Example:
        >>> scheduler = LRScheduler("0.1 * linear(4)")
        >>> scheduler.step()
        >>> round(scheduler(), 6)
        0.075

    Source: ``paddle.optimizer.lr.LRScheduler``.
    """

    def __init__(
        self, schedule: Schedule | str, last_epoch: int = -1, verbose: bool = False
    ) -> None:
        self.schedule = as_rates(schedule)
        super().__init__(1.0, last_epoch, verbose)  # a base that no rate here depends on

    def get_lr(self) -> float:
        """The rate of the present step."""
        return self.schedule(self.last_epoch)


def __dir__() -> list[str]:
    return __all__
