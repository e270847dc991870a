"""Compiling a kernel's text, once per machine.

The text is written to a file of its own in the user's cache folder, under a name that holds a hash
of everything the machine code depends on; Numba keeps the machine code beside it. A changed rule or
a new version is a new file, so nothing stale is ever loaded, and rules in a user's own files are
cached like ours.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from .threads import Native


def numba_is_installed() -> bool:
    """True if Numba is installed."""
    return find_spec("numba") is not None


@cache
def machine_code(source: str) -> Native:
    """The machine code of the function ``kernel`` of a module's text."""
    path = _folder() / f"{_fingerprint(source)}.py"
    _write(path, source)
    module = ModuleType(f"glideslope_kernel_{path.stem}")
    sys.modules[module.__name__] = module  # Numba looks a cached function's module up by name
    exec(compile(source, str(path), "exec"), module.__dict__)
    kernel = module.__dict__["kernel"]
    return Native(kernel.address, ctypes.CFUNCTYPE(None, ctypes.c_void_p)(kernel.address), kernel)


def _fingerprint(source: str) -> str:
    """A hash of the text, of the functions it imports, and of the compilers' versions."""
    here = Path(__file__)
    words = [here.with_name(name).read_bytes() for name in ("dialect.py", "instructions.py")]
    compilers = f"numba {version('numba')} llvmlite {version('llvmlite')}".encode()
    return sha256(b"\0".join((source.encode(), *words, compilers))).hexdigest()[:32]


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
