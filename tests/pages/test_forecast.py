"""The forecast in the report: its curves, its table, refusals, and the page in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import glideslope as gs
from glideslope.pages.report import report_page
from glideslope.pages.report._forecast import Forecast, forecast_curves, forecast_of
from glideslope.runs import RecordedRun, read_run
from glideslope.training import Recommendation, recommend

from ..runs.run_folders import keep_run
from .browsing import Browser
from .test_report import ATTACK

Call = Callable[..., "tuple[int, str, str]"]
SCHEDULE = gs.parse("warmup(10) >> cosine(90)")
CONSTANT = gs.parse("warmup(10) >> hold(90)")


def losses(schedule: gs.Schedule, count: int = 100) -> list[dict[str, Any]]:
    """Records of a run in the way of the laws, with a learning rate of 0.1."""
    return [
        {"step": t, "loss": 2 + (t + 1) ** -0.5 + 0.2 * schedule(t), "lr": 0.1 * schedule(t)}
        for t in range(count)
    ]


@cache
def recommended() -> Recommendation:
    return recommend(losses(SCHEDULE), 100)


def run_of(folder: Path, schedule: gs.Schedule = SCHEDULE, count: int = 100) -> RecordedRun:
    return read_run(keep_run(folder, losses(schedule, count), schedule=schedule, steps=100))


def test_the_curves_are_those_of_the_recommended_schedule() -> None:
    found = recommended().prediction
    curves = forecast_curves(Forecast(recommended()))
    loss, rate = curves["loss"], curves["lr"]
    first = found.steps.index(loss["x"][0])
    assert 25 <= loss["x"][0] < 30
    assert loss["x"][-1] == rate["x"][-1] == 100
    for name, values in (("y", found.losses), ("low", found.lows), ("high", found.highs)):
        assert loss[name] == pytest.approx(values[first:], rel=1e-7)
    expected = [0.1 * found.schedule(step) for step in rate["x"]]
    assert rate["y"] == pytest.approx(expected, abs=1e-8)


def test_a_run_is_forecast_as_by_the_program_and_in_python(tmp_path: Path) -> None:
    forecast = forecast_of(run_of(tmp_path / "run"))
    assert forecast.found == recommended()


REFUSALS: dict[str, tuple[gs.Schedule, int, str]] = {
    "a constant rate": (CONSTANT, 100, "the rate of the run never falls"),
    "few losses": (SCHEDULE, 12, "too few values of `loss` after the first quarter"),
    "no records": (SCHEDULE, 0, "there are no records"),
}


@pytest.mark.parametrize(("schedule", "count", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_a_run_that_does_not_tell_has_the_reason_in_its_row(
    tmp_path: Path, schedule: gs.Schedule, count: int, reason: str
) -> None:
    run = run_of(tmp_path / "run", schedule, count)
    assert forecast_curves(forecast_of(run)) == {}
    assert f'<td colspan="5">none: {reason}' in report_page([run], forecast=True)


def test_a_report_has_no_forecast_unless_asked_for(glideslope: Call) -> None:
    keep_run(Path("run"), losses(SCHEDULE), schedule=SCHEDULE, steps=100)
    glideslope("report", "run", "--out", "without.html")
    assert glideslope("report", "run", "--out", "with.html", "--forecast")[0] == 0
    assert '<section id="forecast"' not in Path("without.html").read_text()
    page = Path("with.html").read_text()
    cells = re.findall(r'data-label="([^"]*)">([^<]*)', page.partition('id="forecast"')[2])
    final = recommended().prediction.final
    assert dict(cells[:4]) == {
        "loss": f"{final.loss:.3f}",
        "in 9 of 10 runs": f"{final.low:.3f} to {final.high:.3f}",
        "own rates": f"{recommended().unchanged.final.loss:.3f}",
        "updates": "100",
    }
    assert f"saves {recommended().gain:.3f}" in page


def test_a_page_that_follows_has_none(glideslope: Call) -> None:
    keep_run(Path("run"), losses(SCHEDULE), schedule=SCHEDULE, steps=100)
    sentence = "`forecast` must be left out with --watch, because it takes long, got True"
    assert glideslope("report", "run", "--watch", "--forecast") == (2, "", f"error: {sentence}\n")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forecast")
    runs = [run_of(folder / ATTACK.replace("/", "|")), run_of(folder / "constant", CONSTANT)]
    path = folder / "page.html"
    path.write_text(report_page(runs, forecast=True))
    return path


def test_the_page_draws_the_forecast(browser: Browser, page: Path) -> None:
    browser.complaints()
    browser.open(page)
    assert len(browser.find_all("#loss path.forecast.run-1")) == 1
    assert len(browser.find_all("#loss path.interval.run-1")) == 1
    assert len(browser.find_all("#rate path.forecast.run-1")) == 1
    assert browser.find_all("path.forecast.run-2") == []
    assert "recommended" in browser.texts("#loss-heading + .key li")
    browser.hover("#loss svg", 0.9)
    heads = browser.texts("#tooltip th")
    assert heads.count("recommended") == 2
    step = int(browser.texts("#tooltip strong")[0].removeprefix("update "))
    cells = browser.texts("#tooltip tr:nth-child(2) td")
    shown = float(cells[heads.index("recommended")].partition(" ")[0])
    losses = dict(zip(recommended().prediction.steps, recommended().prediction.losses, strict=True))
    assert shown == pytest.approx(losses[min(losses, key=lambda at: abs(at - step))], rel=1e-3)
    assert browser.complaints() == []
    assert browser.run("return window.attacked") is None


def test_a_hidden_run_hides_its_forecast(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.find('#runs button.run[data-run="0"]').click()
    assert browser.find_all("path.forecast.run-1") == []
    assert not browser.find('#forecast tr[data-run="0"]').is_displayed()
    assert browser.find('#forecast tr[data-run="1"]').is_displayed()


def test_the_data_are_json(page: Path) -> None:
    text = page.read_text().partition('<script type="application/json" id="data">')[2]
    data = json.loads(text.partition("</script>")[0])
    assert [sorted(run["forecasts"]) for run in data["runs"]] == [["loss", "lr"], []]
