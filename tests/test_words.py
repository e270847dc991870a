"""Plain words: docstrings name their subject first, and some words are not used at all."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SEARCHED = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
SEARCHED += ["benchmarks", "docs", "glideslope", "tests", "validation"]

OPENINGS = ("What", "Whatever", "Whether", "Whoever")
"""First words of a docstring that name no subject; a predicate begins with "True if"."""

WORDS = [
    *("anew", "somebody", "nobody", "newcomers?", "the gone", "the living", "bur(?:y|ies|ied)"),
    *("at work", "is told", "are told", "stands? in there", "go(?:es)? on", "let pass"),
    *("a room", "rooms", "the house's"),
]
"""Metaphors and persons in the place of plain words."""

FOUND = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)


def _files() -> Iterator[Path]:
    for name in SEARCHED:
        path = ROOT / name
        for kind in ("*.py", "*.md"):
            yield from sorted(path.rglob(kind)) if path.is_dir() else [path]


FILES = {str(path.relative_to(ROOT)): path for path in _files() if path != Path(__file__)}


def _docstrings(text: str) -> Iterator[str]:
    """The docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(ast.parse(text)):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".py")])
def test_a_docstring_names_its_subject_first(name: str) -> None:
    found = [text for text in _docstrings(FILES[name].read_text()) if text.split()[0] in OPENINGS]
    assert found == [], f"{name}: begin with a noun or a verb, a predicate with 'True if'"


@pytest.mark.parametrize("name", FILES)
def test_plain_words(name: str) -> None:
    lines = FILES[name].read_text().replace("_", " ").splitlines()
    found = [f"{name}:{i}: {line.strip()}" for i, line in enumerate(lines, 1) if FOUND.search(line)]
    assert found == []
