"""The report in a browser: panels, axes, smoothing, seeds, the table of runs, and a live page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import glideslope as gs
from glideslope.pages.report import ReportServer, report_page
from glideslope.runs import read_run

from ..runs.run_folders import keep_run
from .browsing import Browser

LENGTH = 200
SCHEDULES = {
    "wsd": gs.parse("warmup(20) >> hold(140) >> linear(40)"),
    "cosine": gs.parse("warmup(20) >> cosine(180, end=0.1)"),
}
SEEDS = range(3)
WIDTHS = [400, 800, 1600]
ARROW_RIGHT, TAB, ENTER = "\ue014", "\ue004", "\ue007"


def losses(seed: int) -> np.ndarray[Any, Any]:
    noise = np.random.default_rng(seed).normal(size=LENGTH)
    return 2 + 3 * np.exp(-np.arange(LENGTH) / 40) + 0.2 * noise


def records(seed: int, schedule: gs.Schedule, stop: int = LENGTH) -> list[dict[str, Any]]:
    """A run with more metrics than the usual ones; update 100 of each is skipped."""
    return [
        {
            "step": t,
            "loss": float(loss) if t != 100 else 1e6,
            "lr": 0.1 * schedule(t),
            "grad_norm": 1 + float(loss) / 10,
            "betas[0]": 0.9,
            "seconds": 0.5 * (t + 1) * (seed + 1),
            "tokens": 1000 * (t + 1),
        }
        | ({"skipped": True} if t == 100 else {})
        | ({"val_loss": float(loss) + 0.1 * seed} if t % 40 == 39 else {})
        for t, loss in enumerate(losses(seed)[:stop])
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two schedules with three seeds each, and five others: eleven."""
    folder = tmp_path_factory.mktemp("runs")
    for name, schedule in SCHEDULES.items():
        for seed in SEEDS:
            lines = records(seed, schedule)
            settings = {"steps": LENGTH, "seed": seed}
            keep_run(folder / f"{name}-{seed}", lines, schedule=schedule, settings=settings)
    for number, stop in enumerate((60, 110, 150, 200, 200)):
        lines = records(number, SCHEDULES["wsd"], stop)
        keep_run(
            folder / f"z{number}",
            lines,
            outcome=None if number % 2 else "interrupted",
            schedule=SCHEDULES["wsd"],
            steps=LENGTH,
            width=number,
        )
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    runs = [read_run(path) for path in sorted(folder.iterdir())]
    (folder.parent / "many.html").write_text(report_page(runs))
    return folder.parent / "many.html"


@pytest.fixture
def reader(browser: Browser, page: Path) -> Browser:
    browser.complaints()
    browser.open(page)
    return browser


def choose(reader: Browser, selector: str, value: str) -> None:
    """Give a control a value, as a reader's choice does."""
    reader.run(
        "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
        "for (const name of ['input', 'change']) e.dispatchEvent(new Event(name))",
        selector,
        value,
    )


def panels(reader: Browser) -> list[str]:
    return [h.text for h in reader.find_all("#charts h2") if h.is_displayed()]


# -- what is drawn --------------------------------------------------------------------------------


def test_every_metric_can_be_shown_and_hidden(reader: Browser) -> None:
    assert panels(reader) == ["Loss", "Learning rate", "grad_norm"]
    reader.find("#panels summary").click()
    assert reader.texts("#panels label") == [" Loss", " Learning rate", " grad_norm", " betas[0]"]
    reader.find("#panels input[data-key='betas[0]']").click()
    reader.find("#panels input[data-key='loss']").click()
    assert panels(reader) == ["Learning rate", "grad_norm", "betas[0]"]
    assert reader.complaints() == []


@pytest.mark.parametrize(
    ("axis", "last", "title"),
    [
        ("updates", "200", "update 100"),
        ("seconds", "8 min", "4 min 10 s"),
        ("tokens", "200k", "100k tokens"),
        ("share", "100%", "50% of the run"),
    ],
)
def test_the_axis_can_be_time_tokens_or_the_share_of_the_run(
    reader: Browser, axis: str, last: str, title: str
) -> None:
    choose(reader, "#axis", axis)
    assert reader.texts("#loss text.x")[-1] == last
    reader.find("#loss svg").send_keys(ARROW_RIGHT, "\ue012")
    assert reader.texts("#tooltip strong") == [title]
    # Halfway, the runs of three paces have made different updates, by their own clocks.
    pace = {"seconds": lambda seed: 250 / 0.5 / (seed + 1)}.get(axis, lambda seed: 100)
    for row, seed in enumerate(SEEDS):
        step = round(pace(seed))
        rate = reader.texts(f"#tooltip tr:nth-child({row + 2}) td")[3]
        expected = f"{0.1 * SCHEDULES['cosine'](step):.5g}" if step < LENGTH else ""
        assert rate == expected


def test_a_run_without_the_clock_of_the_axis_is_named(browser: Browser, tmp_path: Path) -> None:
    with_tokens = keep_run(tmp_path / "a", records(0, SCHEDULES["wsd"]))
    lines = [{"step": t, "loss": 1.0} for t in range(9)]
    page = tmp_path / "page.html"
    page.write_text(report_page([read_run(with_tokens), read_run(keep_run(tmp_path / "b", lines))]))
    browser.open(page)
    assert not browser.find("#off-axis").is_displayed()
    choose(browser, "#axis", "tokens")
    assert browser.find("#off-axis").text == "No tokens recorded, and not drawn: b"


def test_an_axis_that_no_run_has_is_not_offered(browser: Browser, tmp_path: Path) -> None:
    lines = [{"step": t, "loss": 1.0 + t} for t in range(9)]
    (tmp_path / "page.html").write_text(report_page([read_run(keep_run(tmp_path / "b", lines))]))
    browser.open(tmp_path / "page.html")
    assert browser.texts("#axis option") == ["updates", "share of the run"]


@pytest.mark.parametrize("share", [0, 0.01, 0.1, 0.2])
def test_smoothing_is_the_mean_around_each_point(reader: Browser, share: float) -> None:
    values = losses(0)
    curve = {"x": list(range(LENGTH)), "y": values.tolist()}
    found = reader.run("return smoothed(arguments[0], arguments[1]).y", curve, share)
    reach = round(LENGTH * share / 2)
    for k in (0, 1, 5, 100, 199):
        side = min(k, reach)
        assert found[k] == pytest.approx(values[k - side : k + side + 1].mean(), rel=1e-12)


def test_the_mean_of_a_thinned_curve_is_that_of_all_its_points(reader: Browser) -> None:
    values = np.random.default_rng(1).normal(size=1000)
    columns = values.reshape(100, 10)
    mean = {"x": list(range(5, 1000, 10)), "y": columns.mean(1).tolist(), "n": [10] * 100}
    found = reader.run("return smoothed({x: [], y: [], mean: arguments[0]}, 0.1).y[50]", mean)
    assert found == pytest.approx(values[450:560].mean(), rel=1e-9)


def test_smoothing_and_batches_are_under_control(reader: Browser) -> None:
    assert len(reader.find_all("#loss path.raw")) == 11
    reader.find("#batches").click()
    assert len(reader.find_all("#loss path.raw")) == 0
    paths = {}
    for level, told in (("0", "none"), ("3", "2% of the run"), ("6", "20% of the run")):
        choose(reader, "#smoothing", level)
        assert reader.texts("#smoothing-value") == [told]
        assert reader.find("#smoothing").get_attribute("aria-valuetext") == told
        paths[level] = reader.find("#loss path.smooth").get_attribute("d")
    assert len(set(paths.values())) == 3


def test_skipped_updates_are_in_no_mean_and_no_range(reader: Browser) -> None:
    assert max(float(tick.replace(",", "")) for tick in reader.texts("#loss text.y")) < 10
    assert len(reader.find_all("#loss .event.skip")) == 10  # of the eleven, one stopped before


def test_seeds_are_drawn_as_mean_and_band(reader: Browser) -> None:
    reader.find("#seeds").click()
    assert len(reader.find_all("#loss path.band")) == 4  # of the losses and of validation, twice
    assert len(reader.find_all("#loss path.smooth")) == 2 + 5
    choose(reader, "#smoothing", "0")
    reader.hover("#loss svg", 0.3)
    step = int(reader.texts("#tooltip strong")[0].removeprefix("update "))
    values = [losses(seed)[step] for seed in SEEDS]
    name, loss = reader.texts("#tooltip tr:nth-child(2) td")[:2]
    assert name == "1 cosine-0 …"
    mean, deviation = map(float, loss.split(" ± "))
    assert mean == pytest.approx(np.mean(values), rel=1e-3)
    assert deviation == pytest.approx(np.std(values, ddof=1), rel=0.05)
    colors = reader.run(
        "return [0, 1, 2, 3].map((n) =>"
        "getComputedStyle(document.querySelector(`#runs tr[data-run='${n}'] .number`))"
        ".backgroundColor)"
    )
    assert colors[0] == colors[1] == colors[2] != colors[3]


def test_pooled_curves_agree_with_numpy(reader: Browser) -> None:
    x = [[0, 10, 20], [5, 15]]
    y = [[1.0, 3.0, 2.0], [5.0, 6.0]]
    curves = [{"x": a, "y": b} for a, b in zip(x, y, strict=True)]
    pooled = reader.run("return pooled(arguments[0])", curves)
    for k in (0, 125, 250, 375, 500):
        position = 20 * k / 500
        inside = [
            np.interp(position, a, b)
            for a, b in zip(x, y, strict=True)
            if a[0] <= position <= a[-1]
        ]
        deviation = np.std(inside, ddof=1) if len(inside) > 1 else 0
        assert pooled["x"][k] == pytest.approx(position)
        assert pooled["y"][k] == pytest.approx(np.mean(inside))
        assert pooled["high"][k] - pooled["y"][k] == pytest.approx(deviation)


# -- labels and widths ----------------------------------------------------------------------------

BOXES = """
return [...document.querySelectorAll('.chart svg')].map((svg) => {
  const {left, top, right, bottom} = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map((text) => {
    const box = text.getBoundingClientRect();
    return [text.textContent, box.left, box.top, box.right, box.bottom, text.classList.value];
  });
  return {frame: [left, top, right, bottom], texts};
});
"""


@pytest.mark.parametrize("view", ["each run", "pooled", "closer", "share"])
@pytest.mark.parametrize("width", WIDTHS)
def test_labels_neither_overlap_nor_leave_their_picture(
    browser: Browser, page: Path, width: int, view: str
) -> None:
    browser.open(page, width=width)
    if view == "pooled":
        browser.run("document.querySelector('#seeds').click()")
    elif view == "closer":
        browser.run("look(50, 61)")
    elif view == "share":
        choose(browser, "#axis", "share")
    for picture in browser.run(BOXES):
        left, top, right, bottom = picture["frame"]
        boxes = picture["texts"]
        for name, x1, y1, x2, y2, _ in boxes:
            assert left - 1 <= x1, name
            assert x2 <= right + 1, name
            assert top - 1 <= y1, name
            assert y2 <= bottom + 1, name
        for k, one in enumerate(boxes):
            for other in boxes[k + 1 :]:
                across = min(one[3], other[3]) - max(one[1], other[1])
                down = min(one[4], other[4]) - max(one[2], other[2])
                assert min(across, down) < 4, (one, other)  # a letter's box is larger than it


def test_only_runs_that_are_in_view_have_a_number(reader: Browser) -> None:
    reader.run("look(120, 140)")
    assert sorted(reader.texts("#loss text.own"), key=int) == [
        str(number) for number in (1, 2, 3, 4, 5, 6, 9, 10, 11)
    ]
    assert len(reader.texts("#rate text.own")) == 11  # the plans continue


CUT = """
return [...document.querySelectorAll('body, section, .wide, table, td, th, svg, details, p')]
  .filter((e) => e.getClientRects().length && !e.classList.contains('spoken'))
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1
                 || e.classList.contains('wide') && e.scrollWidth > e.clientWidth + 1)
  .map((e) => `${e.tagName} ${e.id} ${e.textContent.slice(0, 40)}`);
"""


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width=width)
    browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
    browser.wait(lambda: len(browser.find_all(".values table")) == 4)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run(CUT) == []
    browser.hover("#rate svg", 0.9)
    box = browser.find("#tooltip").rect
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


@pytest.mark.parametrize(
    ("wanted", "top", "bottom"),
    [
        ([50, 50, 50], 0, 100),
        ([99, 100, 100, 100], 0, 100),
        ([0, 0, 1], 0, 100),
        ([30] * 40, 0, 100),
        ([70, 20, 45], 0, 100),
    ],
)
def test_labels_are_spread_over_the_room_there_is(
    reader: Browser, wanted: list[float], top: int, bottom: int
) -> None:
    placed = reader.run("return spread(...arguments)", wanted, top, bottom)
    kept = sorted(height for height in placed if height is not None)
    assert len(kept) == min(len(wanted), (bottom - top) // 13 + 1)
    assert all(top <= height <= bottom for height in kept)
    assert all(b - a >= 13 - 1e-9 for a, b in pairwise(kept))
    if wanted == [70, 20, 45]:
        assert placed == wanted


# -- the tables -----------------------------------------------------------------------------------


def order(reader: Browser) -> list[str]:
    return reader.texts("#runs tbody strong")


def test_the_table_of_runs_sorts_by_mouse_and_by_keyboard(reader: Browser) -> None:
    first = order(reader)
    head = reader.find("#runs thead th:nth-child(3) button")
    head.click()
    assert reader.find("#runs thead th:nth-child(3)").get_attribute("aria-sort") == "ascending"
    assert order(reader)[0] == "z0"
    head.send_keys(ENTER)
    assert reader.find("#runs thead th:nth-child(3)").get_attribute("aria-sort") == "descending"
    assert order(reader)[-1] == "z0"
    reader.find("#runs thead th:nth-child(1) button").click()
    assert order(reader) == first
    assert len(reader.find_all("#runs [aria-sort='ascending']")) == 1


@pytest.mark.parametrize(
    ("values", "down", "found"),
    [
        (["10", "9", "", "-1"], False, ["-1", "9", "10", ""]),
        (["10", "9", "", "-1"], True, ["10", "9", "-1", ""]),
        (["b10", "a", "b9"], False, ["a", "b9", "b10"]),
    ],
)
def test_empty_cells_come_last(
    reader: Browser, values: list[str], down: bool, found: list[str]
) -> None:
    script = "const [v, d] = arguments; return v.sort((a, b) => compared(a, b, d))"
    assert reader.run(script, values, down) == found


def test_a_filter_hides_the_other_runs(reader: Browser) -> None:
    reader.find("#filter").send_keys("cosine")
    shown = [row.text for row in reader.find_all("#runs tbody strong") if row.is_displayed()]
    assert shown == ["cosine-0", "cosine-1", "cosine-2"]
    assert len(reader.find_all("#loss path.smooth")) == 3
    assert not any("z" in row.text for row in reader.find_all("#events .name"))


def test_the_values_of_a_picture_are_a_table_as_well(reader: Browser) -> None:
    reader.find("#filter").send_keys("wsd-1")
    reader.find("section.panel:nth-child(2) summary").send_keys(ENTER)
    reader.wait(lambda: reader.find_all(".values tbody tr"))
    steps = [int(step) for step in reader.texts(".values thead th")[1:]]
    assert steps == list(range(0, 201, 20))
    assert reader.texts(".values tbody th") == ["5 wsd-1"]
    values = reader.texts(".values tbody td")
    rates = [0.1 * SCHEDULES["wsd"](step) for step in steps[:-1]]
    assert [float(value) for value in values[:-1]] == pytest.approx(rates, rel=1e-4)
    assert values[-1] == ""  # the run made no update 200


def test_the_keyboard_reaches_and_speaks_the_curves(reader: Browser) -> None:
    reader.find("#log-loss").send_keys(TAB)
    held = reader.driver.switch_to.active_element
    assert held.get_attribute("role") == "application"
    assert held.get_attribute("aria-label") == "Loss"
    assert (
        "arrows move the pointer" in reader.texts(f"#{held.get_attribute('aria-describedby')}")[0]
    )
    held.send_keys(ARROW_RIGHT)
    held.send_keys(ARROW_RIGHT)
    spoken = reader.texts("#spoken")[0]
    assert spoken.startswith("update 104. run 1 cosine-0: loss ")
    assert "100: update skipped" not in spoken
    assert reader.find("#spoken").get_attribute("aria-live") == "polite"
    # The focus stays where it is, press after press.
    assert reader.driver.switch_to.active_element == held


def test_everything_has_a_name(reader: Browser) -> None:
    nameless = reader.run(
        "return [...document.querySelectorAll('button, select, input, summary, svg[tabindex]')]"
        ".filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label')"
        " || e.labels?.length)).map((e) => e.outerHTML)"
    )
    assert nameless == []


# -- colours and odd runs -------------------------------------------------------------------------


def lightness(color: list[int]) -> np.ndarray[Any, Any]:
    """A colour in OKLab (Ottosson 2020), in which distances are as people see them."""
    part = np.array(color) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    result: np.ndarray[Any, Any] = np.array(to_lab) @ np.cbrt(np.array(to_cones) @ linear)
    return result


@pytest.mark.parametrize("dark", [False, True])
def test_the_colours_of_sixteen_runs_are_distinct(browser: Browser, page: Path, dark: bool) -> None:
    browser.open(page, dark=dark)
    colors = browser.run(
        "return Array.from({length: 16}, (_, k) => {"
        "const e = document.createElement('i'); e.className = `run-${k + 1}`;"
        "document.body.append(e); e.style.color = 'var(--own)';"
        "return getComputedStyle(e).color.match(/\\d+/g).map(Number)})"
    )
    points = [lightness(color) for color in colors]
    pairs = [math.dist(a, b) for k, a in enumerate(points) for b in points[k + 1 :]]
    assert min(pairs) > 0.08


@pytest.mark.parametrize("text", ["", "hello\nworld\n", '{"step": 0}\n'])
def test_a_history_without_records_says_so(browser: Browser, tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "history.jsonl").write_text(text)
    (tmp_path / "page.html").write_text(report_page([read_run(tmp_path / "run")]))
    browser.complaints()
    browser.open(tmp_path / "page.html")
    assert browser.find("#nothing").text == "No records: there is nothing to draw."
    assert browser.find_all("svg") == []
    for selector in ("#view", "#filter-label", "#different-label", "#seeds-label"):
        assert not browser.find(selector).is_displayed()
    assert browser.complaints() == []


def test_a_key_shows_only_what_is_drawn(browser: Browser, tmp_path: Path) -> None:
    lines = [{"step": t, "loss": 1.0 + t} for t in range(100)]
    (tmp_path / "page.html").write_text(report_page([read_run(keep_run(tmp_path / "b", lines))]))
    browser.open(tmp_path / "page.html")
    assert browser.texts("#charts .key li") == ["batches", "smoothed", "as planned"]


# -- a live page ----------------------------------------------------------------------------------


@pytest.fixture
def live(tmp_path: Path) -> Iterator[ReportServer]:
    keep_run(tmp_path / "runs" / "a", records(0, SCHEDULES["wsd"], 50), outcome=None)
    with ReportServer(0, [tmp_path / "runs"]) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_live_page_follows_its_runs_and_keeps_the_readers_choices(
    browser: Browser, live: ReportServer, tmp_path: Path
) -> None:
    browser.open(live.address)
    browser.run("ask()")
    browser.wait(lambda: browser.texts("#live")[0].startswith("live, last changed "))
    choose(browser, "#axis", "tokens")
    browser.find("button.run").click()
    browser.find("button.run").click()
    with (tmp_path / "runs" / "a" / "history.jsonl").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in records(0, SCHEDULES["wsd"], 120)[50:])
    keep_run(tmp_path / "runs" / "b", records(1, SCHEDULES["wsd"]))
    browser.run("ask()")
    browser.wait(lambda: browser.texts("h1") == ["2 runs"])
    assert browser.texts("#runs td[data-label='updates']") == ["120", "200"]
    assert browser.run("return board.axis") == "tokens"
    assert browser.run("return document.activeElement.dataset.run") == "0"
    assert browser.texts("#loss text.x")[-1] == "200k"
    assert len(browser.find_all("#loss path.smooth")) == 2


def test_a_live_page_says_when_it_is_no_longer_live(
    browser: Browser, live: ReportServer, tmp_path: Path
) -> None:
    browser.open(live.address)
    (tmp_path / "runs" / "a").rename(tmp_path / "elsewhere")
    browser.run("ask()")
    browser.wait(lambda: browser.texts("#live")[0].startswith("not live: `run` must be a folder"))
    live.shutdown()
    live.server_close()
    browser.run("ask()")
    browser.wait(lambda: browser.texts("#live") == ["no longer live: glideslope report was ended"])
    browser.open("about:blank")
    browser.complaints()


def test_a_browser_that_leaves_is_no_error(
    live: ReportServer, capfd: pytest.CaptureFixture[str]
) -> None:
    for error in (BrokenPipeError(), ConnectionResetError()):
        try:
            raise error
        except OSError:
            live.handle_error(None, ("127.0.0.1", 1))
    assert capfd.readouterr() == ("", "")


def test_the_server_answers_its_own_page_alone(live: ReportServer) -> None:
    from http.client import HTTPConnection

    def status(path: str, **headers: str) -> int:
        connection = HTTPConnection("127.0.0.1", live.server_port, timeout=10)
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status

    token = {"X-Token": live.token}
    assert status("/data", **token) == 200
    assert status(f"/data?version={live.version()}", **token) == 204
    assert status("/data") == 403
    assert status("/data", **{"X-Token": "guess"}) == 403
    assert status("/data", **token, Host="elsewhere.example") == 403
    assert status("/other", **token) == 404
    assert status(f"/?token={live.token}") == 200
