"""The design page in a browser."""

from __future__ import annotations

import re
from typing import Any

import pytest

import glideslope as gs
from glideslope.errors import ParseError
from glideslope.pages.design import DesignServer

from .browsing import Browser
from .designing import (
    SPEC,
    drag_by,
    end_program,
    field,
    retype,
    serving,
    settled,
    start_program,
    text_of,
    wait_for,
    written,
)

SCHEDULE = gs.parse(SPEC)


def test_the_page_opens_without_complaint(page: Browser) -> None:
    assert text_of(page) == SPEC
    assert len(page.find_all("#curve path.line")) == 3
    assert len(page.find_all("#curve .handle")) == 4
    assert page.complaints() == []


def test_changing_a_phase_changes_the_curve_and_all_the_forms(page: Browser) -> None:
    before = page.find("#curve path.line").get_attribute("d")
    retype(page, field(page, 1, "steps"), "1000")
    retype(page, field(page, 3, "end"), "0.1")
    wait_for(page, "warmup(1000) >> hold(7500) >> linear(2000, end=0.1)")
    assert page.find("#curve path.line").get_attribute("d") != before
    expected = gs.parse(text_of(page))
    assert gs.Schedule.from_json(written(page, "json")) == expected
    names: dict[str, Any] = {}
    exec(written(page, "python"), names)
    assert names["schedule"] == expected
    assert written(page, "shell") == f"--schedule '{expected}'"
    assert page.complaints() == []


def test_changes_made_while_an_answer_is_awaited_add_up(page: Browser) -> None:
    page.run(
        "const usual = window.fetch; window.fetch = async (...what) => {"
        "await new Promise((go) => setTimeout(go, 400)); return usual(...what); }"
    )
    retype(page, field(page, 1, "start"), "0.1")
    retype(page, field(page, 2, "value"), "0.9")
    page.wait(lambda: "start=0.1" in text_of(page))  # the second answer is still to come
    retype(page, field(page, 3, "end"), "0.2")
    wait_for(page, "warmup(500, start=0.1) >> hold(7500, 0.9) >> linear(2000, end=0.2)")


def test_another_shape_keeps_the_length_and_the_ends(page: Browser) -> None:
    page.run(
        "const e = document.querySelectorAll('#phases select')[2]; e.value = 'cosine';"
        "e.dispatchEvent(new Event('change'))"
    )
    wait_for(page, "warmup(500) >> hold(7500) >> cosine(2000)")


def test_phases_are_added_moved_and_removed(page: Browser) -> None:
    page.find("#add").click()
    wait_for(page, f"{SPEC} >> linear(2000, start=0, end=1)")
    page.find("#phases li:nth-child(4) button[title='remove']").click()
    wait_for(page, SPEC)
    page.find("#phases li:nth-child(2) button[title='earlier']").click()
    wait_for(page, "hold(7500) >> warmup(500) >> linear(2000)")


def test_a_boundary_dragged_aside_takes_from_the_next_phase(page: Browser) -> None:
    drag_by(page, "1-end", -100, 0)
    warm, held, cooled = settled(page).parts
    assert warm == gs.warmup(500)
    assert 6000 < held.steps < 7400
    assert held.steps + cooled.steps == 9500
    assert held.steps % 50 == 0


def test_with_shift_what_follows_moves_along(page: Browser) -> None:
    drag_by(page, "1-end", -100, 0, shift=True)
    warm, held, cooled = settled(page).parts
    assert (warm, cooled) == (gs.warmup(500), gs.linear(2000))
    assert 6000 < held.steps < 7400


def test_a_value_dragged_keeps_what_was_joined_together(page: Browser) -> None:
    drag_by(page, "1-end", 0, 80)
    warm, held, cooled = settled(page).parts
    assert 0.5 < held.value < 0.9
    assert (warm.end, cooled.start) == (held.value, held.value)
    assert (warm.start, cooled.end) == (0, 0)


def test_a_handle_moves_by_keys(page: Browser) -> None:
    handle = page.find("[data-handle='2-end']")
    handle.send_keys("\ue013")  # up
    settled(page)
    page.find("[data-handle='2-end']").send_keys("\ue012")  # left
    first, second, last = settled(page).parts
    assert (first, second) == (gs.warmup(500), gs.hold(7500))
    assert 0 < last.end <= 0.01
    assert last.steps == 1950


def test_what_cannot_be_moved_has_no_handle(browser: Browser) -> None:
    with serving("warmup(5).clip(0.1) >> hold(3)") as server:
        browser.open(server.address)
        names = browser.run(
            "return [...document.querySelectorAll('.handle')].map(e => e.dataset.handle)"
        )
    assert names == ["0-end", "1-end"]


def test_lengths_keep_their_unit(browser: Browser) -> None:
    spec = 'warmup("5%") >> hold("75%") >> linear("20%")'
    with serving(spec, total_steps=1000) as server:
        browser.open(server.address)
        drag_by(browser, "0-end", 54, 0)
        schedule = settled(browser)
    lengths = [part._length for part in schedule.parts]
    assert [length.unit for length in lengths] == ["%"] * 3
    assert lengths[0].value > 5
    assert sum(length.value for length in lengths) == pytest.approx(100)


@pytest.mark.parametrize(
    ("handle_name", "along", "lengths"),
    [
        ("0-end", False, [r"1\d\d", "rest", "20%"]),
        ("1-end", False, ["5%", "rest", r"1\d(\.\d+)?%"]),
        ("1-end", True, ["5%", r"8\d\d", "20%"]),
    ],
)
def test_the_rest_of_the_run_stays_the_rest_where_it_can(
    browser: Browser, handle_name: str, along: bool, lengths: list[str]
) -> None:
    first = "100" if handle_name == "0-end" else '"5%"'
    with serving(f'warmup({first}) >> hold("rest") >> linear("20%")', total_steps=1000) as server:
        browser.open(server.address)
        drag_by(browser, handle_name, 80, 0, shift=along)
        parts = settled(browser).parts
    for part, length in zip(parts, lengths, strict=True):
        assert re.fullmatch(length, str(part._length))


def test_bad_text_shows_the_parsers_own_sentence_and_keeps_the_curve(page: Browser) -> None:
    retype(page, page.find("#text"), "warmup(500) >> cosin(9500)")
    with pytest.raises(ParseError) as refused:
        gs.parse("warmup(500) >> cosin(9500)")
    page.wait(lambda: page.texts("#problem")[0] == str(refused.value))
    assert page.find("#problem").is_displayed()
    assert written(page) == SPEC
    retype(page, page.find("#text"), "warmup(500) >> cosine(9500)")
    wait_for(page, "warmup(500) >> cosine(9500)")
    assert not page.find("#problem").is_displayed()


def test_what_is_copied_parses_to_the_same_schedule(page: Browser, server: DesignServer) -> None:
    origin = f"http://127.0.0.1:{server.server_port}"
    grant = {"origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.driver.execute_cdp_cmd("Browser.grantPermissions", grant)
    page.find("#copies div:nth-child(1) button").click()
    page.wait(lambda: page.texts("#copies div:nth-child(1) button") == ["Copied"])
    copied = page.driver.execute_async_script(
        "navigator.clipboard.readText().then(arguments[0], (e) => arguments[0](String(e)))"
    )
    assert gs.parse(copied) == SCHEDULE


@pytest.mark.parametrize("place", [0.1, 0.4, 0.95])
def test_the_pointer_says_the_schedules_value(page: Browser, place: float) -> None:
    page.hover("#curve svg", place, 0.7)
    found = re.fullmatch(r"update ([\d,]+): ([\d.e-]+), phase (\d)", page.texts("#readout")[0])
    assert found
    step = int(found[1].replace(",", ""))
    width = page.run("return frame.width")
    assert step == pytest.approx(10_000 * (width * place - 60) / (width - 86), abs=20)
    assert float(found[2]) == pytest.approx(SCHEDULE(step), rel=5e-5)
    assert int(found[3]) == (1 if step < 500 else 2 if step < 8000 else 3)


def test_findings_and_key_values_are_the_librarys(page: Browser) -> None:
    retype(page, page.find("#total_steps"), "8000")
    codes = [finding.code for finding in SCHEDULE.lint(8000)]
    page.wait(lambda: page.texts("#findings strong") == codes)
    values = dict(zip(page.texts("dt"), page.texts("dd"), strict=True))
    assert values["peak"] == "1 at update 500"
    assert float(values["area"].split(",")[0] + values["area"].split(",")[1]) == SCHEDULE.area(
        0, 8000
    )


def test_markup_in_a_schedule_is_only_text(page: Browser) -> None:
    retype(page, page.find("#text"), "<img src=x onerror='window.attacked = 1'>")
    page.wait(lambda: page.find("#problem").is_displayed())
    assert "<img" in page.texts("#problem")[0]
    assert page.run("return window.attacked") is None


def test_an_ended_server_is_said(browser: Browser) -> None:
    process, address = start_program()
    browser.open(address)
    end_program(process)
    retype(browser, browser.find("#text"), "cosine(5)")
    browser.wait(lambda: "glideslope design was ended" in browser.texts("#problem")[0])
