"""`import glideslope` is fast: heavy modules load when a name that needs them is used."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

HEAVY = {"jax", "matplotlib", "numba", "rich", "torch", "typer"}
LIGHT_PACKAGES = [
    name
    for name in ("glideslope", "glideslope.errors", "glideslope.rules", "glideslope.schedules")
    if find_spec(name)
]


def _loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running ``code``."""
    report = f"{code}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", report]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("name", LIGHT_PACKAGES)
def test_importing_a_light_package_loads_nothing_heavy(name: str) -> None:
    assert _loaded_by(f"import {name}") & HEAVY == set()


def test_listing_the_names_loads_nothing_heavy() -> None:
    assert _loaded_by("import glideslope; dir(glideslope)") & HEAVY == set()


def test_an_unknown_name_is_refused_as_by_any_module() -> None:
    import glideslope

    with pytest.raises(AttributeError, match="module 'glideslope' has no attribute 'cosin'"):
        glideslope.cosin  # noqa: B018
