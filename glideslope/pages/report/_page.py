"""The page of `glideslope report`: one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from glideslope._version import __version__
from glideslope.runs import RecordedRun, events

from .._page import page
from ._data import chart_data, panels
from ._settings import seeds, seeds_name
from ._tables import MARKS, event_rows, runs_table, settings_table


def report_page(
    runs: Sequence[RecordedRun],
    live: Mapping[str, str] | None = None,
    *,
    forecast: bool = False,
) -> str:
    """The whole page.

    Args:
        runs: the runs to show.
        live: the ``token`` with which the page asks its server for data later than this
            ``version``; a page without them asks for nothing.
        forecast: with a section on the loss under the schedule that is recommended for each run;
            it takes a second or two for each.
    """
    content = report_content(runs)
    title = content["title"]
    parts = {"heading": escape(title), "version": escape(__version__), **content["tables"]}
    parts["forecast"] = add_forecasts(runs, content["data"]["runs"]) if forecast else ""
    data = {"live": live, "title": title, **content["data"]}
    connect = "'self'" if live else ""
    return page("report", f"{title} · Glideslope", parts, data, connect=connect)


def report_content(runs: Sequence[RecordedRun]) -> dict[str, Any]:
    """The parts that change while runs continue: title, tables as HTML, data of the curves."""
    names = unique_names(runs)
    happened = [events(run) for run in runs]
    each = zip(names, runs, happened, strict=True)
    data = [{"name": name} | chart_data(run, found) for name, run, found in each]
    sets = seeds(runs)
    return {
        "title": names[0] if len(runs) == 1 else f"{len(runs)} runs",
        "tables": {
            "runs": runs_table(names, runs),
            "events": "".join(event_rows(names, happened)),
            "settings": settings_table(names, runs),
        },
        "data": {
            "runs": data,
            "panels": panels(data),
            "marks": MARKS,
            "seeds": [
                {"name": seeds_name([names[n] for n in members]), "members": members}
                for members in sets
            ],
        },
    }


def add_forecasts(runs: Sequence[RecordedRun], data: Sequence[dict[str, Any]]) -> str:
    """Add the predicted curves to the data of the runs, and return the section about them."""
    from ._forecast import forecast_curves, forecast_of, forecast_section

    found = [forecast_of(run) for run in runs]
    for own, forecast in zip(data, found, strict=True):
        own["forecasts"] = forecast_curves(forecast)
    return forecast_section([own["name"] for own in data], found)


def unique_names(runs: Sequence[RecordedRun]) -> list[str]:
    """The runs' names, or their paths where two have the same."""
    names = [run.name for run in runs]
    unique = len(set(names)) == len(names)
    return names if unique else [str(run.path) for run in runs]
