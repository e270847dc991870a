"""The Python in the pages about frameworks runs, and prints what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..documents import FRAMEWORKS, has_code, name, run_blocks

PAGES = [page for page in sorted(FRAMEWORKS.glob("*.md")) if has_code(page)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_blocks_of_a_page_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_blocks(page)
