"""Damage to the files that ranks write of a checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st

import glideslope as gs

Damage = Callable[[Path], object]


def other(file: Path) -> Path:
    """The file of the other one of two ranks."""
    return file.with_name(f"rank-0000{1 - int(file.stem[-1])}.pt")


def of_former_step(file: Path) -> Path:
    """The same rank's file of the step before."""
    return file.parent.with_name("step-00000002") / file.name


def missing(file: Path) -> None:
    file.unlink()


def all_missing(file: Path) -> None:
    for each in file.parent.iterdir():
        each.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-700])


def zeroed_page(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:4096] + bytes(4096) + content[8192:])


def flipped_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 16
    file.write_bytes(content)


def of_another_step(file: Path) -> None:
    shutil.copy(of_former_step(file), file)


def of_another_rank(file: Path) -> None:
    shutil.copy(other(file), file)


def exchanged_files(file: Path) -> None:
    first, second = file.read_bytes(), other(file).read_bytes()
    file.write_bytes(second)
    other(file).write_bytes(first)


def a_file_too_many(file: Path) -> None:
    shutil.copy(file, file.with_name("rank-00002.pt"))


def the_folder_of_another_step(file: Path) -> None:
    shutil.rmtree(file.parent)
    shutil.copytree(of_former_step(file).parent, file.parent)


def a_rank_file_in_place_of_the_folder(file: Path) -> None:
    content = file.read_bytes()
    shutil.rmtree(file.parent)
    file.parent.write_bytes(content)


def folder_in_place_of_the_file(file: Path) -> None:
    file.unlink()
    file.mkdir()


def unreadable(file: Path) -> None:
    """An error of the operating system, which root gets, too."""
    file.unlink()
    file.symlink_to(file.name)


def of_one_process(file: Path) -> None:
    gs.save_checkpoint({"step": 3, "metrics": {}, "state": {}}, file)


def foreign(file: Path) -> None:
    file.unlink()
    torch.save({"weight": torch.ones(3)}, file)


def text(file: Path) -> None:
    file.write_text('{"save": "1", "step": 3, "ra')


KINDS: list[Damage] = [
    *(missing, all_missing, empty, cut, zeroed_page, flipped_bit),
    *(of_another_step, of_another_rank, exchanged_files, a_file_too_many),
    *(the_folder_of_another_step, a_rank_file_in_place_of_the_folder),
    *(folder_in_place_of_the_file, unreadable, of_one_process, foreign, text),
]


@st.composite
def edits(draw: st.DrawFn, content: bytes) -> bytes:
    """The bytes of a file after damage at any place."""
    at = draw(st.integers(0, len(content) - 1))
    size = draw(st.sampled_from([1, 512, 4096]))
    kinds = [
        content[:at],
        content[:at] + bytes([content[at] ^ 1 << draw(st.integers(0, 7))]) + content[at + 1 :],
        content[:at] + bytes(size) + content[at + size :],
        content[:at] + content[at + size :],
        content[:at] + content[:size] + content[at:],
    ]
    return draw(st.sampled_from(kinds))


VALUES = st.one_of(
    st.none(),
    st.integers(-2, 3),
    st.just(2**62),
    st.floats(),
    st.sampled_from(["", "save"]),
    st.sampled_from([[], {}, (), [0], {"a": 0}, (0,), (0, 0), ((0,), (0,))]),
    st.sampled_from(
        [torch.tensor(0), torch.tensor(99), torch.tensor(-1), torch.ones(2), torch.tensor(0.5)]
    ),
)


def replaced(data: st.DataObject, nest: Any) -> Any:
    """A nest with another value somewhere."""
    if not isinstance(nest, dict | list | tuple) or not nest or data.draw(st.integers(0, 4)) == 0:
        return data.draw(VALUES)
    if isinstance(nest, dict):
        key = data.draw(st.sampled_from(sorted(nest, key=repr)))
        if data.draw(st.integers(0, 4)) == 0:
            return {each: value for each, value in nest.items() if each != key}
        return {**nest, key: replaced(data, nest[key])}
    at = data.draw(st.integers(0, len(nest) - 1))
    return type(nest)((*nest[:at], replaced(data, nest[at]), *nest[at + 1 :]))
