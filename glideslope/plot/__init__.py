"""Pictures, drawn with Matplotlib: the extra ``plot`` installs it."""

from __future__ import annotations

from ._plot import plot as plot

__all__ = ["plot"]


def __dir__() -> list[str]:
    return __all__
