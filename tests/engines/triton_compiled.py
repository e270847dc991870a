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
from pathlib import Path
from typing import Any, NamedTuple

import torch

from glideslope import optim
from glideslope.engines import Slot
from glideslope.engines._kernel import Kernel
from glideslope.engines._triton import kernel as text
from glideslope.engines._triton.launch import FUSED_PRODUCTS, WARPS, launch_of
from glideslope.optim import RuleOptimizer, available
from glideslope.optim._base.step_config import StepConfig

ALIGNMENT = 16
SIGNATURE = {
    "owners": "*i32",
    "tensors": "*i64",
    "rows": "*fp64",
    "sums": "*fp64",
    "ALIGN": "constexpr",
}
ALIGNED = {(place,): [["tt.divisibility", ALIGNMENT]] for place in range(4)}
COUNTED = {
    "wide_loads": r"\bld\.global\S*\.v(?:4\.b32|2\.b64)",
    "wide_stores": r"\bst\.global\S*\.v(?:4\.b32|2\.b64)",
    "local": r"\.local\b",
    "approximate": r"\b(?:div\.(?:full|approx)|sqrt\.approx|rsqrt|rcp\.approx)\S*",
    "divisions": r"\bdiv\.rn\.f(?:32|64)",
    "roots": r"\bsqrt\.rn\.f(?:32|64)",
}
"""Patterns of PTX."""


class Case(NamedTuple):
    """An optimizer, the dtype of its parameters, and its options."""

    name: str
    dtype: torch.dtype = torch.float32
    options: dict[str, Any] = {}  # noqa: RUF012

    def kernel(self) -> Kernel:
        """The key of the kernel of the update."""
        p = torch.zeros(4, 4, dtype=self.dtype, requires_grad=True)
        p.grad = torch.zeros_like(p)
        optimizer: RuleOptimizer = getattr(optim, self.name)([p], engine="tensor", **self.options)
        optimizer.step()
        config = StepConfig.of(optimizer.rule, optimizer._settings, True, optimizer.param_groups)
        return Kernel.of(config.recipe(0, p), Slot(p, optimizer.state[p], 0), p.grad)

    def texts(self) -> Iterator[tuple[str, str]]:
        """The kernels by what they are of."""
        kernel = self.kernel()
        label = f"{self.name} {str(self.dtype).removeprefix('torch.')}"
        for number in range(len(kernel.line.measuring)):
            yield f"{label}, measuring {number}", text.measure(kernel, number)
        yield label, text.update(kernel)


EVERYTHING = {"max_grad_norm": 1.0, "ema_decay": 0.9, "cautious": True}
FEW = (
    Case("AdamW"),
    Case("AdamW", torch.float64),
    Case("AdamW", torch.bfloat16, {"rounding": "stochastic", "state_dtype": torch.bfloat16}),
    Case("AdamW", torch.float16, {"state_dtype": "8bit"}),
    Case("LAMB", torch.float16, {"max_grad_norm": 1.0, "ema_decay": 0.9}),
)


def every_case() -> Iterator[Case]:
    """All optimizers, plain and with all options, in three dtypes."""
    for row in available():
        if issubclass(row.optimizer, RuleOptimizer):
            yield Case(row.name)
            yield Case(row.name, torch.float64, EVERYTHING)
            yield Case(row.name, torch.bfloat16, {**EVERYTHING, "rounding": "compensated"})


def compiled(source: str, architecture: int) -> dict[str, int]:
    """Counts of instructions of a kernel, and the memory that it needs beside registers."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    made = triton.compile(
        ASTSource(
            fn=launch_of(source).kernel,
            signature=SIGNATURE,
            constexprs={"ALIGN": ALIGNMENT},
            attrs=ALIGNED,
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
    """Print the counts of a few kernels or of every one."""
    cases = FEW if which == "few" else tuple(every_case())
    texts = dict(pair for case in cases for pair in case.texts())
    texts["sum of squares"] = text.sum_of_squares("float32", 4)
    print(json.dumps({name: compiled(source, architecture) for name, source in texts.items()}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
