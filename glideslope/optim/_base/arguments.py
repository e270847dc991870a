"""The names of an optimizer's arguments."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from inspect import Parameter, signature

from glideslope.errors import InvalidType

from .common import Common

NEAR = 3
"""The most names that a message suggests."""


def check_arguments(kind: type, given: Iterable[str]) -> None:
    """Refuse an argument that a class of optimizers does not have.

    Raises:
        InvalidType: there is one; the message names those that are spelt alike.
    """
    arguments = signature(kind).parameters.values()
    named = [each.name for each in arguments if each.kind is not Parameter.VAR_KEYWORD]
    known = [*named, *Common.__annotations__]
    for name in given:
        if name not in known:
            raise InvalidType(f"{kind.__name__} has no argument `{name}`{near(name, known)}")


def near(name: str, known: Iterable[str], most: int = NEAR) -> str:
    """The names that may have been meant, as the end of a sentence; nothing if none is near."""
    spelt = {word.lower(): word for word in known}
    close = [f"`{spelt[word]}`" for word in get_close_matches(name.lower(), spelt, n=most)]
    return f": did you mean {' or '.join(close)}?" if close else ""
