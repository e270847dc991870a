"""The text of Triton kernels: a program for each chunk of each tensor, one pass over memory."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterable

from .._eight_bits import GROUP
from .._engine import scale_of
from .._front.statements import Stage
from .._kernel import CHUNK, CHUNK_STRIDE, SIZES, Kernel, Memory, load
from .._products import with_products

BLOCK = 1024
"""Elements that a program updates at a time."""

TENSOR_FIELDS = 3
"""Columns of the tensor table before the addresses: elements, row of scalars, first chunk."""

ROW_FIELDS = 2
"""Columns of a row after the kernel's scalars: the seed of the noise, 1 to leave out the step."""

_WHOLE = Memory(
    load="tl.load({name}_at + _i)",
    store="tl.store({name}_at + _i, {number})",
    keep="{name} = float32({name})",
    kept="{name}",
)
_PARTIAL = Memory(
    load="tl.load({name}_at + _i, _i < _count, other=0)",
    store="tl.store({name}_at + _i, {number}, _i < _count)",
    keep="{name} = where(_i < _count, float32({name}), 0.0)",
    kept="{name}",
)
_STORAGE = {**dict(zip(SIZES, SIZES, strict=True)), "bfloat16": "uint16", "float16": "uint16"}


def update(kernel: Kernel) -> str:
    """The module of the kernel that updates: the last stage of the rule."""
    sweep = _sweep(
        lambda memory: [
            *_units(kernel),
            *map(with_products, kernel.update_lines(memory)),
            *_packing(kernel, memory),
        ]
    )
    body = ["if _skip == 0:", *_indented(sweep)]
    if kernel.recipe.zeroing:
        zero = _sweep(lambda memory: [memory.store.format(name="g", number="0")])
        body += ["else:", *_indented(zero)]
    return _module(kernel, kernel.line.stages[-1], body)


def measure(kernel: Kernel, number: int) -> str:
    """The module of the kernel that adds up the totals of an earlier stage of the rule."""
    stage = kernel.line.stages[number]
    names = list(stage.outputs)
    adds = [f"{name}_sum += tl.where(_i < _count, wide({name}), 0.0)" for name in names]
    body = [
        *(f"{name}_sum = tl.zeros(({BLOCK},), tl.float64)" for name in names),
        *_sweep(lambda memory: [*_units(kernel), *kernel.measure_lines(memory, number), *adds]),
        *_stored_sums(names),
    ]
    return _module(kernel, stage, body)


def sum_of_squares(dtype: str, arrays: int) -> str:
    """The module of a kernel that leaves the sum of the squared gradient of each chunk.

    Args:
        dtype: of the gradients.
        arrays: how many arrays the table has.
    """
    body = [
        *_place(arrays),
        _address("g", 1, dtype),
        f"g_sum = tl.zeros(({BLOCK},), tl.float64)",
        *_sweep(lambda memory: [load(memory, "g", dtype), "g_sum += g * g"]),
        *_stored_sums(["g"]),
    ]
    return "\n".join(
        [
            *_head(f'"""The sum of the squares of {dtype} gradients."""', "float64"),
            *_entry(body),
        ]
    )


def _module(kernel: Kernel, stage: Stage, body: list[str]) -> str:
    scalars = [f"{name} = real(tl.load(_row + {i}))" for i, name in enumerate(kernel.scalars)]
    seed, skip = range(len(scalars), len(scalars) + ROW_FIELDS)
    meanings = [f"# _c{i} = {text}" for i, text in enumerate(kernel.line.constants)]
    lines = [
        *_place(len(kernel.dtypes)),
        f"_row = rows + tl.load(_tensor + 1) * {len(scalars) + ROW_FIELDS}",
        *scalars,
        f"_seed = tl.load(_row + {seed}).to(tl.int64) + _chunk * {CHUNK_STRIDE}",
        f"_skip = tl.load(_row + {skip})",
        *(
            _address(name, i, dtype, kernel.elements_of(name))
            for i, (name, dtype) in enumerate(kernel.arrays.items())
        ),
        *body,
    ]
    formula = [*map(_rounded, stage.body), f"return {', '.join(map(_rounded, stage.outputs))},"]
    arguments = ", ".join([*kernel.line.elements, *kernel.constants])
    return "\n".join(
        [
            *_head(kernel.title, kernel.real),
            *meanings,
            "@triton.jit",
            f"def formula({arguments}):",
            *_indented(formula),
            "",
            "",
            *_entry(lines),
        ]
    )


def _head(title: str, real: str) -> list[str]:
    words = "from glideslope.engines._triton.dialect import *"
    return [title, words, "", f"real = {real}", "", ""]


def _entry(body: Iterable[str]) -> list[str]:
    return [
        "@triton.jit",
        "def kernel(owners, tensors, rows, sums, ALIGN: tl.constexpr):",
        *_indented(body),
        "",
    ]


def _place(arrays: int) -> list[str]:
    """The lines that find a program's tensor, and the elements of its chunk."""
    return [
        "_chunk = tl.program_id(0).to(tl.int64)",
        f"_tensor = tensors + tl.load(owners + _chunk).to(tl.int64) * {TENSOR_FIELDS + arrays}",
        f"_start = (_chunk - tl.load(_tensor + 2)) * {CHUNK}",
        f"_count = tl.minimum(tl.load(_tensor) - _start, {CHUNK}).to(tl.int32)",
    ]


def _address(name: str, column: int, dtype: str, elements: int = 1) -> str:
    """The line that finds the first number of a chunk, of one number for so many elements."""
    place = "_start" if elements == 1 else f"_start // {elements}"
    address = f"tl.load(_tensor + {TENSOR_FIELDS + column}) + {place} * {SIZES[dtype]}"
    pointer = f"({address}).to(tl.pointer_type(tl.{_STORAGE[dtype]}))"
    return f"{name}_at = tl.multiple_of({pointer}, ALIGN)"


def _sweep(lines: Callable[[Memory], list[str]]) -> list[str]:
    """Loops over the elements of a chunk: without masks, so with wide loads, where it is whole."""
    element = f"_i = _first + tl.arange(0, {BLOCK})"
    return [
        f"if _count == {CHUNK}:",
        f"    for _first in range(0, {CHUNK}, {BLOCK}):",
        *_indented([element, *lines(_WHOLE)], 2),
        "else:",
        f"    for _first in range(0, _count, {BLOCK}):",
        *_indented([element, *lines(_PARTIAL)], 2),
    ]


def _units(kernel: Kernel) -> list[str]:
    """The lines that load the scale of each element's group, of each state in 8 bits."""
    return [
        f"{name}_unit = tl.load({scale_of(name)}_at + _i // {GROUP}, _i < _count, other=0)"
        for name in kernel.recipe.codes
    ]


def _packing(kernel: Kernel, memory: Memory) -> list[str]:
    """The lines that store the groups of state in 8 bits, each by a scale of its own."""
    lines: list[str] = []
    for name in kernel.recipe.codes:
        lines += [
            f"{name}_units = largest_of_groups({name}, {GROUP})",
            f"_group = _first // {GROUP} + tl.arange(0, {BLOCK // GROUP})",
            f"tl.store({scale_of(name)}_at + _group, {name}_units, _group * {GROUP} < _count)",
            f"{name}_unit = of_groups({name}_units, {GROUP})",
            *kernel.packed_lines(memory, name),
        ]
    return lines


def _stored_sums(names: list[str]) -> list[str]:
    return [
        f"tl.store(sums + _chunk * {len(names)} + {i}, tl.sum({name}_sum, 0))"
        for i, name in enumerate(names)
    ]


def _indented(lines: Iterable[str], depth: int = 1) -> list[str]:
    return [textwrap.indent(line, "    " * depth) for line in lines]


def _rounded(line: str) -> str:
    """A line whose quotients are correctly rounded, and whose sums take in a product."""
    line = with_products(line)
    return ast.unparse(ast.fix_missing_locations(_Quotients().visit(ast.parse(line))))


class _Quotients(ast.NodeTransformer):
    """Writes a quotient as a call of the dialect."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div):
            return node
        return ast.Call(ast.Name("divide", ast.Load()), [node.left, node.right], [])
