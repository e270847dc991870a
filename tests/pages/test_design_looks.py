"""The design page on screens of three widths, light and dark, by mouse, by keyboard, by touch."""

from __future__ import annotations

import re
from typing import Any

import pytest

import glideslope as gs

from .browsing import Browser
from .designing import (
    click,
    control,
    drag_by,
    focus,
    handle,
    press,
    retype,
    serving,
    settled,
    written,
)

SPEC = (
    "warmup(500) >> (hold(2000) >> cosine(1000, end=0.1)).repeat(3, decay=0.7)"
    " >> linear(500, start=0.034) * 1 >> (warmup(5) >> cosine(9)).clip(0.1)"
)
CUT = """
const scrolls = (element) => element.closest("textarea, pre, .place");
const name = (element) => element.id || element.className?.baseVal || element.className || element.tagName;
return [...document.body.querySelectorAll("*")].filter((element) => {
  const box = element.getBoundingClientRect();
  if (!box.width || element.closest("clipPath, .spoken, g") || scrolls(element)) return false;
  return box.left < -0.5 || box.right > innerWidth + 0.5
    || (element instanceof HTMLElement && element.scrollWidth > element.clientWidth + 1
        && getComputedStyle(element).display !== "inline" && element.clientWidth);
}).map(name);
"""  # noqa: E501
CONTRAST = """
const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = numbers(getComputedStyle(at).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
};
const ratio = (one, other) => {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
return [...document.querySelectorAll("h1, h2, h3, label, dt, dd, pre, .hint, strong, .from, .number, button")]
  .filter((element) => element.offsetParent && element.ariaDisabled !== "true")
  .map((element) => ratio(numbers(getComputedStyle(element).color), ground(element)))
  .reduce((least, found) => Math.min(least, found));
"""  # noqa: E501

screens = pytest.mark.parametrize(
    ("width", "dark"), [(width, dark) for width in (400, 800, 1600) for dark in (False, True)]
)


def check_looks(page: Browser, dark: bool) -> None:
    """Nothing is cut, all text can be read, and the theme is the one that was asked for."""
    assert page.run(CUT) == []
    assert page.run(CONTRAST) >= 4.5
    red = int(re.findall(r"\d+", page.style("body", "background-color"))[0])
    assert (red < 60) == dark
    assert page.complaints() == []


@screens
def test_nothing_is_cut_and_all_is_readable(browser: Browser, width: int, dark: bool) -> None:
    with serving(SPEC, lr=3e-4, compare="warmup(500) >> cosine(9500)") as server:
        browser.open(server.address, width=width, dark=dark)
        check_looks(browser, dark)
        click(browser, "#log")
        retype(browser, browser.find("#compare"), "cosin(9500) >> " + "hold(1000) >> " * 20)
        retype(browser, browser.find(control("1:n")), "many")
        browser.wait(lambda: browser.find("#problem").is_displayed())
        settled(browser)
        check_looks(browser, dark)
        retype(browser, browser.find("#text"), SPEC.replace("linear", "linaer"))
        browser.wait(lambda: "linear" in browser.texts("#problem")[0])
        check_looks(browser, dark)


@screens
def test_mouse_and_keys_move_the_same_handle(browser: Browser, width: int, dark: bool) -> None:
    with serving("hold(5000) >> linear(5000)") as server:
        browser.open(server.address, width=width, dark=dark)
        drag_by(browser, "0-end", -width // 8, 30)
        by_mouse = settled(browser)
        assert by_mouse.parts[0].steps < 5000
        assert by_mouse.parts[0].value == by_mouse.parts[1].start < 1
        focus(browser, handle("0-end"))
        press(browser, "ArrowRight", "ArrowRight", "ArrowUp")
        by_keys = settled(browser)
        assert by_keys.parts[0].steps == by_mouse.parts[0].steps + 100
        assert 0 < by_keys.parts[0].value - by_mouse.parts[0].value <= 0.01
        assert browser.complaints() == []


def touch(page: Browser, kind: str, *places: tuple[float, float]) -> None:
    points = [{"x": x, "y": y} for x, y in places]
    page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_a_finger_drags_a_handle(browser: Browser) -> None:
    with serving("hold(5000) >> linear(5000)") as server:
        browser.open(server.address, width=400)
        page: Any = browser
        page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
        page.run("document.querySelector('#curve').scrollIntoView()")
        box = page.run(
            f'const b = document.querySelector("{handle("0-end")}").getBoundingClientRect();'
            "return [b.x + b.width / 2, b.y + b.height / 2]"
        )
        touch(page, "touchStart", tuple(box))
        for moved in (10, 20, 30, 40, 50):
            touch(page, "touchMove", (box[0] - moved, box[1] + moved))
            page.wait(lambda: page.run("return !page.busy"))
        touch(page, "touchEnd")
        page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        held, _ = settled(page).parts
        assert 2500 < held.steps < 4500
        assert held.value < 0.9


def test_the_mark_of_a_mistake_is_in_sight_on_a_phone(browser: Browser) -> None:
    text = "hold(1000) >> " * 20 + "cosin(9500)"
    with serving("cosine(5)") as server:
        browser.open(server.address, width=400)
        retype(browser, browser.find("#text"), text)
        browser.wait(lambda: browser.find("#problem").is_displayed())
        place = browser.run(
            "const e = document.querySelector('#problem .place');"
            "return [e.scrollLeft, e.clientWidth, e.scrollWidth]"
        )
        letter = place[2] / (2 + len(text))
        mark = (2 + text.index("cosin")) * letter
        assert place[0] < mark < place[0] + place[1]
        assert written(browser) == str(gs.cosine(5))
