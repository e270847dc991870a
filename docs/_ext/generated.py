"""Parts of pages that the build writes from the library itself.

A line ``<!-- generated: NAME -->`` in a page is replaced by the Markdown of that name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import command_help
import optimizer_gallery
import schedule_gallery
from sphinx.application import Sphinx

PARTS: dict[str, Callable[[], str]] = {
    "curves": lambda: schedule_gallery.named("curves"),
    "recipes": lambda: schedule_gallery.named("recipes"),
    "algebra": schedule_gallery.algebra,
    "elsewhere": schedule_gallery.elsewhere,
    "optimizers": optimizer_gallery.gallery,
    "commands": command_help.commands,
}
MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def _fill_in(_app: Sphinx, _page: str, source: list[str]) -> None:
    source[0] = MARK.sub(lambda mark: PARTS[mark[1]](), source[0])


def _generated_pages(app: Sphinx, *_rest: object) -> list[str]:
    """Pages to read again at each build: what they are made of is not in their files."""
    pages = app.env.found_docs
    return [name for name in pages if MARK.search(app.env.doc2path(name).read_text("utf-8"))]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", _fill_in)
    app.connect("env-get-outdated", _generated_pages)
    return {"parallel_read_safe": True}
