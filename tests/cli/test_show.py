from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import glideslope as gs

Call = Callable[..., "tuple[int, str, str]"]
SPEC = "warmup(500) >> cosine(9500)"


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Let the output be taken for a terminal that has no colours."""
    for name, value in {
        "TTY_COMPATIBLE": 1,
        "TERM": "dumb",
        "LINES": 25,
        "COLUMNS": columns,
    }.items():
        monkeypatch.setenv(name, str(value))


def test_one_schedule_is_drawn_measured_and_judged(glideslope: Call) -> None:
    code, out, err = glideslope("show", SPEC)
    assert (code, err) == (0, "")
    assert out.startswith(f"{SPEC}\n")
    lines = [line.rstrip() for line in out.splitlines() if line.strip()]
    assert [line.split() for line in lines[-6:-1]] == [
        ["steps", "start", "peak", "at", "step", "last", "end", "area", "of", "peak"],
        ["10000", "0", "1", "500", "2.734e-08", "0", "5000", "50.0%"],
        ["from", "to", "first", "last", "phase"],
        ["0", "500", "0", "0.998", "warmup(500)"],
        ["500", "10000", "1", "2.734e-08", "cosine(9500)"],
    ]
    finding = "the value at step 0 is 0: the first update changes nothing"
    assert lines[-1] == f"zero-start  {finding}"
    assert "\x1b" not in out


def curve(out: str) -> list[str]:
    """The rows of the drawing, without the axis."""
    rows = [line for line in out.splitlines() if "┤" in line or "│" in line]
    return [line.replace("┤", "│").partition("│")[2] for line in rows]


def test_the_curve_is_where_the_schedule_is(glideslope: Call) -> None:
    out = glideslope("show", SPEC)[1]
    rows = curve(out)
    assert len(rows) == 14
    width = len(out.partition("└")[2].partition("\n")[0])
    for column in range(width):
        drawn = [k for k, row in enumerate(reversed(rows)) if row[column : column + 1].strip()]
        dots = [2 * column - 0.5 + part / 20 for part in range(41)]
        values = [gs.parse(SPEC)(dot / (2 * width - 1) * 10_000) for dot in dots]
        heights = [(55 * value + error) // 4 for value in values for error in (-0.6, 0.6)]
        assert set(drawn) <= set(heights)
        assert drawn


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_the_width_is_that_of_the_terminal(
    glideslope: Call, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    on_a_terminal(monkeypatch, columns)
    lines = glideslope("show", SPEC, "linear(10000)")[1].splitlines()
    assert max(map(len, lines)) == columns
    (axis,) = (line for line in lines if "└" in line)
    assert len(axis) == columns


def test_several_carry_their_numbers_in_the_drawing_and_in_the_tables(glideslope: Call) -> None:
    _, out, _ = glideslope("show", SPEC, "linear(10000)", "cosine(5000)")
    assert out.splitlines()[:3] == [f"1 {SPEC}", "2 linear(10000)", "3 cosine(5000)"]
    drawing = "".join(curve(out))
    assert all(drawing.count(number) >= 2 for number in "123")
    assert "2  no findings" in out


def test_colours_are_used_where_they_are_wanted(
    glideslope: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    colored = glideslope("show", SPEC, "linear(10000)")[1]
    assert "\x1b[36m" in colored  # cyan, the first
    assert "\x1b[35m" in colored  # magenta, the second
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[36m" not in glideslope("show", SPEC, "linear(10000)")[1]


def shown(monkeypatch: pytest.MonkeyPatch, encoding: str, *specs: str) -> str:
    """The output on a terminal of this encoding."""
    from glideslope.cli import main

    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.argv", ["glideslope", "show", *specs])
    monkeypatch.setattr("sys.stdout", output)
    with pytest.raises(SystemExit) as ending:
        main()
    output.seek(0)
    assert not ending.value.code
    return output.read()


def test_where_only_ascii_can_be_shown_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, "ascii", SPEC, "cosine(100)")
    assert "0.8 +" in text
    assert text.count("*") > 100


@pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "≈"), ("ascii", "~")])
def test_a_sampled_number_is_marked(
    monkeypatch: pytest.MonkeyPatch, encoding: str, sign: str
) -> None:
    text = shown(monkeypatch, encoding, "rex(1000000000)", "linear(1000000000)")
    rows = {line.split()[0]: line.split()[-2:] for line in text.splitlines() if "%" in line}
    assert rows == {"1": [f"{sign}6.13706e+08", f"{sign}61.4%"], "2": ["5e+08", "50.0%"]}


def test_the_learning_rate_scales_the_schedule(glideslope: Call) -> None:
    out = glideslope("show", "warmup(10) >> linear(90)", "--lr", 3e-4)[1]
    assert out.startswith("(warmup(10) >> linear(90)) * 0.0003\n")
    assert ["100", "0", "0.0003", "10"] in [line.split()[:4] for line in out.splitlines()]


def test_steps_are_the_run_that_is_drawn_and_judged(glideslope: Call) -> None:
    out = glideslope("show", SPEC, "--steps", 300)[1]
    assert "short-run" in out
    assert "endless-warmup" in out
    assert "cosine" not in out.partition("phase")[2]  # it is not reached
    assert "300" in out.partition("└")[2].splitlines()[1]


@pytest.mark.parametrize(
    ("spec", "options", "bound"),
    [
        ("warmup(5%) >> cosine(95%)", ["--steps", 1000], "warmup(50) >> cosine(950)"),
        ("cosine(50%)", ["--steps", 500, "--total-steps", 1000], "cosine(500)"),
        ("cosine(10ep)", ["--steps-per-epoch", 391], "cosine(3910)"),
        ("cosine(2e6tok)", ["--tokens-per-step", 1000], "cosine(2000)"),
    ],
)
def test_units_are_bound(glideslope: Call, spec: str, options: list[object], bound: str) -> None:
    assert glideslope("show", spec, *options)[1].splitlines()[0] == bound


def test_an_endless_schedule_is_shown_as_far_as_shows_its_shape(glideslope: Call) -> None:
    out = glideslope("show", "warmup(500) >> power_law(500)")[1]
    assert "endless" in out
    assert ["500", "inf", "1", "0.3299", "power_law(500)"] in map(str.split, out.splitlines())


def test_many_phases_are_counted(glideslope: Call) -> None:
    out = glideslope("show", "cosine(10).repeat(20)")[1]
    assert out.count("cosine(10)") == 1 + 12
    assert "and 8 more" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["warmup(500) >> cosin(9500)"],
            "error: unknown name `cosin`, did you mean `cosine`?\n"
            "  warmup(500) >> cosin(9500)\n"
            "                 ^\n",
        ),
        (["cosine(5%)"], "error: the length '5%' needs --steps\n"),
        (["cosine(5ep)"], "error: the length '5ep' needs --steps-per-epoch\n"),
        (["cosine(5tok)"], "error: the length '5tok' needs --tokens-per-step\n"),
        (["cosine(5)", "--steps", 0], "error: `steps` must be at least 1, got 0\n"),
        (
            ["exponential(2)", "--steps", 10_000],
            "error: `exponential(2)` is not finite at step 9999: inf\n",
        ),
        (
            ["cosine(5)", "--csv", "-", "--json", "-"],
            "error: `-` must be the file of one option, got 'csv, json'\n",
        ),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    glideslope: Call, words: list[object], message: str
) -> None:
    assert glideslope("show", *words) == (2, "", message)


def test_csv_has_every_step(glideslope: Call) -> None:
    code, out, _ = glideslope("show", "piecewise([(0, 1), (2, 0.1)])", "cosine(4)", "--csv", "-")
    rows = list(csv.reader(io.StringIO(out)))
    assert code == 0
    assert rows[0] == ["step", "piecewise([(0, 1), (2, 0.1)])", "cosine(4)"]
    assert [row[:2] for row in rows[1:]] == [["0", "1.0"], ["1", "1.0"], ["2", "0.1"], ["3", "0.1"]]
    assert [float(row[2]) for row in rows[1:]] == gs.cosine(4).values().tolist()


def test_a_long_csv_is_whole(glideslope: Call) -> None:
    glideslope("show", "linear(40000)", "--csv", "values.csv")
    _, *rows = csv.reader(Path("values.csv").read_text().splitlines())
    assert [int(row[0]) for row in rows] == list(range(40_000))
    assert [float(row[1]) for row in rows] == gs.linear(40_000).values().tolist()


def test_json_has_what_the_screen_says_and_the_schedule_itself(glideslope: Call) -> None:
    (report,) = json.loads(glideslope("show", SPEC, "--json", "-", "--steps", 12_000)[1])
    assert gs.Schedule.from_dict(report.pop("schedule")) == gs.parse(SPEC)
    assert report["area"] == pytest.approx(gs.parse(SPEC).area(), rel=1e-12)
    assert report["area_fraction"] == pytest.approx(report.pop("area") / 12_000, rel=1e-12)
    del report["area_fraction"]
    assert report == {
        "text": SPEC,
        "length": 10_000,
        "steps": 12_000,
        "start": 0.0,
        "peak": {"step": 500, "value": 1.0},
        "peak_exact": True,
        "area_exact": True,
        "last": 0.0,
        "end": 0.0,
        "phases": [
            {"start": 0, "stop": 500, "curve": "warmup(500)", "first": 0.0, "last": 0.998},
            {
                "start": 500,
                "stop": 10_000,
                "curve": "cosine(9500)",
                "first": 1.0,
                "last": gs.parse(SPEC)(9999),
            },
        ],
        "findings": [finding._asdict() for finding in gs.parse(SPEC).lint(12_000)],
    }


def test_json_of_an_endless_schedule_has_no_infinity(glideslope: Call) -> None:
    (report,) = json.loads(glideslope("show", "exponential(0.5)", "--json", "-")[1])
    assert (report["length"], report["end"], report["phases"][0]["stop"]) == (None, None, None)


def test_pictures_are_written_beside_the_drawing(glideslope: Call) -> None:
    code, out, _ = glideslope("show", SPEC, "linear(10)", "--png", "a.png", "--svg", "a.svg")
    assert code == 0
    assert "linear(10)" in out
    with Image.open("a.png") as image:
        assert image.size == (1200, 600)
    assert "<svg" in Path("a.svg").read_text()


def test_the_examples_of_the_help_run(glideslope: Call) -> None:
    code, out, _ = glideslope("show", "--help")
    examples = [line for line in out.splitlines() if line.startswith("    glideslope show ")]
    assert code == 0
    assert len(examples) == 6
    for example in examples:
        assert glideslope(*shlex.split(example)[1:])[0] == 0


def test_the_page_shows_what_the_program_prints(
    glideslope: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_terminal(monkeypatch, 80)
    page = Path(__file__).parents[2] / "docs" / "show.md"
    sessions = re.findall(r"^```console\n\$ ([^\n]*)\n(.*?)^```$", page.read_text(), re.M | re.S)
    assert len(sessions) == 4
    for command, shown in sessions:
        _, out, err = glideslope(*shlex.split(command)[1:])
        assert [line.rstrip() for line in (out + err).rstrip().splitlines()] == shown.splitlines()
