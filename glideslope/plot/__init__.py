"""Pictures, drawn with Matplotlib: the extra ``plot`` installs it.

The functions know what they draw by its methods and attributes alone, so schedules, schedulers and
results can call them.
"""

from __future__ import annotations

from ._plot import Drawable as Drawable
from ._plot import plot as plot
from ._range_test import plot_range_test as plot_range_test
from ._scheduler import plot_scheduler as plot_scheduler

__all__ = ["Drawable", "plot", "plot_range_test", "plot_scheduler"]


def __dir__() -> list[str]:
    return __all__
