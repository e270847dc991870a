"""`make matrix`: the whole suite in a new environment for each torch and each Python found.

An environment takes up to 8 GB, for PyPI's torch on Linux is built for GPUs; each is removed after
its run. The output of a run stays in ``.matrix/``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".matrix"
TORCHES = ("2.13.0", "2.14.1")
PYTHONS = ("3.11", "3.12", "3.13")
OTHERS_PER_TORCH = ("torch", "setuptools")
"""The constraints of one torch only."""


def interpreters() -> Iterator[str]:
    """One interpreter of each Python, from the path or from pyenv."""
    for version in PYTHONS:
        pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        found = filter(None, [shutil.which(f"python{version}"), *map(str, pyenv)])
        if python := next(filter(runs, found), None):
            yield python
        else:
            print(f"Python {version}: not found")


def runs(python: str) -> bool:
    """True unless it is a stand-in for one that is not installed."""
    return subprocess.run([python, "-m", "venv", "-h"], capture_output=True).returncode == 0


def constraints(torch: str) -> str:
    """The constraints, with another torch."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    kept = (line for line in lines if line.partition("==")[0] not in OTHERS_PER_TORCH)
    return "\n".join([*kept, f"torch=={torch}\n"])


def passes(python: str, torch: str) -> bool:
    """Build the environment, run the suite, and print how it ended."""
    version = subprocess.check_output([python, "--version"], text=True).split()[1]
    name = f"python-{version}-torch-{torch}"
    environment, rules = FOLDER / name, FOLDER / f"{name}.txt"
    rules.write_text(constraints(torch))
    own = str(environment / "bin" / "python")
    pip = [own, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-c", str(rules)]
    commands = [
        [python, "-m", "venv", "--clear", str(environment)],
        [*pip, "pip", "hatchling", "editables"],
        [*pip, f"torch=={torch}"],
        [*pip, "--no-build-isolation", "-e", ".[dev]"],
        [own, "-m", "pytest", "-p", "no:cacheprovider", "-v"],  # undoes -q: the last line counts
    ]
    with (FOLDER / f"{name}.log").open("w") as log:
        ended = all(
            subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT).returncode == 0
            for command in commands
        )
    shutil.rmtree(environment, ignore_errors=True)
    lines = (FOLDER / f"{name}.log").read_text().splitlines()
    print(f"Python {version}, torch {torch}: {lines[-1] if lines else 'no output'}", flush=True)
    return ended


def main() -> int:
    """Run all pairs, also after one has failed; 1 if one has."""
    FOLDER.mkdir(exist_ok=True)
    ended = [passes(*pair) for pair in product(interpreters(), TORCHES)]
    return int(not all(ended))


if __name__ == "__main__":
    sys.exit(main())
