"""`glideslope report`: what happened in a run, and the page that shows it, seen in a browser."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glideslope as gs
from glideslope.pages.report._data import COLUMNS, chart_data, curve, settings, smoothed
from glideslope.pages.report._page import report_page
from glideslope.runs import Point, events, read_run

from ..runs.run_folders import keep_run, updates
from .browsing import Browser

Call = Callable[..., "tuple[int, str, str]"]
LONG = gs.parse("warmup(40) >> cosine(360, end=0.1)")
ATTACK = "</script><script>window.attacked = 1</script><img src=x onerror='window.attacked = 1'>"


def lowered(lines: list[dict[str, Any]], at: int, factor: float) -> list[dict[str, Any]]:
    """The same run with a learning rate that was cut."""
    return [line | {"lr": line["lr"] * (factor if line["step"] >= at else 1)} for line in lines]


# -- what is drawn --------------------------------------------------------------------------------


def test_a_long_curve_keeps_its_extremes_and_its_ends() -> None:
    values = np.sin(np.arange(100_000) / 999)
    values[54_321], values[12_345] = 40.0, -40.0
    drawn = curve([Point(step, value) for step, value in enumerate(values)])
    assert len(drawn["x"]) <= 2 * COLUMNS + 2
    assert (drawn["x"][0], drawn["x"][-1]) == (0, 99_999)
    found = dict(zip(drawn["x"], drawn["y"], strict=True))
    assert (found[54_321], found[12_345]) == (40.0, -40.0)
    assert drawn["x"] == sorted(drawn["x"])


def test_a_short_curve_is_drawn_as_it_is() -> None:
    assert curve([Point(3, 0.123456789), Point(9, 2)]) == {"x": [3, 9], "y": [0.12345679, 2.0]}


def test_the_smoothed_loss_is_the_mean_around_each_point() -> None:
    noise = np.random.default_rng(0).normal(size=5000)
    means = smoothed([Point(step, value) for step, value in enumerate(noise)])
    cases = [(0, 0, 1), (20, 0, 41), (2000, 1950, 2051), (4980, 4930, 5000), (4999, 4949, 5000)]
    for step, first, stop in cases:
        assert means[step] == pytest.approx(float(noise[first:stop].mean()), rel=1e-9, abs=1e-12)


def test_the_smoothed_loss_does_not_lag_behind() -> None:
    means = smoothed([Point(step, float(step)) for step in range(500)])
    assert means[:490] == pytest.approx(list(range(490)))


def test_a_changed_schedule_is_planned_from_its_change(tmp_path: Path) -> None:
    after = gs.parse("hold(6, 0.25) >> linear(4)")
    noted = [{"step": 6, "event": "rescheduled", "schedule": str(after)}]
    lines = [*updates(6), *updates(10, start=6, schedule=after)]
    path = keep_run(tmp_path / "run", lines, schedule=after, events=noted)
    data = chart_data(read_run(path), [])
    assert data["plans"][0]["x"] == [6, 7, 8, 9]
    assert data["plans"][0]["y"] == pytest.approx([0.1, 0.075, 0.05, 0.025], rel=1e-7)


def test_a_plan_goes_on_where_the_run_stopped(tmp_path: Path) -> None:
    data = chart_data(read_run(keep_run(tmp_path / "run", updates(4), outcome=None)), [])
    assert data["rates"][0]["x"] == [0, 1, 2, 3]
    assert data["plans"][0]["x"] == list(range(10))


def test_settings_are_compared_by_name(tmp_path: Path) -> None:
    runs = [
        read_run(keep_run(tmp_path / "a", updates(1), seed=0)),
        read_run(keep_run(tmp_path / "b", updates(1), model={"width": 96}, seed=0)),
    ]
    found = dict(settings(runs))
    assert found["seed"] == ["0", "0"]
    assert found["model.width"] == ["", "96"]
    assert found["schedule.text"] == ["warmup(2) >> linear(8)"] * 2
    assert not any(name.startswith("schedule.json") for name in found)


def test_nothing_from_a_run_is_read_as_html(tmp_path: Path) -> None:
    path = keep_run(
        tmp_path / ATTACK.replace("/", "|"),
        updates(2),
        outcome=ATTACK,
        events=[{"step": 1, "event": ATTACK, ATTACK: ATTACK}],
        schedule=gs.hold(5),
        **{"optimizer": {"name": ATTACK, "options": {ATTACK: ATTACK}}, ATTACK: ATTACK},
    )
    page = report_page([read_run(path), read_run(path)])
    assert page.count("<script") == 2
    assert page.count("</script") == 2
    assert "<img" not in page


# -- the command ----------------------------------------------------------------------------------


def test_the_page_is_one_file_that_fetches_nothing(glideslope: Call) -> None:
    keep_run(Path("runs/a"), updates(10))
    assert glideslope("report", "runs/a", "--out", "page.html") == (
        0,
        "written to page.html\n",
        "",
    )
    page = Path("page.html").read_text()
    addresses = set(re.findall(r"https?://[^\s\"']+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert not re.search(r"<link|@import|url\((?!#)|\ssrc=", page)


def test_a_run_of_the_program_itself_is_read_without_a_note(glideslope: Call) -> None:
    words = ("--schedule", "warmup(1) >> linear(1)", "--steps", 2, "--batch-size", 1)
    assert glideslope("train", *words, "--out", "run")[0] == 0
    run = read_run(Path("run"))
    data = chart_data(run, events(run))
    assert run.notes == []
    assert (run.state, run.steps, run.planned_steps) == ("finished", 2, 2)
    assert data["rates"][0]["y"] == pytest.approx(data["plans"][0]["y"], rel=1e-7)
    best = data["events"][0]
    assert [event["kind"] for event in data["events"]] == ["best"]
    assert best["text"].endswith(f"kept in checkpoints/step-{best['step']:08d}.pt")


def test_what_is_no_run_is_refused(glideslope: Call) -> None:
    rule = "be a folder with config.json or history.jsonl"
    assert glideslope("report", "elsewhere") == (
        2,
        "",
        f"error: `run` must {rule}, got 'elsewhere'\n",
    )
    assert not Path("report.html").exists()


def test_runs_of_one_name_are_told_apart_by_their_paths(glideslope: Call) -> None:
    for folder in ("x", "y"):
        keep_run(Path(folder, "run"), updates(2))
    glideslope("report", "x/run", "y/run")
    page = Path("report.html").read_text()
    assert "<strong>x/run</strong>" in page
    assert "<strong>y/run</strong>" in page


# -- the page in a browser ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on a run as planned and on one with a hostile name, cut, resumed and killed."""
    folder = tmp_path_factory.mktemp("report")
    lines = updates(400, schedule=LONG, every=40)
    as_planned = keep_run(folder / "as planned", lines, schedule=LONG, steps=400, seed=0)
    noted = [{"step": 200, "event": "resumed"}]
    other = keep_run(
        folder / ATTACK.replace("/", "|"),
        lowered(lines, 150, 0.5)[:340],
        outcome=None,
        events=noted,
        schedule=LONG,
        steps=400,
        seed=1,
    )
    path = folder / "page.html"
    path.write_text(report_page([read_run(as_planned), read_run(other)]))
    return path


@pytest.fixture
def reader(browser: Browser, page: Path) -> Browser:
    browser.complaints()
    browser.open(page)
    return browser


def rows(reader: Browser) -> list[list[str]]:
    """The cells of the tooltip."""
    count = len(reader.find_all("#tooltip tr")) - 1
    return [reader.texts(f"#tooltip tr:nth-child({row + 2}) td") for row in range(count)]


def pointed_at(reader: Browser) -> int:
    return int(reader.texts("#tooltip strong")[0].removeprefix("update ").replace(",", ""))


def width(reader: Browser) -> float:
    """Of a picture: 60 pixels to the left of the curves, 26 to the right."""
    script = "return document.querySelector('#loss svg').viewBox.baseVal.width"
    return float(reader.run(script))


def numbers_below(reader: Browser) -> list[int]:
    """The labels of the axis of updates."""
    return [int(label.replace(",", "")) for label in reader.texts("#loss text.x")]


def test_the_page_opens_without_complaint(reader: Browser) -> None:
    assert len(reader.find_all("#loss path")) == 6
    assert len(reader.find_all("#rate path")) == 4
    assert reader.complaints() == []
    assert reader.run("return window.attacked") is None
    assert reader.run("return performance.getEntriesByType('resource').length") == 0


def test_an_intruder_would_not_run(reader: Browser) -> None:
    reader.run(
        "const s = document.createElement('script'); s.textContent = 'window.attacked = 1';"
        "document.body.append(s)"
    )
    assert reader.run("return window.attacked") is None
    assert any("Content Security Policy" in complaint for complaint in reader.complaints())


@pytest.mark.parametrize("place", [0.2, 0.5, 0.7])
def test_the_tooltip_says_what_was_recorded(reader: Browser, place: float) -> None:
    reader.hover("#loss svg", place)
    step = pointed_at(reader)
    measured = step // 40 * 40
    planned = 0.1 * LONG(step)
    assert step == pytest.approx(400 * (width(reader) * place - 60) / (width(reader) - 86), abs=1)
    for row, factor in zip(rows(reader), (1, 0.5 if step >= 150 else 1), strict=True):
        _, loss, validation, rate, plan = row
        value, after = validation.split(" after ")
        assert float(loss) == pytest.approx(3 / (step + 1), rel=5e-5)
        assert int(after) == measured
        assert float(value) == pytest.approx(4 / measured, rel=5e-5)
        assert float(rate) == pytest.approx(factor * planned, rel=5e-5)
        assert float(plan) == pytest.approx(planned, rel=5e-5)


def test_past_its_end_a_run_says_only_what_was_planned(reader: Browser) -> None:
    reader.hover("#rate svg", 0.9)
    step = pointed_at(reader)
    assert step > 340
    _, loss, _, rate, plan = rows(reader)[1]
    assert (loss, rate) == ("", "")
    assert float(plan) == pytest.approx(0.1 * LONG(step), rel=5e-5)


def test_a_drag_looks_closer_in_both_pictures_and_escape_back(reader: Browser) -> None:
    whole = numbers_below(reader)
    assert (whole[0], whole[-1]) == (0, 400)
    assert not reader.find("#reset").is_displayed()
    reader.drag("#loss svg", (0.4, 0.5), (0.6, 0.5))
    closer = numbers_below(reader)
    assert min(closer) > 120
    assert max(closer) < 280
    assert reader.texts("#rate text.x") == reader.texts("#loss text.x")
    assert reader.find("#reset").is_displayed()
    reader.find("#loss svg").send_keys("\ue00c")
    assert numbers_below(reader) == whole
    reader.drag("#rate svg", (0.6, 0.5), (0.4, 0.5))  # backwards, and in the other picture
    assert numbers_below(reader) == closer
    reader.find("#reset").click()
    assert numbers_below(reader) == whole


def test_the_keyboard_does_what_the_mouse_does(reader: Browser) -> None:
    svg = reader.find("#rate svg")
    svg.send_keys("+")
    assert pointed_at(reader) == 200
    assert (numbers_below(reader)[0], numbers_below(reader)[-1]) == (100, 300)
    svg.send_keys("\ue014")
    assert pointed_at(reader) == 202
    svg.send_keys("0")
    assert numbers_below(reader)[-1] == 400


def test_a_run_can_be_hidden(reader: Browser) -> None:
    reader.find("button.run[data-run='1']").click()
    assert len(reader.find_all("#loss path")) == 3
    reader.hover("#loss svg", 0.5)
    assert [row[0] for row in rows(reader)] == ["1"]


def test_events_stand_on_their_curves(reader: Browser) -> None:
    marks = {kind: reader.texts(f".event.{kind} text") for kind in ("cut", "resume", "end", "best")}
    assert marks == {"cut": ["▼"], "resume": ["▶"], "end": ["■"], "best": ["★", "★"]}
    mark = reader.find("#rate .event.cut text")
    assert float(mark.get_attribute("x")) == pytest.approx(60 + 150 / 400 * (width(reader) - 86))
    reader.find("#events button[data-step='150']").click()
    assert (numbers_below(reader)[0], numbers_below(reader)[-1]) == (130, 170)


def test_settings_that_differ_are_marked_and_come_alone_on_demand(reader: Browser) -> None:
    names = [name.split()[-1] for name in reader.texts("#settings tr.differs th")]
    assert names == ["seed", "outcome"]
    reader.find("#only-different").click()
    shown = [row for row in reader.find_all("#settings tbody tr") if row.is_displayed()]
    assert len(shown) == 2


def test_a_logarithmic_axis(reader: Browser) -> None:
    ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2]
    reader.find("#log-loss").click()
    assert [float(tick) for tick in reader.texts("#loss text.y")] == ticks


def luminance(color: str) -> float:
    """Relative luminance of a CSS colour, by the Web Content Accessibility Guidelines."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_in_both_themes(browser: Browser, page: Path, dark: bool) -> None:
    browser.open(page, dark=dark)
    ground = browser.style("section", "background-color")
    assert (luminance(ground) < 0.1) == dark
    for selector in ("h2", ".runs p", "label", "#settings th", "#settings td", ".number"):
        own = browser.style(selector, "background-color")
        behind = own if selector == ".number" else ground
        assert contrast(browser.style(selector, "color"), behind) >= 4.5, selector
    assert (
        contrast(
            browser.style(".differs td", "color"), browser.style(".differs td", "background-color")
        )
        >= 4.5
    )
    for number in range(1, 9):
        color = browser.run(
            "const e = document.createElement('i'); e.className = arguments[0];"
            "e.append('x'); document.body.append(e); e.style.color = 'var(--own)';"
            "return getComputedStyle(e).color",
            f"run-{number}",
        )
        assert contrast(color, ground) >= 4.5, number


def test_a_phone_shows_all_of_it(browser: Browser, page: Path) -> None:
    browser.open(page, width=390)
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    assert browser.find("#loss svg").rect["width"] > 300


def test_it_prints_in_light_colours(browser: Browser, page: Path) -> None:
    browser.open(page, dark=True)
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF-")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert luminance(browser.style("h1", "color")) < 0.1
    assert not browser.find(".hint").is_displayed()
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_data_in_the_page_is_what_was_recorded(page: Path) -> None:
    found = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    first = json.loads(found[1])["runs"][0]
    assert first["loss"]["x"] == list(range(400))
    assert first["loss"]["y"] == pytest.approx([3 / (t + 1) for t in range(400)], rel=1e-7)
