"""The work on the design page: undone and redone, kept over a reload, in the address, compared."""

from __future__ import annotations

from typing import Any

import pytest

import glideslope as gs
from glideslope.pages.design import DesignServer

from .browsing import Browser
from .designing import (
    SPEC,
    clear,
    click,
    control,
    drag_by,
    focus,
    focused,
    handle,
    press,
    retype,
    select,
    settled,
    text_of,
    value,
    wait_for,
    written,
)

SECOND = "warmup(100) >> cosine(900)"


# -- undo and redo --------------------------------------------------------------------------------


def change_text(page: Browser) -> None:
    retype(page, page.find("#text"), SECOND)


def change_field(page: Browser) -> None:
    retype(page, page.find(control("1:value")), "0.5")


def change_shape(page: Browser) -> None:
    select(page, control("2:shape"), "cosine")


def change_flag(page: Browser) -> None:
    click(page, control("2:include_end"))


def change_by_drag(page: Browser) -> None:
    drag_by(page, "1-end", -100, 40)


def change_by_key(page: Browser) -> None:
    focus(page, handle("1-end"))
    press(page, "ArrowLeft")


def change_order(page: Browser) -> None:
    click(page, control("0:later"))


def change_count(page: Browser) -> None:
    click(page, control("1:remove"))


def change_by_adding(page: Browser) -> None:
    click(page, "#add")


def change_by_preset(page: Browser) -> None:
    select(page, "#preset", "One cycle")


def change_run(page: Browser) -> None:
    retype(page, page.find("#total_steps"), "8000")


def change_rate(page: Browser) -> None:
    retype(page, page.find("#lr"), "3e-4")


def change_compared(page: Browser) -> None:
    retype(page, page.find("#compare"), SECOND)


def change_axis(page: Browser) -> None:
    click(page, "#log")


CHANGES = [
    change_text,
    change_field,
    change_shape,
    change_flag,
    change_by_drag,
    change_by_key,
    change_order,
    change_count,
    change_by_adding,
    change_by_preset,
    change_run,
    change_rate,
    change_compared,
    change_axis,
]


def work_on(page: Browser) -> tuple[Any, ...]:
    """All that the page holds: its document, its fields, its curve and its rows."""
    settled(page)
    fields = page.run("return FIELDS.map((name) => byId(name).value).concat(byId('log').checked)")
    rows = page.run(
        "return [...document.querySelectorAll('#phases [data-key]')].map((e) => e.value)"
    )
    curve = page.run("return page.answer.curve.y.reduce((sum, value) => sum + value)")
    return fields, rows, curve


def test_every_change_is_undone_and_redone(page: Browser) -> None:
    for change in CHANGES:
        before = work_on(page)
        change(page)
        after = work_on(page)
        assert after != before, change
        press(page, "Control+z")
        assert work_on(page) == before, change
        press(page, "Control+Shift+z")
        assert work_on(page) == after, change
        press(page, "Control+z")
    assert work_on(page)[0][0] == SPEC
    assert page.complaints() == []


def test_changes_are_undone_one_by_one_by_buttons_and_brought_back(page: Browser) -> None:
    states = [work_on(page)]
    for change in (change_field, change_by_drag, change_order, change_rate, change_axis):
        change(page)
        states.append(work_on(page))
    for state in states[-2::-1]:
        click(page, "#undo")
        assert work_on(page) == state
    assert page.find("#undo").get_attribute("aria-disabled") == "true"
    for state in states[1:]:
        press(page, "Control+y")
        assert work_on(page) == state
    assert page.find("#redo").get_attribute("aria-disabled") == "true"


def test_a_change_after_an_undo_leaves_nothing_to_redo(page: Browser) -> None:
    change_field(page)
    settled(page)
    press(page, "Control+z")
    settled(page)
    change_order(page)
    after = work_on(page)
    assert page.find("#redo").get_attribute("aria-disabled") == "true"
    press(page, "Control+y")
    assert work_on(page) == after


def test_a_word_that_is_typed_is_undone_as_one(page: Browser) -> None:
    clear(page, "#text")
    press(page, *"cosine(40)")
    wait_for(page, "cosine(40)")
    press(page, "Control+z")
    wait_for(page, SPEC)
    assert text_of(page) == SPEC
    assert focused(page) == "text"


def test_a_refused_value_is_undone(page: Browser) -> None:
    clear(page, control("1:value"))
    press(page, *"0.5")
    wait_for(page, "warmup(500) >> hold(7500, 0.5) >> linear(2000)")
    press(page, "x")
    page.wait(lambda: page.find("#problem").is_displayed())
    press(page, "Control+z")
    page.wait(lambda: not page.find("#problem").is_displayed())
    assert value(page, control("1:value")) == "0.5"


def test_what_is_undone_while_an_answer_is_awaited_stays_undone(page: Browser) -> None:
    page.run(
        "const usual = window.fetch; window.fetch = async (...what) => {"
        "await new Promise((go) => setTimeout(go, 200)); return usual(...what); }"
    )
    change_text(page)
    wait_for(page, SECOND)
    focus(page, handle("0-end"))
    press(page, "ArrowRight", "Control+z")
    settled(page)
    assert gs.parse(text_of(page)) == gs.parse(written(page)) == gs.parse(SPEC)


# -- the address ----------------------------------------------------------------------------------


def test_a_reload_keeps_the_work(page: Browser) -> None:
    for change in (change_by_drag, change_run, change_rate, change_compared, change_axis):
        change(page)
        settled(page)
    before = work_on(page)
    page.driver.refresh()
    assert work_on(page) == before
    press(page, "Control+z")
    assert not page.find("#log").is_selected()
    assert page.complaints() == []


def test_half_typed_text_survives_a_reload(page: Browser) -> None:
    retype(page, page.find("#text"), "warmup(500) >> cos")
    page.driver.refresh()
    page.wait(lambda: page.find("#problem").is_displayed())
    assert text_of(page) == "warmup(500) >> cos"
    assert page.complaints() == []


def test_the_address_is_a_link_to_the_work(page: Browser, server: DesignServer) -> None:
    change_rate(page)
    change_text(page)
    before = work_on(page)
    page.run("writeAddress()")
    link = page.driver.current_url
    assert link.startswith(server.address + "#text=")
    page.open("about:blank")
    page.open(link)
    assert work_on(page) == before
    page.run("location.hash = '#text=cosine(7)'")
    wait_for(page, "cosine(7)")
    assert value(page, "#lr") == ""
    press(page, "Control+z")
    assert work_on(page) == before


def test_the_command_lines_schedule_needs_no_address(page: Browser, server: DesignServer) -> None:
    change_rate(page)
    page.run("writeAddress()")
    press(page, "Control+z")
    settled(page)
    page.run("writeAddress()")
    assert page.driver.current_url == server.address


@pytest.mark.parametrize(
    "fragment",
    [
        "text",
        "text=",
        "text=%",
        "lr=1",
        "text=cosine(4)&lr=abc",
        "text=<b>&compare=<i>&log=x",
        "x" * 9999,
    ],
)
def test_any_fragment_opens(browser: Browser, server: DesignServer, fragment: str) -> None:
    browser.complaints()
    browser.open("about:blank")
    browser.open(f"{server.address}#{fragment}")
    settled(browser)
    assert browser.complaints() == []
    retype(browser, browser.find("#lr"), "")
    change_text(browser)
    wait_for(browser, SECOND)
