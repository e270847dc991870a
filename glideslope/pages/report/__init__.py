"""The page of `glideslope report`: one HTML file on one run or several."""

from __future__ import annotations

from ._page import report_page

__all__ = ["report_page"]


def __dir__() -> list[str]:
    return __all__
