"""A schedule as a small SVG, what a notebook shows for the value."""

from __future__ import annotations

from typing import Any


def svg(schedule: Any) -> str:
    return "<svg/>"
