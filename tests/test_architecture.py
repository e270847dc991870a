"""Architecture: imports run one way, files and functions stay short, folders stay shallow."""

from __future__ import annotations

import ast
import io
import statistics
import tokenize
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "glideslope"

# What each package may import. `errors` imports none of the others; the root package re-exports and
# the command line uses everything, so nothing inside imports either of them.
ALLOWED_IMPORTS: dict[str, set[str]] = {
    "_interrupt": set(),
    "_lazy": set(),
    "_version": set(),
    "errors": set(),
    "files": {"errors"},
    "text": set(),
    "_torch": {"errors"},
    "plot": {"errors"},
    "schedules": {"errors", "plot", "text"},
    "rules": {"errors"},
    "groups": {"_torch", "errors"},
    "distributed": {"_lazy", "_torch", "errors"},
    "engines": {"_torch", "errors", "rules"},
    "optim": {
        "_torch",
        "distributed",
        "engines",
        "errors",
        "groups",
        "plot",
        "rules",
        "schedules",
        "text",
    },
    "training": {
        "_lazy",
        "_torch",
        "distributed",
        "errors",
        "files",
        "groups",
        "optim",
        "plot",
        "schedules",
        "text",
    },
    "integrations": {
        "_lazy",
        "_torch",
        "engines",
        "errors",
        "files",
        "groups",
        "optim",
        "rules",
        "schedules",
        "training",
    },
    "runs": {"errors", "files", "schedules", "training"},
    "pages": {"_lazy", "_version", "errors", "plot", "runs", "schedules", "training"},
    "demo": {
        "_interrupt",
        "_lazy",
        "_version",
        "distributed",
        "errors",
        "optim",
        "runs",
        "schedules",
        "training",
    },
    "cli": {
        "_interrupt",
        "_version",
        "demo",
        "distributed",
        "errors",
        "integrations",
        "optim",
        "pages",
        "plot",
        "runs",
        "schedules",
        "training",
    },
    "__main__": {"cli"},
}
ALLOWED_IMPORTS[""] = set(ALLOWED_IMPORTS) - {"__main__", "cli"}

# torch keeps its schedulers in optim/lr_scheduler, and its names are ours. Each page of `pages` has
# its Python, its HTML, its style and its program in a folder.
DEEP_FOLDERS = {
    PACKAGE / "optim" / "lr_scheduler",
    PACKAGE / "pages" / "design",
    PACKAGE / "pages" / "report",
}
NAMES_FOR_ANYTHING = {"helpers", "misc", "util", "utils"}

FILE_LIMIT = 400
FUNCTION_MEDIAN_LIMIT = 10


def _module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _package(module: str) -> str:
    """The first name below the package; the root package is ``""``."""
    return [*module.split("."), ""][1]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _from_base(node: ast.ImportFrom, module: str) -> str:
    """The absolute name that ``from <base> import …`` in ``module`` starts from."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    if MODULES[module].name != "__init__.py":
        parts = parts[:-1]
    base = parts[: len(parts) - node.level + 1]
    return ".".join(base + ([node.module] if node.module else []))


def _imports(module: str) -> set[str]:
    """Our modules that ``module`` imports, in functions and by name as well."""
    found: set[str] = set()
    for node in ast.walk(_tree(MODULES[module])):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _from_base(node, module)
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else base for name in names}
    return {name for name in found if name.split(".")[0] == "glideslope"} | _looked_up(module)


def _looked_up(module: str) -> set[str]:
    """Our modules that ``module`` imports by name with `import_module`."""
    names = {name for call in _look_ups(module) for name in _strings(call.args)}
    return {name for name in names if name.split(".")[0] == "glideslope"}


def _look_ups(module: str) -> list[ast.Call]:
    calls = [node for node in ast.walk(_tree(MODULES[module])) if isinstance(node, ast.Call)]
    functions = {"import_module", "__import__"}
    return [call for call in calls if ast.unparse(call.func).split(".")[-1] in functions]


def _strings(arguments: list[ast.expr]) -> set[str]:
    constants = [argument for argument in arguments if isinstance(argument, ast.Constant)]
    return {constant.value for constant in constants if isinstance(constant.value, str)}


def _docstring_lines(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, holders) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            lines |= set(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return lines


@cache
def _code_lines(path: Path) -> frozenset[int]:
    """The lines of a file that hold code: not blank, no comment, no docstring."""
    silent = {
        tokenize.COMMENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
        tokenize.INDENT,
        tokenize.NEWLINE,
        tokenize.NL,
    }
    lines: set[int] = set()
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in silent:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return frozenset(lines - _docstring_lines(_tree(path)))


def _function_lengths() -> dict[str, int]:
    lengths: dict[str, int] = {}
    for module, path in MODULES.items():
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = range(node.lineno, (node.end_lineno or 0) + 1)
                lengths[f"{module}:{node.lineno} {node.name}"] = len(_code_lines(path) & set(body))
    return lengths


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_allowed_packages_only(module: str) -> None:
    package = _package(module)
    assert package in ALLOWED_IMPORTS, (
        f"`{package}` is a new package: add the packages that it may import"
    )
    wrong = {
        name
        for name in _imports(module)
        if _package(name) not in ALLOWED_IMPORTS[package] | {package}
    }
    assert not wrong, f"{module} may not import {sorted(wrong)}"


def _is_private(module: str) -> bool:
    return any(part.startswith("_") for part in module.split(".")[2:])


def test_no_package_imports_a_private_module_of_another() -> None:
    found = {
        (module, name)
        for module in MODULES
        for name in _imports(module)
        if _package(name) != _package(module) and _is_private(name)
    }
    assert not found, "what is shared has a public name in its package"


def test_a_module_that_is_looked_up_is_named_by_a_string() -> None:
    """Otherwise the look-up would be hidden from these tests.

    `_lazy` imports modules of the package that asks for them, which lists them for type checkers.
    """
    asking = {module for module in MODULES for call in _look_ups(module) if not _strings(call.args)}
    assert asking == {"glideslope._lazy"}


def test_allowed_imports_run_one_way() -> None:
    TopologicalSorter(ALLOWED_IMPORTS).prepare()


def test_no_two_modules_import_each_other() -> None:
    try:
        TopologicalSorter({module: _imports(module) - {module} for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(f"a cycle of imports: {' -> '.join(reversed(error.args[1]))}")


def test_folders_inside_a_package_are_private_and_one_level_deep() -> None:
    folders = {path.parent.relative_to(PACKAGE) for path in MODULES.values()}
    deep = {folder for folder in folders if len(folder.parts) > 1}
    private = {folder for folder in deep if len(folder.parts) == 2 and folder.name.startswith("_")}
    assert {PACKAGE / folder for folder in deep - private} <= DEEP_FOLDERS


def test_no_module_has_a_name_that_fits_anything() -> None:
    vague = {m for m in MODULES if m.split(".")[-1].strip("_") in NAMES_FOR_ANYTHING}
    assert not vague, f"name them after their one idea: {sorted(vague)}"


def test_files_are_short() -> None:
    long = {m: n for m, path in MODULES.items() if (n := len(_code_lines(path))) > FILE_LIMIT}
    assert not long, f"lines of code, {FILE_LIMIT} at most: {long}"


def test_functions_are_short() -> None:
    lengths = _function_lengths()
    longest = "\n".join(f"{n:4d} {f}" for f, n in sorted(lengths.items(), key=lambda x: -x[1])[:20])
    assert statistics.median(lengths.values()) < FUNCTION_MEDIAN_LIMIT, f"the longest:\n{longest}"
