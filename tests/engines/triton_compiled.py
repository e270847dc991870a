"""Kernels compiled ahead of time, in a process of its own: in that of the tests Triton interprets.

    TRITON_INTERPRET=0 python -m tests.engines.triton_compiled 90 few

prints JSON: for each kernel, counts of what its machine text holds. No GPU is needed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch

from glideslope import optim
from glideslope.engines._kernel import CHUNK
from glideslope.engines._triton import batch
from glideslope.engines._triton import engine as triton_engine
from glideslope.engines._triton.kernel import BLOCK
from glideslope.engines._triton.launch import FUSED_PRODUCTS, WARPS, launch_of
from glideslope.errors import GlideslopeError
from glideslope.optim import RuleOptimizer, available

ALIGNMENT = 16
SIGNATURE = {
    "owners": "*i32",
    "tensors": "*i64",
    "rows": "*fp64",
    "sums": "*fp64",
    "ALIGN": "constexpr",
}
COUNTED = {
    "wide_loads": r"\bld\.global\S*\.v(?:4\.b32|2\.b64)",
    "wide_stores": r"\bst\.global\S*\.v(?:4\.b32|2\.b64)",
    "local": r"\.local\b",
    "approximate": r"\b(?:div\.(?:full|approx)|sqrt\.approx|rsqrt|rcp\.approx)\S*",
    "divisions": r"\bdiv\.rn\.f(?:32|64)",
    "roots": r"\bsqrt\.rn\.f(?:32|64)",
}
"""Patterns of PTX."""


class Unlaunched:
    """A launch that does nothing."""

    def chunks(self, *_: object) -> None:
        """Run no program."""

    def add_up(self, *_: object) -> None:
        """Add nothing up."""


class Case(NamedTuple):
    """An optimizer, the dtype of its parameters, and its options."""

    name: str
    dtype: torch.dtype = torch.float32
    options: dict[str, Any] = {}  # noqa: RUF012
    zero_grad: bool = False

    def __str__(self) -> str:
        words = [f"{key}={value}" for key, value in self.options.items()]
        return ", ".join([f"{self.name} {str(self.dtype).removeprefix('torch.')}", *words])

    def texts(self) -> list[str]:
        """The kernels that a step launches, for a vector and for a matrix."""
        written: list[str] = []

        def noted(source: str) -> Unlaunched:
            written.append(source)
            return Unlaunched()

        optimizer = self._optimizer()
        with (
            patch.object(triton_engine, "DEVICES", {"cpu"}),
            patch.object(batch, "launch_of", noted),
        ):
            optimizer.step(zero_grad=self.zero_grad)
        return written

    def _optimizer(self) -> RuleOptimizer:
        kind: type[RuleOptimizer] = getattr(optim, self.name)
        shapes = [(4, 4)] if kind.matrices_only else [(4, 4), (16,)]
        params = [torch.randn(shape, dtype=self.dtype).requires_grad_() for shape in shapes]
        for p in params:
            p.grad = torch.randn_like(p)
        options: Any = {"engine": "triton", **self.options}
        return kind(params, **options)


EVERYTHING = {"max_grad_norm": 1.0, "ema_decay": 0.9, "cautious": True}
DECAY = {"weight_decay": 0.1, "cautious_weight_decay": True, "decay_peak_lr": 1.0}
FEW = (
    Case("AdamW", torch.float64),
    Case("AdamW", torch.bfloat16, {"rounding": "stochastic", "state_dtype": torch.bfloat16}),
    Case("AdamW", torch.float16, {"state_dtype": "8bit"}),
    Case("LAMB", torch.float16, {"max_grad_norm": 1.0, "ema_decay": 0.9}, True),
)
NAMES = [row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)]
FORMS: tuple[tuple[torch.dtype, dict[str, Any], bool], ...] = (
    (torch.float32, {}, False),
    (torch.float32, DECAY, False),
    (torch.float64, EVERYTHING, True),
    (torch.float16, {"rounding": "stochastic"}, False),
    (torch.bfloat16, {**EVERYTHING, "rounding": "compensated"}, True),
    (torch.bfloat16, {"rounding": "split", "state_dtype": torch.float32}, False),
    (torch.bfloat16, {"rounding": "split24", "state_dtype": "8bit"}, False),
)
"""Dtypes and options that every optimizer is compiled with, where it takes them."""


def every_text() -> Iterator[tuple[str, str]]:
    """The kernels of all optimizers in all forms, and what they are of."""
    for name in NAMES:
        for form in FORMS:
            case = Case(name, *form)
            with suppress(GlideslopeError):  # this optimizer has no such options
                yield from texts_of(case)


def few_texts() -> Iterator[tuple[str, str]]:
    """The kernels of every rule, and of a few other forms."""
    for case in (*map(Case, NAMES), *FEW):
        yield from texts_of(case)


def texts_of(case: Case) -> Iterator[tuple[str, str]]:
    """The kernels of a case by what they are of."""
    for number, source in enumerate(case.texts()):
        yield f"{case}, kernel {number}", source


def compiled(source: str, architecture: int) -> dict[str, int]:
    """Counts of instructions of a kernel, and the memory that it needs beside registers."""
    kernel, constants = launch_of(source).kernel, {"ALIGN": ALIGNMENT}
    return counted(kernel, SIGNATURE, constants, architecture)


def compiled_sums(architecture: int) -> dict[str, int]:
    """The same of the kernel that adds up totals."""
    from glideslope.engines._triton.dialect import add_up

    constants = {"WIDTH": 7, "CHUNK": CHUNK, "BLOCK": BLOCK}
    arguments = {"tensors": "*i64", "sums": "*fp64", "totals": "*fp64"}
    signature = {**arguments, **dict.fromkeys(constants, "constexpr")}
    return counted(add_up, signature, constants, architecture)


def counted(
    kernel: Any, signature: dict[str, str], constants: dict[str, int], architecture: int
) -> dict[str, int]:
    """Counts of a kernel compiled for an architecture."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    pointers = sum(kind.startswith("*") for kind in signature.values())
    made = triton.compile(
        ASTSource(
            fn=kernel,
            signature=signature,
            constexprs=constants,
            attrs={(place,): [["tt.divisibility", ALIGNMENT]] for place in range(pointers)},
        ),
        target=GPUTarget("cuda", architecture, 32),
        options={"num_warps": WARPS, "enable_fp_fusion": FUSED_PRODUCTS},
    )
    ptx = made.asm["ptx"]
    counts = {name: len(re.findall(pattern, ptx)) for name, pattern in COUNTED.items()}
    return {**counts, **resources(made.asm["cubin"])}


def resources(machine_code: bytes) -> dict[str, int]:
    """The registers of a thread, and the bytes that did not fit into them."""
    from triton import knobs

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.cubin"
        file.write_bytes(machine_code)
        command = [knobs.nvidia.cuobjdump.path, "-res-usage", str(file)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", told)}
    return {name.lower(): found[name] for name in ("REG", "STACK")} | {"spilled": found["LOCAL"]}


def main(architecture: int, which: str) -> None:
    """Print the counts of every rule's kernels, or of all kernels."""
    texts: dict[str, str] = {}
    for name, source in few_texts() if which == "few" else every_text():
        texts.setdefault(source, name)
    found = {name: compiled(source, architecture) for source, name in texts.items()}
    print(json.dumps({"sums": compiled_sums(architecture), "kernels": found}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
