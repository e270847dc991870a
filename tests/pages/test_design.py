"""`glideslope design`: what its page is answered, who is served, and the page in a browser."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest

import glideslope as gs
from glideslope.errors import ParseError
from glideslope.pages.design._answer import CATALOGUE, LONGEST, answer, python_text
from glideslope.pages.design._server import LARGEST, DesignServer

from ..interrupting import STARTS
from .browsing import Browser

Call = Callable[..., "tuple[int, str, str]"]
SPEC = "warmup(500) >> hold(7500) >> linear(2000)"
SCHEDULE = gs.parse(SPEC)
SPECS = [
    SPEC,
    "cosine(100)",
    "constant(0.5)",
    'warmup("5%") >> hold("75%", 0.5) >> linear("20%", start=0.5)',
    "warmup(10) >> cosine(30).repeat(3, decay=0.5) >> hold(5)",
    "(warmup(5) >> cosine(95)).clip(0.1) * 0.0003",
    "warmup(4) >> exponential(0.9)",
    "polynomial(10, power=0.5, mirrored=True) + hold(3)",
    'piecewise([(0, 1), (10, 0.1)], shape="linear")',
]


# -- the answers ----------------------------------------------------------------------------------


def ask(text: str, total_steps: int | None = 1000) -> dict[str, Any]:
    found = answer({"text": text, "total_steps": total_steps})
    assert "error" not in found, found
    return found


@pytest.mark.parametrize("spec", SPECS)
def test_every_form_that_is_copied_is_the_same_schedule(spec: str) -> None:
    found, schedule = ask(spec), gs.parse(spec)
    assert gs.parse(found["text"]) == schedule
    assert gs.Schedule.from_json(found["json"]) == schedule
    names: dict[str, Any] = {}
    exec(found["python"], names)
    assert names["schedule"] == schedule


@pytest.mark.parametrize("spec", SPECS)
def test_the_phases_put_together_are_the_schedule(spec: str) -> None:
    again = answer({"parts": ask(spec)["parts"], "total_steps": 1000})
    assert gs.parse(again["text"]) == gs.parse(spec)


@pytest.mark.parametrize("spec", SPECS)
def test_the_curve_and_the_values_are_those_of_the_library(spec: str) -> None:
    found, schedule = ask(spec), gs.parse(spec).bind(total_steps=1000)
    for drawn in (found["curve"], found["values"]):
        expected = [schedule(step) for step in drawn["x"]]
        assert drawn["y"] == pytest.approx(expected, rel=1e-15, abs=0)
    steps = found["values"]["x"]
    assert (steps[0], steps[-1]) == (0, found["stop"])
    assert all(step == int(step) for step in steps)
    assert len(steps) == min(1500, found["stop"] + 1)
    assert found["area"] == schedule.area(0, 1000)
    assert found["peak"]["value"] == schedule.peak(1000).value
    assert [f["code"] for f in found["findings"]] == [f.code for f in schedule.lint(1000)]


def test_phases_say_where_they_are() -> None:
    parts = ask("warmup(5%) >> cosine(10).repeat(3) >> exponential(0.9)")["parts"]
    assert parts == [
        {
            "kind": "linear",
            "arguments": {"steps": "5%", "start": 0.0, "end": 1.0, "include_end": False},
            "start": 0.0,
            "length": 50,
            "first": 0.0,
            "last": 1.0,
        },
        {"text": "cosine(10).repeat(3)", "start": 50.0, "length": 30, "first": 1.0, "last": 0.0},
        {"text": "exponential(0.9)", "start": 80.0, "length": None, "first": 1.0, "last": None},
    ]


def test_a_phase_of_no_steps_is_still_a_phase_of_the_page() -> None:
    parts = ask("wsd(1%, 98%, 1%)", total_steps=10)["parts"]
    assert [(part["start"], part["length"]) for part in parts] == [(0, 0), (0, 10), (10, 0)]


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (
            {"text": "warmpu(3)"},
            "unknown name `warmpu`, did you mean `warmup`?\n  warmpu(3)\n  ^",
        ),
        ({"text": "linear(5%)"}, "the length '5%' needs the updates in the run"),
        ({"text": "linear(5ep)"}, "the length '5ep' needs the updates in an epoch"),
        ({"text": "linear(5tok)"}, "the length '5tok' needs the tokens in an update"),
        ({"text": 5}, "`text` must be a string, got 5"),
        ({"text": "hold(1e9)"}, f"`steps` must be at most {LONGEST} here, got 1000000000"),
        ({}, "`parts` must be a list, got None"),
        ({"parts": []}, "`phases` must be at least one, got 0"),
        ({"parts": [3]}, "`a phase` must be an object, got 3"),
        ({"parts": [{"kind": "linear"}]}, "`arguments` must be an object, got None"),
        (
            {"parts": [{"kind": "linear", "arguments": {"steps": 0.5}}]},
            "`steps` must be 0 or at least 1, got 0.5",
        ),
        (
            {"parts": [{"kind": "function", "arguments": {}}]},
            "`kind` must be the name of a schedule, got 'function'",
        ),
        (
            {"parts": [{"kind": "linear", "arguments": {"steps": 4, "end": ""}}]},
            "`end` must be a number, got ''",
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_librarys_words(
    question: dict[str, Any], sentence: str
) -> None:
    assert answer(question) == {"error": sentence}


@pytest.mark.parametrize("steps", [0, -1, 2.5, "10", LONGEST + 1])
def test_a_run_has_a_length(steps: Any) -> None:
    found = answer({"text": SPEC, "total_steps": steps})
    assert list(found) == ["error"]


def test_a_shape_can_be_asked_for_with_every_argument_it_lists() -> None:
    values = {"length": 20, "number": 0.5, "flag": True}
    for kind, arguments in CATALOGUE.items():
        given = {name: values[type] for name, type in arguments.items()}
        found = answer({"parts": [{"kind": kind, "arguments": given}]})
        assert found["parts"][0]["arguments"] == given


def test_names_inside_strings_and_methods_are_left_alone() -> None:
    text = 'warmup(5, "cosine") >> (cosine(9) * exponential(0.9).take(9)).clip(lo=0.1)'
    expected = 'gs.warmup(5, "cosine") >> (gs.cosine(9) * gs.exponential(0.9).take(9)).clip(lo=0.1)'
    assert python_text(text) == expected


# -- the server -----------------------------------------------------------------------------------


@contextmanager
def serving(text: str, **units: float) -> Iterator[DesignServer]:
    with DesignServer(0, {"text": text, **units}) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[DesignServer]:
    with serving(SPEC) as started:
        yield started


def request(
    server: DesignServer, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, str]:
    """Status and text of what a server says; headers are named with low lines."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def test_who_has_the_address_is_served(server: DesignServer) -> None:
    address = server.address.removeprefix(f"http://127.0.0.1:{server.server_port}")
    status, text = request(server, "GET", address)
    assert status == 200
    assert "<title>A schedule" in text
    body = json.dumps({"text": "cosine(4)"})
    status, text = request(server, "POST", "/answer", body, X_Token=server.token)
    assert (status, json.loads(text)["text"]) == (200, "cosine(4)")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "", "[::1]"])
def test_another_host_is_refused_even_with_the_token(server: DesignServer, host: str) -> None:
    named = host.format(port=server.server_port)
    path = f"/?token={server.token}"
    assert request(server, "GET", path, Host=named)[0] == 403
    assert request(server, "POST", "/answer", "{}", Host=named, X_Token=server.token)[0] == 403


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_without_the_token_nothing_is_served(server: DesignServer, token: str) -> None:
    refusal = (403, "open the address that glideslope design printed\n")
    assert (
        request(server, "GET", f"/?token={token.encode('ascii', 'xmlcharrefreplace')!r}") == refusal
    )
    assert request(server, "GET", "/") == refusal
    assert request(server, "POST", "/answer", "{}", X_Token=token.encode("latin-1")) == refusal


@pytest.mark.parametrize("path", ["/etc/passwd", "/../_page.css", "/answer"])
def test_there_is_nothing_else(server: DesignServer, path: str) -> None:
    assert request(server, "GET", f"{path}?token={server.token}")[0] == 404


@pytest.mark.parametrize("body", ["", "[]", "{", "[" * 50_000, "x" * (LARGEST + 1)])
def test_a_question_is_a_small_object(server: DesignServer, body: str) -> None:
    status, text = request(server, "POST", "/answer", body, X_Token=server.token)
    assert (status, text) == (400, "the question must be a small object in JSON\n")


def test_it_listens_to_this_machine_alone(server: DesignServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


# -- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("warmpu(3)",), "unknown name `warmpu`, did you mean `warmup`?\n  warmpu(3)\n  ^"),
        (("linear(5ep)",), "the length '5ep' needs the updates in an epoch"),
        (("--port", "65536"), "`port` must be from 0 to 65535, got 65536"),
        (("--steps", "0"), "`the updates in the run` must be a whole number of at least 1, got 0"),
    ],
)
def test_a_mistake_is_said_before_anything_is_served(
    glideslope: Call, words: tuple[str, ...], sentence: str
) -> None:
    assert glideslope("design", "--no-open", *words) == (2, "", f"error: {sentence}\n")


def test_a_port_in_use_is_said(glideslope: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = glideslope("design", "--no-open", "--port", port)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: `port` must be free on this machine, got {port}: ")


def start_program(start: str = "usual") -> tuple[subprocess.Popen[str], str]:
    """The program itself, and the address it prints first."""
    command = [*STARTS[start], sys.executable, "-m", "glideslope", "design", SPEC, "--no-open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    address = process.stdout.readline().rstrip()
    assert process.stdout.readline() == "Ctrl-C ends it.\n"
    return process, address


def end_program(
    process: subprocess.Popen[str], by: signal.Signals = signal.SIGINT
) -> tuple[int, str, str]:
    """Ctrl-C or another signal; the exit code, and what the program says at last."""
    process.send_signal(by)
    with process:
        try:
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()  # without effect on one that has ended
    return process.returncode, out, err


@pytest.mark.parametrize("start", STARTS)
def test_ctrl_c_ends_it(start: str) -> None:
    process, address = start_program(start)
    assert end_program(process) == (0, "\n", "")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address)


def test_sigterm_ends_it() -> None:
    process, _address = start_program("SIGINT ignored")
    assert end_program(process, signal.SIGTERM) == (-signal.SIGTERM, "", "")


# -- the page in a browser ------------------------------------------------------------------------


@pytest.fixture
def page(browser: Browser, server: DesignServer) -> Browser:
    browser.complaints()
    browser.open(server.address)
    return browser


def text_of(page: Browser) -> str:
    return str(page.find("#text").get_property("value"))


def written(page: Browser, name: str = "text") -> str:
    return page.texts(f"#copy-{name}")[0]


def wait_for(page: Browser, spec: str) -> None:
    expected = gs.parse(spec)
    page.wait(lambda: gs.parse(written(page)) == expected)


def field(page: Browser, phase: int, name: str) -> Any:
    return page.find(f"#phases li:nth-child({phase}) [data-name='{name}']")


def retype(page: Browser, element: Any, value: str) -> None:
    page.run(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        element,
        value,
    )


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


def drag_by(page: Browser, handle: str, right: int, down: int, shift: bool = False) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    actions = ActionChains(page.driver, duration=20)
    if shift:
        actions.key_down(Keys.SHIFT)
    actions.click_and_hold(page.find(f"[data-handle='{handle}']")).move_by_offset(right, down)
    actions.release().key_up(Keys.SHIFT).perform()


def settled(page: Browser) -> gs.Schedule:
    """The schedule when no answer is to come."""
    page.wait(lambda: page.run("return !page.busy && !page.dragging"))
    return gs.parse(written(page))


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
    with serving("(warmup(5) >> cosine(9)) * 0.5 >> hold(3)") as server:
        browser.open(server.address)
        names = browser.run(
            "return [...document.querySelectorAll('.handle')].map(e => e.dataset.handle)"
        )
    assert names == ["1-start", "1-end"]


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


@pytest.mark.parametrize(("width", "dark"), [(1200, True), (390, False)])
def test_it_fits_a_phone_and_a_dark_room(
    browser: Browser, server: DesignServer, width: int, dark: bool
) -> None:
    browser.open(server.address, width=width, dark=dark)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    red = int(re.findall(r"\d+", browser.style("body", "background-color"))[0])
    assert (red < 60) == dark
