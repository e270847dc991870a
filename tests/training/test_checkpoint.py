"""Files that are loaded, files that are refused, and the messages."""

from __future__ import annotations

import os
import pickle
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import glideslope as gs
from glideslope.errors import CheckpointError

from .crafting import craft, records_of
from .values import same

STATE = {"weight": torch.arange(4.0), "step": 3}


def without_checksums(path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(STATE, path)
    finally:
        torch.serialization.set_crc32_options(True)


def before_zip(path: Path) -> None:
    torch.save(STATE, path, _use_new_zipfile_serialization=False)


def test_a_file_that_torch_wrote_is_loaded(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "a.pt")
    assert same(gs.load_checkpoint(tmp_path / "a.pt"), STATE)


@pytest.mark.parametrize("write", [without_checksums, before_zip])
def test_a_file_without_checksums_is_loaded_with_a_warning(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "a.pt")
    with pytest.warns(UserWarning, match="a.pt has no checksums: damage to it would go") as w:
        assert same(gs.load_checkpoint(tmp_path / "a.pt"), STATE)
    assert w[0].filename == __file__


def test_torch_reads_the_file_in_each_of_its_ways(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    gs.save_checkpoint(STATE, path)
    assert same(torch.load(path, weights_only=True), STATE)
    assert same(torch.load(path, weights_only=True, mmap=True), STATE)
    assert same(torch.load(path, weights_only=False), STATE)


def test_the_file_is_a_whole_zip_archive(tmp_path: Path) -> None:
    gs.save_checkpoint(STATE, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(b"glideslope checkpoint 1 sha256:")


def test_data_is_covered_even_where_torch_computes_no_checksums(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.serialization.set_crc32_options(False)
    try:
        gs.save_checkpoint(STATE, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert same(gs.load_checkpoint(path), STATE)
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(4.0).numpy().tobytes()) + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a\.pt is damaged: it does not match its"):
        gs.load_checkpoint(path)


def test_a_tensor_from_another_device_comes_to_the_cpu(tmp_path: Path) -> None:
    records = records_of(STATE)
    on_cpu = records["archive/data.pkl"]
    on_cuda = on_cpu.replace(b"\x03\0\0\0cpu", b"\x06\0\0\0cuda:0")
    assert on_cuda != on_cpu
    craft(tmp_path / "a.pt", {**records, "archive/data.pkl": on_cuda})
    assert same(gs.load_checkpoint(tmp_path / "a.pt"), STATE)


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("epoch,loss\n")


def arrays(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.ones(2))


def compressed(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1000))


def plain_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(STATE["step"]))


def whole_model(path: Path) -> None:
    torch.save(nn.Linear(1, 1), path)


def function(path: Path) -> None:
    torch.save({"run": os.system}, path)


def no_pickle(path: Path) -> None:
    craft(path, {**records_of(STATE), "archive/data.pkl": b"\x80\x02\xff"})


def folder(path: Path) -> None:
    path.mkdir()


def nothing(path: Path) -> None:
    pass


REFUSED = [
    (empty, "{} is empty"),
    (text, "{} is not a checkpoint: it begins with b'epoch,loss\\n'"),
    (plain_pickle, "{} is not a checkpoint: it begins with b'\\x80\\x04K\\x03.'"),
    (arrays, "{} is not a checkpoint: it has no record data.pkl"),
    (compressed, "{} is not a checkpoint: its records are compressed"),
    (
        whole_model,
        "{} is refused: it asks for torch.nn.modules.linear.Linear, "
        "and a checkpoint holds plain values only",
    ),
    (
        function,
        "{} is refused: it asks for posix.system, and a checkpoint holds plain values only",
    ),
    (no_pickle, "{} is refused: it does not hold a nest of plain values (Unsupported operand 255)"),
    (folder, "could not read {}: Is a directory"),
    (nothing, "could not read {}: No such file or directory"),
]


@pytest.mark.parametrize(("write", "message"), REFUSED)
def test_messages_of_refused_files(
    tmp_path: Path, write: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "a.pt"
    write(path)
    with pytest.raises(CheckpointError) as caught:
        gs.load_checkpoint(path)
    assert str(caught.value) == message.format(path)


def test_a_user_who_forces_unsafe_loading_is_not_followed(tmp_path: Path) -> None:
    """``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` is for programs that do not choose."""
    function(tmp_path / "a.pt")
    program = f"import glideslope as gs; gs.load_checkpoint({str(tmp_path / 'a.pt')!r})"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "CheckpointError" in done.stderr
    assert done.returncode == 1


def test_a_lack_of_memory_is_not_taken_for_damage(tmp_path: Path) -> None:
    gs.save_checkpoint(torch.zeros(25_000_000), tmp_path / "a.pt")
    with open("/proc/self/statm") as memory:
        pages = int(memory.read().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 50_000_000, before[1]))
    try:
        with pytest.raises(CheckpointError, match=r"could not load .*: there is not enough memory"):
            gs.load_checkpoint(tmp_path / "a.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_file_of_many_records_is_whole_each_time_it_is_read(tmp_path: Path) -> None:
    """Several threads verify the records of one file; none may disturb another."""
    state = {"weights": [torch.full((40,), float(i)) for i in range(100)]}
    gs.save_checkpoint(state, tmp_path / "a.pt")
    for _ in range(50):
        assert same(gs.load_checkpoint(tmp_path / "a.pt"), state)


def test_many_threads_may_load_and_save(tmp_path: Path) -> None:
    def there_and_back(number: int) -> bool:
        path = tmp_path / f"{number % 3}.pt"
        gs.save_checkpoint(STATE, path)
        return same(gs.load_checkpoint(path), STATE)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(there_and_back, range(24)))
    assert len(list(tmp_path.iterdir())) == 3
