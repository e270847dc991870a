"""Reason for which no kernel can be made of a rule."""

from __future__ import annotations

from functools import cache

from glideslope.errors import InvalidValue
from glideslope.rules import Rule

from ._front.specialise import specialise


@cache
def obstacle(rule: Rule, options: frozenset[str]) -> str | None:
    """Why a rule cannot be compiled, or None if it can."""
    try:
        specialise(rule, options)
    except InvalidValue as error:
        return str(error)
    return None
