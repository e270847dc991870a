"""Compiling a kernel's text with Numba, once per machine."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from .._generated import generated_module
from .threads import Native

_WORDS = [Path(__file__).with_name(name) for name in ("dialect.py", "instructions.py")]


def numba_is_installed() -> bool:
    """True if Numba is installed."""
    return find_spec("numba") is not None


@cache
def machine_code(source: str) -> Native:
    """The machine code of the function ``kernel`` of a module's text."""
    module = generated_module(source, _WORDS, ("numba", "llvmlite"))
    kernel = module.__dict__["kernel"]
    return Native(kernel.address, ctypes.CFUNCTYPE(None, ctypes.c_void_p)(kernel.address), kernel)
