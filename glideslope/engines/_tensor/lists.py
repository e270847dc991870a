"""A recipe as torch's operations on lists of tensors.

Each call is one pass over memory, so a program uses as few as possible.

The lines of a rule become expressions, see `Graph`, and these become calls: a sum with a scaled
product or quotient is one call, and what is no longer read is overwritten. AdamW is eight calls::

    torch._foreach_lerp_(exp_avg, g, _c1)
    torch._foreach_mul_(exp_avg_sq, _c2)
    torch._foreach_addcmul_(exp_avg_sq, g, g, value=_c3)
    _t0 = torch._foreach_sqrt(exp_avg_sq)
    torch._foreach_mul_(_t0, _c4)
    torch._foreach_add_(_t0, _c5)
    torch._foreach_mul_(p, _c0)
    torch._foreach_addcdiv_(p, exp_avg, _t0, value=(-1.0 * _c6))
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import count, pairwise
from typing import Any

import torch
from torch import Tensor

from .._engine import COMPENSATION, Recipe, Values
from .._front.specialise import StraightLine, specialise
from .._front.statements import Stage
from .graph import Graph, Term

Lists = Sequence[list[Tensor]]


class ListProgram:
    """Program of a recipe on lists of tensors.

    Args:
        recipe: what happens to an element.
        wide: the arrays that are brought to the dtype of the arithmetic first.

    Raises:
        InvalidValue: the formula uses something that has no name among torch's operations.
    """

    def __init__(self, recipe: Recipe, wide: frozenset[str]) -> None:
        self._recipe = recipe
        self._line = specialise(recipe.rule, recipe.options)
        self.text = _text(recipe, self._line, wide)
        space: dict[str, Any] = {"torch": torch, "_sums": _sums, "_squares": _squares}
        exec(compile(self.text, f"<{recipe.rule.name} on lists>", "exec"), space)
        self._function: Callable[..., None] = space["update"]

    def bound(
        self,
        values: Values,
        real: torch.dtype,
        rounded: Callable[[Tensor], Tensor],
        stored: Callable[[Tensor, torch.dtype], Tensor],
        summed: Callable[[Tensor], Tensor],
    ) -> Callable[[Lists, Sequence[int]], None]:
        """A function that updates lists in place with the scalars of one step.

        Args:
            values: these scalars.
            real: the dtype of the arithmetic.
            rounded: gives a parameter as it will be stored.
            stored: gives a state as it is stored in a dtype.
            summed: gives the totals over whole tensors of those over parts of them.

        Returns:
            A function of the lists, which are of parameters, of gradients and of each state, and of
            the number of elements of each whole tensor.
        """
        scalars = [float(values[name]) for name in self._recipe.rule.scalars]
        first, *others = self._line.stages

        def later(elements: Sequence[int], stage: int, *totals: Tensor) -> list[Sequence[Tensor]]:
            """The constants that are known after a stage, each as a number for each tensor."""
            counts = totals[0].new_tensor(elements)
            known = others[stage - 1].prologue(*scalars, counts, *summed(torch.stack(totals)))
            return [_column(constant, counts).to(real).unbind() for constant in known]

        constants = map(float, first.prologue(*scalars, None))
        extras = [float(values[name]) for name in self._recipe.extras]
        after = (*constants, *extras, real, rounded, stored)
        return lambda lists, elements: self._function(*lists, *after, partial(later, elements))


def _sums(tensors: list[Tensor]) -> Tensor:
    """The sum of the elements of each, in double precision."""
    return torch.stack([each.sum(dtype=torch.float64) for each in tensors])


def _squares(tensors: list[Tensor]) -> Tensor:
    """The sum of the squares of the elements of each, in double precision."""
    return torch.stack(torch._foreach_norm(tensors, dtype=torch.float64)).square()


def _column(constant: Any, model: Tensor) -> Tensor:
    return torch.as_tensor(constant, dtype=model.dtype, device=model.device).expand_as(model)


def _text(recipe: Recipe, line: StraightLine, wide: frozenset[str]) -> str:
    arrays = ("p", "g", *recipe.state)
    known = [f"_c{i}" for i in line.stages[0].known]
    graph = Graph(arrays, (*known, *recipe.extras))
    outputs = _results(graph, recipe, line)
    results = [name for name in line.elements if name != "g"]
    graph.meaning.update(zip(results, outputs, strict=True))
    for text in (*_rounding(recipe), *recipe.after):
        graph.add(text)
    written = [name for name in arrays if name != "g"]
    writer = Emitter(graph, written, wide, wide & {*recipe.averages})
    lines = writer.lines()
    arguments = ", ".join(
        (*arrays, *known, *recipe.extras, "_real", "_rounded", "_stored", "_later")
    )
    body = textwrap.indent("\n".join(lines), "    ")
    return f"def update({arguments}):\n{body}\n"


def _results(graph: Graph, recipe: Recipe, line: StraightLine) -> list[Term]:
    """The results of the rule; scalars that depend on totals are columns, one for each tensor."""
    start = dict(graph.meaning)
    columns: dict[str, Term] = {}
    summands: list[Term] = []
    for number, (stage, following) in enumerate(pairwise(line.stages), start=1):
        graph.meaning = {**start, **columns}
        summands += _outputs(graph, recipe, stage)
        later = graph.enter("later", str(number), *summands)
        for place, i in enumerate(following.known):
            if i not in stage.known:
                columns[f"_c{i}"] = graph.enter("column", str(place), later)
    graph.meaning = {**start, **columns}
    return _outputs(graph, recipe, line.stages[-1])


def _outputs(graph: Graph, recipe: Recipe, stage: Stage) -> list[Term]:
    for text in (*recipe.before, *stage.body):
        graph.add(text)
    return [graph.term(ast.parse(text, mode="eval").body) for text in stage.outputs]


def _rounding(recipe: Recipe) -> list[str]:
    """The parameter as it will be stored, where that is more than the store itself."""
    match recipe.rounding:
        case "stochastic":
            return ["p = rounded(p)"]
        case "compensated":
            return ["_exact = p", "p = rounded(p)", f"{COMPENSATION} = _exact - p"]
        case _:
            return []


class Emitter:
    """Writes the calls that leave a graph's results in its arrays.

    Args:
        graph: what is computed.
        written: the arrays that are left with what their names mean at the end.
        wide: the arrays that are brought to the dtype of the arithmetic first.
        narrowed: those of them that `stored` brings back to their own.
    """

    def __init__(
        self,
        graph: Graph,
        written: Sequence[str],
        wide: Collection[str],
        narrowed: Collection[str] = (),
    ) -> None:
        self._graph, self._written, self._wide = graph, written, wide
        self._narrowed = narrowed
        self._lines: list[str] = []
        self._temporaries: set[str] = set()  # lists that may be overwritten
        self._numbers = count()
        self._place: dict[Term, str] = {}  # the list that holds an expression
        self._left = graph.uses(graph.meaning[name] for name in written)

    def lines(self) -> list[str]:
        """The calls, in order."""
        results = {name: self._result(name) for name in self._written}
        copies = [
            f"torch._foreach_copy_({name}, {self._narrow(name, place)})"
            for name, place in results.items()
            if place != name
        ]
        return [*self._lines, *copies]

    def _narrow(self, name: str, place: str) -> str:
        if name not in self._narrowed:
            return place
        return f"[_stored(x, y.dtype) for x, y in zip({place}, {name}, strict=True)]"

    def _result(self, name: str) -> str:
        place = self._read(self._graph.meaning[name])
        if isinstance(self._graph.meaning[name], str):
            return self._new(f"[torch.full_like(each, {place}) for each in {name}]")
        if place in self._written and place != name:  # it may be written before it is copied
            return self._new(f"[each.clone() for each in {place}]")
        return place

    def _read(self, term: Term) -> str:
        """The list that holds an expression, or the scalar itself."""
        if isinstance(term, str):
            return term
        if term not in self._place:
            self._place[term] = self._written_as(*self._graph.entries[term])
        return self._place[term]

    def _written_as(self, operation: Term, *parts: Any) -> str:
        match operation, parts:
            case ("array", (name,)):
                return self._widened(name) if name in self._wide else name
            case ("later", (number, *summands)):
                totals = ", ".join(map(self._total, summands))
                return self._new(f"_later({number}, {totals})")
            case ("column", (place, later)):
                return f"{self._read(later)}[{place}]"
            case ("add" | "sub", (int(left), int(right))):
                return self._sum("-1.0" if operation == "sub" else "1.0", left, right)
            case ("add", (int(x), str(scalar))) | ("mul", (str(scalar), int(x))):
                return self._call(str(operation), [x], scalar)
            case ("maximum" | "minimum", (int(x), str(limit))):
                clamp = "clamp_min" if operation == "maximum" else "clamp_max"
                return self._call(clamp, [x], limit)
            case ("mul" | "div" | "maximum" | "minimum" | "sqrt" | "sign" | "reciprocal", _):
                return self._call(str(operation), parts)
            case ("absolute", _):
                return self._call("abs", parts)
            case ("where", _):
                return self._each("torch.where({}).to(_real)", ", ", parts)
            case ("wide", _):
                return self._fixed(self._each("{}.double()", "", parts))
            case ("rounded", _):
                return self._each("_rounded({})", "", parts)
        return self._fixed(self._each("{}", f" {operation} ", parts))

    def _sum(self, sign: str, left: int, right: int) -> str:
        """A sum with a product, a quotient, a difference or anything else, scaled."""
        scale, rest = sign, right
        if self._is_read_here_only(rest) and (inner := self._graph.scaled_part(rest)):
            scale, rest = inner[0] if sign == "1.0" else f"({sign} * {inner[0]})", inner[1]
        if self._is_read_here_only(rest):
            match self._graph.entries[rest]:
                case ("mul", int(x), int(y)):
                    return self._call("addcmul", [left, x, y], f"value={scale}")
                case ("div", int(x), int(y)):
                    return self._call("addcdiv", [left, x, y], f"value={scale}")
                case ("sub", int(x), int(y)) if y == left:
                    self._left[left] -= 1
                    return self._call("lerp", [left, x], scale)
        return self._call("add", [left, rest], f"alpha={scale}")

    def _total(self, summand: int) -> str:
        """The sum over each tensor; of squares, without a list of them."""
        match self._graph.entries[summand]:
            case ("mul", int(x), y) if x == y and self._is_read_here_only(summand):
                match self._graph.entries[x]:
                    case ("wide", int(root)) if self._left[x] == 2:
                        return self._taken("_squares", root)
                self._left[x] -= 1
                return self._taken("_squares", x)
        return self._taken("_sums", summand)

    def _taken(self, function: str, term: int) -> str:
        place = self._read(term)
        self._left[term] -= 1
        return f"{function}({place})"

    def _is_read_here_only(self, term: int) -> bool:
        return self._left[term] == 1 and term not in self._place

    def _call(self, operation: str, operands: Sequence[int], scalar: str = "") -> str:
        """One operation on lists, in place of its first operand if that is not read again."""
        others = [self._read(operand) for operand in operands[1:]]  # perhaps the last to read it
        places = [self._read(operands[0]), *others]
        self._left.subtract(operands)
        arguments = ", ".join([*places, *[scalar] * bool(scalar)])
        if self._left[operands[0]] == 0 and places[0] in (*self._temporaries, *self._written):
            self._lines.append(f"torch._foreach_{operation}_({arguments})")
            return places[0]
        return self._new(f"torch._foreach_{operation}({arguments})")

    def _each(self, form: str, separator: str, parts: Sequence[Term]) -> str:
        """An operation that torch has for single tensors only."""
        places = [self._read(part) for part in parts]
        self._left.subtract(part for part in parts if isinstance(part, int))
        lists = [place for place, part in zip(places, parts, strict=True) if isinstance(part, int)]
        names = iter("xyz")
        words = [next(names) if isinstance(part, int) else part for part in parts]
        rows = f"{', '.join('xyz'[: len(lists)])}, in zip({', '.join(lists)}, strict=True)"
        return self._new(f"[{form.format(separator.join(words))} for {rows}]")

    def _fixed(self, place: str) -> str:
        """A list that no number is written over: of truths, or of what may be another's tensors."""
        self._temporaries.remove(place)
        return place

    def _widened(self, name: str) -> str:
        return self._new(f"[each.to(_real) for each in {name}]")

    def _new(self, value: str) -> str:
        name = f"_t{next(self._numbers)}"
        self._temporaries.add(name)
        self._lines.append(f"{name} = {value}")
        return name
