"""The page of `glideslope design`."""

from __future__ import annotations

from html import escape
from typing import Any

from glideslope._version import __version__

from .._page import page
from ._answer import answer
from ._catalogue import ABOUT, CATALOGUE, PRESETS


def design_page(question: dict[str, Any], token: str) -> str:
    """The whole page as HTML, with the answer to its first question.

    Args:
        question: see `answer`.
        token: the secret that the page sends with each question.
    """
    data = {
        "question": question,
        "answer": answer(question),
        "catalogue": CATALOGUE,
        "about": ABOUT,
        "presets": PRESETS,
        "token": token,
    }
    parts = {"version": escape(__version__)}
    return page("design", "A schedule · Glideslope", parts, data, connect="'self'")
