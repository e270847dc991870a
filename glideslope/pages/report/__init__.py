"""The page of `glideslope report`: one HTML file on runs, or a page that follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glideslope._lazy import lazy

from ._folders import reported_runs
from ._page import report_page

__all__ = ["ReportServer", "report_page", "reported_runs"]

if TYPE_CHECKING:
    from ._server import ReportServer
else:
    __getattr__ = lazy(__name__, {"ReportServer": "_server"})


def __dir__() -> list[str]:
    return __all__
