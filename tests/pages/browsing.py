"""Chromium without a window, to look at pages as a reader does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = (
    "" if CHROMIUM and DRIVER and find_spec("selenium") else "needs chromium, its driver, selenium"
)
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # a test may run as root, where there is none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--hide-scrollbars",
)


class Browser:
    """A page in Chromium, and what a test asks of it."""

    def __init__(self) -> None:
        from selenium.webdriver import Chrome, ChromeOptions
        from selenium.webdriver.chrome.service import Service

        options = ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for argument in ARGUMENTS:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = Chrome(options=options, service=Service(str(DRIVER)))
        self.driver.set_script_timeout(10)

    def open(self, address: str | Path, width: int = 1200, dark: bool = False) -> None:
        """Show a page, as wide as this, under a light or a dark theme."""
        screen = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})
        self.driver.get(address.as_uri() if isinstance(address, Path) else address)

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def find_all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements, visible or not."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        return list(self.run(script, selector))

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a piece of JavaScript returns."""
        return self.driver.execute_script(script, *arguments)

    def style(self, selector: str, name: str) -> str:
        return str(self.find(selector).value_of_css_property(name))

    def drag(self, selector: str, start: tuple[float, float], stop: tuple[float, float]) -> None:
        """Press at one place of an element, in shares of its size, and let go at another."""
        box = self.find(selector).rect
        places = [(box["width"] * (x - 0.5), box["height"] * (y - 0.5)) for x, y in (start, stop)]
        self._move(selector, places[0]).click_and_hold().perform()
        self._move(selector, places[1]).release().perform()

    def hover(self, selector: str, x: float, y: float = 0.5) -> None:
        """Point at a place of an element, in shares of its size."""
        box = self.find(selector).rect
        self._move(selector, (box["width"] * (x - 0.5), box["height"] * (y - 0.5))).perform()

    def _move(self, selector: str, place: tuple[float, float]) -> Any:
        from selenium.webdriver import ActionChains

        actions = ActionChains(self.driver, duration=20)
        return actions.move_to_element_with_offset(
            self.find(selector), round(place[0]), round(place[1])
        )

    def wait(self, condition: Callable[[], Any]) -> Any:
        """The first true answer, asked for a while."""
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, 10, poll_frequency=0.05).until(lambda _: condition())

    def complaints(self) -> list[str]:
        """The messages of the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def close(self) -> None:
        self.driver.quit()
