"""The design page's fields: wrong entries, presets, a second curve, a base rate, the axis."""

from __future__ import annotations

import math
import re

import pytest

import glideslope as gs
from glideslope.pages.design._catalogue import PRESETS

from .browsing import Browser
from .designing import (
    SPEC,
    clear,
    click,
    control,
    drag_by,
    focus,
    handle,
    press,
    retype,
    select,
    serving,
    settled,
    value,
    wait_for,
    written,
)

SECOND = "warmup(100) >> cosine(900)"


# -- wrong entries --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "entry", "sentence"),
    [
        ("#total_steps", "abc", "the updates in the run` must be a number, got 'abc'"),
        (
            "#total_steps",
            "1.5",
            "the updates in the run` must be a whole number of at least 1, got 1.5",
        ),
        ("#steps_per_epoch", "0", "the updates in an epoch` must be more than 0 and finite, got 0"),
        (
            "#tokens_per_step",
            "Infinity",
            "the tokens in an update` must be a number, got 'Infinity'",
        ),
        ("#lr", "3e", "the base rate` must be a number, got '3e'"),
        (control("1:value"), "high", "value` must be a number, got 'high'"),
        (control("1:value"), "", "value` must be a number, got ''"),
    ],
)
def test_a_wrong_entry_is_answered_beside_its_field(
    page: Browser, field: str, entry: str, sentence: str
) -> None:
    clear(page, field)
    press(page, *(entry or ["Delete"]))
    page.wait(lambda: page.find("#problem").is_displayed())
    settled(page)
    assert page.texts("#problem") == [f"`{sentence}"]
    assert page.find(field).get_attribute("aria-invalid") == "true"
    place = "e => e.closest('li, section')"
    shared = f"const place = {place}; const find = (s) => document.querySelector(s);"
    assert page.run(f"{shared} return place(find(arguments[0])) === place(find('#problem'))", field)
    assert page.run("return document.body.classList.contains('stale')")
    press(page, "Control+z")
    page.wait(lambda: not page.find("#problem").is_displayed())
    assert page.find_all("[aria-invalid='true']") == []


@pytest.mark.parametrize("entry", ["1e4", "10_000", " 10000 "])
def test_numbers_are_taken_in_every_usual_form(page: Browser, entry: str) -> None:
    retype(page, page.find("#total_steps"), entry)
    page.wait(lambda: page.run("return page.answer.steps") == 10_000)
    settled(page)
    assert not page.find("#problem").is_displayed()


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("0:remove", "The only phase cannot be removed."),
        ("0:earlier", "There is no other phase to change places with."),
    ],
)
def test_a_button_with_nothing_to_do_says_why(browser: Browser, key: str, sentence: str) -> None:
    with serving("cosine(40)") as server:
        browser.open(server.address)
        assert browser.find(control(key)).get_attribute("aria-disabled") == "true"
        click(browser, control(key))
        assert browser.texts("#problem") == [sentence]
        assert browser.find("#problem").is_displayed()
        assert written(browser) == "cosine(40)"


def test_a_drag_that_a_shape_refuses_is_answered(browser: Browser) -> None:
    with serving("geometric(1000)") as server:
        browser.open(server.address)
        focus(browser, handle("0-end"))
        press(browser, "Home")
        browser.wait(lambda: browser.texts("#problem") == ["`end` must be more than 0, got 0.0"])
        assert browser.find("#picture #problem").is_displayed()
        press(browser, "Control+z", "ArrowUp")
        browser.wait(lambda: not browser.find("#problem").is_displayed())


# -- presets, the second curve, the base rate, the axis -------------------------------------------


def test_presets_are_walked_through_by_keys(page: Browser) -> None:
    focus(page, "#preset")
    for name in list(PRESETS)[:4]:
        press(page, "ArrowDown")
        settled(page)
        assert value(page, "#preset") == name
        assert page.run("return page.answer.length") == 10_000
    press(page, "Control+z")
    wait_for(page, SPEC)
    assert value(page, "#preset") == ""


def test_a_preset_is_as_long_as_the_run(page: Browser) -> None:
    retype(page, page.find("#total_steps"), "8000")
    settled(page)
    select(page, "#preset", "Warm-up, hold, decay (wsd)")
    wait_for(page, "wsd(400, 6000, 1600)")


def test_a_second_curve_is_compared(page: Browser) -> None:
    retype(page, page.find("#compare"), SECOND)
    page.wait(lambda: page.find_all("#curve .compared"))
    assert page.find("#legend").is_displayed()
    page.hover("#curve svg", 0.5, 0.7)
    found = re.fullmatch(
        r"update ([\d,]+): ([\d.e-]+), phase 2, compared ([\d.e-]+)", page.texts("#readout")[0]
    )
    assert found
    step = int(found[1].replace(",", ""))
    assert float(found[3]) == pytest.approx(gs.parse(SECOND)(step), rel=5e-5, abs=1e-12)
    assert page.texts("#key-values .second")[:2] == ["compared", "1,000 updates"]
    retype(page, page.find("#compare"), "cosin(3)")
    page.wait(lambda: page.find("#compare-problem").is_displayed())
    assert "did you mean `cosine`" in page.texts("#compare-problem")[0]
    assert page.find_all("#curve .compared") == []


def test_the_schedule_as_it_is_becomes_the_second_one(page: Browser) -> None:
    click(page, "#compare-this")
    page.wait(lambda: page.find_all("#curve .compared"))
    assert value(page, "#compare") == SPEC
    same = page.run("return page.answer.compare.curve.y")
    drag_by(page, "1-end", 0, 80)
    settled(page)
    assert page.run("return page.answer.compare.curve.y") == same


def test_a_base_rate_is_seen_in_the_values_and_not_in_the_text(page: Browser) -> None:
    retype(page, page.find("#lr"), "3e-4")
    page.wait(lambda: page.texts("dd")[2] == "0.0003 at update 500")
    drag_by(page, "1-end", 0, 80)
    warm, held, _cooled = settled(page).parts
    assert 0.5 < held.value < 0.9
    assert round(held.value, 3) == held.value == warm.end
    told = page.find(handle("0-end")).get_attribute("aria-valuetext")
    assert float(told.split("value ")[1]) == pytest.approx(3e-4 * held.value, rel=1e-4)


def test_a_logarithmic_axis_draws_ratios_evenly_and_is_dragged_on(browser: Browser) -> None:
    with serving("geometric(1000, end=0.001)") as server:
        browser.open(server.address)
        click(browser, "#log")
        ys = [
            float(y)
            for y in re.findall(
                r"[ML][\d.]+ ([\d.]+)", browser.find("#curve path.line").get_attribute("d")
            )
        ]
        assert ys[len(ys) // 2] == pytest.approx((ys[0] + ys[-1]) / 2, abs=1)
        decade = (ys[-1] - ys[0]) / 3
        drag_by(browser, "0-end", 0, -round(decade))
        assert math.log10(settled(browser).end) == pytest.approx(-2, abs=0.05)


def test_an_end_at_zero_lies_on_the_ground_of_a_logarithmic_axis(browser: Browser) -> None:
    with serving("warmup(500) >> linear(500)") as server:
        browser.open(server.address)
        click(browser, "#log")
        bottom = browser.run("return frame.y.from")
        for name in ("0-start", "1-end"):
            assert float(browser.find(handle(name)).get_attribute("cy")) == bottom
        drag_by(browser, "1-end", -100, 30)
        assert settled(browser).end == 0
        focus(browser, handle("1-end"))
        press(browser, "ArrowUp", "ArrowUp")
        assert 0 < settled(browser).end < 0.01


@pytest.mark.parametrize(
    ("spec", "name", "expected"),
    [
        ("noam(512, 4000)", "0-end", "warmup"),
        ("(warmup(50) >> cosine(50)) * 0.5 + 0.1", "0-end", "(linear(50"),
        ("(hold(80) >> linear(20)).repeat(3, decay=0.5)", "0-end", "(hold("),
        ("(hold(80) >> linear(20)).repeat(3, decay=0.5)", "1-end", "(hold(80) >> linear("),
    ],
)
def test_handles_inside_products_sums_and_repeats_move(
    browser: Browser, spec: str, name: str, expected: str
) -> None:
    with serving(spec) as server:
        browser.open(server.address)
        old = browser.run("return page.answer.parts")
        drag_by(browser, name, -20, -30 if name == "1-end" else 30)
        assert settled(browser) != gs.parse(spec)
        new = browser.run("return page.answer.parts")
        assert [part["arguments"] for part in new] == [part["arguments"] for part in old]
        assert browser.complaints() == []


def test_without_handles_there_is_no_hint_to_drag(browser: Browser) -> None:
    with serving("(warmup(5) >> cosine(9)).clip(0.1)") as server:
        browser.open(server.address)
        assert browser.find_all("#curve .handle") == []
        assert not browser.find("#hint").is_displayed()
        assert browser.find("#no-handles").is_displayed()


def test_a_label_shows_the_place_while_a_handle_is_dragged(page: Browser) -> None:
    from selenium.webdriver import ActionChains

    held = ActionChains(page.driver, duration=20).click_and_hold(page.find(handle("1-end")))
    held.move_by_offset(-100, 60).perform()
    page.wait(lambda: page.run("return !page.busy"))
    step, shown = page.texts("svg .label")[0].split(": ")
    held_phase = gs.parse(written(page)).parts[1]
    assert int(step.replace(",", "")) == 500 + held_phase.steps
    assert float(shown) == held_phase.value
    ActionChains(page.driver).release().perform()
    settled(page)


def test_arguments_are_explained(page: Browser) -> None:
    field = control("0:include_end")
    title = page.run("return document.querySelector(arguments[0]).closest('label').title", field)
    assert title == "reach end on the last step, t = steps - 1, instead."
    assert page.find(field).get_attribute("aria-description") == title
