"""Forecasts of the report: the schedule recommended for a run, and the loss under it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from glideslope.errors import GlideslopeError
from glideslope.runs import RecordedRun
from glideslope.training import Recommendation, recommend

from .._page import run_class
from ._data import numbers
from ._settings import short

POINTS = 400
"""The points of the learning rates."""

HEADS = ("run", "recommended schedule", "loss", "in 9 of 10 runs", "own rates", "updates")
HINT = (
    "Predicted by two laws that are fitted to the losses and learning rates of the run: for the"
    " schedule of a family with the lowest loss, and for the run's own rates over as many updates."
    " The dotted curves are those of the recommended schedule."
)
SECTION = """<section id="forecast" aria-labelledby="forecast-heading">
  <h2 id="forecast-heading">Forecast</h2>
  <div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>
  <p class="hint">{hint}</p>
</section>"""


class Forecast(NamedTuple):
    """The recommendation for a run, or the reason that there is none."""

    found: Recommendation | None
    refusal: str = ""


def forecast_of(run: RecordedRun) -> Forecast:
    """The recommendation for as many updates as were planned."""
    try:
        return Forecast(recommend(run.as_history(), run.planned_steps or max(run.steps, 1)))
    except GlideslopeError as error:
        return Forecast(None, str(error))


def forecast_curves(forecast: Forecast) -> dict[str, Any]:
    """The loss and the learning rate under the recommended schedule, by the key of their panel."""
    if forecast.found is None:
        return {}
    prediction, schedule = forecast.found.prediction, forecast.found.schedule
    rows = (prediction.steps, prediction.losses, prediction.lows, prediction.highs)
    x, y, low, high = (numbers(row[prediction.described_from :]) for row in rows)
    steps, factors = schedule.outline(columns=POINTS)
    return {
        "loss": {"x": x, "y": y, "low": low, "high": high},
        "lr": {"x": numbers(np.asarray(steps)), "y": numbers(np.asarray(factors) * prediction.lr)},
    }


def forecast_section(names: Sequence[str], forecasts: Sequence[Forecast]) -> str:
    """The section of the page, with a row for each run."""
    rows = "".join(map(forecast_row, range(len(names)), names, forecasts))
    heads = "".join(map(forecast_head, range(len(HEADS)), HEADS))
    return SECTION.format(heads=heads, rows=rows, hint=HINT)


def forecast_head(k: int, name: str) -> str:
    """The head of a column; those after the second hold figures."""
    side = ' class="figure"' if k >= 2 else ""
    return f'<th scope="col"{side}>{name}</th>'


def forecast_row(n: int, name: str, forecast: Forecast) -> str:
    """The row of a run."""
    run = f'<th scope="row"><span class="number">{n + 1}</span> {escape(name)}</th>'
    cells = (
        recommended_cells(forecast.found)
        if forecast.found
        else f'<td colspan="5">none: {escape(forecast.refusal)}</td>'
    )
    return f'<tr class="{run_class(n)}" data-run="{n}">{run}{cells}</tr>'


def recommended_cells(found: Recommendation) -> str:
    """The schedule and what it would give."""
    final = found.prediction.final
    figures = (
        f"{final.loss:.3f}",
        f"{final.low:.3f} to {final.high:.3f}",
        f"{found.unchanged.final.loss:.3f}",
        f"{found.prediction.steps[-1]:,}",
    )
    pairs = zip(HEADS[2:], figures, strict=True)
    cells = "".join(f'<td class="figure" data-label="{name}">{text}</td>' for name, text in pairs)
    return f"<td>{recommended_text(found)}</td>{cells}"


def recommended_text(found: Recommendation) -> str:
    """The schedule and its gain."""
    if found.prediction is found.unchanged:
        return "its own rates: none of the family is better"
    code = escape(short(str(found.schedule)))
    return f"<code>{code}</code><br>{found.verdict}"
