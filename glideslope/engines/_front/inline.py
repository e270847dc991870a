"""Inline the functions that a formula calls on elements."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from types import FunctionType
from typing import Any, cast

from .source import function_tree, outer_names


def is_expression(meaning: Any) -> bool:
    """True if it is a function that only returns an expression."""
    return isinstance(meaning, FunctionType) and _returned(function_tree(meaning)) is not None


def inlined(
    function: Callable[..., Any],
    arguments: Sequence[ast.expr],
    names: dict[str, Any],
    local: Collection[str],
) -> ast.expr:
    """The expression that a call computes, in place of the call.

    Args:
        function: the function that is called.
        arguments: the expressions it is called with.
        names: the global names of the formula; those of the function are added.
        local: the local names of the formula.
    """
    tree = function_tree(function)
    given = dict(zip((parameter.arg for parameter in tree.args.args), arguments, strict=True))
    for name, meaning in outer_names(function).items():
        is_free = name not in local and names.get(name, meaning) is meaning
        unique = name if is_free else f"_{function.__name__}_{name}"
        names[unique] = meaning
        given[name] = ast.Name(unique, ast.Load())
    expression: ast.expr = _Given(given).visit(cast(ast.expr, _returned(tree)))
    return ast.fix_missing_locations(expression)


def _returned(function: ast.FunctionDef) -> ast.expr | None:
    """All that a function does, if that is one expression."""
    match function.body:
        case [ast.Return(value)] | [ast.Expr(ast.Constant(str())), ast.Return(value)]:
            return value
    return None


class _Given(ast.NodeTransformer):
    """Replaces each name by an expression."""

    def __init__(self, given: dict[str, ast.expr]) -> None:
        self._given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return deepcopy(self._given.get(node.id, node))
