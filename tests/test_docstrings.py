"""Public docstrings: a line, the arguments of the signature, what is raised, an example."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import pytest

from glideslope import errors

from .test_public_names import MODULES

REFUSALS = {
    "require": "InvalidValue",
    "require_installed": "MissingDependency",
    "require_type": "InvalidType",
}
"""Functions that raise, and what they raise."""


@dataclass(frozen=True)
class Public:
    """A public class or function, or a public method of a public class."""

    path: str
    thing: type | Callable[..., object]
    text: str

    @property
    def is_top(self) -> bool:
        """True for a name of a module, False for a method."""
        return self.path.rpartition(".")[0] in MODULES

    @property
    def is_error(self) -> bool:
        """True for an error that is raised with a sentence alone."""
        return isinstance(self.thing, type) and issubclass(self.thing, errors.GlideslopeError)

    @property
    def functions(self) -> list[Callable[..., object]]:
        """The function itself; of a class, those that make an object and are written by hand."""
        if not isinstance(self.thing, type):
            return [self.thing]
        made_by = [vars(self.thing).get(name) for name in ("__init__", "__post_init__")]
        found = [function for function in made_by if inspect.isfunction(function)]
        return [each for each in found if each.__code__.co_filename != "<string>"]  # a dataclass's

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """Its parameters, without the object itself."""
        is_made = isinstance(self.thing, type) and self.thing.__init__ is not object.__init__
        found = inspect.signature(self.thing.__init__ if is_made else self.thing).parameters
        return [found[name] for name in found if name not in ("self", "cls")]

    @property
    def arguments(self) -> list[str] | None:
        """The names listed under "Args"; None without such a section."""
        names = _section(self.text, "Args")
        return names and [name.strip("*` ") for row in names for name in row.split(",")]


def _section(text: str, title: str) -> list[str] | None:
    """The names before the colon of each entry of a section; None without the section."""
    found = re.search(rf"^{title}:\n((?:[ ]+.*\n?|\n)+)", text, re.MULTILINE)
    return found and re.findall(r"^(\S[^:]*):", textwrap.dedent(found[1]), re.MULTILINE)


def _own(thing: object) -> bool:
    return callable(thing) and str(getattr(thing, "__module__", "")).startswith("glideslope")


def _public() -> Iterator[Public]:
    found: dict[int, Public] = {}
    for module in MODULES:
        for name in import_module(module).__all__:
            thing = getattr(import_module(module), name)
            if _own(thing) and (inspect.isclass(thing) or inspect.isfunction(thing)):
                found.setdefault(id(thing), _described(f"{module}.{name}", thing))
    for public in found.values():
        yield public
        if isinstance(public.thing, type):
            yield from _methods(public.path, public.thing)


def _methods(path: str, owner: type) -> Iterator[Public]:
    for name, value in vars(owner).items():
        function = getattr(value, "fget", getattr(value, "__func__", value))
        if inspect.isfunction(function) and (not name.startswith("_") or name == "__call__"):
            yield _described(f"{path}.{name}", function)


def _described(path: str, thing: type | Callable[..., object]) -> Public:
    return Public(path, thing, inspect.cleandoc(thing.__doc__ or ""))


PUBLIC = {public.path: public for public in _public()}


@pytest.mark.parametrize("path", PUBLIC)
def test_one_line_that_ends_and_then_the_rest(path: str) -> None:
    first, *rest = PUBLIC[path].text.splitlines() or [""]
    assert first.endswith((".", ":"))
    assert not rest or not rest[0]


@pytest.mark.parametrize("path", [path for path, public in PUBLIC.items() if public.arguments])
def test_the_arguments_are_those_of_the_signature(path: str) -> None:
    """By place in the order of the signature; by name alone, in any order after them."""
    parameters, arguments = PUBLIC[path].parameters, PUBLIC[path].arguments or []
    by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    by_place = [p.name for p in parameters if p.kind not in by_name]
    assert arguments[: len(by_place)] == by_place
    assert sorted(arguments) == sorted(p.name for p in parameters)


# -- what is raised -------------------------------------------------------------------------------


def _raised(function: Callable[..., object]) -> set[str]:
    """Our errors that the body of a function raises itself."""
    nodes = list(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    named = {REFUSALS[name] for call in calls if (name := ast.unparse(call.func)) in REFUSALS}
    thrown = [node.exc for node in nodes if isinstance(node, ast.Raise) and node.exc]
    names = {ast.unparse(error).partition("(")[0] for error in thrown}
    return named | {name for name in names if name in errors.__all__}


@pytest.mark.parametrize("path", PUBLIC)
def test_what_the_body_raises_is_listed(path: str) -> None:
    public = PUBLIC[path]
    rows = _section(public.text, "Raises") or []
    listed = {name.strip("*` ") for row in rows for name in row.split(",")}
    raised = set[str]().union(*map(_raised, public.functions))
    assert raised <= listed


# -- examples -------------------------------------------------------------------------------------


@cache
def _names_with_examples() -> set[str]:
    return {path.rpartition(".")[2] for path, public in PUBLIC.items() if ">>>" in public.text}


SEVERAL = """
aligned axis_of Axis Comparison Cut cut_of Exchange gathered is_flat_shard is_own_group
is_sharded layout_of part_of Reduction reduction_of shard sharded_as time_out zero_group zero_parts
ZeroParts
"""
WITHOUT = {
    **{f"glideslope.distributed.{name}": "of several processes" for name in SEVERAL.split()},
    **{path: "no object is made of it" for path, public in PUBLIC.items() if public.is_error},
}
"""Names without an example, and why."""

INSIDE = ("glideslope.demo", "glideslope.engines", "glideslope.pages", "glideslope.rules")


def _needs_example(path: str) -> bool:
    return PUBLIC[path].is_top and path not in WITHOUT and not path.startswith(INSIDE)


@pytest.mark.parametrize("path", list(filter(_needs_example, PUBLIC)))
def test_an_example_is_there_or_linked(path: str) -> None:
    """A link is a name in single backticks whose own docstring has an example."""
    links = re.findall(r"(?<!`)`([\w.]+)`(?!`)", PUBLIC[path].text)
    named = {link.rpartition(".")[2] for link in links}
    assert ">>>" in PUBLIC[path].text or named & _names_with_examples()
