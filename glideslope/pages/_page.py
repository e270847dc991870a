"""One HTML page with its style, its program and its data inside, and nothing fetched.

The page may run only the program it was written with: its hash is in the page's policy,
so that text which comes from elsewhere, a run's name say, could not run even if it got in.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

COLORS = 16
"""The number of colours; a run beyond them has the colour of an earlier one, and its own number."""

PROGRAMS = {
    "report": "axes curves lines labels panel pointer tooltip tables live report",
    "design": "work tree ask curve handles phases design",
}
"""The programs of each page in its folder, in the order in which they are joined."""


def page(kind: str, title: str, parts: Mapping[str, str], data: Any, connect: str = "") -> str:
    """The page ``KIND/_KIND.html`` filled in.

    Args:
        kind: ``report`` or ``design``, what the files are called.
        title: what the browser shows, as text.
        parts: the HTML of each placeholder of the page.
        data: what the program finds in the page, as JSON.
        connect: what the page may ask while it is open; nothing unless given.
    """
    style = asset("_page.css") + asset(f"{kind}/_{kind}.css")
    programs = ["_chart.js", *(f"{kind}/_{part}.js" for part in PROGRAMS[kind].split())]
    program = '"use strict";\n' + "".join(map(asset, programs))
    policy = [
        "default-src 'none'",
        f"style-src '{fingerprint(style)}'",
        f"script-src '{fingerprint(program)}'",
        *([f"connect-src {connect}"] if connect else []),
    ]
    frame = {
        "policy": escape("; ".join(policy)),
        "title": escape(title),
        "style": style,
        "program": program,
        "data": json_in_html(data),
    }
    return Template(asset(f"{kind}/_{kind}.html")).substitute(parts, **frame)


def asset(name: str) -> str:
    """The text of a file of this package."""
    return files("glideslope.pages").joinpath(name).read_text(encoding="utf-8")


def fingerprint(text: str) -> str:
    """How a policy names the one text it allows."""
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def json_in_html(data: Any) -> str:
    """JSON that cannot end the HTML element that holds it."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def run_class(number: int) -> str:
    """The class that gives a run its colour."""
    return f"run-{number % COLORS + 1}"
