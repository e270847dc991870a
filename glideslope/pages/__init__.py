"""Pages for the browser: the report on recorded runs, and the page on which a schedule is designed.

- `Summary` holds the key figures of one schedule.
- `page` puts a page's style, program and data into one HTML file.
- `glideslope.pages.report` makes the page of `glideslope report`.
- `glideslope.pages.design` makes the page of `glideslope design`, and the server that answers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glideslope._lazy import lazy

from ._page import page
from ._summary import Summary

__all__ = ["Summary", "design", "page", "report"]

if TYPE_CHECKING:
    from . import design, report
else:
    __getattr__ = lazy(__name__, {"design": "design", "report": "report"})


def __dir__() -> list[str]:
    return __all__
