"""The check of the built site finds links that lead nowhere and what is fetched from elsewhere."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

EXTENSIONS = Path(__file__).parents[1] / "docs" / "_ext"


def extension(name: str) -> ModuleType:
    """An extension of docs/_ext; that folder is on Sphinx's path only."""
    spec = importlib.util.spec_from_file_location(name, EXTENSIONS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
def test_an_element_of_a_page(element: str, finding: str | None, tmp_path: Path) -> None:
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
def test_a_style_sheet(rule: str, fetches: bool, tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text(rule)
    wanted = ["a.css: fetches from another site"] * fetches
    assert list(extension("site_check").findings(tmp_path)) == wanted
