"""Checks of a rule against the hyperparameters of a group, before the first step."""

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

PythonFunction = Callable[..., Any]


def _line_of(function: PythonFunction, name: str | None = None) -> int:
    """The line of a function's ``def``, or of one of its parameters."""
    first, nodes = function.__code__.co_firstlineno, list(ast.walk(_tree(function)))
    arguments = [node.lineno for node in nodes if isinstance(node, ast.arg) and node.arg == name]
    definitions = [node.lineno for node in nodes if isinstance(node, ast.FunctionDef)]
    return first + next(iter((*arguments, *definitions)), 1) - 1


def refuse(function: PythonFunction, problem: str, name: str | None = None) -> InvalidValue:
    """The error about a rule, or a function of it, with the line."""
    return _error(function, problem, _line_of(function, name))


def _error(function: PythonFunction, problem: str, line: int | None) -> InvalidValue:
    place = f"{function.__code__.co_filename}:{line}"
    return InvalidValue(f"the rule `{function.__name__}` {problem} ({place})")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The known name that was meant, as the end of a sentence; nothing if none is near."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f": did you mean `{close[0]}`?" if close else ""


def check_words(function: PythonFunction) -> None:
    """Refuse a name in the body that is not defined.

    Raises:
        InvalidValue: neither Python nor the function's module knows the name.
    """
    known = {*function.__globals__, *vars(builtins)}
    for each in dis.get_instructions(function):
        if each.opname == "LOAD_GLOBAL" and each.argval not in known:
            line = each.positions.lineno if each.positions else None
            local = {*function.__code__.co_varnames, *known}
            problem = f"uses `{each.argval}`, which is not defined"
            raise _error(function, problem + suggestion(each.argval, local), line)


def check_names(function: PythonFunction, names: Iterable[str], known: Mapping[str, Any]) -> None:
    """Refuse a scalar that no hyperparameter, count or derived scalar has the name of.

    Raises:
        InvalidValue: there is one.
    """
    for name in names:
        if name not in known:
            problem = f"uses `{name}`, which is no hyperparameter"
            raise refuse(function, problem + suggestion(name, known), name)


def check_results(function: PythonFunction, results: Any, state: tuple[str, ...]) -> None:
    """Refuse a formula that does not return the parameter and all state.

    Raises:
        InvalidValue: it returns another number of results, or something that is no number.
    """
    names, found = ("p", *state), results if isinstance(results, tuple) else (results,)
    if len(found) == len(names) and all(each is not None for each in found):
        return
    count = f"{len(found)} of {len(names)} results"
    if len(found) == len(names):
        count = f"None for `{names[[each is None for each in found].index(True)]}`"
    if results is None:
        count = "nothing"
    problem = f"returns {count}: `return {', '.join(names)}` is expected"
    raise _error(function, problem, _line_of_return(function))


def tried(function: PythonFunction, *values: Any, **named: Any) -> Any:
    """The value that a function returns.

    Raises:
        InvalidValue: it fails; the message has the line.
        ArithmeticError: it fails for these numbers, such as a division by a rate of 0.
    """
    try:
        return function(*values, **named)
    except (ArithmeticError, InvalidValue):
        raise
    except Exception as error:
        raise _told_by(function, error) from error


def _told_by(function: PythonFunction, error: Exception) -> InvalidValue:
    """An error in a formula, with the line at which it was raised."""
    code, line, trace = function.__code__, function.__code__.co_firstlineno, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is code:
            line = trace.tb_lineno
        trace = trace.tb_next
    return _error(function, f"fails: {type(error).__name__}: {error}", line)


def names_in(group: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters of a group by the names that scalars have: ``beta2`` is ``betas[1]``."""
    parts = {
        f"{name[:-1]}{index}": part
        for name, value in group.items()
        if name.endswith("s") and isinstance(value, tuple | list)
        for index, part in enumerate(value, 1)
    }
    return {**parts, **group}


def _line_of_return(function: PythonFunction) -> int:
    nodes = ast.walk(_tree(function))
    returns = [node.lineno for node in nodes if isinstance(node, ast.Return)]
    if not returns:
        return _line_of(function)
    return function.__code__.co_firstlineno + max(returns) - 1


def _tree(function: PythonFunction) -> ast.AST:
    """The text of a function as a tree; an empty one where there is no text."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return ast.Module([], [])
