"""The tables of the report, as HTML: runs, events and settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

from glideslope.runs import Event, RecordedRun, seconds

from .._page import run_class
from ._settings import settings, short

MARKS = {
    "best": "★",
    "resume": "▶",
    "cut": "▼",
    "rise": "▲",
    "skip": "✕",
    "end": "■",
    "note": "●",
}
LISTED = 200
"""How many events of a run are listed; the rest is counted."""


class Column(NamedTuple):
    """A column of the table of runs.

    Args:
        title: its head.
        value: a run's value: a number, a text, or None where it has none.
        shown: the value as text.
    """

    title: str
    value: Callable[[RecordedRun], float | str | None]
    shown: Callable[[Any], str] = str


def number(value: float) -> str:
    """A measured number as a person reads it."""
    return f"{value:.4g}"


def count(value: float) -> str:
    """A number of updates."""
    return f"{value:,.0f}"


def duration(total: float) -> str:
    """Seconds as a person reads them."""
    if total < 60:
        return f"{total:.3g} s"
    minutes, hours = round(total / 60), total / 3600
    return f"{minutes} min" if minutes < 60 else f"{hours:.1f} h" if hours < 48 else days(hours)


def days(hours: float) -> str:
    return f"{hours / 24:.1f} d"


COLUMNS = (
    Column("state", lambda run: run.state),
    Column("updates", lambda run: run.steps, count),
    Column("planned", lambda run: run.planned_steps, count),
    Column("best validation loss", lambda run: run.best.value if run.best else None, number),
    Column(
        "last validation loss",
        lambda run: run.validation[-1].value if run.validation else None,
        number,
    ),
    Column("last loss", lambda run: run.loss[-1].value if run.loss else None, number),
    Column("highest learning rate", lambda run: highest_rate(run), number),
    Column("time", lambda run: seconds(run)[-1].value if seconds(run) else None, duration),
    Column("optimizer", lambda run: run.optimizer or None),
    Column("schedule", lambda run: short(run.schedule_text) or None),
)


def highest_rate(run: RecordedRun) -> float | None:
    """The highest learning rate of any group."""
    values = (value for rate in run.rates.values() for _, value in rate)
    return max(values, default=None)


def runs_table(names: Sequence[str], runs: Sequence[RecordedRun]) -> str:
    """A row for each run, with a button that shows and hides it; empty columns are left out."""
    table = [[column.value(run) for column in COLUMNS] for run in runs]
    used = [k for k in range(len(COLUMNS)) if any(row[k] is not None for row in table)]
    sortable = len(runs) > 1
    heads = "".join(head(COLUMNS[k].title, sortable, is_figure(k, table)) for k in used)
    rows = "".join(
        f'<tr class="{run_class(n)}" data-run="{n}">{run_cell(n, names[n], runs[n])}'
        + "".join(run_value(COLUMNS[k], row[k], is_figure(k, table)) for k in used)
        + "</tr>"
        for n, row in enumerate(table)
    )
    return f"<thead><tr>{head('run', sortable)}{heads}</tr></thead><tbody>{rows}</tbody>"


def is_figure(k: int, table: Sequence[Sequence[Any]]) -> bool:
    """True if a column holds numbers."""
    return not any(isinstance(row[k], str) for row in table)


def head(title: str, sortable: bool, figure: bool = False) -> str:
    """The head of a column, which sorts by it where there is something to sort."""
    side = ' class="figure"' if figure else ""
    if not sortable:
        return f'<th scope="col"{side}>{title}</th>'
    return f'<th scope="col"{side} aria-sort="none"><button>{title}</button></th>'


def run_cell(n: int, name: str, run: RecordedRun) -> str:
    """The run's button and what is to be said of its files."""
    told = [*run.notes, *([] if run.records else ["no records"])]
    notes = "".join(f'<p class="warning">{escape(note)}</p>' for note in told)
    return (
        f'<th scope="row" data-value="{n}"><button class="run" aria-pressed="true" data-run="{n}">'
        f'<span class="number">{n + 1}</span><strong>{escape(name)}</strong></button>{notes}</th>'
    )


def run_value(column: Column, value: float | str | None, figure: bool) -> str:
    """One cell of the table of runs; ``data-value`` is what it is sorted by."""
    side = ' class="figure"' if figure else ""
    label = f' data-label="{column.title}"'
    if value is None:
        return f'<td{side}{label} data-value=""></td>'
    raw = value if isinstance(value, str) else repr(float(value))
    text = escape(column.shown(value))
    if column.title == "schedule":
        text = f"<code>{text}</code>"
    return f'<td{side}{label} data-value="{escape(raw)}">{text}</td>'


def event_rows(names: Sequence[str], happened: Sequence[Sequence[Event]]) -> Iterator[str]:
    """A row for each event, of one run after the other."""
    for n, (name, found) in enumerate(zip(names, happened, strict=True)):
        for event in found[:LISTED]:
            go = (
                f'<button data-run="{n}" data-step="{event.step}"'
                f' aria-label="show update {event.step:,}">{event.step:,}</button>'
            )
            yield event_row(n, name, go, event.kind, event.text)
        if len(found) > LISTED:
            yield event_row(n, name, "", "note", f"and {len(found) - LISTED:,} more")


def event_row(n: int, name: str, step: str, kind: str, text: str) -> str:
    return (
        f'<tr class="{run_class(n)}" data-run="{n}"><td><span class="number">{n + 1}</span>'
        f' <span class="name">{escape(name)}</span></td><td class="figure">{step}</td>'
        f'<td class="mark" aria-hidden="true">{MARKS[kind]}</td><td>{escape(short(text))}</td></tr>'
    )


def settings_table(names: Sequence[str], runs: Sequence[RecordedRun]) -> str:
    """A row for each setting; the rows in which the runs differ come first, marked."""
    rows = sorted(settings(runs), key=lambda row: len(set(row[1])) == 1)
    body = "".join(settings_row(name, values, names) for name, values in rows)
    head = '<tr><th scope="col">setting</th><th scope="col">value</th></tr>'
    return f"<thead>{head}</thead><tbody>{body}</tbody>"


def settings_row(setting: str, values: Sequence[str], names: Sequence[str]) -> str:
    """One setting: its value, or each of its values with the runs that have it.

    Settings that differ are marked by a sign as well as by colour.
    """
    differs = len(set(values)) > 1
    sign = '<span class="differs" title="the runs differ">≠</span> ' if differs else ""
    row = '<tr class="differs">' if differs else "<tr>"
    breakable = escape(setting).replace(".", ".<wbr>").replace("_", "_<wbr>")
    cell = "".join(
        '<span class="value">'
        + (
            badges([n for n, other in enumerate(values) if other == value], names)
            if differs
            else ""
        )
        + f"{shown_value(value)}</span>"
        for value in dict.fromkeys(values)
    )
    return f'{row}<th scope="row">{sign}{breakable}</th><td>{cell}</td></tr>'


def badges(numbers: Sequence[int], names: Sequence[str]) -> str:
    """The numbers of runs, in their colours; a name is shown on pointing at its number."""
    return "".join(
        f'<span class="number {run_class(n)}" title="{escape(names[n])}">{n + 1}</span> '
        for n in numbers
    )


def shown_value(value: str) -> str:
    """A value, shortened; the whole of it is shown on pointing."""
    shown = short(value)
    whole = f' title="{escape(value)}"' if shown != value else ""
    return f"<span{whole}>{escape(shown) or '-'}</span>"
