"""The folder that a training run leaves behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from glideslope.errors import require


class RunFolder:
    """A new folder with `config.json`, `history.jsonl`, `curves.png` and `result.json`.

    The history has one JSON object per line and is written line by line, so that a run which is
    killed loses at most the line it was writing.
    """

    def __init__(self, path: Path) -> None:
        empty = not path.exists() or (path.is_dir() and not any(path.iterdir()))
        require(empty, "out", "be a new or an empty folder", str(path))
        path.mkdir(parents=True, exist_ok=True)
        self.path = path

    @property
    def curves(self) -> Path:
        """Where the picture goes."""
        return self.path / "curves.png"

    def names(self) -> list[str]:
        """What there is, by name."""
        return sorted(file.name for file in self.path.iterdir())

    def open_history(self) -> TextIO:
        """The history, which writes each line out as soon as it is complete."""
        return (self.path / "history.jsonl").open("w", buffering=1, encoding="utf-8")

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Keep everything that is needed to repeat the run."""
        self._write("config.json", config)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Keep how the run ended."""
        self._write("result.json", result)

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        (self.path / name).write_text(text + "\n", encoding="utf-8")
