"""The end of a save by several ranks, in threads of one process: the order, and leftovers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

import pytest

import glideslope as gs
from glideslope.errors import CheckpointError
from glideslope.files import FolderLock
from glideslope.training._numbered import running
from glideslope.training._sharded import rendezvous
from glideslope.training._sharded.rendezvous import Rendezvous

TOKEN = "0123456789abcdef"
RANKS = 2


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps of a save, in order."""
    found: list[str] = []

    def noting(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def noted(*given: Path) -> object:
            found.append(f"{name} {given[0].name.partition('.tmp')[0]}")
            return call(*given)

        return noted

    monkeypatch.setattr(FolderLock, "is_free", lambda *_: False)  # one process frees its own locks
    for name, label in (("flush_folder", "flush"), ("move_into_place", "rename")):
        monkeypatch.setattr(rendezvous, name, noting(label, getattr(rendezvous, name)))
    return found


def started(
    pool: ThreadPoolExecutor, saves: Sequence[Rendezvous], work: Callable[..., None]
) -> list[Future[None]]:
    """The saves of all ranks, each with its number."""
    saves[0].begin()
    return [pool.submit(save.run, partial(work, save.rank), lambda: None) for save in saves]


def saves_of(target: Path, seconds: float) -> list[Rendezvous]:
    return [Rendezvous(target, TOKEN, rank, RANKS, seconds) for rank in range(RANKS)]


def test_the_folder_appears_when_all_files_are_on_disk(tmp_path: Path, events: list[str]) -> None:
    target, late, first = tmp_path / "step-00000001", Event(), Event()

    def write(rank: int, file: Path) -> None:
        if rank == 1:
            late.wait()
        file.touch()
        events.append(f"write {file.name}")
        first.set()

    with ThreadPoolExecutor(RANKS) as pool:
        futures = started(pool, saves_of(target, 30.0), write)
        first.wait()
        assert running == {TOKEN}
        assert not target.exists()
        late.set()
        for future in futures:
            future.result()
    assert events == [
        *("write rank-00000.pt", "write rank-00001.pt"),
        *("flush step-00000001", "rename step-00000001"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert running == set()


def test_a_rank_that_cannot_write_leaves_nothing(tmp_path: Path, events: list[str]) -> None:
    def write(rank: int, file: Path) -> None:
        if rank == 1:
            raise CheckpointError("no space")
        file.touch()

    with ThreadPoolExecutor(RANKS) as pool:
        first, second = started(pool, saves_of(tmp_path / "step-00000001", 30.0), write)
        with pytest.raises(CheckpointError, match="rank 1 failed: no space"):
            first.result()
        with pytest.raises(CheckpointError, match="no space"):
            second.result()
    assert events == []
    assert running == set()
    assert not list(tmp_path.glob("step-*"))


LEFTOVERS = (
    f".saving-{TOKEN}",
    f".saving-{TOKEN}.part",
    f"step-00000002.tmp-{TOKEN}/rank-00000.pt",
)


@pytest.fixture
def leftovers(tmp_path: Path) -> list[Path]:
    """The files of a save that was killed."""
    paths = [tmp_path / name for name in LEFTOVERS]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return paths


def test_the_next_save_removes_what_a_killed_one_left(
    leftovers: list[Path], tmp_path: Path
) -> None:
    with gs.training.Checkpointer(tmp_path) as saved:
        saved.save(1, {})
    assert not any(path.exists() for path in leftovers)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "step-00000001.pt"]


def test_what_a_save_of_this_process_uses_stays(
    leftovers: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two checkpointers of one process have the lock at once."""
    monkeypatch.setattr("glideslope.training._numbered.running", {TOKEN})
    with gs.training.Checkpointer(tmp_path) as saved:
        saved.save(1, {})
    assert all(path.exists() for path in leftovers)


def test_what_another_process_uses_stays(
    leftovers: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lockf(*_: object) -> None:
        raise BlockingIOError(11, "held by another process")

    monkeypatch.setattr("fcntl.lockf", lockf)
    with pytest.raises(CheckpointError, match="another process is saving into"):
        gs.training.Checkpointer(tmp_path).save(1, {})
    assert all(path.exists() for path in leftovers)
