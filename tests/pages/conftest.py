"""The browser in which pages are tested."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from glideslope.pages.design import DesignServer

from .browsing import MISSING, Browser
from .designing import SPEC, serving


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all the tests that look at pages."""
    if MISSING:
        pytest.skip(MISSING)
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture
def server() -> Iterator[DesignServer]:
    with serving(SPEC) as started:
        yield started


@pytest.fixture
def page(browser: Browser, server: DesignServer) -> Browser:
    browser.complaints()
    browser.open(server.address)
    return browser
