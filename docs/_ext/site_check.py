"""Check of the built site: every internal link has its page and anchor, and nothing is fetched.

Findings are warnings, which `make docs` takes as errors. No network is used: links to other sites
are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
FETCHED = {"script": "src", "img": "src", "source": "src", "iframe": "src"}
"""Elements that make a browser fetch something, with the attribute that names it."""
FETCHING_CSS = re.compile(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", re.IGNORECASE)


class Page(HTMLParser):
    """Anchors, links, fetched addresses and pictures of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.unnamed: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element defines, links to and fetches."""
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and "canonical" not in values.get("rel", ""):
            self.fetched.append(values.get("href", ""))
        if tag in FETCHED and FETCHED[tag] in values:
            self.fetched.append(values[FETCHED[tag]])
        if tag == "img" and not values.get("alt"):
            self.unnamed.append(values.get("src", ""))


def findings(folder: Path) -> Iterator[str]:
    """Faults of the site in a folder, one sentence each."""
    pages = {path.resolve(): Page(path) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        for link in page.links:
            if fault := _fault(link, path, pages):
                yield f"{name}: {fault}"
        for address in page.fetched:
            if is_external(address):
                yield f"{name}: fetches {address}"
        for source in page.unnamed:
            yield f"{name}: the picture {source} has no alternative text"
    for sheet in sorted(folder.rglob("*.css")):
        if FETCHING_CSS.search(sheet.read_text(encoding="utf-8")):
            yield f"{sheet.relative_to(folder)}: fetches from another site"


def is_external(address: str) -> bool:
    """True if the address is on another host."""
    parts = urlsplit(address)
    return bool(parts.netloc) and parts.scheme != "data"


def _fault(link: str, page: Path, pages: dict[Path, Page]) -> str:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.exists():
        return f"links to {link}, which does not exist"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return f"links to {link}, which has no such anchor"
    return ""


def _check(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        for finding in findings(Path(app.outdir)):
            LOGGER.warning(finding)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True}
