"""The page about the run folder against a folder that `glideslope train` writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "run-folder.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(glideslope: Callable[..., Any]) -> Path:
    assert glideslope("train", "--steps", 2, "--batch-size", 2, "--out", "demo").code == 0
    return Path("demo")


def fields(file: Path) -> set[str]:
    """The names in a JSON object, or in all objects of a file with one on each line."""
    text = file.read_text()
    lines = [text] if file.suffix == ".json" else text.splitlines()
    return {field for line in lines for field in json.loads(line)}


def test_the_page_has_every_file_and_field(folder: Path) -> None:
    files = {f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir()}
    assert [name for name in files if f"`{name}`" not in PAGE] == []
    for name in ("config.json", "result.json", "history.jsonl", "events.jsonl"):
        section = PAGE.partition(f"## {name}\n")[2].partition("\n## ")[0]
        found = fields(folder / name)
        assert len(found) >= 3
        assert [f for f in found if f"`{f}`" not in section and f'"{f}"' not in section] == []
