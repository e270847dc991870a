"""Parse the source of a function, after checking that it matches the loaded bytecode."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from glideslope.errors import InvalidValue


def function_tree(written: Callable[..., Any]) -> ast.FunctionDef:
    """A function as written, without its decorator.

    Raises:
        InvalidValue: there is no text, or it is no longer what Python loaded.
    """
    try:
        text = textwrap.dedent(inspect.getsource(written))
    except (OSError, TypeError):
        raise InvalidValue(f"the source of `{written.__name__}` cannot be read") from None
    function = ast.parse(text).body[0]
    if not isinstance(function, ast.FunctionDef):
        raise InvalidValue(f"`{written.__name__}` is not written as a `def`")
    function.decorator_list = []
    loaded = written.__code__
    if _meaning(loaded) not in map(_meaning, _compiled(function, loaded)):
        raise InvalidValue(f"the file of `{written.__name__}` has changed since it was imported")
    return function


def outer_names(function: Callable[..., Any]) -> dict[str, Any]:
    """The values of a function's outer names: built-ins, globals and closure."""
    outer = inspect.getclosurevars(function)
    return {**outer.builtins, **outer.globals, **outer.nonlocals}


def _compiled(function: ast.FunctionDef, loaded: CodeType) -> Iterator[CodeType]:
    """The bytecode that the text may have: Python calls a method of an imported name differently.

    What ``loaded`` closes over are names of a function around it.
    """
    arguments = [ast.arg(name) for name in loaded.co_freevars]
    signature = ast.arguments([], arguments, None, [], [], None, [])
    outer = ast.FunctionDef("outer", signature, [function], [], None)
    bases = {node.value for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    imports = [ast.Import([ast.alias(base.id)]) for base in bases if isinstance(base, ast.Name)]
    for before in ([], imports):
        module = ast.fix_missing_locations(ast.Module([*before, outer], []))
        code = compile(module, "<rule>", "exec", dont_inherit=True)
        yield _inner_code(_inner_code(code))


def _inner_code(code: CodeType) -> CodeType:
    return next(constant for constant in code.co_consts if isinstance(constant, CodeType))


def _meaning(code: CodeType) -> tuple[Any, ...]:
    """The parts of bytecode that decide the result; line numbers are left out."""
    return code.co_code, code.co_consts, code.co_names, code.co_varnames
