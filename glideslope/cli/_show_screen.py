"""The screen of `glideslope show`: curves, key values, phases and findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from glideslope.pages import Summary
from glideslope.schedules.view import number_text, value_label

from ._tables import Column, Row, print_table, print_text
from ._terminal_plot import NUMBERS, Chart, color

PHASES = 12
"""How many phases are listed; the rest is counted."""

NUMBER = Column("")
KEY_VALUES = [
    NUMBER,
    *(Column(name, right=True) for name in ("steps", "start", "peak", "at step", "last", "end")),
    Column("area", right=True),
    Column("of peak", right=True),
]
PHASE = [
    NUMBER,
    *(Column(name, right=True) for name in ("from", "to", "first", "last")),
    Column("phase"),
]
FINDING = [NUMBER, Column("finding"), Column("message")]


def show_on_screen(summaries: Sequence[Summary]) -> None:
    """Print everything, as wide as the terminal."""
    console = Console(highlight=False)
    ascii_only = console.options.ascii_only
    steps = max(summary.steps for summary in summaries)
    chart = Chart([summary.schedule for summary in summaries], steps, console.width)
    for number, summary in enumerate(summaries):
        text = Text.assemble(tag(summaries, number), " ", (str(summary.schedule), "bold"))
        print_text(console, text if len(summaries) > 1 else text[1:])
    console.print()
    for line in chart.lines(ascii_only):
        console.print(line, no_wrap=True)
    console.print()
    print_table(console, KEY_VALUES, list(key_values(summaries, "~" if ascii_only else "≈")))
    console.print()
    print_table(console, PHASE, list(phases(summaries)))
    console.print()
    print_table(console, FINDING, list(findings(summaries)), header=False)


def tag(summaries: Sequence[Summary], number: int) -> Text:
    """A curve's number in its colour, where there are several."""
    return Text(NUMBERS[number] if len(summaries) > 1 else "", f"bold {color(number)}")


def key_values(summaries: Sequence[Summary], about: str) -> Iterator[Row]:
    """A row of numbers for each schedule; ``about`` precedes those known from samples."""
    for number, summary in enumerate(summaries):
        share = summary.area_fraction
        peak, area = ("" if value.exact else about for value in (summary.peak, summary.area))
        cells = [
            "endless" if summary.length is None else number_text(summary.length),
            label(summary, summary.start),
            peak + label(summary, summary.peak.value),
            number_text(summary.peak.step),
            label(summary, summary.last),
            "" if summary.end is None else label(summary, summary.end),
            f"{area}{summary.area:.6g}",
            "" if share is None else f"{area}{share:.1%}",
        ]
        yield [tag(summaries, number), *map(Text, cells)]


def phases(summaries: Sequence[Summary]) -> Iterator[Row]:
    """A row for each phase: its steps, its first and its last value, its curve."""
    for number, summary in enumerate(summaries):
        for phase in summary.phases[:PHASES]:
            cells = [
                number_text(phase.start),
                number_text(phase.stop),
                label(summary, summary.first_of(phase)),
                label(summary, summary.last_of(phase)),
                str(phase.curve),
            ]
            yield [tag(summaries, number), *map(Text, cells)]
        if len(summary.phases) > PHASES:
            rest = Text(f"and {len(summary.phases) - PHASES} more")
            yield [tag(summaries, number), Text(), Text(), Text(), Text(), rest]


def findings(summaries: Sequence[Summary]) -> Iterator[Row]:
    """A row for each finding."""
    for number, summary in enumerate(summaries):
        for finding in summary.findings:
            code = Text(finding.code, "bold yellow")
            yield [tag(summaries, number), code, Text(finding.message)]
        if not summary.findings:
            yield [tag(summaries, number), Text("no findings", "green"), Text()]


def label(summary: Summary, value: float) -> str:
    """A value as text, rounded on the scale of its schedule."""
    return value_label(value, max(abs(summary.start), abs(summary.peak.value), abs(summary.last)))
