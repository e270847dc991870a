"""The changelog speaks of the version the package has."""

from __future__ import annotations

import re
from pathlib import Path

from glideslope import __version__

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def test_the_newest_version_of_the_changelog_is_the_package_version() -> None:
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", CHANGELOG.read_text(), re.MULTILINE)
    assert versions[0] == __version__
