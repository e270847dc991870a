"""Sort the statements of a formula: scalars, elements, and all that depends on a total."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from glideslope import rules
from glideslope.errors import InvalidValue
from glideslope.rules import Rule

from .fold import refusal
from .inline import inlined, is_expression
from .source import outer_names

ELEMENT_FUNCTIONS = ("absolute", "clip", "maximum", "minimum", "sign", "sqrt", "where")
"""The functions a formula may use on elements."""

_VOCABULARY: dict[object, str] = {
    abs: "absolute",
    rules.wide: "wide",
    **{getattr(rules, word): word for word in ELEMENT_FUNCTIONS},
}
_SUMS = (rules.total, rules.mean, rules.norm)
_SLOW = (ast.Call, ast.Compare, ast.Div)
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitAnd, ast.BitOr)
_Node = TypeVar("_Node", bound=ast.AST)


@dataclass(frozen=True)
class Stage:
    """One pass over the elements, and the scalars it needs.

    A rule that takes the total of something over a tensor needs a pass to add it up before the pass
    that uses it. The last stage gives the results; each one before it gives totals.

    Attributes:
        body: the lines that can be computed with the scalars known so far.
        outputs: the expressions it gives: totals, or the new ``p`` and state.
        known: the numbers of the constants that are known.
        prologue: gives these from the rule's scalars, the number of elements and earlier totals.
    """

    body: tuple[str, ...]
    outputs: tuple[str, ...]
    known: tuple[int, ...]
    prologue: Callable[..., tuple[Any, ...]]

    @property
    def is_sums_and_products(self) -> bool:
        """True if no element is divided, compared or passed to a function."""
        text = "\n".join((*self.body, *self.outputs))
        return not any(isinstance(node, _SLOW) for node in ast.walk(ast.parse(text)))


class StatementSorter:
    """Sorts the statements of a formula, added one after the other.

    Names that it makes: ``_c0``, ... for scalar expressions, ``_e0``, ... for what is added up and
    ``_t0``, ... for the sums, ``_count`` for the number of elements.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.constants: list[ast.expr] = []
        self.gives_totals = False
        self._names = {**outer_names(rule.formula), "_sqrt": rules.sqrt, "_wide": rules.wide}
        self._elements = {"p", "g", *rule.state}
        self._scalar_lines: list[tuple[int, ast.stmt]] = []
        self._element_lines: list[tuple[int, ast.stmt]] = []
        self._totals: list[int] = []
        self._results: list[ast.expr] = []
        self._stages: dict[str, int] = {}
        self._known: dict[str, ast.Name] = {}

    @property
    def last_stage(self) -> int:
        """The number of passes before the last one."""
        return 1 + max(self._totals, default=-1)

    @property
    def stage_count(self) -> int:
        """The number of passes."""
        return self.last_stage + (not self.gives_totals)

    def add(self, statement: ast.stmt) -> None:
        """Take the next statement."""
        match statement:
            case ast.Assign(targets=[ast.Name() as target], value=value):
                self._assign(target.id, self._summed(value))
            case ast.AugAssign(target=ast.Name() as target, op=op, value=value):
                self._assign(target.id, self._summed(ast.BinOp(_read(target.id), op, value)))
            case ast.Return(value=value) if value is not None:
                self._finish(value.elts if isinstance(value, ast.Tuple) else [value])
            case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                pass
            case _:
                raise refusal(statement, "is no assignment to one name")

    def stage(self, number: int, kept: tuple[str, ...]) -> Stage:
        """The lines and results of one pass, for the state ``kept``."""
        return Stage(
            body=tuple(ast.unparse(line) for stage, line in self._element_lines if stage <= number),
            outputs=tuple(self._outputs(number, kept)),
            known=tuple(self._known_at(number)),
            prologue=self._prologue(number),
        )

    def _outputs(self, stage: int, kept: tuple[str, ...]) -> list[str]:
        if stage < self.last_stage:
            return [f"_e{i}" for i, given in enumerate(self._totals) if given == stage]
        results = dict(zip(("p", *self.rule.state), self._results, strict=True))
        return [ast.unparse(results[name]) for name in ("p", *kept)]

    def _assign(self, name: str, value: ast.expr) -> None:
        if self._is_scalar(value):
            self._elements.discard(name)
            self._known.clear()  # the same expression may have another value below
            self._write(self._scalar_lines, name, value)
        else:
            element = self._element(value)  # which may still read a scalar of this name
            self._elements.add(name)
            self._write(self._element_lines, name, element)

    def _write(self, lines: list[tuple[int, ast.stmt]], name: str, value: ast.expr) -> None:
        """Add an assignment, at the stage where all that it reads is known."""
        stage = self._stages[name] = self._stage_of(value)
        lines.append((stage, _placed(ast.Assign([ast.Name(name, ast.Store())], value))))

    def _finish(self, results: list[ast.expr]) -> None:
        results = [self._summed(result) for result in results]
        totals = [f"_t{i}" for i in range(len(self._totals))]
        if [ast.unparse(result) for result in results] == totals:
            self.gives_totals = True
        elif len(results) == 1 + len(self.rule.state):
            self._results = [self._element(result) for result in results]
        else:
            raise InvalidValue(f"rule `{self.rule.name}` must return p and each state, in order")

    def _stage_of(self, node: ast.AST) -> int:
        return max((self._stages.get(name, 0) for name in _names(node)), default=0)

    def _known_at(self, stage: int) -> list[int]:
        count = len(self.constants)
        return [i for i in range(count) if self._stages[f"_c{i}"] <= stage]

    def _is_scalar(self, node: ast.expr) -> bool:
        return not _names(node) & self._elements

    def _summed(self, node: ast.expr) -> ast.expr:
        """The expression with each sum over the elements replaced by a scalar."""
        replaced: ast.expr = _EachCall(self._in_words).visit(node)
        return replaced

    def _in_words(self, call: ast.Call) -> ast.expr:
        """A call, written with totals and functions on elements."""
        meaning = self._meaning(call.func)
        if meaning in _SUMS:
            return self._as_scalar(meaning, call)
        if meaning not in _VOCABULARY and not self._is_scalar(call) and is_expression(meaning):
            local = self.rule.formula.__code__.co_varnames
            return self._summed(inlined(meaning, call.args, self._names, local))
        return call

    def _as_scalar(self, meaning: Any, call: ast.Call) -> ast.expr:
        """A call of `total`, `mean` or `norm`, written with a total."""
        if meaning is rules.total:
            return self._total(call.args[0])
        if meaning is rules.mean:
            return ast.BinOp(self._total(call.args[0]), ast.Div(), _read("_count"))
        root = _placed(ast.Call(_read("_wide"), [call.args[0]], []))
        square = ast.BinOp(root, ast.Mult(), root)
        return ast.Call(_read("_sqrt"), [self._total(square)], [])

    def _total(self, node: ast.expr) -> ast.Name:
        number = len(self._totals)
        self._write(self._element_lines, f"_e{number}", self._element(node))
        stage = self._stages[f"_e{number}"]
        self._totals.append(stage)
        self._stages[f"_t{number}"] = stage + 1
        return _read(f"_t{number}")

    def _element(self, node: ast.expr) -> ast.expr:
        """The same expression with every largest scalar part replaced by a constant's name."""
        if self._is_scalar(node):
            return self._constant(node)
        match node:
            case ast.Name():
                return node
            case ast.BinOp(left, ast.Div(), right) if self._is_scalar(right):
                inverse = ast.BinOp(ast.Constant(1), ast.Div(), right)
                return ast.BinOp(self._element(left), ast.Mult(), self._constant(inverse))
            case ast.BinOp(left, op, right) if isinstance(op, _OPERATORS):
                return ast.BinOp(self._element(left), op, self._element(right))
            case ast.UnaryOp(ast.USub(), operand):
                return ast.UnaryOp(node.op, self._element(operand))
            case ast.Compare(left, [op], [right]):
                return ast.Compare(self._element(left), [op], [self._element(right)])
            case ast.Call(func, arguments, []):
                word = self._word(func)
                return ast.Call(_read(word), [self._element(each) for each in arguments], [])
        raise refusal(node, "is not among the words for elements")

    def _constant(self, node: ast.expr) -> ast.Name:
        text = ast.dump(node)
        if text not in self._known:
            name = f"_c{len(self.constants)}"
            self.constants.append(node)
            self._known[text] = _read(name)
            self._write(self._scalar_lines, name, node)
        return self._known[text]

    def _word(self, func: ast.expr) -> str:
        meaning = self._meaning(func)
        if meaning not in _VOCABULARY:
            raise refusal(func, f"is not among {', '.join(ELEMENT_FUNCTIONS)}")
        return _VOCABULARY[meaning]

    def _meaning(self, func: ast.expr) -> Any:
        """The function that a call names."""
        try:
            return eval(compile(ast.Expression(func), "<rule>", "eval"), dict(self._names))
        except (AttributeError, NameError, TypeError):
            raise refusal(func, "is not known outside the formula") from None

    def _prologue(self, stage: int) -> Callable[..., tuple[Any, ...]]:
        """The scalar lines of a stage, as a function."""
        in_order = sorted((given, i) for i, given in enumerate(self._totals) if given < stage)
        totals = [f"_t{i}" for _, i in in_order]
        arguments = [ast.arg(name) for name in (*self.rule.scalars, "_count", *totals)]
        signature = ast.arguments([], arguments, None, [], [], None, [])
        known: list[ast.expr] = [_read(f"_c{i}") for i in self._known_at(stage)]
        lines = [line for given, line in self._scalar_lines if given <= stage]
        body = [*lines, ast.Return(ast.Tuple(known, ast.Load()))]
        function = _placed(ast.FunctionDef("prologue", signature, body, [], None))
        space = dict(self._names)
        exec(compile(ast.Module([function], []), f"<scalars of {self.rule.name}>", "exec"), space)
        made: Callable[..., tuple[Any, ...]] = space["prologue"]
        return made


class _EachCall(ast.NodeTransformer):
    """Replaces calls, inner ones first."""

    def __init__(self, replace: Callable[[ast.Call], ast.expr]) -> None:
        self._replace = replace

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return self._replace(node)


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _read(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _placed(node: _Node) -> _Node:
    return ast.fix_missing_locations(node)
