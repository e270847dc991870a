"""The file that one rank writes of a checkpoint, and the checkpoint that all files make."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from glideslope.errors import CheckpointError

from .._seal import Damaged
from .outline import Outline, put_together
from .stored import Part, StoredTensor

FILE = re.compile(r"rank-(\d+)\.pt")


def file_name(rank: int) -> str:
    """The name of a rank's file in the folder of a checkpoint."""
    return f"rank-{rank:05d}.pt"


def file_content(
    ranks: int,
    outline: Outline,
    shapes: Sequence[Sequence[int]],
    parts: Mapping[str, Sequence[Part]],
    header: Mapping[str, Any],
) -> dict[str, Any]:
    """The nest that a rank writes; its parts are not copied.

    Args:
        ranks: how many write a file.
        outline: of the state of this rank.
        shapes: those of its tensors, whole, in the order of their keys.
        parts: those that this rank writes, by key.
        header: the same in the files of all ranks.
    """
    return {
        **header,
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
        Damaged: a file is missing, or is of another save.
    """
    _check(files, contents)
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


def _check(files: Sequence[Path], contents: Sequence[Any]) -> None:
    known = {"save", "step", "metrics", "ranks", "state", "keys", "shapes", "parts"}
    for file, content in zip(files, contents, strict=True):
        if not isinstance(content, dict) or not known <= content.keys():
            raise CheckpointError(f"{file} was not saved by a Checkpointer")
    there = [file.name for file in files]
    for name in map(file_name, range(contents[0]["ranks"])):
        if name not in there:
            raise Damaged(f"{files[0].parent} is damaged: it has no file {name}")
    for file, content in zip(files, contents, strict=True):
        if content["save"] != contents[0]["save"]:
            raise Damaged(f"{file} is damaged: it is of another save than {there[0]}")


def _check_parts(folder: Path, key: str, parts: Sequence[Part], shape: Sequence[int]) -> None:
    """Refuse parts that do not have each element of a tensor once, as far as their number tells."""
    count, wanted = sum(part.data.numel() for part in parts), math.prod(shape)
    if not parts or count != wanted:
        told = f"its files hold {count} of the {wanted} elements of {key}"
        raise Damaged(f"{folder} is damaged: {told}")
