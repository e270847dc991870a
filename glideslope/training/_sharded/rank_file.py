"""The file that one rank writes of a checkpoint, and the checkpoint that all files make."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .._seal import Damaged
from .outline import Outline, put_together, replaced
from .stored import Part, StoredTensor

HEADER = ("save", "step", "ranks")
"""The entries that are the same in the files of all ranks."""

COUNTS = ("step", "rank", "ranks")
KINDS: dict[str, type] = {
    "save": str,
    **dict.fromkeys(COUNTS, int),
    **{"metrics": dict, "keys": list, "shapes": list, "parts": dict, "state": object},
}
"""The entries of a file, and their types."""

FILE = re.compile(r"rank-(\d+)\.pt")


def file_name(rank: int) -> str:
    """The name of a rank's file in the folder of a checkpoint."""
    return f"rank-{rank:05d}.pt"


def file_content(
    rank: int,
    ranks: int,
    outline: Outline,
    shapes: Sequence[Sequence[int]],
    parts: Mapping[str, Sequence[Part]],
    header: Mapping[str, Any],
) -> dict[str, Any]:
    """The nest that a rank writes; its parts are not copied.

    Args:
        rank: the one that writes it.
        ranks: how many write a file.
        outline: of the state of this rank.
        shapes: those of its tensors, whole, in the order of their keys.
        parts: those that this rank writes, by key.
        header: the same in the files of all ranks.
    """
    return {
        **header,
        "rank": rank,
        "ranks": ranks,
        "state": outline.nest,
        "keys": outline.keys,
        "shapes": [tuple(shape) for shape in shapes],
        "parts": {key: [tuple(part) for part in row] for key, row in parts.items()},
    }


def files_of(folder: Path) -> list[Path]:
    """The files of a checkpoint, in the order of the ranks.

    Raises:
        Damaged: there are none.
    """
    try:
        names = sorted(path for path in folder.iterdir() if FILE.fullmatch(path.name))
    except OSError as error:
        raise Damaged(f"could not read {folder}: {error.strerror}") from error
    if not names:
        raise Damaged(f"{folder} is damaged: it has no file {file_name(0)}")
    return names


def assembled(
    files: Sequence[Path], contents: Sequence[Any], rank: int, ranks: int, lazy: bool
) -> Any:
    """The content of a checkpoint as the file of one process would have it, for a rank.

    Of the values that the ranks did not share, each rank gets its own, if there are as many ranks
    as then; else all get those of rank 0.

    Args:
        files: their paths.
        contents: what they hold.
        rank: of this process.
        ranks: how many there are now.
        lazy: leave tensors of several parts in the files until they are used.

    Raises:
        Damaged: a file is missing, is of another save, or is not what a rank writes.
    """
    for file, content in zip(files, contents, strict=True):
        if not _is_of_rank(content):
            raise Damaged(f"{file} is damaged: it is not what a rank writes")
    _check_set(files, contents)
    own = contents[rank if ranks == len(contents) else 0]
    parts: dict[str, list[Part]] = {}
    for content in contents:
        for key, row in content["parts"].items():
            parts.setdefault(key, []).extend(Part(*each) for each in row)
    shapes = dict(zip(own["keys"], own["shapes"], strict=True))
    folder = files[0].parent

    def tensor_of(key: str) -> Tensor:
        row = parts.get(key, [])
        _check_parts(folder, key, row, shapes[key])
        row = [part for part in row if part.data.numel()] or row[:1]
        if len(row) == 1:
            return row[0].data
        stored = StoredTensor(row, [0] * len(shapes[key]), shapes[key])
        return stored if lazy else stored.whole()

    state = put_together(Outline(own["state"], own["keys"]), tensor_of)
    return {"step": own["step"], "metrics": own["metrics"], "state": state}


def _is_of_rank(content: Any) -> bool:
    """True for a nest as `file_content` makes it."""
    if not isinstance(content, dict) or not KINDS.keys() <= content.keys():
        return False
    return (
        all(isinstance(content[name], kind) for name, kind in KINDS.items())
        and all(type(content[name]) is int and content[name] >= 0 for name in COUNTS)
        and all(isinstance(key, str) for key in (*content["keys"], *content["parts"]))
        and len(content["keys"]) == len(content["shapes"])
        and all(map(_is_shape, content["shapes"]))
        and all(map(_are_parts, content["parts"].values()))
        and _points_into(content["state"], len(content["keys"]))
    )


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and all(type(each) is int and each >= 0 for each in shape)


def _are_parts(row: Any) -> bool:
    return isinstance(row, list) and all(
        isinstance(part, tuple)
        and len(part) == len(Part._fields)
        and _is_shape(part[0])
        and isinstance(part[1], Tensor)
        for part in row
    )


def _points_into(outline: Any, count: int) -> bool:
    """True if each tensor of an outline is the index of one of so many keys."""
    found: list[Tensor] = []
    replaced(outline, lambda _, index: found.append(index))
    return all(
        index.ndim == 0 and index.dtype == torch.int64 and 0 <= int(index) < count
        for index in found
    )


def _check_set(files: Sequence[Path], contents: Sequence[Any]) -> None:
    """Refuse files that are not those of all ranks of one save."""
    folder, first = files[0].parent, contents[0]
    there = {file.name for file in files}
    for name in map(file_name, range(first["ranks"])):
        if name not in there:
            raise Damaged(f"{folder} is damaged: it has no file {name}")
    for rank, (file, content) in enumerate(zip(files, contents, strict=True)):
        if any(content[name] != first[name] for name in HEADER):
            raise Damaged(f"{file} is damaged: it is of another save than {files[0].name}")
        if content["rank"] != rank:
            raise Damaged(f"{file} is damaged: it is the file of rank {content['rank']}")


def _check_parts(folder: Path, key: str, parts: Sequence[Part], shape: Sequence[int]) -> None:
    """Refuse parts that do not have each element of a tensor once, as far as their number tells."""
    count, wanted = sum(part.data.numel() for part in parts), math.prod(shape)
    if not parts or count != wanted:
        told = f"its files hold {count} of the {wanted} elements of {key}"
        raise Damaged(f"{folder} is damaged: {told}")
    if not all(_fits(part, shape, parts[0].data.dtype) for part in parts):
        raise Damaged(f"{folder} is damaged: its files hold parts of another tensor than {key}")


def _fits(part: Part, shape: Sequence[int], dtype: torch.dtype) -> bool:
    """True if a part is within a tensor."""
    size = part.data.shape
    if part.data.dtype != dtype or not len(part.offsets) == len(size) == len(shape):
        return False
    ends = (first + length for first, length in zip(part.offsets, size, strict=True))
    return all(end <= whole for end, whole in zip(ends, shape, strict=True))
