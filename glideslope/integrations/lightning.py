"""A loader for Lightning's ``Trainer``, which resumes at an epoch's end otherwise than a loop does.

Everything else works there as it is: schedulers, optimizers and schedules given to them.
"""

from __future__ import annotations

from operator import length_hint
from typing import Any, TypeVar

from glideslope import training

__all__ = ["ResumableLoader"]

Batch = TypeVar("Batch")


class ResumableLoader(training.ResumableLoader[Batch]):
    """A `glideslope.training.ResumableLoader` for Lightning's ``Trainer``.

    A state that was taken after the last batch of an epoch begins the next epoch. In a loop written
    by hand, and in `glideslope.training.ResumableLoader`, it is the rest of that epoch, which has
    no batches. Lightning counts that epoch as completed, and would take the rest for the next one.

    Args:
        loader: a loader with a length. Of one without a length Lightning takes a batch in advance,
            so a saved position is a batch too far.

    Raises:
        InvalidType: ``loader`` is an iterator, or cannot be iterated over.
        InvalidValue: a generator cannot be restored: see `glideslope.training.ResumableLoader`.

    Example:
        >>> loader = ResumableLoader(range(3))
        >>> for number in loader:
        ...     state = loader.state_dict()
        >>> again = ResumableLoader(range(3))
        >>> again.load_state_dict(state)
        >>> list(again)
        [0, 1, 2]
    """

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to the position of ``state``, or to the next epoch if that was the last batch.

        Raises:
            StateMismatch: the loader has fewer batches than were used, or other generators.
        """
        if state["batch"] and state["batch"] == length_hint(self.loader, -1):
            state = state | {"epoch": state["epoch"] + 1, "batch": 0, "beginning": None}
        super().load_state_dict(state)


def __dir__() -> list[str]:
    return __all__
