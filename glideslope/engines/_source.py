"""The text of a rule, as a tree, when it can be trusted to be what runs."""

from __future__ import annotations

import ast
import inspect
import textwrap
from types import CodeType
from typing import Any

from glideslope.errors import InvalidValue
from glideslope.rules import Rule


def formula_tree(rule: Rule) -> ast.FunctionDef:
    """The formula as written, without its decorator.

    Raises:
        InvalidValue: there is no text, or it is no longer what Python loaded.
    """
    try:
        text = textwrap.dedent(inspect.getsource(rule.formula))
    except (OSError, TypeError):
        raise InvalidValue(f"the source of rule `{rule.name}` cannot be read") from None
    function = ast.parse(text).body[0]
    if not isinstance(function, ast.FunctionDef):
        raise InvalidValue(f"rule `{rule.name}` is not written as a `def`")
    function.decorator_list = []
    loaded = rule.formula.__code__
    if _meaning(_compiled(function, loaded.co_freevars)) != _meaning(loaded):
        raise InvalidValue(f"the file of rule `{rule.name}` has changed since it was imported")
    return function


def formula_names(rule: Rule) -> dict[str, Any]:
    """What the names in a formula stand for outside it: globals, and what it closes over."""
    outer = inspect.getclosurevars(rule.formula)
    return {**outer.builtins, **outer.globals, **outer.nonlocals}


def _compiled(function: ast.FunctionDef, closed_over: tuple[str, ...]) -> CodeType:
    """The bytecode of ``function`` where the names of ``closed_over`` belong to an outer one."""
    arguments = ast.arguments([], [ast.arg(name) for name in closed_over], None, [], [], None, [])
    outer = ast.fix_missing_locations(ast.FunctionDef("outer", arguments, [function], [], None))
    module = compile(ast.Module([outer], []), "<rule>", "exec", dont_inherit=True)
    return _inner_code(_inner_code(module))


def _inner_code(code: CodeType) -> CodeType:
    return next(constant for constant in code.co_consts if isinstance(constant, CodeType))


def _meaning(code: CodeType) -> tuple[Any, ...]:
    """What a function computes, whatever lines it stands on."""
    return code.co_code, code.co_consts, code.co_names, code.co_varnames
