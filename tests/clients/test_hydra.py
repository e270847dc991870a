"""The program of the page about configurations, under Hydra and OmegaConf."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ..documents import ROOT, run_blocks
from ..test_blocks import blocks

pytest.importorskip("hydra", reason="needs hydra-core, of the extra `clients`")
PAGE = ROOT / "docs" / "how-to" / "configuration.md"


def only(language: str, containing: str) -> str:
    """The block of the page that has these words."""
    (found,) = [
        block.text
        for block in blocks(language)
        if block.page.endswith(PAGE.name) and containing in block.text
    ]
    return found


def test_the_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(only("yaml", "_target_"))
    (tmp_path / "train.py").write_text(only("py", "hydra"))
    command, _, shown = only("console", "train.py").partition("\n")
    ended = subprocess.run(
        [sys.executable, *shlex.split(command)[2:]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == shown, ended.stderr


def test_a_configuration_of_omegaconf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from omegaconf import OmegaConf

    monkeypatch.chdir(tmp_path)
    names = run_blocks(PAGE)
    config = OmegaConf.create(only("yaml", "name: AdamW"))
    _, scheduler = names["build"](OmegaConf.to_container(config))
    assert str(scheduler.schedule) == str(names["scheduler"].schedule)
