"""The text of a fused kernel: one loop over the elements of all tensors, one pass over memory."""

from __future__ import annotations

from dataclasses import dataclass

from ._engine import COMPENSATION, EMA, EMA_WEIGHT, FACTOR, Recipe
from ._specialise import StraightLine, specialise

CHUNK = 16384
"""Elements that one turn of a thread updates."""

SIZES = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8}
_STORAGE = {"bfloat16": "uint16", "float16": "uint16", "float32": "float32", "float64": "float64"}

TENSOR_FIELDS = 3
"""Columns of the tensor table before the addresses: elements, row of scalars, first chunk."""


@dataclass(frozen=True)
class Kernel:
    """What a kernel is made from: a recipe, and the dtype of each array it touches.

    Args:
        recipe: what happens to an element.
        real: the dtype of the arithmetic, ``float32`` or ``float64``.
        dtypes: those of the parameter, the gradient and the recipe's state, in this order.
    """

    recipe: Recipe
    real: str
    dtypes: tuple[str, ...]

    @property
    def line(self) -> StraightLine:
        return specialise(self.recipe.rule, self.recipe.options)

    @property
    def arrays(self) -> dict[str, str]:
        """The dtype of each array by its name, in the order of the table's addresses."""
        return dict(zip(("p", "g", *self.recipe.state), self.dtypes, strict=True))

    @property
    def extras(self) -> tuple[str, ...]:
        """The scalars of the recipe, which follow those of the rule in a row."""
        wanted = {FACTOR: self.recipe.scaled, EMA_WEIGHT: self.recipe.averaged}
        return tuple(name for name, asked in wanted.items() if asked)

    @property
    def row_width(self) -> int:
        return len(self.line.constants) + len(self.extras)

    def source(self) -> str:
        """The module that defines the kernel."""
        parts = (self._head(), self._formula(), self._sweep(), self._entry())
        return "\n\n".join(parts)

    def _head(self) -> str:
        arrays = ", ".join(f"{name} {dtype}" for name, dtype in self.arrays.items())
        options = ", ".join(sorted(self.recipe.options)) or "no option"
        return (
            f'"""{self.recipe.rule.name} ({options}): {arrays}."""\n'
            "from glideslope.engines._dialect import *\n\n"
            f"real = {self.real}\n"
        )

    def _formula(self) -> str:
        line = self.line
        meanings = [f"# _c{i} = {text}" for i, text in enumerate(line.constants)]
        arguments = [*line.elements, *_constants(line)]
        body = [*line.body, f"return {', '.join(line.results)},"]
        return "\n".join([*meanings, *_function("formula", arguments, body)])

    def _sweep(self) -> str:
        arguments = ["_count", "_row", "_seed", *(f"{name}_at" for name in self.arrays)]
        names = [*_constants(self.line), *self.extras]
        scalars = [f"{name} = _row[{i}]" for i, name in enumerate(names)]
        loop = ["for _i in range(_count):", *_indented(self._element())]
        return "\n".join(_function("sweep", arguments, [*scalars, *loop]))

    def _element(self) -> list[str]:
        """What happens to one element, from its loads to its stores."""
        recipe, line = self.recipe, self.line
        loads = [_load(name, dtype) for name, dtype in self.arrays.items()]
        results = ", ".join(name for name in line.elements if name != "g")
        call = f"{results}, = formula({', '.join([*line.elements, *_constants(line)])})"
        return [
            *loads,
            *[f"p = p + {COMPENSATION}"] * (recipe.rounding == "compensated"),
            *[f"g = g * {FACTOR}"] * recipe.scaled,
            *["g = -g"] * recipe.maximize,
            call,
            *self._rounding(),
            *[f"{EMA} = {EMA} + {EMA_WEIGHT} * (p - {EMA})"] * recipe.averaged,
            *["g = real(0.0)"] * recipe.zeroing,
            *(_store(name, self.arrays[name]) for name in self._written()),
        ]

    def _rounding(self) -> list[str]:
        """The parameter as it will be stored, where that is more than the store itself."""
        dtype = self.arrays["p"]
        nearest = f"real(widen_{dtype}(narrow_{dtype}(float32(p))))"
        match self.recipe.rounding:
            case "stochastic":
                return [f"p = real(stochastic_{dtype}(float32(p), noise(_seed, _i)))"]
            case "compensated":
                return ["_exact = p", f"p = {nearest}", f"{COMPENSATION} = _exact - p"]
            case _:
                return []

    def _written(self) -> list[str]:
        return [name for name in self.arrays if name != "g" or self.recipe.zeroing]

    def _entry(self) -> str:
        addresses = (
            f"{_STORAGE[dtype]}_at(tensors[t + {TENSOR_FIELDS + i}] + start * {SIZES[dtype]})"
            for i, dtype in enumerate(self.dtypes)
        )
        return _ENTRY.format(
            real=self.real,
            real_size=SIZES[self.real],
            width=TENSOR_FIELDS + len(self.dtypes),
            row_width=self.row_width,
            chunk=CHUNK,
            addresses=",\n                ".join(addresses),
        )


_ENTRY = """\
@entry
def kernel(job):
    chunks, grain, owners, tensors = job[1], job[2], int32_at(job[3]), int64_at(job[4])
    while True:
        first = take(job, grain)
        if first >= chunks:
            break
        for chunk in range(first, min(first + grain, chunks)):
            t = owners[chunk] * {width}
            start = (chunk - tensors[t + 2]) * {chunk}
            sweep(
                min({chunk}, tensors[t] - start),
                {real}_at(job[5] + tensors[t + 1] * {row_width} * {real_size}),
                job[7] + chunk * 0x2545F491,
                {addresses},
            )
"""


def sum_of_squares(dtype: str) -> str:
    """The module of a kernel that leaves the sum of the squared gradient of each chunk."""
    return _SQUARES.format(
        dtype=dtype,
        storage=_STORAGE[dtype],
        size=SIZES[dtype],
        load=_load("g", dtype),
        fields=TENSOR_FIELDS,
        chunk=CHUNK,
    )


# A sum in any order, so that it is taken in many lanes at once: of squares, so nothing cancels.
_SQUARES = """\
\"\"\"The sum of the squares of {dtype} gradients.\"\"\"
from glideslope.engines._dialect import *

real = float64


@reduction
def sweep(_count, g_at):
    total = 0.0
    for _i in range(_count):
        {load}
        total += g * g
    return total


@entry
def kernel(job):
    chunks, grain, owners, tensors = job[1], job[2], int32_at(job[3]), int64_at(job[4])
    while True:
        first = take(job, grain)
        if first >= chunks:
            break
        for chunk in range(first, min(first + grain, chunks)):
            t = owners[chunk] * ({fields} + job[8])
            start = (chunk - tensors[t + 2]) * {chunk}
            g_at = {storage}_at(tensors[t + {fields} + 1] + start * {size})
            float64_at(job[6])[chunk] = sweep(min({chunk}, tensors[t] - start), g_at)
"""


def _constants(line: StraightLine) -> list[str]:
    return [f"_c{i}" for i in range(len(line.constants))]


def _load(name: str, dtype: str) -> str:
    number = f"widen_{dtype}({name}_at[_i])" if SIZES[dtype] == 2 else f"{name}_at[_i]"
    return f"{name} = real({number})"


def _store(name: str, dtype: str) -> str:
    number = f"narrow_{dtype}(float32({name}))" if SIZES[dtype] == 2 else f"{dtype}({name})"
    return f"{name}_at[_i] = {number}"


def _function(name: str, arguments: list[str], body: list[str]) -> list[str]:
    return ["@inline", f"def {name}({', '.join(arguments)}):", *_indented(body)]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
