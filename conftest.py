"""Modules that the tests leave out where what they are written for is not installed."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("triton") else ["glideslope/engines/_triton/dialect.py"]
