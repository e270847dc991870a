"""The command line, called as a user calls it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from glideslope.cli import main

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
