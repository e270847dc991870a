"""Statements about speed name the benchmark that repeats them, or the page that does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CLAIM = re.compile(r"\b(?:faster|slower|times as (?:fast|long)|[\d.]+ ?(?:ms|µs))\b")
SOURCE = re.compile(r"python -m (?:benchmarks|validation)\b|performance\.md")

NOT_MEASURED_HERE = {
    ("docs/which.md", "Which optimizer, which schedule"): "figures of a paper",
    ("docs/optimizers.md", "All of them"): "comparisons of others",
    ("docs/optimizers.md", "Which engine runs"): "the title of a column",
    ("docs/clients/transformers-trainer.md", "transformers' Trainer"): "a schedule's own speed",
    ("docs/companions.md", "Finding a learning rate"): "an average",
    ("docs/how-to/accumulation.md", "Accumulate gradients"): "a gradient's length",
    ("docs/schedules.md", "Composing"): "a cycle's length",
    ("docs/show.md", "What to know before a run"): "a run's length",
}
"""Sections with such words, and what they are about."""


def sections(page: Path) -> Iterator[tuple[str, str]]:
    """Headings of a page with the prose below each, without blocks of code."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for part in re.split(r"^(?=#+ )", prose, flags=re.MULTILINE):
        heading, _, text = part.partition("\n")
        yield heading.lstrip("# "), text


FOUND = {
    (str(page.relative_to(ROOT)), heading): text
    for page in PAGES
    for heading, text in sections(page)
    if CLAIM.search(text)
}


def test_a_claim_of_speed_names_its_benchmark() -> None:
    assert [
        place
        for place, text in FOUND.items()
        if not SOURCE.search(text) and place not in NOT_MEASURED_HERE
    ] == []


def test_every_exception_is_needed() -> None:
    assert [place for place in NOT_MEASURED_HERE if place not in FOUND] == []


def test_a_benchmark_that_is_named_exists() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    calls = re.findall(r"`python -m benchmarks ([a-z_ ]+)`", text)
    names = {name for call in calls for name in call.split()}
    assert len(names) > 5
    assert [n for n in names if not (ROOT / "benchmarks" / f"bench_{n}.py").exists()] == []


def test_the_figures_of_the_first_page_are_those_of_the_table() -> None:
    table = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    row = re.search(r"^\| `AdamW` \| ([\d.]+) \| ([\d.]+) \|", table, re.MULTILINE)
    assert row
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    claim = re.search(r"is (\d+) times as fast as torch's `fused=True` and (\d+) times", readme)
    assert claim
    assert (int(claim[2]), int(claim[1])) == (round(float(row[1])), round(float(row[2])))
