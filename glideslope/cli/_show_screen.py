"""What `glideslope show` prints: the curves, their key values, their phases, the findings."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from glideslope.pages import Summary
from glideslope.schedules.view import number_text, value_label

from ._terminal_plot import NUMBERS, Chart, color

PHASES = 12
"""How many phases are listed; the rest is counted."""


def show_on_screen(reports: Sequence[Summary]) -> None:
    """Print everything, as wide as the terminal."""
    console = Console(highlight=False)
    steps = max(report.steps for report in reports)
    chart = Chart([report.schedule for report in reports], steps, console.width)
    for number, report in enumerate(reports):
        console.print(Text.assemble(tag(reports, number), (str(report.schedule), "bold")))
    console.print()
    for line in chart.lines(console.options.ascii_only):
        console.print(line, no_wrap=True)
    numbers = key_values(reports, "~" if console.options.ascii_only else "≈")
    for table in (numbers, phases(reports), findings(reports)):
        console.print()
        console.print(table)


def tag(reports: Sequence[Summary], number: int) -> Text:
    """A curve's number in its colour, where there are several."""
    return Text(f"{NUMBERS[number]} " if len(reports) > 1 else "", f"bold {color(number)}")


def plain_table(*columns: str) -> Table:
    """A table without lines, numbers to the right."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, justify="left" if column in ("", "phase") else "right")
    return table


def key_values(reports: Sequence[Summary], about: str) -> Table:
    """A row of numbers for each schedule; ``about`` stands before those known from samples."""
    table = plain_table("", "steps", "start", "peak", "at step", "last", "end", "area", "of peak")
    for number, report in enumerate(reports):
        share = report.area_fraction
        peak, area = ("" if number.exact else about for number in (report.peak, report.area))
        table.add_row(
            tag(reports, number),
            "endless" if report.length is None else number_text(report.length),
            label(report, report.start),
            peak + label(report, report.peak.value),
            number_text(report.peak.step),
            label(report, report.last),
            "" if report.end is None else label(report, report.end),
            f"{area}{report.area:.6g}",
            "" if share is None else f"{area}{share:.1%}",
        )
    return table


def phases(reports: Sequence[Summary]) -> Table:
    """A row for each phase: its steps, its curve, its first and its last value."""
    table = plain_table("", "from", "to", "phase", "first", "last")
    for number, report in enumerate(reports):
        for phase in report.phases[:PHASES]:
            table.add_row(
                tag(reports, number),
                number_text(phase.start),
                number_text(phase.stop),
                Text(str(phase.curve)),
                label(report, report.first_of(phase)),
                label(report, report.last_of(phase)),
            )
        if len(report.phases) > PHASES:
            rest = f"and {len(report.phases) - PHASES} more"
            table.add_row(tag(reports, number), "", "", rest)
    return table


def findings(reports: Sequence[Summary]) -> Table:
    """A row for each finding."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for number, report in enumerate(reports):
        for finding in report.findings:
            code = Text(finding.code, "bold yellow")
            table.add_row(tag(reports, number), code, Text(finding.message))
        if not report.findings:
            table.add_row(tag(reports, number), Text("no findings", "green"))
    return table


def label(report: Summary, value: float) -> str:
    """A value as a person reads it beside the others of its schedule."""
    return value_label(value, max(abs(report.start), abs(report.peak.value), abs(report.last)))
