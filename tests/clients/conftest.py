"""Settings shared by the tests of clients: offline, and warnings of ours only where expected."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("DS_ACCELERATOR", "cpu")


def pytest_configure(config: pytest.Config) -> None:
    """A client's own warnings are for its users; these are given when it is imported."""
    config.addinivalue_line("filterwarnings", "ignore:`torch.jit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The others come in its tests."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(autouse=True)
def warned(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The warnings that Glideslope gave. A test that expects one compares and clears the list."""
    given: list[str] = []
    warn = warnings.warn

    def noted(message: Any, *args: Any, **keywords: Any) -> None:
        if sys._getframe(1).f_globals["__name__"].partition(".")[0] == "glideslope":
            given.append(str(message))
        warn(message, *args, **keywords)

    monkeypatch.setattr(warnings, "warn", noted)
    yield given
    assert given == []
