"""Key of a kernel, and the lines of text that it runs for one element, in any dialect of Python."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from glideslope.rules import Rule

from ._eight_bits import GROUP
from ._engine import COMPENSATION, REMAINDER, Recipe, Slot, compute_dtype, scale_of
from ._front.specialise import StraightLine, specialise
from ._layout import DTYPES

SIZES = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8, "int16": 2, "int8": 1, "uint8": 1}

NARROW = {"bfloat16", "float16"}
"""The dtypes that words of a dialect widen when they are loaded, and narrow when stored."""

CHUNK = 16384
"""Elements of a tensor that are updated at a time; each chunk has noise of its own."""

CHUNK_STRIDE = 0x2545F491
"""Between the seeds of a chunk's noise and the next one's."""

APART = 0x632BE5AB
"""Between the seeds of an element's numbers: near ones would give noise that goes together."""


class Memory(NamedTuple):
    """Format strings of a dialect: how the element ``_i`` of the array ``{name}_at`` is accessed.

    Attributes:
        load: the number that is stored.
        store: the statement that stores ``{number}``.
        keep: the statement that keeps a number of a group until the scale of the group is known.
        kept: the number that was kept.
    """

    load: str
    store: str
    keep: str
    kept: str


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

    @classmethod
    def of(cls, recipe: Recipe, slot: Slot, gradient: Tensor) -> Kernel:
        """The key of the kernels for a slot."""
        tensors = (slot.parameter, gradient, *(slot.state[name] for name in recipe.state))
        real = DTYPES[compute_dtype(*tensors)]
        return cls(recipe, real, tuple(DTYPES[tensor.dtype] for tensor in tensors))

    @property
    def line(self) -> StraightLine:
        """The rule of the recipe under its options."""
        return specialise(self.recipe.rule, self.recipe.options)

    @property
    def arrays(self) -> dict[str, str]:
        """The dtype of each array by its name, in the order of the table's addresses."""
        return dict(zip(("p", "g", *self.recipe.state), self.dtypes, strict=True))

    @property
    def constants(self) -> list[str]:
        """The names of the scalars that the rule's lines read."""
        return [f"_c{i}" for i in range(len(self.line.constants))]

    @property
    def scalars(self) -> list[str]:
        """The names of the scalars in a row of the table."""
        return [*self.constants, *self.recipe.extras]

    @property
    def title(self) -> str:
        """The docstring of the kernel's module."""
        arrays = ", ".join(f"{name} {dtype}" for name, dtype in self.arrays.items())
        options = ", ".join(sorted(self.recipe.options)) or "no option"
        return f'"""{self.recipe.rule.name} ({options}): {arrays}."""'

    def measuring_by(self, rule: Rule) -> Kernel:
        """The key of kernels of another rule, on some of the same arrays."""
        own = self.recipe
        recipe = Recipe(rule, frozenset(), maximize=own.maximize, scaled=own.scaled)
        recipe = replace(recipe, rounding=own.rounding if own.is_split else "nearest")
        dtypes = tuple(self.arrays[name] for name in ("p", "g", *recipe.state))
        return Kernel(recipe, self.real, dtypes)

    def update_lines(self, memory: Memory) -> list[str]:
        """The lines that update an element: the last stage of the rule."""
        results = [name for name in self.line.elements if name != "g"]
        return [*self._loads(memory), self._call(results), *self._after(memory)]

    def measure_lines(self, memory: Memory, number: int) -> list[str]:
        """The lines that compute what an earlier stage of the rule adds up."""
        return [*self._loads(memory), self._call(list(self.line.stages[number].outputs))]

    def _loads(self, memory: Memory) -> list[str]:
        """The numbers of one element, as the rule takes them."""
        loads = (load(memory, name, dtype) for name, dtype in self._whole.items())
        return [*self._joined(memory), *self._unpacked(memory), *loads, *self.recipe.before]

    @property
    def _whole(self) -> dict[str, str]:
        """The arrays whose numbers are in one part."""
        parts = {*self.recipe.codes, *map(scale_of, self.recipe.codes)}
        parts |= {"p", REMAINDER} if self.recipe.is_split else set()
        return {name: dtype for name, dtype in self.arrays.items() if name not in parts}

    def elements_of(self, name: str) -> int:
        """How many elements of a tensor one number of an array is for."""
        return GROUP if name in map(scale_of, self.recipe.codes) else 1

    def packed_lines(self, memory: Memory, name: str) -> list[str]:
        """The line that stores a kept number of a group in 8 bits."""
        number = f"{memory.kept.format(name=name)}, {name}_unit, {self._noise(name)}"
        return [memory.store.format(name=name, number=f"packed_{self.arrays[name]}({number})")]

    def _unpacked(self, memory: Memory) -> list[str]:
        """The lines that load state of 8 bits, by the unit of its group."""
        codes = {name: memory.load.format(name=name) for name in self.recipe.codes}
        return [
            f"{name} = real(unpacked_{self.arrays[name]}({code}, {name}_unit))"
            for name, code in codes.items()
        ]

    def _joined(self, memory: Memory) -> list[str]:
        """The line that loads a parameter in two parts, if it is."""
        if not self.recipe.is_split:
            return []
        parts = ", ".join(memory.load.format(name=name) for name in ("p", REMAINDER))
        return [f"p = real(joined_{self.arrays[REMAINDER]}({parts}))"]

    def _parted(self, memory: Memory) -> list[str]:
        """The lines that store a parameter in two parts, if it is."""
        if not self.recipe.is_split:
            return []
        dtype = self.arrays[REMAINDER]
        return [
            memory.store.format(name="p", number=f"upper_{dtype}(float32(p))"),
            memory.store.format(name=REMAINDER, number=f"remainder_{dtype}(float32(p))"),
        ]

    def _call(self, results: list[str]) -> str:
        arguments = ", ".join([*self.line.elements, *self.constants])
        return f"{', '.join(results)}, = formula({arguments})"

    def _after(self, memory: Memory) -> list[str]:
        """The lines after the rule: rounding, the recipe's own, the stores."""
        return [
            *self._rounding(),
            *self.recipe.after,
            *self._parted(memory),
            *(memory.keep.format(name=name) for name in self.recipe.codes),
            *(self._stored(memory, name) for name in self._whole if name != "g"),
            *[memory.store.format(name="g", number="0")] * self.recipe.zeroing,
        ]

    def _stored(self, memory: Memory, name: str) -> str:
        """The store of an array; each that is rounded stochastically has noise of its own."""
        dtype = self.arrays[name]
        number = f"{dtype}({name})"
        if dtype in NARROW and name in self.recipe.averages:
            number = f"random_{dtype}(float32({name}), {self._noise(name)})"
        elif dtype in NARROW:
            number = f"narrow_{dtype}(float32({name}))"
        return memory.store.format(name=name, number=number)

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


def load(memory: Memory, name: str, dtype: str) -> str:
    """The line that loads an array's element into a number of its own name."""
    number = memory.load.format(name=name)
    return f"{name} = real({f'widen_{dtype}({number})' if dtype in NARROW else number})"
