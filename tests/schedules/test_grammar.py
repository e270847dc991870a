"""The grammar in the documentation against the parser: every rule, every terminal."""

from __future__ import annotations

import re

import pytest

import glideslope as gs
from glideslope.schedules import Schedule, _parse

GRAMMAR: dict[str, str] = dict(
    re.findall(r"^    (\w+) +=  (.+)$", _parse.__doc__ or "", re.MULTILINE)
)

WARMUP, LINEAR = gs.warmup(10), gs.linear(90)

EXAMPLES: dict[str, dict[str, Schedule]] = {
    "schedule": {
        "warmup(10)": WARMUP,
        "warmup(10) >> linear(90)": WARMUP >> LINEAR,
        "warmup(10) >> linear(90) >> hold(5, 0)": WARMUP >> LINEAR >> gs.hold(5, 0),
    },
    "sum": {
        "linear(90) + 1": LINEAR + 1,
        "linear(90) - warmup(10) + 2": LINEAR - WARMUP + 2,
    },
    "product": {
        "linear(90) * 3": LINEAR * 3,
        "linear(90) / 4 * warmup(10)": LINEAR / 4 * WARMUP,
    },
    "unary": {
        "-linear(90)": -LINEAR,
        "+linear(90)": LINEAR,
        "--linear(90)": LINEAR * -1 * -1,
        "linear(90).reverse().clip(0.1, 0.5)": LINEAR.reverse().clip(0.1, 0.5),
    },
    "atom": {
        "0.5": gs.constant(0.5),
        "gs.linear(90)": LINEAR,
        "glideslope.linear(90)": LINEAR,
        "(warmup(10) >> linear(90)) * 2": (WARMUP >> LINEAR) * 2,
    },
    "arguments": {
        "linear(90).reverse()": LINEAR.reverse(),
        "linear(90)": LINEAR,
        "linear(90, 1, 0)": LINEAR,
    },
    "argument": {
        "linear(steps=90)": LINEAR,
        "cosine(100).branch(50, linear(90))": gs.cosine(100).branch(50, LINEAR),
        'cooldown(100, "sqrt")': gs.cooldown(100, "sqrt"),
        "cooldown(100, 'sqrt')": gs.cooldown(100, "sqrt"),
        "piecewise([(0, 1), (30, 0.5)])": gs.piecewise([(0, 1), (30, 0.5)]),
        "piecewise([[0, 1], [30, 0.5]])": gs.piecewise([(0, 1), (30, 0.5)]),
    },
    "word": {
        "linear(10, include_end=True)": gs.linear(10, include_end=True),
        "linear(10, include_end=False)": gs.linear(10),
        "linear(90).clip(None, 0.5)": LINEAR.clip(None, 0.5),
        "linear(rest)": gs.linear("rest"),
    },
    "number": {
        "linear(90.0)": LINEAR,
        "linear(9e1)": LINEAR,
        "linear(10_000)": gs.linear(10_000),
        "linear(10ep)": gs.linear("10ep"),
        "linear(2e9tok)": gs.linear("2e9tok"),
        "linear(5%)": gs.linear("5%"),
    },
}
"""For each rule, texts of all its alternatives, and the same in Python."""


def test_every_rule_has_examples() -> None:
    assert list(EXAMPLES) == list(GRAMMAR)


@pytest.mark.parametrize("rule", EXAMPLES)
def test_the_examples_have_every_terminal_of_the_rule(rule: str) -> None:
    grammar, _, units = GRAMMAR[rule].partition("units: ")
    terminals = re.findall(r'"([^"]+)"', grammar) + re.findall(r"ep|tok|%|10_000", units)
    texts = " ".join(EXAMPLES[rule])
    assert [terminal for terminal in terminals if terminal not in texts] == []


@pytest.mark.parametrize(
    ("text", "schedule"), [pair for rule in EXAMPLES.values() for pair in rule.items()]
)
def test_an_example_is_read_as_python_does(text: str, schedule: Schedule) -> None:
    assert gs.parse(text) == schedule
    assert gs.parse(f"# first\n {text} # last") == schedule


def test_every_sign_that_the_parser_knows_is_in_the_grammar() -> None:
    signs = re.search(r"\(\?P<sign>(.*?)\)\)", _parse.TOKEN.pattern)
    assert signs
    known = {">>", *"-+*/().,=[]"}
    described = "".join(GRAMMAR.values()) + "[]"  # lists are a word in the grammar
    assert signs[1] == r">>|[-+*/().,=\[\]]"
    assert [sign for sign in known if sign not in described] == []
    assert [word for word in _parse.WORDS if f'"{word}"' not in GRAMMAR["word"]] == []
