"""The file that one rank writes of a checkpoint, and the checkpoint that all files make."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from glideslope.errors import CheckpointError

from .._seal import Damaged
from .outline import Outline, put_together
from .plan import Part

FILE = re.compile(r"rank-(\d+)\.pt")


def file_name(rank: int) -> str:
    """The name of a rank's file in the folder of a checkpoint."""
    return f"rank-{rank:05d}.pt"


def file_content(
    ranks: int, outline: Outline, parts: Mapping[str, Sequence[Part]], header: Mapping[str, Any]
) -> dict[str, Any]:
    """The nest that a rank writes; its parts are not copied.

    Args:
        ranks: how many write a file.
        outline: of the state of this rank.
        parts: those that this rank writes, by key.
        header: the same in the files of all ranks.
    """
    return {
        **header,
        "ranks": ranks,
        "state": outline.nest,
        "keys": outline.keys,
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


def assembled(files: Sequence[Path], contents: Sequence[Any], rank: int, ranks: int) -> Any:
    """The content of a checkpoint as the file of one process would have it, for a rank.

    Of the values that the ranks did not share, each rank gets its own, if there are as many ranks
    as then; else all get those of rank 0.

    Args:
        files: their paths.
        contents: what they hold.
        rank: of this process.
        ranks: how many there are now.

    Raises:
        Damaged: a file is missing, or is of another save.
    """
    _check(files, contents)
    own = contents[rank if ranks == len(contents) else 0]
    parts: dict[str, list[Part]] = {}
    for content in contents:
        for key, row in content["parts"].items():
            parts.setdefault(key, []).extend(Part(*each) for each in row)
    outline = Outline(own["state"], own["keys"])
    state = put_together(outline, lambda key: _tensor(files[0].parent, key, parts))
    return {"step": own["step"], "metrics": own["metrics"], "state": state}


def _check(files: Sequence[Path], contents: Sequence[Any]) -> None:
    known = {"save", "step", "metrics", "ranks", "state", "keys", "parts"}
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


def _tensor(folder: Path, key: str, parts: Mapping[str, Sequence[Part]]) -> Tensor:
    if key not in parts:
        raise Damaged(f"{folder} is damaged: no file holds the tensor {key}")
    return parts[key][0].data
