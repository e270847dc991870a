"""Pictures, drawn with Matplotlib: the extra ``plot`` installs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._plot import plot as plot

__all__ = ["plot", "plot_range_test"]

if TYPE_CHECKING:
    from ._range_test import plot_range_test as plot_range_test
else:

    def __getattr__(name: str) -> object:
        if name != "plot_range_test":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import _range_test  # loads torch, which curves do not need

        return _range_test.plot_range_test


def __dir__() -> list[str]:
    return __all__
