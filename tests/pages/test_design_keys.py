"""The design page by keyboard: the focus stays where it is, press after press."""

from __future__ import annotations

import pytest

import glideslope as gs
from glideslope.pages.design import DesignServer

from .browsing import Browser
from .designing import (
    clear,
    control,
    focus,
    focused,
    handle,
    press,
    serving,
    settled,
    text_of,
    wait_for,
)

HALF = "hold(500, 0.5) >> linear(500, start=0.5, end=0.25)"


def test_press_after_press_moves_a_handle(page: Browser) -> None:
    focus(page, handle("0-end"))
    for presses in range(1, 7):
        press(page, "ArrowRight")
        moved = 50 * presses
        wait_for(page, f"warmup({500 + moved}) >> hold({7500 - moved}) >> linear(2000)")
    press(page, *["ArrowRight"] * 3, "ArrowLeft", "ArrowDown", "ArrowDown")
    wait_for(page, "linear(900, start=0, end=0.98) >> hold(7100, 0.98) >> linear(2000, start=0.98)")
    assert focused(page) == "0-end"
    assert page.complaints() == []


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("ArrowRight", "hold(505, 0.5) >> linear(495, start=0.5, end=0.25)"),
        ("Shift+ArrowRight", "hold(501, 0.5) >> linear(499, start=0.5, end=0.25)"),
        ("Control+ArrowLeft", "hold(450, 0.5) >> linear(550, start=0.5, end=0.25)"),
        ("ArrowUp", "hold(500, 0.505) >> linear(500, start=0.505, end=0.25)"),
        ("Shift+ArrowUp", "hold(500, 0.5005) >> linear(500, start=0.5005, end=0.25)"),
        ("Control+ArrowDown", "hold(500, 0.45) >> linear(500, start=0.45, end=0.25)"),
        ("PageUp", "hold(500, 0.55) >> linear(500, start=0.55, end=0.25)"),
        ("PageDown", "hold(500, 0.45) >> linear(500, start=0.45, end=0.25)"),
        ("Home", "hold(500, 0) >> linear(500, start=0, end=0.25)"),
        ("End", "hold(500, 1) >> linear(500, start=1, end=0.25)"),
    ],
)
def test_keys_move_in_small_and_large_steps(browser: Browser, key: str, expected: str) -> None:
    with serving(HALF) as server:
        browser.open(server.address)
        focus(browser, handle("0-end"))
        press(browser, key)
        wait_for(browser, expected)
        assert focused(browser) == "0-end"


def test_keys_move_what_follows_along_where_that_is_chosen(page: Browser) -> None:
    focus(page, "#along")
    press(page, "Space")
    focus(page, handle("0-end"))
    press(page, "ArrowRight", "ArrowRight")
    wait_for(page, "warmup(600) >> hold(7500) >> linear(2000)")


def test_the_focus_moves_to_the_handle_that_took_in_the_focused_one(browser: Browser) -> None:
    with serving("hold(500, 0.5) >> linear(500, start=0.505, end=0)") as server:
        browser.open(server.address)
        focus(browser, handle("1-start"))
        press(browser, "ArrowDown")
        wait_for(browser, "hold(500, 0.5) >> linear(500, start=0.5, end=0)")
        browser.wait(lambda: focused(browser) == "0-end")


def test_a_handle_says_where_it_is(page: Browser) -> None:
    said = {
        name: page.find(handle("0-end")).get_attribute(f"aria-{name}")
        for name in ("label", "valuemin", "valuemax", "valuenow", "valuetext")
    }
    assert said == {
        "label": "end of phase 1",
        "valuemin": "0",
        "valuemax": "1",
        "valuenow": "1",
        "valuetext": "update 500, value 1",
    }
    assert page.texts("svg .label") == [""]
    focus(page, handle("0-end"))
    assert page.texts("svg .label") == ["500: 1"]


def test_tab_goes_through_the_handles_in_order_of_time(browser: Browser) -> None:
    with serving("warmup(50) >> (hold(80) >> linear(20)).repeat(2) >> hold(50, 0.5)") as server:
        browser.open(server.address)
        focus(browser, "#log")
        seen = []
        for _ in range(6):
            press(browser, "Tab")
            seen.append(focused(browser))
    assert seen == ["0-start", "0-end", "1-end", "2-end", "3-start", "3-end"]


@pytest.mark.parametrize(
    ("key", "expected", "then"),
    [
        ("0:later", "hold(7500) >> warmup(500) >> linear(2000)", "1:later"),
        ("2:earlier", "warmup(500) >> linear(2000) >> hold(7500)", "1:earlier"),
        ("1:remove", "warmup(500) >> linear(2000)", "1:remove"),
        ("2:remove", "warmup(500) >> hold(7500)", "1:remove"),
    ],
)
def test_buttons_of_a_row_keep_the_focus_on_the_row(
    page: Browser, key: str, expected: str, then: str
) -> None:
    focus(page, control(key))
    press(page, "Enter")
    wait_for(page, expected)
    page.wait(lambda: focused(page) == then)


def test_another_shape_keeps_the_focus(page: Browser) -> None:
    focus(page, control("2:shape"))
    press(page, "ArrowDown")  # cosine comes after linear
    wait_for(page, "warmup(500) >> hold(7500) >> cosine(2000)")
    page.wait(lambda: focused(page) == "2:shape")


def test_typing_in_a_field_is_not_disturbed(page: Browser) -> None:
    clear(page, control("1:value"))
    for character in "0.75":
        press(page, character)
        settled(page)
    wait_for(page, "warmup(500) >> hold(7500, 0.75) >> linear(2000)")
    assert focused(page) == "1:value"
    assert page.find(control("1:value")).get_property("value") == "0.75"


def test_all_is_reached_by_tab_and_nothing_holds_the_focus(
    server: DesignServer, page: Browser
) -> None:
    page.run("document.activeElement.blur()")
    seen = []
    for _ in range(60):
        press(page, "Tab")
        seen.append(focused(page))
        if seen[-1] == "copy-json":
            break
    fields = ["preset", "undo", "redo", "text", "total_steps", "lr", "compare", "along", "log"]
    assert set(fields) <= set(seen)
    assert seen[-1] == "copy-json"
    assert gs.parse(text_of(page)) == gs.parse(server.question["text"])
