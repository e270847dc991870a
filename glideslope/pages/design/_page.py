"""The page of `glideslope design`."""

from __future__ import annotations

from html import escape
from typing import Any

from glideslope._version import __version__

from .._page import page
from ._answer import CATALOGUE, answer


def design_page(question: dict[str, Any], token: str) -> str:
    """The whole page, with the answer to its first question.

    Args:
        question: see `answer`.
        token: what the page shows the server to be answered.
    """
    data = {
        "question": question,
        "answer": answer(question),
        "catalogue": CATALOGUE,
        "token": token,
    }
    parts = {"version": escape(__version__)}
    return page("design", "A schedule · Glideslope", parts, data, connect="'self'")
