"""Settings shared by all tests, made before torch or Hypothesis reads them, and the program."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Each connection of a `TCPStore` asks for the name of an address: a name server that does not
# answer costs more than the time-outs of the tests, and a warning in what programs print.
os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:1")
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
os.environ.setdefault("TRITON_INTERPRET", "1")  # of the tests of GPU kernels

# The default run tries the same few examples every time; `make long` looks for new ones.
settings.register_profile("default", max_examples=50, derandomize=True, deadline=None)
settings.register_profile("long", max_examples=10_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_finish() -> None:
    """Every later garbage collection leaves out the tens of thousands of tests and the modules."""
    gc.collect()
    gc.freeze()


class Ended(NamedTuple):
    """The exit code and the output of a program."""

    code: int
    out: str
    err: str


@pytest.fixture
def glideslope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ended]]:
    """The command line, called as a user calls it in an empty folder."""
    import torch

    from glideslope.cli import main

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
