"""A rule held against the hyperparameters it will run on, before the first step."""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from glideslope.errors import InvalidValue

Function = Callable[..., Any]


def line_of(function: Function, name: str | None = None) -> str:
    """The file and the line of a function, or of one of its parameters."""
    code = function.__code__
    line = code.co_firstlineno
    for node in ast.walk(_tree(function)):
        if isinstance(node, ast.FunctionDef) and name is None:
            return f"{code.co_filename}:{line + node.lineno - 1}"
        if isinstance(node, ast.arg) and node.arg == name:
            return f"{code.co_filename}:{line + node.lineno - 1}"
    return f"{code.co_filename}:{line}"


def refuse(function: Function, problem: str, name: str | None = None) -> InvalidValue:
    """The error about a rule, or a function of it, with the line."""
    return InvalidValue(f"the rule `{function.__name__}` {problem} ({line_of(function, name)})")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The known name that was meant, as the end of a sentence; nothing if none is near."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f": did you mean `{close[0]}`?" if close else ""


def check_words(function: Function) -> None:
    """Refuse a name in the body that stands for nothing.

    Raises:
        InvalidValue: neither Python nor the function's module knows the name.
    """
    known = {*function.__globals__, *vars(builtins)}
    for each in dis.get_instructions(function):
        if each.opname == "LOAD_GLOBAL" and each.argval not in known:
            line = each.positions.lineno if each.positions else None
            local = {*function.__code__.co_varnames, *known}
            raise InvalidValue(
                f"the rule `{function.__name__}` uses `{each.argval}`, which stands for nothing"
                f"{suggestion(each.argval, local)} ({function.__code__.co_filename}:{line})"
            )


def check_names(function: Function, names: Iterable[str], known: Mapping[str, Any]) -> None:
    """Refuse a scalar that no hyperparameter, count or derived scalar has the name of.

    Raises:
        InvalidValue: there is one.
    """
    for name in names:
        if name not in known:
            problem = f"asks for `{name}`, which is no hyperparameter"
            raise refuse(function, problem + suggestion(name, known), name)


def check_results(function: Function, results: Any, state: tuple[str, ...]) -> None:
    """Refuse a formula that does not return the parameter and all state.

    Raises:
        InvalidValue: it returns another number of results, or something that is no number.
    """
    found = results if isinstance(results, tuple) else (results,)
    if len(found) != len(state) + 1 or any(each is None for each in found):
        wanted = ", ".join(("p", *state))
        count = "nothing" if results is None else f"{len(found)} of {len(state) + 1} results"
        problem = f"returns {count}: `return {wanted}` is asked for"
        line = f"{function.__code__.co_filename}:{_line_of_return(function)}"
        raise InvalidValue(f"the rule `{function.__name__}` {problem} ({line})")


def told_by(function: Function, error: Exception) -> InvalidValue:
    """An error in a formula, with the line at which it was raised."""
    code, line, trace = function.__code__, function.__code__.co_firstlineno, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is code:
            line = trace.tb_lineno
        trace = trace.tb_next
    return InvalidValue(
        f"the rule `{function.__name__}` fails: {type(error).__name__}: {error} "
        f"({code.co_filename}:{line})"
    )


def names_in(group: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters of a group by the names that scalars have: ``beta2`` is ``betas[1]``."""
    parts = {
        f"{name[:-1]}{index}": part
        for name, value in group.items()
        if name.endswith("s") and isinstance(value, tuple | list)
        for index, part in enumerate(value, 1)
    }
    return {**parts, **group}


def _line_of_return(function: Function) -> int:
    returns = [node.lineno for node in ast.walk(_tree(function)) if isinstance(node, ast.Return)]
    return function.__code__.co_firstlineno + max(returns, default=1) - 1


def _tree(function: Function) -> ast.AST:
    """The text of a function as a tree; an empty one where there is no text."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return ast.Module([], [])
