"""Launching generated Triton kernels; nothing here imports Triton before the first one."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from .._generated import generated_module

WARPS = 4
FUSED_PRODUCTS = False
"""The compiler fuses no product and sum of its own: the text says which are, as on the CPU."""

_WORDS = [Path(__file__).with_name("dialect.py")]


def triton_is_installed() -> bool:
    """True if Triton is installed."""
    return find_spec("triton") is not None


def is_interpreted() -> bool:
    """True if Triton interprets kernels, on the CPU, instead of compiling them."""
    return os.environ.get("TRITON_INTERPRET") == "1"


class Launch(NamedTuple):
    """The kernel of a module's text."""

    kernel: Any

    def chunks(
        self, owners: Tensor, tensors: Tensor, rows: Tensor, sums: Tensor, alignment: int
    ) -> None:
        """Run a program for each chunk."""
        self.kernel[(len(owners),)](
            owners,
            tensors,
            rows,
            sums,
            ALIGN=alignment,
            num_warps=WARPS,
            enable_fp_fusion=FUSED_PRODUCTS,
        )

    def add_up(self, tensors: Tensor, sums: Tensor, totals: Tensor, chunk: int, block: int) -> None:
        """Add up what the programs of each tensor have left."""
        from .dialect import add_up

        add_up[(totals.shape[1], totals.shape[0])](
            tensors,
            sums,
            totals,
            WIDTH=tensors.shape[1],
            CHUNK=chunk,
            BLOCK=block,
            num_warps=WARPS,
            enable_fp_fusion=FUSED_PRODUCTS,
        )


@cache
def launch_of(source: str) -> Launch:
    """The launch of the function ``kernel`` of a module's text."""
    return Launch(generated_module(source, _WORDS, ("triton",)).__dict__["kernel"])
