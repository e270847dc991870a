"""A rule under given options, as a straight line: scalars once per step, elements in a loop.

`specialise` reads the formula and

- takes the branch of every ``if`` that the options choose, so no kernel branches on an option;
- moves what is computed from scalars alone out of the loop, into a Python function of the scalars,
  evaluated once per step in double precision: ``(1 - beta2) * g * g`` becomes ``_c0 * g * g``;
- turns a division by a scalar into a product with its inverse, taken in double precision as well.

Nothing else is changed: what remains is the formula, in its own words and its own order.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from glideslope import rules
from glideslope.errors import InvalidValue
from glideslope.rules import Rule

from ._source import formula_names, formula_tree

WORDS = ("absolute", "clip", "maximum", "minimum", "sign", "sqrt", "where")
"""The functions a formula may use on elements."""

_VOCABULARY: dict[object, str] = {
    abs: "absolute",
    **{getattr(rules, word): word for word in WORDS},
}
_Node = TypeVar("_Node", bound=ast.AST)

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitAnd, ast.BitOr)


@dataclass(frozen=True)
class StraightLine:
    """One rule under one set of options.

    Attributes:
        elements: the arguments that are numbers of one element: ``p``, ``g`` and the state.
        constants: the scalar expressions that the body names ``_c0``, ``_c1``, ...
        body: its lines.
        results: expressions of the new ``p`` and state, in the order of ``elements``.
        prologue: gives the values of ``constants`` from the rule's scalars by name.
    """

    elements: tuple[str, ...]
    constants: tuple[str, ...]
    body: tuple[str, ...]
    results: tuple[str, ...]
    prologue: Callable[..., tuple[float, ...]]


@cache
def specialise(rule: Rule, options: frozenset[str]) -> StraightLine:
    """The straight line of a rule under its active options.

    Raises:
        InvalidValue: the formula uses something that a kernel cannot do.
    """
    function = formula_tree(rule)
    fold = _Fold({name: name in options for name in rule.options})
    line = _Line(rule)
    for statement in fold.block(function.body):
        line.add(statement)
    kept = rule.kept_state(options)
    new_state = dict(zip(rule.state, line.results[1:], strict=True))
    return StraightLine(
        elements=("p", "g", *kept),
        constants=tuple(ast.unparse(value) for value in line.constants),
        body=tuple(ast.unparse(statement) for statement in line.body),
        results=(ast.unparse(line.results[0]), *(ast.unparse(new_state[name]) for name in kept)),
        prologue=line.prologue(),
    )


class _Fold(ast.NodeTransformer):
    """Chooses every branch that depends on an option."""

    def __init__(self, options: dict[str, bool]) -> None:
        self.options = options

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """The statements that run, up to the first ``return``."""
        chosen: list[ast.stmt] = []
        for statement in statements:
            chosen += self._expanded(statement)
            if chosen and isinstance(chosen[-1], ast.Return):
                break
        return chosen

    def _expanded(self, statement: ast.stmt) -> list[ast.stmt]:
        if not isinstance(statement, ast.If):
            return [self.visit(statement)]
        return self.block(statement.body if self._decide(statement.test) else statement.orelse)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        chosen: ast.expr = self.visit(node.body if self._decide(node.test) else node.orelse)
        return chosen

    def _decide(self, test: ast.expr) -> bool:
        asked = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
        if not asked <= set(self.options):
            raise _refusal(test, "asks for a value; use `where`, only options may be branched on")
        condition = compile(ast.Expression(test), "<options>", "eval")
        return bool(eval(condition, {"__builtins__": {}}, dict(self.options)))


class _Line:
    """Sorts statements into those of scalars and those of elements."""

    def __init__(self, rule: Rule) -> None:
        self.rule, self.names = rule, formula_names(rule)
        self.elements = {"p", "g", *rule.state}
        self.scalar_statements: list[ast.stmt] = []
        self.constants: list[ast.expr] = []
        self.body: list[ast.stmt] = []
        self.results: list[ast.expr] = []
        self._known: dict[str, ast.Name] = {}

    def add(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name() as target], value=value):
                self._assign(target, value)
            case ast.AugAssign(target=ast.Name() as target, op=op, value=value):
                name = ast.Name(target.id, ast.Load())
                self._assign(ast.Name(target.id, ast.Store()), ast.BinOp(name, op, value))
            case ast.Return(value=value) if value is not None:
                self._finish(value.elts if isinstance(value, ast.Tuple) else [value])
            case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                pass
            case _:
                raise _refusal(statement, "is no assignment to one name")

    def _assign(self, target: ast.Name, value: ast.expr) -> None:
        scalar = self._is_scalar(value)
        statement = ast.Assign([target], value if scalar else self._element(value))
        (self.scalar_statements if scalar else self.body).append(_placed(statement))
        if scalar:
            self.elements.discard(target.id)
            self._known.clear()
        else:
            self.elements.add(target.id)

    def _finish(self, results: list[ast.expr]) -> None:
        if len(results) != 1 + len(self.rule.state):
            raise InvalidValue(f"rule `{self.rule.name}` must return p and each state, in order")
        self.results = [self._element(result) for result in results]

    def _is_scalar(self, node: ast.expr) -> bool:
        names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
        return not names & self.elements

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
                word = ast.Name(self._word(func), ast.Load())
                return ast.Call(word, [self._element(argument) for argument in arguments], [])
        raise _refusal(node, "is not among the words for elements")

    def _constant(self, node: ast.expr) -> ast.Name:
        text = ast.dump(node)
        if text not in self._known:
            name = ast.Name(f"_c{len(self.constants)}", ast.Load())
            self.constants.append(node)
            self._known[text] = name
            target = ast.Name(name.id, ast.Store())
            self.scalar_statements.append(_placed(ast.Assign([target], node)))
        return self._known[text]

    def _word(self, func: ast.expr) -> str:
        """The vocabulary's name of the function that a call names."""
        try:
            function = eval(compile(ast.Expression(func), "<rule>", "eval"), dict(self.names))
            return _VOCABULARY[function]
        except (AttributeError, KeyError, NameError, TypeError):
            raise _refusal(func, f"is not among {', '.join(WORDS)}") from None

    def prologue(self) -> Callable[..., tuple[float, ...]]:
        """The scalar statements as a function of the rule's scalars."""
        arguments = [ast.arg(name) for name in self.rule.scalars]
        count = len(self.constants)
        values: list[ast.expr] = [ast.Name(f"_c{i}", ast.Load()) for i in range(count)]
        result = ast.Return(ast.Tuple(values, ast.Load()))
        signature = ast.arguments([], arguments, None, [], [], None, [])
        body = [*self.scalar_statements, result]
        function = _placed(ast.FunctionDef("prologue", signature, body, [], None))
        space: dict[str, Any] = dict(self.names)
        exec(compile(ast.Module([function], []), f"<scalars of {self.rule.name}>", "exec"), space)
        made: Callable[..., tuple[float, ...]] = space["prologue"]
        return made


def _placed(node: _Node) -> _Node:
    return ast.fix_missing_locations(node)


def _refusal(node: ast.AST, problem: str) -> InvalidValue:
    return InvalidValue(f"`{ast.unparse(node)}` {problem}")
