"""The text of fused kernels: one loop over the elements of all tensors, one pass over memory."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from glideslope.rules import Rule

from .._engine import COMPENSATION, Recipe
from .._front.specialise import StraightLine, specialise
from .._front.statements import Stage

CHUNK = 16384
"""Elements that one turn of a thread updates."""

SIZES = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8}
_STORAGE = {"bfloat16": "uint16", "float16": "uint16", "float32": "float32", "float64": "float64"}

APART = 0x632BE5AB
"""Between the seeds of an element's numbers: near ones would give noise that goes together."""

TENSOR_FIELDS = 3
"""Columns of the tensor table before the addresses: elements, row of scalars, first chunk."""


@dataclass(frozen=True)
class Kernel:
    """The key of a kernel: a recipe, and the dtype of each array it accesses.

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
        """The rule of the recipe under its options."""
        return specialise(self.recipe.rule, self.recipe.options)

    @property
    def arrays(self) -> dict[str, str]:
        """The dtype of each array by its name, in the order of the table's addresses."""
        return dict(zip(("p", "g", *self.recipe.state), self.dtypes, strict=True))

    @property
    def row_width(self) -> int:
        """The number of scalars in a row."""
        return len(self.line.constants) + len(self.recipe.extras)

    def update(self) -> str:
        """The module of the kernel that updates: the last stage of the rule."""
        results = [name for name in self.line.elements if name != "g"]
        stage = self.line.stages[-1]
        loop = _loop([*self._loads(), *self._call(results), *self._after()])
        body = [loop, *["use_short_loops()"] * self._is_light(stage)]
        return self._module(stage, body, "sweep({arguments})", "inline")

    def _is_light(self, stage: Stage) -> bool:
        """True if the stage is only sums and products, on three arrays at most."""
        return len(self.recipe.state) <= 1 and stage.is_sums_and_products

    def measuring_by(self, rule: Rule) -> Kernel:
        """The key of kernels of another rule, on some of the same arrays."""
        recipe = Recipe(rule, frozenset(), maximize=self.recipe.maximize, scaled=self.recipe.scaled)
        dtypes = tuple(self.arrays[name] for name in ("p", "g", *rule.state))
        return Kernel(recipe, self.real, dtypes)

    def measure(self, number: int) -> str:
        """The module of the kernel that adds up the totals of an earlier stage of the rule."""
        stage = self.line.stages[number]
        names = list(stage.outputs)
        sums = [f"{name}_sum = 0.0" for name in names]
        adds = [f"{name}_sum += float64({name})" for name in names]
        loop = _loop([*self._loads(), *self._call(names), *adds])
        result = f"return {', '.join(f'{name}_sum' for name in names)},"
        store = f"store_sums(float64_at(job[6]), chunk * {len(names)}, sweep({{arguments}}))"
        return self._module(stage, [*sums, loop, result], store, "reduction")

    def _module(self, stage: Stage, body: list[str], each_chunk: str, kind: str) -> str:
        constants = [f"_c{i}" for i in range(len(self.line.constants))]
        scalars = [
            f"{name} = _row[{i}]" for i, name in enumerate([*constants, *self.recipe.extras])
        ]
        arrays = [f"{name}_at" for name in self.arrays]
        meanings = [f"# _c{i} = {text}" for i, text in enumerate(self.line.constants)]
        formula = [*stage.body, f"return {', '.join(stage.outputs)},"]
        return "\n".join(
            [
                self._head(),
                *meanings,
                *_function("inline", "formula", [*self.line.elements, *constants], formula),
                *_function(kind, "sweep", ["_count", "_row", "_seed", *arrays], [*scalars, *body]),
                self._entry(each_chunk),
            ]
        )

    def _head(self) -> str:
        arrays = ", ".join(f"{name} {dtype}" for name, dtype in self.arrays.items())
        options = ", ".join(sorted(self.recipe.options)) or "no option"
        return (
            f'"""{self.recipe.rule.name} ({options}): {arrays}."""\n'
            "from glideslope.engines._fused.dialect import *\n\n"
            f"real = {self.real}\n\n"
        )

    def _loads(self) -> list[str]:
        """The numbers of one element, as the rule takes them."""
        loads = (_load(name, dtype) for name, dtype in self.arrays.items())
        return [*loads, *self.recipe.before]

    def _call(self, results: list[str]) -> list[str]:
        constants = [f"_c{i}" for i in range(len(self.line.constants))]
        return [f"{', '.join(results)}, = formula({', '.join([*self.line.elements, *constants])})"]

    def _after(self) -> list[str]:
        """The lines after the rule: rounding, the recipe's own, the stores."""
        recipe = self.recipe
        written = [name for name in self.arrays if name != "g" or recipe.zeroing]
        return [
            *self._rounding(),
            *recipe.after,
            *["g = real(0.0)"] * recipe.zeroing,
            *map(self._stored, written),
        ]

    def _stored(self, name: str) -> str:
        """The store of an array; each that is rounded stochastically has noise of its own."""
        dtype = self.arrays[name]
        if SIZES[dtype] == 2 and name in self.recipe.averages:
            return f"{name}_at[_i] = random_{dtype}(float32({name}), {self._noise(name)})"
        return _store(name, dtype)

    def _noise(self, name: str) -> str:
        """Random bits for an average: two, which take sixteen at most, share thirty-two."""
        number = self.recipe.averages.index(name)
        seed = f"_seed + {(1 + number // 2) * APART}"
        return f"noise({seed}, _i)" + " >> uint32(16)" * (number % 2)

    def _rounding(self) -> list[str]:
        """The parameter as it will be stored, where that is more than the store itself."""
        dtype = self.arrays["p"]
        match self.recipe.rounding:
            case "stochastic":
                return [f"p = real(stochastic_{dtype}(float32(p), noise(_seed, _i)))"]
            case "compensated":
                nearest = f"real(widen_{dtype}(narrow_{dtype}(float32(p))))"
                return ["_exact = p", f"p = {nearest}", f"{COMPENSATION} = _exact - p"]
            case _:
                return []

    def _entry(self, each_chunk: str) -> str:
        row = f"job[5] + tensors[t + 1] * {self.row_width * SIZES[self.real]}"
        arguments = [
            f"min({CHUNK}, tensors[t] - start)",
            f"{self.real}_at({row})",
            "job[7] + chunk * 0x2545F491",
            *(_address(i, dtype) for i, dtype in enumerate(self.dtypes)),
        ]
        return _entry(each_chunk.format(arguments=", ".join(arguments)))


def sum_of_squares(dtype: str) -> str:
    """The module of a kernel that leaves the sum of the squared gradient of each chunk."""
    call = f"sweep(min({CHUNK}, tensors[t] - start), {_address(1, dtype)})"
    body = ["total = 0.0", _loop([_load("g", dtype), "total += g * g"]), "return total,"]
    return "\n".join(
        [
            f'"""The sum of the squares of {dtype} gradients."""',
            "from glideslope.engines._fused.dialect import *\n\nreal = float64\n\n",
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


def _address(column: int, dtype: str) -> str:
    """The address of the first element of a chunk of an array."""
    return f"{_STORAGE[dtype]}_at(tensors[t + {TENSOR_FIELDS + column}] + start * {SIZES[dtype]})"


def _load(name: str, dtype: str) -> str:
    number = f"widen_{dtype}({name}_at[_i])" if SIZES[dtype] == 2 else f"{name}_at[_i]"
    return f"{name} = real({number})"


def _store(name: str, dtype: str) -> str:
    number = f"narrow_{dtype}(float32({name}))" if SIZES[dtype] == 2 else f"{dtype}({name})"
    return f"{name}_at[_i] = {number}"


def _function(decorator: str, name: str, arguments: list[str], body: list[str]) -> list[str]:
    return [f"@{decorator}", f"def {name}({', '.join(arguments)}):", _indented(body), "", ""]


def _loop(body: list[str]) -> str:
    return f"for _i in range(_count):\n{_indented(body)}"


def _indented(lines: list[str]) -> str:
    return textwrap.indent("\n".join(lines), "    ")
