"""A save is all or nothing, whatever fails on the way."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import glideslope as gs
from glideslope.errors import CheckpointError
from glideslope.files import _replace
from glideslope.files._replace import replacing

from ..training.values import same

OLD = {"weight": torch.zeros(1000), "step": 1}
NEW = {"weight": torch.ones(100_000), "step": 2}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A checkpoint that is about to be replaced."""
    gs.save_checkpoint(OLD, tmp_path / "a.pt")
    return tmp_path / "a.pt"


def assert_untouched(path: Path) -> None:
    assert same(gs.load_checkpoint(path), OLD)
    assert list(path.parent.iterdir()) == [path], "something was left behind"


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A write of a large file to a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# Far into the data, at its end, in the zip archive's directory, and in the seal.
@pytest.mark.parametrize("size", [0, 10_000, 200_000, 400_000, 401_200])
def test_a_disk_that_fills_up_leaves_the_old_file(path: Path, size: int) -> None:
    with pytest.raises(CheckpointError) as caught, files_of_at_most(size):
        gs.save_checkpoint(NEW, path)
    assert str(caught.value) == f"could not save {path}: File too large"
    assert_untouched(path)


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk takes rights that this user has not got")
    try:
        gs.save_checkpoint(OLD, disk / "a.pt")
        with pytest.raises(CheckpointError, match=r"a\.pt: No space left on device$"):
            gs.save_checkpoint(NEW, disk / "a.pt")
        assert_untouched(disk / "a.pt")
        gs.save_checkpoint(OLD, disk / "a.pt")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("call", ["fsync", "replace", "open", "builtins.open"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_call_that_fails_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(call if "." in call else f"os.{call}", fail)
        with pytest.raises(CheckpointError) as caught:
            gs.save_checkpoint(NEW, path)
    assert str(caught.value) == f"could not save {path}: {os.strerror(number)}"
    assert_untouched(path)


def test_an_interrupt_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            gs.save_checkpoint(NEW, path)
    assert_untouched(path)


def gone(folder: Path) -> None:
    pass


def a_file(folder: Path) -> None:
    folder.touch()


@pytest.mark.parametrize(
    ("make", "reason"), [(gone, "No such file or directory"), (a_file, "Not a directory")]
)
def test_a_folder_that_is_none_is_named_with_the_reason(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "folder")
    path = tmp_path / "folder" / "a.pt"
    with pytest.raises(CheckpointError) as caught:
        gs.save_checkpoint(NEW, path)
    assert str(caught.value) == f"could not save {path}: {reason}"


def test_a_path_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="Is a directory"):
        gs.save_checkpoint(NEW, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_renamed_as_soon_as_the_file_is_there_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    replace, fsync, flushed = os.replace, os.fsync, []

    def replace_and_rename(source: Path, target: Path) -> None:
        replace(source, target)
        before.rename(after)

    monkeypatch.setattr(os, "replace", replace_and_rename)
    monkeypatch.setattr(os, "fsync", lambda file: (flushed.append(os.fstat(file)), fsync(file)))
    gs.save_checkpoint(NEW, before / "a.pt")
    assert same(gs.load_checkpoint(after / "a.pt"), NEW)
    assert os.path.samestat(flushed[-1], after.stat())


def test_a_folder_deleted_during_a_save_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(FileNotFoundError), replacing(folder / "a.pt"):
        shutil.rmtree(folder)
    assert not folder.exists()


def test_everything_is_flushed_before_and_after_the_renaming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def noting(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            folder = name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
            calls.append(f"{name} folder" if folder else name)
            return call(*arguments)

        return noted

    monkeypatch.setattr(os, "fsync", noting("fsync", os.fsync))
    monkeypatch.setattr(os, "replace", noting("replace", os.replace))
    gs.save_checkpoint(NEW, tmp_path / "a.pt")
    assert calls == ["fsync", "replace", "fsync folder"]


def test_all_is_written_when_it_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: sizes.append(os.fstat(file).st_size))
    gs.save_checkpoint(NEW, tmp_path / "a.pt")
    assert sizes[0] == (tmp_path / "a.pt").stat().st_size


def test_a_file_system_that_cannot_flush_folders_is_put_up_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = os.fsync

    def refuse_folders(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        flush(file)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    gs.save_checkpoint(NEW, tmp_path / "a.pt")
    assert same(gs.load_checkpoint(tmp_path / "a.pt"), NEW)


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o002])
def test_the_mode_is_that_of_any_new_file(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        gs.save_checkpoint(NEW, tmp_path / "a.pt")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.pt").stat().st_mode) == 0o666 & ~mask


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "disk" / "real.pt", tmp_path / "last.pt"
    real.parent.mkdir()
    for _ in range(2):  # at first it points to nothing
        link.unlink(missing_ok=True)
        link.symlink_to(real)
        gs.save_checkpoint(NEW, link)
        assert link.is_symlink()
        assert same(gs.load_checkpoint(real), NEW)
    assert sorted(tmp_path.rglob("*")) == [real.parent, real, link]


def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.pt").symlink_to(tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="could not read"):
        gs.load_checkpoint(tmp_path / "a.pt")


def test_names_of_any_kind(tmp_path: Path) -> None:
    for name in ["é ü.pt", "a" * 255, "no suffix", "new\nline", "-rf"]:
        gs.save_checkpoint(OLD, str(tmp_path / name))
        assert same(gs.load_checkpoint(str(tmp_path / name)), OLD)


def test_what_a_killed_save_left_is_removed_by_the_next(tmp_path: Path) -> None:
    program = f"""
import os, signal
from glideslope.files._replace import replacing
with replacing({str(tmp_path / "a.pt")!r}) as file:
    file.write(b"half of it")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode < 0
    left = list(tmp_path.iterdir())
    assert [file.name.startswith(".glideslope-") for file in left] == [True]
    gs.save_checkpoint(NEW, tmp_path / "b.pt")
    assert list(tmp_path.iterdir()) == [tmp_path / "b.pt"]


def test_what_a_living_save_writes_is_left_alone(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.pt") as file:
        file.write(b"first")
        gs.save_checkpoint(NEW, tmp_path / "b.pt")
    assert (tmp_path / "a.pt").read_bytes() == b"first"


def test_a_file_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, swept = _replace._lock, []

    def sweep_first(descriptor: int, *, wait: bool) -> bool:
        if wait and not swept:
            swept.extend(tmp_path.iterdir())
            swept[0].unlink()
        return lock(descriptor, wait=wait)

    monkeypatch.setattr(_replace, "_lock", sweep_first)
    gs.save_checkpoint(NEW, tmp_path / "a.pt")
    assert swept
    assert same(gs.load_checkpoint(tmp_path / "a.pt"), NEW)


def test_two_savers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"

    def save(number: int) -> None:
        for _ in range(20):
            gs.save_checkpoint({"weight": torch.full((1000,), number), "number": number}, path)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            loaded = gs.load_checkpoint(path)
            assert (loaded["weight"] == loaded["number"]).all()
    assert list(tmp_path.iterdir()) == [path]
