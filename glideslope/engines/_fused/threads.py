"""Running one function on several threads at once.

Torch's own OpenMP threads do it where they can be reached: they are warm from the backward pass,
there is no second pool for them to fight with, and `torch.set_num_threads` holds. Elsewhere, and in
a process forked from one that used them (which OpenMP does not survive), Python's threads do.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

_FIRST_PROCESS = os.getpid()


class Native(NamedTuple):
    """Machine code that takes an address; it lives as long as its owner."""

    address: int
    call: Callable[[int], None]
    owner: object


def launch(function: Native, argument: int, threads: int) -> None:
    """Call ``function(argument)`` on each of ``threads`` threads, this one among them, and wait."""
    if threads == 1:
        function.call(argument)
    elif openmp := _openmp(os.getpid()):
        openmp(function.address, argument, threads, 0)
    else:
        pool = _pool(os.getpid(), threads)
        others = [pool.submit(function.call, argument) for _ in range(threads - 1)]
        function.call(argument)
        for other in others:
            other.result()


@cache
def _openmp(process: int) -> Any:
    """``GOMP_parallel`` of the OpenMP library that torch runs on; None in a forked child."""
    if process != _FIRST_PROCESS:
        return None
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        parallel = ctypes.CDLL(str(library)).GOMP_parallel
    except (AttributeError, OSError):
        return None
    parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    parallel.restype = None
    return parallel


@cache
def _pool(_process: int, threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="glideslope")
