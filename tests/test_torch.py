"""The torch that is needed: refused in one sentence where it is missing or too old."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from glideslope._torch import OLDEST, release
from glideslope.errors import MissingDependency, pip_install

ROOT = Path(__file__).parents[1]
USES = [
    "from glideslope.optim import AdamW",
    "import glideslope.optim.lr_scheduler",
    "import glideslope as gs; gs.optim",
    "import glideslope as gs; gs.load_checkpoint",
    "import glideslope.groups",
    "import glideslope.engines",
    "from glideslope.training import Checkpointer",
    "import glideslope as gs; gs.training.TrainingState",
    "import glideslope.integrations.lucid",
]


def last_line(code: str, folder: Path) -> str:
    """The error that ends a fresh interpreter in which the modules of a folder come first."""
    path = f"import sys; sys.path.insert(0, {str(folder)!r})\n"
    command = [sys.executable, "-c", path + code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    return ended.stderr.splitlines()[-1]


def other_torch(folder: Path, text: str) -> Path:
    """A folder with a torch of which nothing but this text can be used."""
    package = folder / "torch"
    package.mkdir()
    (package / "__init__.py").write_text(text)
    for name in ("nn", "optim"):
        names = ("LBFGS", "SparseAdam", "Parameter", "Module")
        (package / f"{name}.py").write_text("".join(f"{each} = None\n" for each in names))
    return folder


@pytest.mark.parametrize("code", USES)
def test_an_old_torch_is_refused(code: str, tmp_path: Path) -> None:
    old = other_torch(tmp_path, "__version__ = '2.9.1+cu128'")
    assert last_line(code, old) == (
        f"glideslope.errors.MissingDependency: `torch` must be {OLDEST} or newer, got 2.9.1+cu128: "
        f"{pip_install('torch')}"
    )


@pytest.mark.parametrize("code", USES)
def test_a_missing_torch_is_said(code: str, tmp_path: Path) -> None:
    assert last_line(f"sys.modules['torch'] = None\n{code}", tmp_path) == (
        f"glideslope.errors.MissingDependency: `torch` is needed here: {pip_install('torch')}"
    )


def test_a_broken_torch_speaks_for_itself(tmp_path: Path) -> None:
    broken = other_torch(tmp_path, "import libtorch_cuda_that_is_missing")
    assert last_line(USES[0], broken) == (
        "ModuleNotFoundError: No module named 'libtorch_cuda_that_is_missing'"
    )


def test_schedules_need_no_torch(tmp_path: Path) -> None:
    code = "sys.modules['torch'] = None\nimport glideslope as gs\nassert gs.linear(2)(1) == 0.5\nx"
    assert last_line(code, tmp_path) == "NameError: name 'x' is not defined"


@pytest.mark.parametrize("name", ["History", "CSVWriter", "EarlyStopping", "preview"])
def test_records_and_their_readers_need_no_torch(name: str, tmp_path: Path) -> None:
    code = f"sys.modules['torch'] = None\nfrom glideslope.training import {name}\nx"
    assert last_line(code, tmp_path) == "NameError: name 'x' is not defined"


def test_a_run_is_read_and_previewed_without_torch(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text('{"step": 0, "val_loss": 0.5}\n')
    code = f"""sys.modules['torch'] = None
from pathlib import Path
from glideslope.runs import events, read_run
from glideslope.training import EarlyStopping, History, preview
folder = Path({str(tmp_path)!r})
assert events(read_run(folder))[0].text == "best validation loss 0.5"
assert preview(History(folder / "history.jsonl"), EarlyStopping(1)).best == 0.5
x"""
    assert last_line(code, tmp_path) == "NameError: name 'x' is not defined"


@pytest.mark.parametrize(
    ("older", "newer"),
    [("2.9.1", "2.10.0"), ("2.10.0a0+git1", "2.11"), ("1.13.1", "2.0.0+cu118"), ("2.14", "3.0")],
)
def test_releases_compare_as_numbers(older: str, newer: str) -> None:
    assert release(older) < release(newer)


def test_what_is_declared_is_what_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (declared,) = [
        each for each in project["optional-dependencies"]["torch"] if each.startswith("torch")
    ]
    assert re.fullmatch(r"torch>=([\d.]+),<[\d.]+", declared)[1] == OLDEST  # type: ignore[index]


def test_the_error_survives_pickling() -> None:
    error = MissingDependency("torch", "torch", f"{OLDEST} or newer, got 1.0")
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), vars(copied)) == (str(error), vars(error))
