"""Runs of the demo that take no time, and that stop where a test wants them to."""

from __future__ import annotations

from collections.abc import Callable
from pydoc_data.topics import topics
from typing import Any

import pytest

from glideslope.demo._loop import Record
from glideslope.demo._progress import Display

Program = Callable[..., Any]


@pytest.fixture
def quick_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thirtieth of the text, so that measuring takes no time, and an empty picture."""
    monkeypatch.setattr("glideslope.demo._corpus.topics", dict([*topics.items()][:3]))
    monkeypatch.setattr("glideslope.demo._run.draw_curves", lambda *given: given[-1].touch())


@pytest.fixture
def stopped(glideslope: Program, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program, to which something happens when so many updates are made."""

    def call(step: int, happen: Callable[[], object], *words: object) -> Any:
        shown = Display.show

        def show(display: Display, record: Record) -> None:
            shown(display, record)
            if record.step + 1 == step:
                happen()

        with monkeypatch.context() as patch:
            patch.setattr(Display, "show", show)
            return glideslope(*words)

    return call
