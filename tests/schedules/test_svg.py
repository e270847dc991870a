from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import pytest

import glideslope as gs

SVG = "{http://www.w3.org/2000/svg}"
SCHEDULES = [
    "warmup(500) >> cosine(9500)",
    "warmup(500) >> power_law(500)",
    "cosine(100).repeat()",
    "cosine(100).repeat(3000, decay=0.999)",
    "growing_polynomial(100)",
    "fractal_chebyshev(256)",
    "0.95 - 0.1 * triangular(50)",
    "triangular(50) - 0.5",
    "cosine(100) * -1",
    "step(30)",
    "constant(0.1)",
    "constant(0)",
    "linear(1)",
    "exponential(1.5)",
    " >> ".join(["warmup(12345, start=0.123456)"] * 40),
]


def picture(text: str) -> Element:
    svg = gs.parse(text)._repr_svg_()
    assert svg is not None
    return fromstring(svg)


def labels(text: str) -> list[str]:
    return [label.text or "" for label in picture(text).iter(f"{SVG}text")]


def points(root: Element) -> list[tuple[float, float]]:
    """The curve's points: how far right, and how far up."""
    line = root.find(f"{SVG}polyline")
    assert line is not None
    pairs = [point.split(",") for point in line.attrib["points"].split()]
    return [(float(x) - 8, 96 - float(y)) for x, y in pairs]


@pytest.mark.parametrize("text", SCHEDULES)
def test_the_picture_is_small_valid_and_inside_its_frame(text: str) -> None:
    root = picture(text)
    assert len(gs.parse(text)._repr_svg_() or "") < 10_000
    assert all(0 <= x <= 284 and 0 <= y <= 70 for x, y in points(root))
    for dot in root.iter(f"{SVG}circle"):
        assert 8 <= float(dot.attrib["cx"]) <= 292
        assert 26 <= float(dot.attrib["cy"]) <= 96


def test_the_curve_is_the_schedule() -> None:
    schedule = gs.parse("warmup(500) >> cosine(9500, end=0.1)")
    for x, y in points(picture(str(schedule))):
        step = x / 284 * 10_000
        low, high = sorted([schedule(step - 2), schedule(step + 2)])  # a tenth of a pixel
        assert low * 70 - 0.06 <= y <= high * 70 + 0.06


def test_the_highest_of_a_picture_is_at_its_top() -> None:
    ups = [y for _, y in points(picture("warmup(50) * 3e-4"))]
    assert (ups[0], ups[-1]) == (0, 70)


def test_nothing_narrow_is_lost() -> None:
    spike = picture("hold(123456, 0.1) >> hold(1) >> hold(876543, 0.1)")
    assert max(y for _, y in points(spike)) == 70


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("warmup(500) >> cosine(9500)", ["start 0", "end 0 at 10000", "peak 1 at 500"]),
        ("linear(100, start=0.5, end=0.1)", ["start 0.5", "end 0.1 at 100", "peak 0.5 at 0"]),
        ("warmup(100) * 3e-4", ["start 0", "end 0.0003 at 100", "peak 0.0003 at 100"]),
        (
            "saturation(1000) * cosine(100000)",
            ["start 0.0009995", "0 at 100000 …", "peak 0.9887 at 5847"],
        ),
        ("cosine(100).repeat()", ["start 1", "0 at 400 …", "peak 1 at 0"]),
        ("noam(512, 4000)", ["start 0", "0.0002305 at 36768 …", "peak 0.0006988 at 4000"]),
        ("cosine(100) * -1", ["start -1", "end 0 at 100", "peak 0 at 100"]),
    ],
)
def test_labels_give_start_end_and_peak(text: str, expected: list[str]) -> None:
    assert labels(text) == expected


def test_the_labelled_peak_is_the_peak() -> None:
    schedule = gs.parse("saturation(1000) * cosine(100000)")
    assert schedule.peak(100_000).step == 5847


def test_the_tooltip_is_the_text_of_the_schedule() -> None:
    schedule = gs.function(lambda t: 1 / (t + 1)) * gs.warmup(5)
    title = fromstring(schedule._repr_svg_() or "").find(f"{SVG}title")
    assert title is not None
    assert title.text == str(schedule)
    assert "<lambda>" in str(schedule)


def test_a_long_text_is_cut() -> None:
    title = picture(SCHEDULES[-1]).find(f"{SVG}title")
    assert title is not None
    text = str(gs.parse(SCHEDULES[-1]))
    assert title.text == f"{text[:250]}…{text[-249:]}"


def test_it_stands_out_from_white_and_from_black() -> None:
    svg = gs.cosine(10)._repr_svg_() or ""
    assert "currentColor" not in svg  # black in an image, whatever the page
    for color in ("#3b8eea", "#808080"):
        assert color in svg
        assert min(contrast(color, "#ffffff"), contrast(color, "#000000")) > 3


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_an_unbound_schedule_has_no_picture() -> None:
    assert gs.cosine("5%")._repr_svg_() is None
