"""The page of `glideslope report`: one HTML file on runs, or a page that follows them."""

from __future__ import annotations

from ._page import report_page
from ._server import ReportServer, reported_runs

__all__ = ["ReportServer", "report_page", "reported_runs"]


def __dir__() -> list[str]:
    return __all__
