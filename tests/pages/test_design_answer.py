"""The answers to the design page."""

from __future__ import annotations

import math
import re
import shlex
from typing import Any

import pytest

import glideslope as gs
from glideslope.pages.design._answer import LONGEST, answer
from glideslope.pages.design._catalogue import ABOUT, CATALOGUE, GROUPS, PRESETS
from glideslope.pages.design._copies import python_text

from .designing import SPEC

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
    drawn = {"scale": 1.0, "shift": 0.0}
    wave = {"steps": 10, "start": 1.0, "end": 0.0, "include_end": False, "power": 1.0}
    cosine = {"kind": "cosine", "arguments": wave | {"k_decay": 1.0}}
    assert parts == [
        {
            "kind": "linear",
            "arguments": {"steps": "5%", "start": 0.0, "end": 1.0, "include_end": False},
            **{"start": 0.0, "length": 50, "first": 0.0, "last": 1.0},
            **drawn,
        },
        {
            "kind": "repeat",
            "arguments": {"n": 3, "decay": 1.0, "stretch": 1},
            "parts": [cosine | drawn | {"start": 50.0, "length": 10, "first": 1.0, "last": 0.0}],
            **{"start": 50.0, "length": 30, "first": 1.0, "last": 0.0},
            **drawn,
        },
        {
            "text": "exponential(0.9)",
            **{"start": 80.0, "length": None, "first": 1.0, "last": None},
            **drawn,
        },
    ]


def leaves_of(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The phases that are no groups, in order of time."""
    return [leaf for part in parts for leaf in (leaves_of(part.get("parts", [])) or [part])]


@pytest.mark.parametrize("lr", [None, 0.0003])
@pytest.mark.parametrize(
    ("spec", "shapes"),
    [
        ("noam(512, 4000)", ["linear", None]),
        ("(warmup(5) >> cosine(95)) * 0.5 + 0.1", ["linear", "cosine"]),
        ("(0.5 * (warmup(5) >> cosine(95)) + 0.1).repeat(2, decay=0.5)", ["linear", "cosine"]),
        ("warmup(9) >> ((hold(5) >> linear(5)).repeat(2) >> hold(3)).repeat() * 2", ["linear"] * 4),
        ("(warmup(5) >> cosine(95)).clip(0.1) * 2", [None]),
        ("warmup(5) * cosine(95) * 2", [None]),
        ("(wsd(0.1%, 99.8%, 0.1%) * 2).repeat(2)", [None]),
    ],
)
def test_phases_inside_groups_are_on_the_curve(
    spec: str, shapes: list[str | None], lr: float | None
) -> None:
    found = answer({"text": spec, "total_steps": 100, "lr": lr})
    rates = gs.parse(spec).bind(total_steps=100) * (1 if lr is None else lr)
    leaves = leaves_of(found["parts"])
    assert len(leaves) == len(shapes)
    assert [leaf.get("kind") is None for leaf in leaves] == [shape is None for shape in shapes]
    for leaf in leaves:
        assert leaf["first"] == pytest.approx(rates(leaf["start"]), rel=1e-12)
        if leaf["length"] is not None:
            just_before = leaf["start"] + leaf["length"] - 1e-9
            assert leaf["last"] == pytest.approx(rates(just_before), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    "spec", ["noam(512, 4000)", "cosine(5).repeat() + 0.1", SPECS[4], SPECS[5]]
)
def test_arguments_changed_inside_groups_change_the_schedule(spec: str) -> None:
    parts = ask(spec)["parts"]
    leaf = leaves_of(parts)[0]
    if leaf.get("kind") is None:
        return
    leaf["arguments"]["steps"] = 7
    changed = gs.parse(answer({"parts": parts})["text"])
    assert changed != gs.parse(spec)
    assert leaves_of(answer({"text": str(changed)})["parts"])[0]["length"] == 7


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
        ({"text": "hold(1e16)"}, f"`steps` must be at most {LONGEST} here, got {10**16}"),
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
        (
            {"parts": [{"kind": "repeat", "arguments": {}}]},
            "`parts` must be a list, got None",
        ),
        (
            {"parts": [{"kind": "repeat", "arguments": {}, "parts": [{"text": "1"}]}]},
            "`inner` must have an end to repeat, got constant(1)",
        ),
        (
            {"parts": [{"kind": "product", "arguments": {"factor": ""}, "parts": [{"text": "1"}]}]},
            "`factor` must be a number, got ''",
        ),
        (
            {"parts": [{"kind": "sum", "arguments": {}, "parts": [{"text": "1"}]}]},
            "`offset` must be a number, got None",
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_librarys_words(
    question: dict[str, Any], sentence: str
) -> None:
    assert answer(question) == {"error": sentence, "field": ""}


@pytest.mark.parametrize("field", ["total_steps", "steps_per_epoch", "tokens_per_step", "lr"])
@pytest.mark.parametrize("value", ["abc", "", 0, -1, math.inf, math.nan, True, [], {}, 10**400])
def test_a_wrong_number_is_refused_by_the_name_of_its_field(field: str, value: Any) -> None:
    found = answer({"text": SPEC, field: value})
    assert found["field"] == field
    assert re.fullmatch(r"`the [a-z ]+` must be .*, got .+", found["error"])


def test_a_base_rate_multiplies_all_that_is_shown() -> None:
    spec, other = "warmup(5%) >> cosine(95%)", "wsd(5%, 75%, 20%)"
    found = answer({"text": spec, "total_steps": 1000, "lr": 3e-4, "compare": other})
    for text, shown in ((spec, found), (other, found["compare"])):
        rates = gs.parse(text).bind(total_steps=1000) * 3e-4
        assert shown["peak"]["value"] == rates.peak(1000).value == 3e-4
        assert shown["area"] == pytest.approx(float(rates.area(0, 1000)), rel=1e-12)
        assert shown["values"]["y"] == [rates(step) for step in shown["values"]["x"]]
    assert gs.parse(found["text"]) == gs.parse(spec)
    assert found["shell"].startswith("--lr 0.0003 --schedule ")
    command = shlex.split(found["page"])
    assert command[:2] == ["glideslope", "design"]
    assert gs.parse(command[2]) == gs.parse(spec)
    assert command[3:] == ["--steps", "1000", "--lr", "0.0003", "--compare", other]


@pytest.mark.parametrize(
    "spec",
    [
        "warmup(500) >> cosine(1e9)",
        "cosine(100).repeat(1e7)",
        "(warmup(500) >> cosine(1e9)) * exponential(0.999999)",
        "linear(1e15)",
    ],
)
def test_a_schedule_of_billions_of_steps_is_shown(spec: str) -> None:
    found, schedule = answer({"text": spec}), gs.parse(spec)
    assert found["length"] == (schedule.steps if math.isfinite(schedule.steps) else None)
    assert found["peak"]["value"] == pytest.approx(1, rel=1e-3)
    assert len(found["values"]["x"]) == 1500
    assert found["values"]["y"][700] == schedule(found["values"]["x"][700])


def test_both_schedules_are_drawn_as_far_as_the_longer_one() -> None:
    found = answer({"text": "cosine(100)", "compare": "cosine(300)"})
    assert found["stop"] == found["curve"]["x"][-1] == found["compare"]["curve"]["x"][-1] == 300


@pytest.mark.parametrize("compare", ["cosin(3)", "cosine(5%)", 5, ["cosine(3)"], "hold(1e16)"])
def test_a_wrong_second_schedule_leaves_the_first_one(compare: Any) -> None:
    found = answer({"text": SPEC, "compare": compare})
    assert list(found["compare"]) == ["error"]
    assert gs.parse(found["text"]) == gs.parse(SPEC)


@pytest.mark.parametrize("steps", [0, -1, 2.5, "10", LONGEST + 1])
def test_a_run_has_a_length(steps: Any) -> None:
    found = answer({"text": SPEC, "total_steps": steps})
    assert list(found) == ["error", "field"]


@pytest.mark.parametrize("kind", CATALOGUE)
def test_a_shape_can_be_asked_for_with_every_argument_it_lists(kind: str) -> None:
    values = {"length": 20, "number": 0.5, "flag": True}
    given = {name: values[type] for name, type in CATALOGUE[kind].items()}
    part: dict[str, Any] = {"kind": kind, "arguments": given}
    if kind in GROUPS:
        given |= {"n": 3} if kind == "repeat" else {}
        part["parts"] = [{"text": "hold(20)"}]
    found = answer({"parts": [part]})
    assert found["parts"][0]["arguments"] == given
    assert ABOUT[kind].keys() == given.keys()
    assert all(ABOUT[kind].values())


@pytest.mark.parametrize("steps", [10, 100, 12_345])
@pytest.mark.parametrize("preset", PRESETS.values())
def test_a_preset_is_a_schedule_of_the_run(preset: str, steps: int) -> None:
    text = re.sub(
        r"\{(\d+)\}", lambda share: str(max(1, round(steps * int(share[1]) / 100))), preset
    )
    found = answer({"text": text, "total_steps": steps})
    assert found["length"] is None or found["length"] == pytest.approx(steps, abs=0.1 * steps + 2)
    assert found["peak"]["value"] == pytest.approx(1, rel=1e-6)


def test_names_inside_strings_and_methods_are_left_alone() -> None:
    text = 'warmup(5, "cosine") >> (cosine(9) * exponential(0.9).take(9)).clip(lo=0.1)'
    expected = 'gs.warmup(5, "cosine") >> (gs.cosine(9) * gs.exponential(0.9).take(9)).clip(lo=0.1)'
    assert python_text(text) == expected
