"""Text of the gallery of schedules: pictures, formulas, texts, and who uses which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from inspect import getdoc
from pathlib import Path
from typing import NamedTuple

from curve_picture import figure

import glideslope as gs

NAMES = Path(__file__).parents[1] / "names.md"

EXAMPLES = {
    "curves": [
        "constant(1)",
        "linear(100)",
        "cosine(100, end=0.1)",
        "polynomial(100, power=2)",
        "geometric(100, end=0.01)",
        "logarithmic(100)",
        "relaxation(100, ratio=0.01)",
        "rex(100)",
        "exponential(0.97)",
        "half_life(100)",
        "power_law(10)",
        "saturation(20)",
        "rectifier(0.99)",
        "piecewise([(0, 1), (30, 0.5), (80, 0.1)])",
        "tanh(100)",
        "hyperbolic(100, 150)",
        "exp_hyperbolic(100, 150)",
        "growing_polynomial(30)",
    ],
    "recipes": [
        "hold(100, 0.5)",
        "warmup(100)",
        'cooldown(100, "sqrt")',
        "warmup_cosine(10, 90)",
        "wsd(10, 70, 20)",
        "wsd_s(10, 30, 10, 3)",
        "one_cycle(100)",
        "triangular(50)",
        "slanted_triangular(100)",
        "cosine_waves(100, 2.5)",
        "step(30, 0.5)",
        "multistep([30, 80], 0.5)",
        "inverse_time(0.05)",
        "natural_exponential(0.05)",
        "inverse_sqrt(10)",
        "noam(512, 40)",
        "noam_clamped(512, 40)",
        "chebyshev(100)",
        "fractal_chebyshev(64)",
        "range_test(100)",
    ],
    "algebra": [
        "warmup(10) >> hold(60) >> linear(30)",
        "warmup(10) * exponential(0.97)",
        "0.1 + 0.9 * cosine(100)",
        "linear(100).clip(0.2, 0.8)",
        "cosine(20).repeat(5, decay=0.8)",
        "cosine(10).repeat(4, stretch=2)",
        "(warmup(10) >> cosine(40)).stretch(100)",
        "cosine(100).reverse()",
        "linear(60).shift(20)",
        "cosine(100).take(60)",
        "cosine(100).staircase(10)",
        "cosine(100).branch(50, linear(20))",
    ],
}
"""One text for every curve, recipe and operation, from simple to complex."""


class Row(NamedTuple):
    """A row of a table of names: a library's call, and the same schedule here."""

    library: str
    theirs: str
    ours: str


def rows() -> Iterator[Row]:
    """Rows of the page of names, in its order."""
    library = ""
    for line in NAMES.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            library = line.removeprefix("## ")
        cells = re.fullmatch(r"\| `(.+)` \| `(.+)` \|.*\|", line)
        if cells:
            yield Row(library, *cells.groups())


def python(text: str) -> str:
    """The same schedule in Python, with the names of `gs`."""
    return re.sub(r"(?<![.\w])([a-z]\w*)\(", r"gs.\1(", text)


def formula(name: str) -> str:
    """The first paragraph of the documentation of a curve or recipe."""
    first = (getdoc(getattr(gs, name)) or "").split("\n\n")[0]
    return first.replace("``", "`").replace("\n", " ")


def users(name: str) -> str:
    """Calls of other libraries that are this one alone, or a warm-up and this one."""
    pattern = re.compile(rf"(?:warmup\([^>]*\) >> )?{name}\(((?!>>).)*")
    found = [row for row in rows() if pattern.fullmatch(row.ours)]
    first = {row.library: row.theirs.partition("(")[0] for row in reversed(found)}
    calls = [f"{library} `{call}`" for library, call in reversed(first.items())]
    return f"Elsewhere: {', '.join(calls)}." if calls else ""


def entry(text: str, title: str, about: str) -> str:
    """Title, picture, formula, both texts and users of one schedule."""
    code = f"```text\n{text}\n```\n\n```python\n{python(text)}\n```"
    return f"### {title}\n\n{about}\n\n{figure(gs.parse(text))}\n\n{code}\n"


def named(kind: str) -> str:
    """All curves, or all recipes."""
    entries = []
    for text in EXAMPLES[kind]:
        name = text.partition("(")[0]
        entries.append(entry(text, f"`{name}`", f"{formula(name)}\n\n{users(name)}"))
    return "\n".join(entries)


def algebra() -> str:
    """One entry for each operation."""
    return "\n".join(entry(text, f"`{text}`", "") for text in EXAMPLES["algebra"])


_END = "</tbody></table></div>"


def elsewhere() -> str:
    """A table for each library: picture, its call, the expression here."""
    parts, library = [], ""
    for row in rows():
        if row.library != library:
            library = row.library
            parts.append(f"{_END}\n\n### {library}\n\n{_head(library)}")
        picture = figure(gs.parse(row.ours), columns=40)
        cells = f"<td>{picture}</td><td>{_code(row.theirs)}</td><td>{_code(row.ours)}</td>"
        parts.append(f"<tr>{cells}</tr>")
    return "\n".join([*parts, _END]).removeprefix(f"{_END}\n\n")


def _head(library: str) -> str:
    cells = "".join(f'<th scope="col">{title}</th>' for title in ("curve", library, "here"))
    table = f'<table class="gallery docutils"><thead><tr>{cells}</tr></thead><tbody>'
    return f'<div class="table-wrapper container">{table}'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"
