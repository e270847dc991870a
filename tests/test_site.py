"""The check of the built site, and the parts of the site that the build makes of the library."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType

import pytest
import typer.main

import glideslope as gs
from glideslope.cli._app import app
from glideslope.schedules import Schedule
from glideslope.schedules._parse import vocabulary

EXTENSIONS = Path(__file__).parents[1] / "docs" / "_ext"
Extension = Callable[[str], ModuleType]


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> Extension:
    """Imports extensions of docs/_ext, a folder that is on Sphinx's path only."""
    monkeypatch.syspath_prepend(EXTENSIONS)
    return import_module


@pytest.mark.parametrize(
    ("element", "finding"),
    [
        ('<a href="other.html#here">', None),
        ('<a href="#top">', None),
        ('<a href="sub/">', None),
        ('<a href="https://example.org/#x">', None),
        ('<a href="mailto:a@example.org">', None),
        ('<a href="gone.html">', "links to gone.html, which does not exist"),
        ('<a href="other.html#there">', "links to other.html#there, which has no such anchor"),
        ('<a href="#there">', "links to #there, which has no such anchor"),
        ('<script src="https://cdn.example.org/a.js">', "fetches https://cdn.example.org/a.js"),
        ('<script src="//cdn.example.org/a.js">', "fetches //cdn.example.org/a.js"),
        ('<link rel="stylesheet" href="https://a.org/a.css">', "fetches https://a.org/a.css"),
        ('<link rel="canonical" href="https://a.org/">', None),
        ('<img src="a.png" alt="A curve">', None),
        ('<img src="data:image/png;base64,AA" alt="A curve">', None),
        ('<img src="a.png">', "the picture a.png has no alternative text"),
    ],
)
def test_an_element_of_a_page(
    element: str, finding: str | None, tmp_path: Path, extension: Extension
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "other.html").write_text('<p id="here">')
    (tmp_path / "page.html").write_text(f'<p id="top">{element}')
    wanted = [] if finding is None else [f"page.html: {finding}"]
    assert list(extension("site_check").findings(tmp_path)) == wanted


@pytest.mark.parametrize(
    ("rule", "fetches"),
    [
        ("@import 'https://a.org/a.css';", True),
        ("p { background: url(//a.org/a.png) }", True),
        ("p { background: url(a.png) }", False),
    ],
)
def test_a_style_sheet(rule: str, fetches: bool, tmp_path: Path, extension: Extension) -> None:
    (tmp_path / "a.css").write_text(rule)
    wanted = ["a.css: fetches from another site"] * fetches
    assert list(extension("site_check").findings(tmp_path)) == wanted


def test_the_gallery_has_every_curve_and_recipe(extension: Extension) -> None:
    examples = extension("schedule_gallery").EXAMPLES
    shown = [text.partition("(")[0] for text in examples["curves"] + examples["recipes"]]
    assert len(shown) == len(set(shown))
    assert set(shown) == {name for name in vocabulary() if name.islower()}


def test_the_gallery_shows_every_method_of_the_notation(extension: Extension) -> None:
    text = " ".join(extension("schedule_gallery").EXAMPLES["algebra"])
    methods = ("clip", "repeat", "stretch", "reverse", "shift", "take", "staircase", "branch")
    assert [name for name in methods if f".{name}(" not in text] == []


def test_both_texts_of_the_gallery_are_one_schedule(extension: Extension) -> None:
    gallery = extension("schedule_gallery")
    texts = [text for kind in gallery.EXAMPLES.values() for text in kind]
    different = [text for text in texts if eval(gallery.python(text), {"gs": gs}) != gs.parse(text)]
    assert different == []


def test_a_picture_has_a_label_and_every_value_of_its_curve(extension: Extension) -> None:
    schedule: Schedule = gs.parse("warmup(4) >> linear(4)")
    picture = extension("curve_picture").figure(schedule)
    assert "Curve of warmup(4) &gt;&gt; linear(4): 0 at step 0, 0 at step 8, highest 1" in picture
    assert "6.0,90.0" in picture  # the first value, at the bottom left
    assert "140.0,22.0" in picture  # the peak, in the middle
    assert "274.0,90.0" in picture  # the last value, at the bottom right


def test_the_gallery_of_schedules_elsewhere_has_every_row(extension: Extension) -> None:
    gallery = extension("schedule_gallery")
    assert gallery.elsewhere().count("<svg") == len(list(gallery.rows())) > 100
    assert "timm `CosineLRScheduler`" in gallery.users("cosine")


def test_the_gallery_has_every_optimizer_with_its_trap(extension: Extension) -> None:
    gallery = extension("optimizer_gallery")
    names = [*(row.name for row in gs.optim.available()), "Lookahead", "SAM"]
    text = gallery.gallery()
    assert [name for name in names if f"## `{name}`" not in text] == []
    assert set(gallery.TRAPS) == set(names)
    assert "exp_avg = averaged(exp_avg, g, beta1)" in text  # the rule itself


DEFAULTS = {
    "SGD": {"momentum": 0},
    "RMSprop": {"momentum": 0},
    "Adadelta": {"lr": 1},
    "Prodigy": {"lr": 1},
    "NAdam": {"decoupled_weight_decay": False},
    "RAdam": {"decoupled_weight_decay": False},
    "AdEMAMix": {"warmup_steps": None},
}
"""Defaults that a trap is about."""


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_trap_is_about_the_default(name: str) -> None:
    parameters = signature(getattr(gs.optim, name)).parameters
    assert {key: parameters[key].default for key in DEFAULTS[name]} == DEFAULTS[name]


def test_the_names_in_a_trap_exist(extension: Extension) -> None:
    for name, trap in extension("optimizer_gallery").TRAPS.items():
        optimizer = getattr(gs.optim, name)
        known = {*signature(optimizer).parameters, *dir(optimizer), *gs.optim.__all__}
        known |= {"ax", "use_muon"}  # of a state, of a group
        words = re.findall(r"`(\w+)", trap)
        assert [word for word in words if word not in known] == [], name


def test_the_help_of_every_command_is_there(extension: Extension) -> None:
    text = extension("command_help").commands()
    names = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert [name for name in names if f"Usage: glideslope {name}" not in text] == []
