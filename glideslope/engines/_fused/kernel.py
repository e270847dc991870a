"""The text of fused kernels: one loop over the elements of all tensors, one pass over memory."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .._eight_bits import GROUP
from .._engine import scale_of
from .._front.statements import Stage
from .._kernel import CHUNK, CHUNK_STRIDE, SIZES, Kernel, Memory, load
from .._products import with_products

MEMORY = Memory(
    load="{name}_at[_i]",
    store="{name}_at[_i] = {number}",
    keep="{name}_tile[_i - _first] = float32({name})",
    kept="{name}_tile[_i - _first]",
)
_STORAGE = {**dict(zip(SIZES, SIZES, strict=True)), "bfloat16": "uint16", "float16": "uint16"}

TENSOR_FIELDS = 3
"""Columns of the tensor table before the addresses: elements, row of scalars, first chunk."""


def update(kernel: Kernel) -> str:
    """The module of the kernel that updates: the last stage of the rule."""
    stage = kernel.line.stages[-1]
    lines = [*map(with_products, kernel.update_lines(MEMORY))]
    body = [
        *_swept(kernel, lines, _packing(kernel)),
        *["use_short_loops()"] * _is_light(kernel, stage),
    ]
    return _module(kernel, stage, body, "sweep({arguments})", "inline")


def measure(kernel: Kernel, number: int) -> str:
    """The module of the kernel that adds up the totals of an earlier stage of the rule."""
    stage = kernel.line.stages[number]
    names = list(stage.outputs)
    sums = [f"{name}_sum = 0.0" for name in names]
    adds = [f"{name}_sum += float64({name})" for name in names]
    loops = _swept(kernel, [*kernel.measure_lines(MEMORY, number), *adds])
    result = f"return {', '.join(f'{name}_sum' for name in names)},"
    store = f"store_sums(float64_at(job[6]), chunk * {len(names)}, sweep({{arguments}}))"
    return _module(kernel, stage, [*sums, *loops, result], store, "reduction")


def _is_light(kernel: Kernel, stage: Stage) -> bool:
    """True if the stage is only sums and products, on three arrays at most."""
    return len(kernel.recipe.state) <= 1 and stage.is_sums_and_products


def _module(kernel: Kernel, stage: Stage, body: list[str], each_chunk: str, kind: str) -> str:
    scalars = [f"{name} = _row[{i}]" for i, name in enumerate(kernel.scalars)]
    arrays = [f"{name}_at" for name in kernel.arrays]
    meanings = [f"# _c{i} = {text}" for i, text in enumerate(kernel.line.constants)]
    formula = [*map(with_products, [*stage.body, f"return {', '.join(stage.outputs)},"])]
    return "\n".join(
        [
            _head(kernel.title, kernel.real),
            *meanings,
            *_function("inline", "formula", [*kernel.line.elements, *kernel.constants], formula),
            *_function(kind, "sweep", ["_count", "_row", "_seed", *arrays], [*scalars, *body]),
            _kernel_entry(kernel, each_chunk),
        ]
    )


def _head(title: str, real: str) -> str:
    return f"{title}\nfrom glideslope.engines._fused.dialect import *\n\nreal = {real}\n\n"


def _kernel_entry(kernel: Kernel, each_chunk: str) -> str:
    row = f"job[5] + tensors[t + 1] * {len(kernel.scalars) * SIZES[kernel.real]}"
    arguments = [
        f"min({CHUNK}, tensors[t] - start)",
        f"{kernel.real}_at({row})",
        f"job[7] + chunk * {CHUNK_STRIDE}",
        *(
            _address(i, dtype, kernel.elements_of(name))
            for i, (name, dtype) in enumerate(kernel.arrays.items())
        ),
    ]
    return _entry(each_chunk.format(arguments=", ".join(arguments)))


def sum_of_squares(dtype: str) -> str:
    """The module of a kernel that leaves the sum of the squared gradient of each chunk."""
    call = f"sweep(min({CHUNK}, tensors[t] - start), {_address(1, dtype)})"
    body = ["total = 0.0", _loop([load(MEMORY, "g", dtype), "total += g * g"]), "return total,"]
    return "\n".join(
        [
            _head(f'"""The sum of the squares of {dtype} gradients."""', "float64"),
            *_function("reduction", "sweep", ["_count", "g_at"], body),
            _entry(f"store_sums(float64_at(job[6]), chunk, {call})"),
        ]
    )


def _entry(each_chunk: str) -> str:
    """The function that threads run: they take chunks off a counter until none is left."""
    return f"""\


@entry
def kernel(job):
    chunks, grain, owners, tensors = job[1], job[2], int32_at(job[3]), int64_at(job[4])
    while True:
        first = take(job, grain)
        if first >= chunks:
            break
        for chunk in range(first, min(first + grain, chunks)):
            t = owners[chunk] * job[8]
            start = (chunk - tensors[t + 2]) * {CHUNK}
            {each_chunk}
"""


def _address(column: int, dtype: str, elements: int = 1) -> str:
    """The address of the first number of a chunk of an array, which has one for some elements."""
    place = "start" if elements == 1 else f"start // {elements}"
    return f"{_STORAGE[dtype]}_at(tensors[t + {TENSOR_FIELDS + column}] + {place} * {SIZES[dtype]})"


def _function(decorator: str, name: str, arguments: list[str], body: list[str]) -> list[str]:
    return [f"@{decorator}", f"def {name}({', '.join(arguments)}):", _indented(body), "", ""]


def _swept(kernel: Kernel, lines: list[str], after: Sequence[str] = ()) -> list[str]:
    """The loop over a chunk; over each group in turn, where groups of state have scales."""
    names = kernel.recipe.codes
    if not names:
        return [_loop(lines)]
    body = [
        f"_end = min(_first + {GROUP}, _count)",
        *(f"{name}_unit = {scale_of(name)}_at[_first // {GROUP}]" for name in names),
        _group_loop(lines),
        *after,
    ]
    tiles = [f"{name}_tile = tile()" for name in names] if after else []
    return [*tiles, f"for _first in range(0, _count, {GROUP}):\n{_indented(body)}"]


def _packing(kernel: Kernel) -> list[str]:
    """The lines that store the groups of state in 8 bits, each by a scale of its own."""
    lines: list[str] = []
    for name in kernel.recipe.codes:
        lines += [
            "_largest = uint32(0)",
            _group_loop([f"_largest = larger(_largest, size_bits({name}_tile[_i - _first]))"]),
            f"{name}_unit = number_of(_largest)",
            f"{scale_of(name)}_at[_first // {GROUP}] = {name}_unit",
            _group_loop(kernel.packed_lines(MEMORY, name)),
        ]
    return lines


def _group_loop(body: list[str]) -> str:
    return f"for _i in range(_first, _end):\n{_indented(body)}"


def _loop(body: list[str]) -> str:
    return f"for _i in range(_count):\n{_indented(body)}"


def _indented(lines: list[str]) -> str:
    return textwrap.indent("\n".join(lines), "    ")
