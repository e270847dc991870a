"""The page of `glideslope report`: one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from glideslope._version import __version__
from glideslope.runs import Event, RecordedRun, events

from .._page import page, run_class
from ._data import chart_data, settings

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


def report_page(runs: Sequence[RecordedRun]) -> str:
    """The whole page."""
    names = unique_names(runs)
    happened = [events(run) for run in runs]
    each = zip(names, runs, happened, strict=True)
    data = {
        "runs": [{"name": name} | chart_data(run, found) for name, run, found in each],
        "marks": MARKS,
    }
    title = names[0] if len(runs) == 1 else f"{len(runs)} runs"
    parts = {
        "heading": escape(title),
        "runs": "".join(cards(names, runs)),
        "events": "".join(event_rows(names, happened)),
        "settings": settings_table(names, runs),
        "version": escape(__version__),
    }
    return page("report", f"{title} · Glideslope", parts, data)


def unique_names(runs: Sequence[RecordedRun]) -> list[str]:
    """The runs' names, or their paths where two have the same."""
    names = [run.name for run in runs]
    unique = len(set(names)) == len(names)
    return names if unique else [str(run.path) for run in runs]


def cards(names: Sequence[str], runs: Sequence[RecordedRun]) -> Iterator[str]:
    """A button for each run, which shows and hides it."""
    for number, (name, run) in enumerate(zip(names, runs, strict=True)):
        notes = "".join(f'<p class="warning">{escape(note)}</p>' for note in run.notes)
        yield (
            f'<li class="{run_class(number)}"><button class="run" aria-pressed="true"'
            f' data-run="{number}"><span class="number">{number + 1}</span>'
            f"<strong>{escape(name)}</strong></button>"
            f"<p><code>{escape(run.schedule_text)}</code></p><p>{escape(in_short(run))}</p>"
            f"{notes}</li>"
        )


def in_short(run: RecordedRun) -> str:
    """A run in one line."""
    made = "1 update" if run.steps == 1 else f"{run.steps:,} updates"
    parts = [run.optimizer, f"{run.state} after {made}"]
    if run.best:
        parts.append(f"best validation loss {run.best.value:.4f}")
    return ", ".join(filter(None, parts))


def event_rows(names: Sequence[str], happened: Sequence[Sequence[Event]]) -> Iterator[str]:
    """A row for each event, of one run after the other."""
    for number, (name, found) in enumerate(zip(names, happened, strict=True)):
        for event in found[:LISTED]:
            go = f'<button data-step="{event.step}">{event.step:,}</button>'
            yield event_row(number, name, go, event.kind, event.text)
        if len(found) > LISTED:
            yield event_row(number, name, "", "note", f"and {len(found) - LISTED:,} more")


def event_row(number: int, name: str, step: str, kind: str, text: str) -> str:
    return (
        f'<tr class="{run_class(number)}"><td><span class="number">{number + 1}</span>'
        f' {escape(name)}</td><td class="figure">{step}</td>'
        f'<td class="mark" aria-hidden="true">{MARKS[kind]}</td><td>{escape(text)}</td></tr>'
    )


def settings_table(names: Sequence[str], runs: Sequence[RecordedRun]) -> str:
    """A column for each run; the rows in which they differ come first, marked."""
    heads = "".join(
        f'<th scope="col" class="{run_class(number)}"><span class="number">{number + 1}</span>'
        f" {escape(name)}</th>"
        for number, name in enumerate(names)
    )
    rows = sorted(settings(runs), key=lambda row: len(set(row[1])) == 1)
    body = "".join(settings_row(name, values) for name, values in rows)
    return f'<thead><tr><th scope="col">setting</th>{heads}</tr></thead><tbody>{body}</tbody>'


def settings_row(name: str, values: Sequence[Any]) -> str:
    """One setting; values that differ are marked by a sign as well as by colour."""
    differs = len(set(values)) > 1
    cells = "".join(f"<td>{escape(value) or '-'}</td>" for value in values)
    sign = '<span class="differs" title="the runs differ">≠</span> ' if differs else ""
    row = '<tr class="differs">' if differs else "<tr>"
    breakable = escape(name).replace(".", ".<wbr>").replace("_", "_<wbr>")
    return f'{row}<th scope="row">{sign}{breakable}</th>{cells}</tr>'
