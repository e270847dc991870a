"""Pictures, drawn with Matplotlib: the extra ``plot`` installs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._plot import plot as plot

__all__ = ["plot", "plot_range_test", "plot_scheduler"]

if TYPE_CHECKING:
    from ._range_test import plot_range_test as plot_range_test
    from ._scheduler import plot_scheduler as plot_scheduler
else:

    def __getattr__(name: str) -> object:
        if name == "plot_range_test":  # loads torch, which curves do not need
            from . import _range_test

            return _range_test.plot_range_test
        if name == "plot_scheduler":
            from . import _scheduler

            return _scheduler.plot_scheduler
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
