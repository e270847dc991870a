"""Run clients' own tests on Glideslope's classes in place of torch's.

``python tests/clients/suites.py [ignite] [accelerate]``, with the Python of ``.venv-clients``. It
downloads the source of the installed release, whose tests are in it, and runs them twice: as they
are, and with the names of `torch.optim` and `torch.optim.lr_scheduler` replaced.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__)


class Suite(NamedTuple):
    """A distribution, the modules to import before anything is replaced, its tests, arguments."""

    distribution: str
    modules: str
    tests: tuple[str, ...]
    arguments: tuple[str, ...] = ()


SUITES = {
    "ignite": Suite(
        "pytorch-ignite",
        "ignite.engine ignite.handlers",
        tuple(
            f"tests/ignite/handlers/test_{name}.py"
            for name in (
                "param_scheduler",
                "state_param_scheduler",
                "lr_finder",
                "ema_handler",
                "early_stopping",
                "checkpoint",
            )
        ),
        ("-k", "not mnist and not suggested and not distrib and not plot"),  # need torchvision
    ),
    "accelerate": Suite(
        "accelerate",
        "accelerate transformers",
        ("tests/test_scheduler.py", "tests/test_optimizer.py", "tests/test_accelerator.py"),
        ("-k", "Scheduler or Optimizer or save or load or prepare"),  # needs `parameterized`
    ),
}


def pytest_configure(config: Any) -> None:
    """Replace torch's classes, as a plugin of the second run.

    The client is imported before, so that what it checks for by `isinstance` stays torch's.
    """
    for module in os.environ["CLIENT"].split():
        importlib.import_module(module)
    from torch import optim as torchs
    from torch.optim import lr_scheduler, swa_utils

    from glideslope import optim

    for theirs, ours in ((torchs, optim), (lr_scheduler, optim.lr_scheduler)):
        for name in {*dir(theirs)} & {*ours.__all__} - {"LRScheduler", "Optimizer", "lr_scheduler"}:
            setattr(theirs, name, getattr(ours, name))
    swa_utils.SWALR = optim.lr_scheduler.SWALR  # type: ignore[misc, assignment]


def source(suite: Suite, folder: Path) -> Path:
    """The folder of the release's source."""
    release = f"{suite.distribution}=={version(suite.distribution)}"
    options = ["--no-binary", ":all:", "--no-deps", "--no-build-isolation", "--dest", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", *options, release], check=True
    )
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as members:
        members.extractall(folder, filter="data")
    (found,) = (path for path in folder.iterdir() if path.is_dir())
    return found


def outcome(suite: Suite, folder: Path, replaced: bool) -> str:
    """The last lines of a run: what failed, and the counts."""
    plugin = ["-p", HERE.stem] if replaced else []
    paths = [str(HERE.parent), str(HERE.parents[2]), *filter(None, [os.getenv("PYTHONPATH")])]
    environment = {
        **os.environ,
        "CLIENT": suite.modules,
        "PYTHONPATH": os.pathsep.join(paths),
        "MPLBACKEND": "agg",
        "ACCELERATE_USE_CPU": "1",
    }
    usual = ["-q", "-p", "no:cacheprovider", "-p", "no:warnings", "--color=no"]
    command = [sys.executable, "-m", "pytest", *usual, *plugin, *suite.arguments, *suite.tests]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    told = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return "\n".join([*told, run.stdout.splitlines()[-1]])


def main(names: list[str]) -> None:
    """Run the suites of these names, or all."""
    for name in names or SUITES:
        suite = SUITES[name]
        with tempfile.TemporaryDirectory() as folder:
            found = source(suite, Path(folder))
            for replaced in (False, True):
                print(f"{name}, {'replaced' if replaced else 'torch'}:", flush=True)
                print(outcome(suite, found, replaced), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
