"""The list of errors: each public one with its base, the occasion and a message."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from glideslope import errors

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
SOURCE = "".join(
    path.read_text(encoding="utf-8") for path in sorted((ROOT / "glideslope").rglob("*.py"))
)
ROOT_ERROR = errors.GlideslopeError
ERRORS = {
    name: error
    for name in errors.__all__
    if inspect.isclass(error := getattr(errors, name)) and issubclass(error, Exception)
}


def section(name: str) -> str:
    found = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference/errors.md has no section of {name}"
    return found[1]


@pytest.mark.parametrize("name", [name for name in ERRORS if name != "GlideslopeError"])
def test_an_error_has_its_occasion_and_a_message(name: str) -> None:
    text = section(name)
    assert f".. autoexception:: glideslope.errors.{name}\n" in text
    assert "\nRaised " in text
    shown = f"glideslope.errors.{name}: " in text or f"gs.errors.{name} as error" in text
    assert shown or "```text\n" in text


@pytest.mark.parametrize(("name", "error"), ERRORS.items(), ids=ERRORS)
def test_the_tree_has_the_bases_of_an_error(name: str, error: type[Exception]) -> None:
    row = re.search(rf"(?:── |^    ){name}\b *(?:\((\w+)\))?", errors.__doc__ or "", re.MULTILINE)
    assert row
    assert issubclass(error, ROOT_ERROR)
    builtin = [base.__name__ for base in error.__bases__ if base.__module__ == "builtins"]
    assert builtin == [row[1] or "Exception"]


@pytest.mark.parametrize("name", [name for name in ERRORS if name != "GlideslopeError"])
def test_an_error_is_raised_by_the_package(name: str) -> None:
    subclasses = [name, *(cls.__name__ for cls in ERRORS[name].__subclasses__())]
    assert any(re.search(rf"\b{cls}\(", SOURCE.replace(f"class {cls}(", "")) for cls in subclasses)


def test_no_other_error_is_public() -> None:
    classes = re.findall(r"^class (\w+)\((?:\w*Error|Exception)", SOURCE, re.MULTILINE)
    private = {"Damaged", "UnknownFormula", "Refused"}  # the first is a CheckpointError
    assert {*classes} - {*ERRORS} <= private
