"""A run of `glideslope train` that is stopped: by Ctrl-C, or killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glideslope._interrupt import ended_by_ctrl_c, interruptible

from ..interrupting import STARTS

PROGRAM = [sys.executable, "-c", "from glideslope.cli import main; main()"]
ENDLESS = ["train", "--threads", "1", "--batch-size", "1", "--steps", "1000000", "--out", "run"]


@pytest.fixture(params=STARTS)
def running(
    tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run that has made a few updates, and the folder it writes."""
    pipe, command = subprocess.PIPE, STARTS[request.param] + PROGRAM + ENDLESS
    with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as process:
        folder = tmp_path / "run"
        while process.poll() is None and lines(folder) < 3:
            time.sleep(0.05)
        assert process.poll() is None, process.communicate()
        yield process, folder
        process.kill()


def lines(folder: Path) -> int:
    history = folder / "history.jsonl"
    return history.read_text().count("\n") if history.exists() else 0


def test_ctrl_c_stops_between_updates_and_says_what_is_kept(
    running: tuple[subprocess.Popen[str], Path],
) -> None:
    process, folder = running
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    records = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == list(range(len(records)))
    result = json.loads((folder / "result.json").read_text())
    assert (result["outcome"], result["steps"]) == ("interrupted", len(records))
    assert f"interrupted after {len(records)} updates" in out
    kept = "checkpoints, config.json, curves.png, events.jsonl, history.jsonl, result.json"
    assert f"kept in run: {kept}\ncontinue with: glideslope train --resume --out run\n" in out


def test_a_killed_run_keeps_its_config_and_its_history(
    running: tuple[subprocess.Popen[str], Path],
) -> None:
    process, folder = running
    process.kill()
    process.communicate(timeout=60)
    *whole, _last = (folder / "history.jsonl").read_text().split("\n")
    assert len(whole) >= 3
    assert [json.loads(line)["step"] for line in whole] == list(range(len(whole)))
    assert json.loads((folder / "config.json").read_text())["settings"]["steps"] == 1_000_000


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["usual", "ignored"])
def handler(request: pytest.FixtureRequest) -> Iterator[object]:
    """The handler of SIGINT that the process has."""
    before = signal.signal(signal.SIGINT, request.param)
    yield request.param
    signal.signal(signal.SIGINT, before)


def test_the_first_ctrl_c_is_a_request_and_the_second_acts_at_once(handler: object) -> None:
    with interruptible() as requested:
        assert not requested.is_set()
        signal.raise_signal(signal.SIGINT)
        assert requested.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_is_as_before_afterwards(handler: object) -> None:
    with interruptible():
        assert signal.getsignal(signal.SIGINT) != handler
    assert signal.getsignal(signal.SIGINT) == handler


def test_ctrl_c_ends_a_server_and_is_as_before_afterwards(handler: object) -> None:
    with pytest.raises(KeyboardInterrupt), ended_by_ctrl_c():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == handler
