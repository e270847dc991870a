"""One checkpoint: a nest of plain values in one file."""

from __future__ import annotations

import os
import re
import warnings
from pickle import UnpicklingError
from threading import Lock
from typing import Any, BinaryIO

import torch

from glideslope.errors import CheckpointError
from glideslope.files import open_regular, replacing

from ._nest import Sharing, plain
from ._seal import Damaged, seal, verify

_LOADING = Lock()
"""Held while torch loads, because the switches set for loading are global to the process."""

FORBIDDEN = re.compile(r"GLOBAL (\S+) was not an allowed global|GLOBAL (\S+) whose module")


def save_checkpoint(state: object, path: str | os.PathLike[str]) -> None:
    """Save a nest of plain values, whole and on disk, or not at all.

    The file is written beside ``path``, flushed to disk, renamed, and the folder flushed: whatever
    happens on the way, ``path`` holds either what it held or all of ``state``. Every byte is
    covered by a checksum that `load_checkpoint` verifies. Plain ``torch.load`` reads the file too.

    Args:
        state: dicts, lists, tuples and sets, to any depth up to 200, of tensors, numbers, strings,
            bytes, booleans and None. It is left as it was. Tensors are saved as the numbers they
            show, without gradients; tensors that share all of their memory share it when loaded.
            NumPy's scalars are saved as Python numbers, subclasses of `dict` and `list` as what
            they are equal to. NumPy's arrays are refused, for they would come back as tensors.
        path: the file. Its folder must exist. What a symbolic link points to is replaced.

    Raises:
        InvalidType: something that could not be loaded without running code, named by its place,
            such as ``state["scheduler"]["schedule"]``.
        InvalidValue: a nest that contains itself or is too deep, an integer over 2039 bits.
        CheckpointError: the file could not be written, and why.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import torch, glideslope as gs
        >>> with TemporaryDirectory() as folder:
        ...     gs.save_checkpoint({"weight": torch.ones(2), "epoch": 3}, folder + "/last.pt")
        ...     gs.load_checkpoint(folder + "/last.pt")
        {'weight': tensor([1., 1.]), 'epoch': 3}

    Source: "Ensuring data reaches disk", https://lwn.net/Articles/457667.
    """
    write_checkpoint(plain(state, Sharing().take), path)


def load_checkpoint(path: str | os.PathLike[str]) -> Any:
    """Load what `save_checkpoint` or ``torch.save`` wrote, after verifying every checksum.

    No code from the file is run: it may hold what ``torch.load(weights_only=True)`` admits. A file
    that torch wrote is verified by its own checksums; if it has none, there is a warning.

    Args:
        path: the file.

    Returns:
        The nest, its tensors on the CPU, whatever device they were saved from.

    Raises:
        CheckpointError: the file is missing, damaged, cut short, no checkpoint, asks for more than
            plain values, or memory does not suffice.

    Example:
        >>> import tempfile, glideslope as gs
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     gs.save_checkpoint({"step": 3}, f"{folder}/last.ckpt")
        ...     gs.load_checkpoint(f"{folder}/last.ckpt")
        {'step': 3}
    """
    return read_checkpoint(path)


def write_checkpoint(nest: object, path: str | os.PathLike[str]) -> None:
    """Save a state that `plain` has copied."""
    try:
        with replacing(path) as file:
            torch.save(nest, file)
            seal(file)
    except Exception as error:  # torch wraps the operating system's errors into its own
        raise CheckpointError(f"could not save {os.fspath(path)}: {_reason(error)}") from error


def read_checkpoint(path: str | os.PathLike[str], *, mmap: bool = False) -> Any:
    """Verify a file and load it; with ``mmap``, tensors are read when they are used."""
    try:
        with open_regular(path) as file:
            verified = verify(file)
            content = _unpickle(file, mmap)
    except OSError as error:
        raise _unreadable(path, error) from error
    _warn_unless(verified, path)
    return content


def verify_checkpoint(path: str | os.PathLike[str]) -> None:
    """Verify a file without loading it."""
    try:
        with open_regular(path) as file:
            verified = verify(file)
    except OSError as error:
        raise _unreadable(path, error) from error
    _warn_unless(verified, path)


def open_checkpoint(path: str | os.PathLike[str]) -> Any:
    """Load a file that has been verified; tensors are read when they are used."""
    try:
        with open_regular(path) as file:
            return _unpickle(file, mmap=True)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str | os.PathLike[str], error: OSError) -> Damaged:
    return Damaged(f"could not read {os.fspath(path)}: {_reason(error)}")


def _warn_unless(verified: bool, path: str | os.PathLike[str]) -> None:
    if not verified:
        message = f"{os.fspath(path)} has no checksums: damage to it would go unnoticed"
        warnings.warn(message, stacklevel=4)


def _unpickle(file: BinaryIO, mmap: bool) -> Any:
    file.seek(0)
    source = file.name if mmap else file
    try:
        with _LOADING, warnings.catch_warnings(), torch.sparse.check_sparse_tensor_invariants():
            # Before 2.14, torch accepts indices out of bounds; from 2.14 on it checks, and
            # warns that it does.
            warnings.filterwarnings("ignore", "Validating sparse tensor invariants")
            return torch.load(source, map_location="cpu", weights_only=True, mmap=mmap)
    except OSError:
        raise
    except Exception as error:  # a hostile file can make the unpickler raise anything
        raise CheckpointError(_refusal(file.name, error)) from error


def _refusal(name: str, error: Exception) -> str:
    forbidden = FORBIDDEN.search(str(error))
    if forbidden:
        wanted = forbidden[1] or forbidden[2]
        return f"{name} is refused: it asks for {wanted}, and a checkpoint holds plain values only"
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return f"could not load {name}: there is not enough memory"
    return f"{name} is refused: it does not hold a nest of plain values ({_summary(error)})"


def _summary(error: Exception) -> str:
    """The unpickler's message, without torch's advice around it."""
    if not isinstance(error, UnpicklingError):
        return f"{type(error).__name__}: {error}"
    said = str(error).partition("WeightsUnpickler error:")[2] or str(error)
    return said.strip().partition("\n")[0]


def _reason(error: BaseException) -> str:
    """The operating system's message, wherever it is in the chain; else the error's own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return f"{type(error).__name__}: {error}"
