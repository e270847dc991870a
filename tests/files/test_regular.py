"""A pipe, a device, a folder and a link to one are refused by every reader, and none waits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import glideslope as gs
from glideslope.errors import CheckpointError
from glideslope.files import open_regular
from glideslope.runs import read_run

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")

KINDS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "an empty device": lambda path: path.symlink_to(os.devnull),
    "a folder": lambda path: path.mkdir(),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def make(request: pytest.FixtureRequest) -> Callable[[Path], object]:
    made: Callable[[Path], object] = request.param
    return made


def test_open_regular(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "file")
    with pytest.raises(OSError, match=str(tmp_path / "file")):
        open_regular(tmp_path / "file")


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"text"


@pytest.mark.parametrize(
    "read",
    [
        gs.load_checkpoint,
        lambda path: list(gs.training.read_json_lines(path)),
        lambda path: list(gs.training.History(path)),
        lambda path: gs.training.History(path).state_dict(),
    ],
)
def test_readers(
    read: Callable[[Path], object], make: Callable[[Path], object], tmp_path: Path
) -> None:
    make(tmp_path / "file")
    with pytest.raises((CheckpointError, OSError), match="file"):
        read(tmp_path / "file")


@pytest.mark.parametrize("name", ["config.json", "events.jsonl", "result.json"])
def test_a_run_is_read_without_the_file(
    name: str, make: Callable[[Path], object], tmp_path: Path
) -> None:
    (tmp_path / "history.jsonl").write_text('{"step": 0, "loss": 0.5}\n')
    make(tmp_path / name)
    run = read_run(tmp_path)
    assert [point.value for point in run.loss] == [0.5]
    assert any(name in note for note in run.notes) or not (tmp_path / name).exists()
