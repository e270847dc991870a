"""The command line, called as a user calls it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from pydoc_data.topics import topics
from typing import NamedTuple

import pytest
import torch

from glideslope.cli import main
from glideslope.cli._demo_loop import Record
from glideslope.cli._demo_progress import Display

from .browsing import MISSING, Browser


class Ended(NamedTuple):
    """What a program leaves behind on the terminal."""

    code: int
    out: str
    err: str


@pytest.fixture
def glideslope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ended]]:
    """The program, run in an empty folder; the threads of torch are given back afterwards."""
    threads = torch.get_num_threads()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def call(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["glideslope", *map(str, words)])
        with pytest.raises(SystemExit) as ending:
            main()
        return Ended(int(ending.value.code or 0), *capsys.readouterr())

    yield call
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all the tests that look at pages."""
    if MISSING:
        pytest.skip(MISSING)
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture
def quick_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thirtieth of the text, so that measuring takes no time, and an empty picture."""
    monkeypatch.setattr("glideslope.cli._demo_data.topics", dict([*topics.items()][:3]))
    monkeypatch.setattr("glideslope.cli._demo_run.draw_curves", lambda *given: given[-1].touch())


@pytest.fixture
def stopped(
    glideslope: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ended]:
    """The program, to which something happens when so many updates are made."""

    def call(step: int, happen: Callable[[], object], *words: object) -> Ended:
        shown = Display.show

        def show(display: Display, record: Record) -> None:
            shown(display, record)
            if record.step + 1 == step:
                happen()

        with monkeypatch.context() as patch:
            patch.setattr(Display, "show", show)
            return glideslope(*words)

    return call
