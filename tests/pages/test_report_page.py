"""The page of `glideslope report`, seen in a browser."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

import glideslope as gs
from glideslope.pages.report import report_page
from glideslope.runs import read_run

from ..runs.run_folders import keep_run, lowered, updates
from .browsing import Browser
from .test_report import ATTACK

LONG = gs.parse("warmup(40) >> cosine(360, end=0.1)")


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
    for selector in ("h2", "#runs td", "label", "#settings th", "#settings td", ".number"):
        own = browser.style(selector, "background-color")
        behind = own if selector == ".number" else ground
        assert contrast(browser.style(selector, "color"), behind) >= 4.5, selector
    assert (
        contrast(
            browser.style(".differs td", "color"), browser.style(".differs td", "background-color")
        )
        >= 4.5
    )
    for number in range(1, 17):
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
    assert first["curves"]["loss"]["x"] == list(range(400))
    assert first["curves"]["loss"]["y"] == pytest.approx(
        [3 / (t + 1) for t in range(400)], rel=1e-7
    )
