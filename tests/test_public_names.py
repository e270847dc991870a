"""The public names are exactly those documented. `make check` runs this file too."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import glideslope

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "reference").glob("*.md"))
DIRECTIVE = re.compile(
    r"^\.\. auto(?:class|data|exception|function|module):: (glideslope[\w.]*)", re.MULTILINE
)


ABSENT = tuple(
    f"glideslope.integrations.{name}"
    for name in ("keras", "paddle", "tinygrad")
    if find_spec(name) is None
)
"""Modules whose framework is not installed; `make frameworks` has them."""


def _public_modules() -> list[str]:
    """Packages and modules without an underscore; the command line documents itself."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "glideslope").rglob("*.py"))
    names = {".".join(path.parts).removesuffix(".__init__") for path in paths}
    public = (name for name in names if "._" not in name and ".cli" not in name)
    return sorted(name for name in public if name not in ABSENT)


MODULES = _public_modules()
PACKAGES = [name for name in MODULES if hasattr(import_module(name), "__path__")]
TEXT = "\n".join(page.read_text() for page in PAGES)
DOCUMENTED = [
    *(path for path in DIRECTIVE.findall(TEXT) if not path.startswith(ABSENT)),
    *(
        f"{package}.{name}"
        for package in re.findall(r"^\.\. autorules:: ([\w.]+)", TEXT, re.MULTILINE)
        for name in import_module(package).__all__
        if isinstance(getattr(import_module(package), name), glideslope.rules.Rule)
    ),
]


def _resolve(path: str) -> object:
    """The object that a dotted path names: a public module, or a name of one."""
    if path in MODULES:
        return import_module(path)
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name, None)


def _is_documented(module: ModuleType, name: str) -> bool:
    """True if a page lists ``name``; an alias is in a table beside the name."""
    thing = getattr(module, name)
    listed = {path.rpartition(".")[2] for path in DOCUMENTED if _resolve(path) is thing}
    return name in listed or (bool(listed) and f"| `{name}` |" in TEXT)


@pytest.mark.parametrize("name", MODULES)
def test_all_is_sorted_and_every_name_exists(name: str) -> None:
    module = import_module(name)
    assert list(module.__all__) == sorted(set(module.__all__))
    assert [public for public in module.__all__ if not hasattr(module, public)] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_shows_its_public_names_and_no_others(name: str) -> None:
    package = import_module(name)
    assert {shown for shown in dir(package) if not shown.startswith("_")} == set(package.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_documented(name: str) -> None:
    module = import_module(name)
    missing = [public for public in module.__all__ if not _is_documented(module, public)]
    assert missing == [], "list them on a page of docs/reference/"


@pytest.mark.parametrize("path", DOCUMENTED)
def test_every_documented_name_is_public(path: str) -> None:
    module, _, name = path.rpartition(".")
    public = import_module(module).__all__ if module in MODULES else []
    assert path in MODULES or name in public, f"`{module}` does not export `{name}`"


def test_every_package_is_a_name_of_the_root() -> None:
    packages = {name.removeprefix("glideslope.") for name in MODULES if name.count(".") == 1}
    assert packages <= set(glideslope.__all__)


def test_a_type_checker_sees_the_names_that_load_late() -> None:
    tree = ast.parse((ROOT / "glideslope" / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.asname for line in block.body for alias in line.names}
    assert seen == {*glideslope._PACKAGES, *glideslope._OWNERS} - {"schedules"}


def test_no_name_is_documented_twice() -> None:
    assert sorted(DOCUMENTED) == sorted(set(DOCUMENTED))


def _commands() -> list[str]:
    """The names of the program's commands."""
    from glideslope.cli import app

    functions = ((command.name, command.callback) for command in app.registered_commands)
    return sorted(name or function.__name__.replace("_", "-") for name, function in functions)


@pytest.mark.parametrize("command", _commands())
def test_every_command_is_documented_and_tested(command: str) -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert re.search(rf"^\| `glideslope {command}\b", page, re.M), "list it in command-line.md"
    assert re.search(rf'glideslope\("{command}"|\("{command}",', tests), "call it in a test"
