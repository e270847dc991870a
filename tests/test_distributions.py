"""The wheel, the source distribution and the citation hold all that they tell of."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from glideslope import __version__

ROOT = Path(__file__).parents[1]
BUILD = """
import sys
from hatchling import build
print(build.build_wheel(sys.argv[1]), build.build_sdist(sys.argv[1]), sep="\\n")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[zipfile.ZipFile, tarfile.TarFile]:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-c", BUILD, str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return zipfile.ZipFile(wheel), tarfile.open(source)


def tracked() -> set[str]:
    """The files of the repository; of an unpacked source distribution there is no list."""
    if not (ROOT / ".git").exists():
        pytest.skip("no repository here")
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return {name for name in names.stdout.splitlines() if (ROOT / name).exists()}


def test_the_wheel_is_the_package(built: tuple[zipfile.ZipFile, tarfile.TarFile]) -> None:
    names = {
        name for name in built[0].namelist() if not name.startswith(f"glideslope-{__version__}")
    }
    assert names == {name for name in tracked() if name.startswith("glideslope/")}
    assert "glideslope/py.typed" in names


def test_the_source_is_the_repository(built: tuple[zipfile.ZipFile, tarfile.TarFile]) -> None:
    top = f"glideslope-{__version__}/"
    names = {name.removeprefix(top) for name in built[1].getnames()} - {"PKG-INFO"}
    assert names == {name for name in tracked() if not name.startswith(".ci/")}


def test_the_metadata(built: tuple[zipfile.ZipFile, tarfile.TarFile]) -> None:
    text = built[0].read(f"glideslope-{__version__}.dist-info/METADATA").decode()
    metadata = Parser().parsestr(text)
    assert metadata["Version"] == __version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_citation_names_this_version() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
