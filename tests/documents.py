"""The Python in a page: its blocks run in order, and print what the page shows."""

from __future__ import annotations

import re
from doctest import NORMALIZE_WHITESPACE, DocTestParser, DocTestRunner
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CLIENTS = ROOT / "docs" / "clients"
"""Pages whose code needs the packages of `make clients`."""
FRAMEWORKS = ROOT / "docs" / "frameworks"
"""Pages whose code needs the packages of `make frameworks`."""
BLOCK = re.compile(r"^```(?P<kind>python|pycon)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)


def has_code(page: Path) -> bool:
    return BLOCK.search(page.read_text()) is not None


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def run_blocks(page: Path) -> dict[str, Any]:
    """Run a page's blocks in the current folder, all with the same names, which are returned."""
    names: dict[str, Any] = {"__name__": page.stem}
    text = page.read_text()
    for block in BLOCK.finditer(text):
        run = _run_script if block["kind"] == "python" else _run_session
        run(block["code"], names, page, text.count("\n", 0, block.start("code")))
    return names


def _run_script(code: str, names: dict[str, Any], page: Path, line: int) -> None:
    exec(compile("\n" * line + code, page, "exec"), names)


def _run_session(code: str, names: dict[str, Any], page: Path, line: int) -> None:
    session = DocTestParser().get_doctest(code, names, page.name, str(page), line)
    session.globs = names  # not a copy: later blocks use the names of this one
    result = DocTestRunner(optionflags=NORMALIZE_WHITESPACE).run(session, clear_globs=False)
    assert result.failed == 0
