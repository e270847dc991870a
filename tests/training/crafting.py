"""Files that torch would take for checkpoints, made by hand, and damaged ones."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import torch

from glideslope.training._seal import seal


def records_of(state: object) -> dict[str, bytes]:
    """The records that torch writes for ``state``."""
    file = io.BytesIO()
    torch.save(state, file)
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def craft(path: Path, records: dict[str, bytes]) -> None:
    """Write ``records`` as a checkpoint whose every checksum is right."""
    with path.open("w+b") as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name, record in records.items():
                archive.writestr(name, record)
        seal(file)


def damage(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
