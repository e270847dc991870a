"""The Python in the README and in the documentation's pages runs, and prints what it shows."""

from __future__ import annotations

import re
from doctest import NORMALIZE_WHITESPACE, DocTestParser, DocTestRunner
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(?P<kind>python|pycon)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if BLOCK.search(page.read_text())
]


def _run_script(code: str, names: dict[str, object], page: Path, line: int) -> None:
    exec(compile("\n" * line + code, page, "exec"), names)


def _run_session(code: str, names: dict[str, object], page: Path, line: int) -> None:
    session = DocTestParser().get_doctest(code, names, page.name, str(page), line)
    session.globs = names  # not a copy: later blocks use the names of this one
    result = DocTestRunner(optionflags=NORMALIZE_WHITESPACE).run(session, clear_globs=False)
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page.stem}
    text = page.read_text()
    for block in BLOCK.finditer(text):
        run = _run_script if block["kind"] == "python" else _run_session
        run(block["code"], names, page, text.count("\n", 0, block.start("code")))
