"""The design page, its server and its program, as its tests use them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from threading import Thread
from typing import Any

import glideslope as gs
from glideslope.pages.design import DesignServer

from ..interrupting import STARTS
from .browsing import Browser

SPEC = "warmup(500) >> hold(7500) >> linear(2000)"


@contextmanager
def serving(text: str, **others: float | str) -> Iterator[DesignServer]:
    with DesignServer(0, {"text": text, **others}) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


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


def press(page: Browser, *keys: str) -> None:
    """Press keys, such as ``"ArrowUp"`` or ``"Control+z"``, where the focus is."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    actions = ActionChains(page.driver, duration=0)
    for chord in keys:
        *held, key = [NAMED[name](Keys) if name in NAMED else name for name in chord.split("+")]
        for modifier in held:
            actions.key_down(modifier)
        actions.send_keys(key)
        for modifier in held:
            actions.key_up(modifier)
    actions.perform()


NAMED: dict[str, Callable[[Any], str]] = {
    name: attrgetter(constant)
    for name, constant in {
        "ArrowLeft": "ARROW_LEFT",
        "ArrowRight": "ARROW_RIGHT",
        "ArrowUp": "ARROW_UP",
        "ArrowDown": "ARROW_DOWN",
        "PageUp": "PAGE_UP",
        "PageDown": "PAGE_DOWN",
        "Home": "HOME",
        "End": "END",
        "Delete": "DELETE",
        "Enter": "ENTER",
        "Space": "SPACE",
        "Tab": "TAB",
        "Shift": "SHIFT",
        "Control": "CONTROL",
    }.items()
}


def focus(page: Browser, selector: str) -> None:
    page.run("document.querySelector(arguments[0]).focus()", selector)


def focused(page: Browser) -> str:
    """The handle, the key or the id of the element that has the focus."""
    script = (
        "const { dataset, id } = document.activeElement;return dataset.handle ?? dataset.key ?? id"
    )
    return str(page.run(script))


def handle(name: str) -> str:
    return f"[data-handle='{name}']"


def control(key: str) -> str:
    return f"[data-key='{key}']"


def click(page: Browser, selector: str) -> None:
    page.find(selector).click()


def clear(page: Browser, selector: str) -> None:
    """Select all of a field, so that what is typed next takes its place."""
    page.run("const e = document.querySelector(arguments[0]); e.focus(); e.select()", selector)


def value(page: Browser, selector: str) -> Any:
    return page.find(selector).get_property("value")


def select(page: Browser, selector: str, chosen: str) -> None:
    page.run(
        "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
        "e.dispatchEvent(new Event('change'))",
        selector,
        chosen,
    )
