"""The sentences of errors, whatever the value that they show."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

import glideslope.errors
from glideslope.errors import (
    InvalidType,
    InvalidValue,
    MissingDependency,
    pip_install,
    require,
    require_installed,
    require_type,
)
from glideslope.training import TrainingState


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


NUMBERS = str(list(range(100_000)))

VALUES: dict[str, tuple[object, str]] = {
    "number": (3, "3"),
    "text": ("two\nlines", r"'two\nlines'"),
    "as long as may be": ("x" * 198, f"'{'x' * 198}'"),
    "longer by one": ("x" * 199, f"'{'x' * 99}…{'x' * 98}'"),
    "list": (list(range(100_000)), f"{NUMBERS[:100]}…{NUMBERS[-99:]}"),
}


@pytest.mark.parametrize(("check", "kind"), [(require, InvalidValue), (require_type, InvalidType)])
@pytest.mark.parametrize(("value", "text"), VALUES.values(), ids=VALUES)
def test_a_long_value_is_cut_and_a_short_one_is_not(
    check: Callable[..., None], kind: type[Exception], value: object, text: str
) -> None:
    with pytest.raises(kind) as caught:
        check(False, "gamma", "be small", value)
    assert str(caught.value) == f"`gamma` must be small, got {text}"


def test_a_value_without_a_text_is_named_by_its_class() -> None:
    with pytest.raises(InvalidValue, match=r"`gamma` must be small, got <.*Silent object at"):
        require(False, "gamma", "be small", Silent())


class Listing:
    """An object with a long text and no state."""

    def __repr__(self) -> str:
        return "\n".join(f"entry {i}: {'x' * 20}" for i in range(1000))


def test_an_object_of_a_thousand_lines_leaves_the_rule_in_sight() -> None:
    with pytest.raises(InvalidType, match="`optimizers` must have `state_dict`") as caught:
        TrainingState(optimizers=Listing())
    assert len(str(caught.value)) < 500


# -- one voice ------------------------------------------------------------------------------------

PACKAGE = Path(glideslope.errors.__file__).parent
OTHER_WORDS = re.compile(
    r"\b(be|end) (above|below|between|greater|positive)\b|\bshould\b|\bin [\[(]|\.$"
)


def rules_of(file: Path) -> list[str]:
    """The rules that a module hands to `require` and `require_type`, where they are literal."""
    tree = ast.parse(file.read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) > 2]
    named = [call for call in calls if ast.unparse(call.func) in ("require", "require_type")]
    texts = (node for call in named for node in ast.walk(call.args[2]))
    return [str(text.value) for text in texts if isinstance(text, ast.Constant)]


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.stem)
def test_rules_use_the_same_words(file: Path) -> None:
    """Bounds are "at least", "more than", "at most", "less than", or "from … to …" with both."""
    assert [rule for rule in rules_of(file) if OTHER_WORDS.search(rule)] == []


# -- the command that installs an extra -----------------------------------------------------------

VCS = {"vcs_info": {"vcs": "git", "commit_id": "1"}, "url": "https://example.org/glideslope"}

INSTALLED: dict[str, tuple[str | None, str]] = {
    "index": (None, "glideslope[torch]"),
    "folder": (
        json.dumps({"url": "file://HERE", "dir_info": {}}),
        "glideslope[torch] @ file://HERE",
    ),
    "folder that is gone": ('{"url": "file:///gone", "dir_info": {}}', "glideslope[torch]"),
    "git": (json.dumps(VCS), "glideslope[torch] @ git+https://example.org/glideslope"),
    "damaged": ("{", "glideslope[torch]"),
}


@pytest.mark.parametrize(("record", "name"), INSTALLED.values(), ids=INSTALLED)
def test_the_command_names_what_was_installed(
    record: str | None, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "with space"
    here.mkdir()
    address = here.as_uri().removeprefix("file://")
    text = record and record.replace("HERE", address)
    found = SimpleNamespace(read_text=lambda _: text)
    monkeypatch.setattr(metadata, "distribution", lambda _: found)
    monkeypatch.setattr(glideslope.errors, "__file__", str(here / "glideslope" / "errors.py"))
    assert pip_install("torch") == f"pip install '{name.replace('HERE', address)}'"


def test_in_a_checkout_the_command_names_its_folder() -> None:
    assert pip_install("plot") == f"pip install -e '{Path(__file__).parents[1]}[plot]'"


def test_every_missing_package_is_named_at_once() -> None:
    with pytest.raises(MissingDependency) as caught:
        require_installed(no_such_a="torch", numpy="torch", no_such_b="plot")
    message = f"`no_such_a` and `no_such_b` are needed here: {pip_install('plot,torch')}"
    assert str(caught.value) == message
