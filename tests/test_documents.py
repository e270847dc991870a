"""The Python in the README and in the documentation's pages runs, and prints what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from .documents import CLIENTS, FRAMEWORKS, ROOT, has_code, name, run_blocks

PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if page.parent not in (CLIENTS, FRAMEWORKS) and has_code(page)
]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_blocks_of_a_page_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_blocks(page)
