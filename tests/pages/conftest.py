"""The browser in which pages are tested."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .browsing import MISSING, Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all the tests that look at pages."""
    if MISSING:
        pytest.skip(MISSING)
    opened = Browser()
    yield opened
    opened.close()
