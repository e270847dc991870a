"""The public names are exactly those documented. `make check` runs this file too."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "reference").glob("*.md"))
DIRECTIVE = re.compile(
    r"^\.\. auto(?:class|data|exception|function|module):: (glideslope[\w.]*)", re.MULTILINE
)


def _public_modules() -> list[str]:
    """Packages and modules without an underscore; the command line documents itself."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "glideslope").rglob("*.py"))
    names = {".".join(path.parts).removesuffix(".__init__") for path in paths}
    return sorted(name for name in names if "._" not in name and ".cli" not in name)


MODULES = _public_modules()
PACKAGES = [name for name in MODULES if hasattr(import_module(name), "__path__")]
DOCUMENTED = [name for page in PAGES for name in DIRECTIVE.findall(page.read_text())]


def _resolve(path: str) -> object:
    """The object that a dotted path names: a public module, or a name of one."""
    if path in MODULES:
        return import_module(path)
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name, None)


def _undocumented(module: ModuleType) -> list[str]:
    """Names of ``module`` that no page lists, under this path or another one of the same object."""
    listed = {(path.rpartition(".")[2], id(_resolve(path))) for path in DOCUMENTED}
    return [name for name in module.__all__ if (name, id(getattr(module, name))) not in listed]


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
    assert _undocumented(import_module(name)) == [], "list them under docs/reference/"


@pytest.mark.parametrize("path", DOCUMENTED)
def test_every_documented_name_is_public(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert path in MODULES or (module in MODULES and name in import_module(module).__all__)


def test_nothing_is_documented_twice() -> None:
    assert sorted(DOCUMENTED) == sorted(set(DOCUMENTED))
