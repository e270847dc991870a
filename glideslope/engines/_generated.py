"""Generated modules of kernels: text in a file of its own in the user's cache folder.

The name of the file holds a hash of everything that the machine code depends on; the compilers keep
the machine code beside it, or in a cache of their own. A changed rule or a new version is a new
file, so nothing stale is ever loaded, and rules in a user's own files are cached like ours.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import ModuleType


def generated_module(source: str, words: Sequence[Path], compilers: Sequence[str]) -> ModuleType:
    """The module of a text.

    Args:
        source: the text.
        words: the files of the functions that it imports.
        compilers: the distributions that compile it.
    """
    path = _folder() / f"{_fingerprint(source, words, compilers)}.py"
    _write(path, source)
    module = ModuleType(f"glideslope_kernel_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # a cached function's module is looked up by name
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module


def _fingerprint(source: str, words: Sequence[Path], compilers: Sequence[str]) -> str:
    """A hash of the text, of the functions it imports, and of the compilers' versions."""
    versions = " ".join(f"{name} {version(name)}" for name in compilers).encode()
    parts = (source.encode(), *(path.read_bytes() for path in words), versions)
    return sha256(b"\0".join(parts)).hexdigest()[:32]


def _write(path: Path, source: str) -> None:
    """Put the text in place at once; several processes may do so together."""
    if path.exists() and path.read_text(encoding="utf-8") == source:
        return
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(source)
    os.replace(file.name, path)


@cache
def _folder() -> Path:
    """The user's cache folder, or a temporary one if that cannot be written."""
    for base in _candidates():
        folder = base / "glideslope" / "kernels"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="glideslope-"))


def _candidates() -> list[Path]:
    named = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return [Path(named)] if named else [Path.home() / ".cache"]
