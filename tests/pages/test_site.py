"""The documentation in a browser: themes, widths, keyboard, search, copy buttons, versions."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from .browsing import Browser

DOCS = Path(__file__).parents[2] / "docs"
LOOKING = Path(__file__).with_name("looking.js").read_text(encoding="utf-8")

SESSION = """
>>> 1 + 1
2
>>> for letter in "ab":
...     print(letter)
a
b
"""
SCRIPT = "def double(x):\n\n    return 2 * x  # twice: " + "a long line " * 12
CONSOLE = "$ glideslope show 'hold(9)'\nhold(9)\n$ glideslope runs\nno runs"

PAGES = {
    "index": f"""
# A site

Text, `code`, a [link](other.md) and one [elsewhere](https://example.org).

```pycon{SESSION}```

```python
{SCRIPT}
```

```sh
glideslope show "hold(9)"   # a comment
```

```console
{CONSOLE}
```

```yaml
lr: warmup(5%) >> cosine(95%)  # a comment
```

```json
{{"step": 0, "loss": null}}
```

```text
plain
```

| a | wide | table |
|---|---|---|
| `{"x" * 60}` | `{"y" * 60}` | `{"z" * 60}` |

$$ p_t = (1 - \\eta \\lambda) p_{{t-1}} $$

:::{{note}}
A note.
:::

{
        '''
## A section

Some lines to scroll over.
'''
        * 3
    }

```{{toctree}}
other
```
""",
    "other": """
# Another page

The word *perspicuity* is here only.

## Operations

<!-- generated: algebra -->

## Elsewhere

<!-- generated: elsewhere -->
""",
}


def build(source: Path, target: Path) -> None:
    arguments = ["--fail-on-warning", "--keep-going", "--quiet", "-c", DOCS, source, target]
    made = subprocess.run(
        [sys.executable, "-m", "sphinx", *arguments], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pages with everything that pages have, built like the documentation."""
    if not (find_spec("sphinx") and find_spec("furo")):
        pytest.skip("needs the extra `docs`")
    source = tmp_path_factory.mktemp("source")
    for name, text in PAGES.items():
        (source / f"{name}.md").write_text(text, encoding="utf-8")
    target = tmp_path_factory.mktemp("sites") / "0.2"
    build(source, target)
    return target


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    """The address of the folder that holds the site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def faults(browser: Browser, page: Path | str) -> list[str]:
    """Faults of a page, narrow and wide, light and dark."""
    found = []
    for width in (360, 1600):
        for dark in (False, True):
            browser.open(page, width, dark)
            theme = "dark" if dark else "light"
            found += [f"{theme}, {width} px: {fault}" for fault in browser.run(LOOKING)]
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_readable_in_both_themes_and_on_narrow_screens(
    name: str, site: Path, browser: Browser
) -> None:
    browser.complaints()
    assert faults(browser, site / f"{name}.html") == []
    assert browser.complaints() == []


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("p.style.color = '#888'", "contrast 3.54 of P."),
        ("p.style.opacity = 0.4", "contrast 2.85 of P."),
        ("p.style.minWidth = '500px'", "pixels too narrow"),
        ("p.append(new Image())", "has no alternative text"),
        ("await fetch('http://127.0.0.2:9/').catch(() => 0)", "fetches http://127.0.0.2:9/"),
    ],
)
def test_a_fault_of_a_page_is_seen(script: str, fault: str, site: Path, browser: Browser) -> None:
    browser.open(site / "index.html", 360)
    browser.driver.execute_async_script(
        "const done = arguments[0], p = document.querySelector('article p');"
        f"(async () => {{ {script} }})().then(done)"
    )
    assert any(fault in found for found in browser.run(LOOKING))
    browser.complaints()


@pytest.mark.parametrize("by", ["file", "server"])
def test_search_finds_a_word_and_a_heading(
    by: str, site: Path, served: str, browser: Browser
) -> None:
    browser.complaints()
    address = site.as_uri() if by == "file" else f"{served}/0.2"
    for word in ("perspicuity", "operations"):
        browser.open(f"{address}/index.html")
        box = browser.find(".sidebar-search")
        box.send_keys(word)
        box.submit()
        browser.wait(lambda: browser.texts("#search-results li a"))
        assert "Another page" in browser.texts("#search-results li a")[0]
    if by == "server":
        assert browser.wait(lambda: browser.texts("#search-results li p.context"))
    assert [entry for entry in browser.complaints() if "versions.json" not in entry] == []


COPIED = {
    "pycon": '1 + 1\nfor letter in "ab":\n    print(letter)',
    "python": SCRIPT.rstrip(),
    "console": "glideslope show 'hold(9)'\nglideslope runs",
    "text": "plain",
}


@pytest.mark.parametrize("clipboard", ["allowed", "refused"])
def test_a_copy_has_no_prompts_and_no_output(clipboard: str, site: Path, browser: Browser) -> None:
    browser.open(site / "index.html")
    browser.run(
        "const allowed = arguments[0] === 'allowed';"
        "const writeText = async (text) => { if (!allowed) throw 0; window.copied = text; };"
        "Object.defineProperty(navigator, 'clipboard', { value: { writeText } });"
        "document.execCommand = () => { window.copied = document.activeElement.value; };",
        clipboard,
    )
    for language, text in COPIED.items():
        browser.run("window.copied = null")
        browser.run(f"document.querySelector('.highlight-{language} button').click()")
        browser.wait(lambda: browser.run("return window.copied !== null"))
        assert browser.run("return window.copied").rstrip() == text
        browser.wait(lambda: browser.run("return document.activeElement.textContent") == "Copied")


def press(browser: Browser, key: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser.driver).send_keys(key).perform()


FOCUS = """
const e = document.activeElement, s = getComputedStyle(e), box = e.getBoundingClientRect();
return {
  name: e === document.body ? "" : e.textContent.trim() || e.placeholder || e.className,
  ring: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2,
  inside: box.x >= 0 && box.y >= 0 && box.right <= innerWidth + 1 && box.y < innerHeight,
};
"""


@pytest.mark.parametrize("width", [360, 1600])
def test_the_keyboard_reaches_everything_in_sight(width: int, site: Path, browser: Browser) -> None:
    browser.open(site / "index.html", width)
    browser.run("document.documentElement.style.scrollBehavior = 'auto'")
    browser.run(
        "const style = document.createElement('style');"
        "style.textContent = '* { transition: none !important }'; document.head.append(style)"
    )
    reached = []
    for _ in range(60):
        press(browser, "\ue004")  # Tab
        focus = browser.run(FOCUS)
        if not focus["name"]:
            break
        assert focus["ring"], f"no ring around {focus['name']!r}"
        assert focus["inside"], f"{focus['name']!r} has the focus beyond the window's edge"
        reached.append(focus["name"])
    assert reached[0] == "Skip to content"
    assert {"Search", "theme-toggle", "Another page", "Copy", "A section"} <= {*reached}


def test_the_first_link_skips_to_the_content(site: Path, browser: Browser) -> None:
    browser.open(site / "index.html")
    press(browser, "\ue004")
    press(browser, "\ue007")  # Enter
    press(browser, "\ue004")
    assert browser.run("return document.activeElement.closest('article') !== null")


def test_one_version_has_no_choice(site: Path, served: str, browser: Browser) -> None:
    versions = site.parent / "versions.json"
    versions.unlink(missing_ok=True)
    for listed in (None, [{"name": "0.2", "path": "0.2/"}]):
        if listed:
            versions.write_text(json.dumps(listed))
        browser.open(f"{served}/0.2/index.html")
        browser.driver.execute_async_script("setTimeout(arguments[0], 200)")
        assert not browser.find("#versions").is_displayed()
    versions.unlink()
    browser.complaints()


def test_versions_beside_each_other_are_a_choice(site: Path, served: str, browser: Browser) -> None:
    versions = [{"name": name, "path": f"{name}/"} for name in ("0.1", "0.2")]
    (site.parent / "versions.json").write_text(json.dumps(versions))
    (site.parent / "0.1").mkdir()
    (site.parent / "0.1" / "index.html").write_text("<p>older")
    browser.open(f"{served}/0.2/other.html")
    browser.wait(lambda: browser.find("#version").is_displayed())
    assert browser.texts("#version option") == ["0.1", "0.2"]
    assert browser.find("#version").get_attribute("value") == f"{served}/0.2/"
    browser.find("#version").send_keys("0.1")
    browser.wait(lambda: browser.texts("p") == ["older"])
    (site.parent / "versions.json").unlink()


@pytest.mark.long
def test_every_page_of_the_documentation(tmp_path: Path, browser: Browser) -> None:
    if not (find_spec("sphinx") and find_spec("furo")):
        pytest.skip("needs the extra `docs`")
    build(DOCS, tmp_path)
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 70
    browser.complaints()
    found = {page.name: found for page in pages if (found := faults(browser, page))}
    assert found == {}
    assert browser.complaints() == []
