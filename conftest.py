"""Modules that the tests leave out where what they are written for is not installed."""

from __future__ import annotations

from importlib.util import find_spec

NEEDS = {
    "glideslope/engines/_triton/dialect.py": "triton",
    "glideslope/integrations/keras.py": "keras",
    "glideslope/integrations/paddle.py": "paddle",
    "glideslope/integrations/tinygrad.py": "tinygrad",
}
collect_ignore = [path for path, package in NEEDS.items() if not find_spec(package)]
