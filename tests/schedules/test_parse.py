"""The notation: what it reads, how it points at a mistake, and that nothing in it is executed."""

from __future__ import annotations

import pickle
import string
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope import Schedule
from glideslope.errors import READABLE, InvalidType, ParseError

from .strategies import ANY_LENGTH, SIGNED, schedules

READ = {
    " warmup( 500 )>>cosine(9500) ": gs.warmup(500) >> gs.cosine(9500),
    "warmup(500)\n  >> cosine(9500)\n": gs.warmup(500) >> gs.cosine(9500),
    "0.5": gs.constant(0.5),
    "1 + 2 * 3": gs.constant(7),
    "-1": gs.constant(-1),
    "2 - 5 - 4": gs.constant(-7),
    "1 - linear(10)": 1 - gs.linear(10),
    "-linear(10) * 2": -gs.linear(10) * 2,
    "--linear(10)": gs.linear(10) * -1 * -1,
    "2 * linear(10) * 3": 2 * gs.linear(10) * 3,
    "linear(5 + 5)": gs.linear(10),
    "linear(2 * 50, end=1 - 0.9)": gs.linear(100, end=1 - 0.9),
    "linear(10) + linear(5) >> linear(3)": (gs.linear(10) + gs.linear(5)) >> gs.linear(3),
    "linear(10) >> linear(5) * 2 + 1": gs.linear(10) >> (gs.linear(5) * 2 + 1),
    "linear(10,)": gs.linear(10),
    "((linear((10))))": gs.linear(10),
    "Linear(10)": gs.linear(10),
    "PowerLaw(10) * ExpHyperbolic(5, 9)": gs.power_law(10) * gs.exp_hyperbolic(5, 9),
    "linear(10ep)": gs.linear("10ep"),
    "linear(10EP) >> linear(.5tok)": gs.linear("10ep") >> gs.linear("0.5tok"),
    "wsd(5%, 75%, 20%) * 3e-4": gs.wsd("5%", "75%", "20%") * 3e-4,
    "linear('5%', end=0.1)": gs.linear("5%", end=0.1),
    "linear(1_0)": gs.linear(10),
    "linear(10_000, end=.0_1) >> linear(1_0.5_0tok)": gs.linear(10_000, end=0.01)
    >> gs.linear("10.5tok"),
    "linear(10) / 2": gs.linear(10) * 0.5,
    "linear(10, end=1 / 3) / 4 / 2": gs.linear(10, end=1 / 3) * 0.25 * 0.5,
    "7 / 2": gs.constant(3.5),
    "+linear(10) + +5": gs.linear(10) + 5,
    "+-+5": gs.constant(-5),
    "# first\nwarmup(5)  # up, 'then'\n  >> # down\n cosine(5)\n#": gs.warmup(5) >> gs.cosine(5),
    "hold(5, # of\n value=2)": gs.hold(5, 2),
    "gs.warmup(5) >> glideslope.cosine(5) * gs . Linear(5)": gs.warmup(5)
    >> gs.cosine(5) * gs.linear(5),
    "warmup(5) >> cosine(rest)": gs.warmup(5) >> gs.cosine("rest"),
    "linear(1e3)": gs.linear(1000),
    "linear(.5e1)": gs.linear(5),
    "linear(5.)": gs.linear(5),
    "polynomial(10, mirrored=True, include_end=False)": gs.polynomial(10, mirrored=True),
    "linear(10).clip(None, 0.5)": gs.linear(10).clip(None, 0.5),
    "multistep([30, 80ep], gamma=0.1)": gs.multistep([30, "80ep"]),
    "multistep((30, 80,))": gs.multistep([30, 80]),
    "piecewise([(0, 1), [9, 0.5]], 'linear')": gs.piecewise([(0, 1), (9, 0.5)], "linear"),
    "cosine(9).branch(at=5, decay=linear(5) >> hold(1))": gs.cosine(9).branch(
        5, gs.linear(5) >> gs.hold(1)
    ),
    "cosine(100).repeat(3, decay=0.5, stretch=2).reverse().take(50)": gs.cosine(100)
    .repeat(3, decay=0.5, stretch=2)
    .reverse()
    .take(50),
}


@pytest.mark.parametrize("text", READ)
def test_what_is_read(text: str) -> None:
    assert gs.parse(text) == READ[text]


def test_numbers_are_joined_as_python_joins_them() -> None:
    for text in (
        "cosine(9) + 0.1 + 0.2 + 0.3",
        "0.1 * 0.2 * cosine(9) * 0.3",
        "1 - cosine(9) - 0.1",
        "0.3 / 3 * cosine(9)",
        "cosine(9) * 0.1 / 3 / 7",
        "1 - 0.1 / 3 - cosine(9)",
    ):
        assert gs.parse(text) == eval(text, {"cosine": gs.cosine})


# -- pointing at the mistake -----------------------------------------------------------------------

MISTAKES = [
    ("", 0, "something is missing"),
    ("   ", 0, "something is missing"),
    ("warmup(500) >> cosin(9500)", 15, "unknown name `cosin`, did you mean `cosine`?"),
    ("warmup(500) >>", 14, "something is missing"),
    ("warmup(500", 10, "expected ',' or ')'"),
    ("warmup 500", 7, "expected '('"),
    ("warmup(500))", 11, "unexpected `)`: the schedule ended before it"),
    ("warmup(500) cosine(5)", 12, "unexpected `cosine`: the schedule ended before it"),
    ("warmup(500) > cosine(5)", 12, "unexpected character '>'"),
    ("warmup(500) >> 5", 12, "`>>` must join schedules; hold(steps, value) is one, got 5"),
    ("constant(1) >> linear(5)", 12, "`linear(5)` can never begin: `constant(1)` before it"),
    ("linear(9) >> constant(1) >> linear(5)", 25, "can never begin"),
    ("linear(9) >> constant(1) >> linear(5) >> linear(6)", 25, "can never begin"),
    ("linear(0.5)", 0, "`steps` must be 0 or at least 1, got 0.5"),
    ("linear()", 0, "`linear`: missing a required argument: 'steps'; its arguments are steps, "),
    ("linear(5, 1, 1, 1)", 0, "`linear`: too many positional arguments; its arguments are steps, "),
    (
        "cosine(10, eta_min=0.1)",
        11,
        "`cosine` has no argument `eta_min`: its arguments are "
        "steps, start, end, include_end, power, k_decay",
    ),
    ("linear(5).clip(1, top=2)", 18, "`clip` has no argument `top`: its arguments are lo, hi"),
    ("linear(5, steps=1)", 0, "`linear`: multiple values for argument 'steps'"),
    ("linear(5, end=1, end=2)", 17, "`end` is given twice"),
    ("linear(end=1, 5)", 14, "an argument without a name follows a named one"),
    ("linear(5, end=)", 14, "unexpected `)`"),
    ("linear(5,,)", 9, "unexpected `,`"),
    ("linear(5).flip()", 10, "unknown name `flip`, did you mean `clip`?"),
    ("linear(5).steps", 10, "unknown name `steps`"),
    ("linear(5).values()", 10, "unknown name `values`"),
    ("linear(5).__class__()", 10, "unknown name `__class__`"),
    ("linear(5).clip", 14, "expected '('"),
    ("linear(5).5", 9, "unexpected `.5`"),
    ("5.clip(1)", 2, "`.clip` needs a schedule before it"),
    ("5 .clip(1)", 3, "`.clip` needs a schedule before it"),
    ("(5).clip(1)", 4, "`.clip` needs a schedule before it"),
    ("function(abs)", 0, "unknown name `function`"),
    ("sequence(5)", 0, "unknown name `sequence`"),
    ("repeat(linear(5))", 0, "unknown name `repeat`"),
    ("__import__('os')", 0, "unknown name `__import__`"),
    ("linear(5) if 1 else 2", 10, "unexpected `if`"),
    ("lambda: 5", 6, "unexpected character ':'"),
    ("linear(5) / 0", 10, "`/` must divide by a number other than 0, got 0.0"),
    ("5 / 0", 2, "`/` must divide by a number other than 0, got 0.0"),
    ("5 / linear(5)", 2, "`/` must divide by a number, got linear(5)"),
    ("linear(5) / linear(6)", 10, "`/` must divide by a number, got linear(6)"),
    ("linear(5) // 2", 11, "unexpected `/`"),
    ("linear(5) / 1e-320", 10, "`value` must be finite, got inf"),
    ("+'2'", 0, "`+` needs a schedule or a number on both sides"),
    ("linear(5) ** 2", 11, "unexpected `*`"),
    ("'5%'", 0, "a schedule is needed here"),
    ("10ep", 0, "a schedule is needed here"),
    ("True", 0, "a schedule is needed here"),
    ("[linear(5)]", 0, "a schedule is needed here"),
    ("linear(5) * '2'", 10, "`*` needs a schedule or a number on both sides"),
    ("linear(5) + True", 10, "`+` needs a schedule or a number on both sides"),
    ("-'2'", 0, "`-` needs a schedule or a number on both sides"),
    ("linear('5", 7, 'unexpected character "\'"'),
    ("linear(5, end='\\x41')", 14, 'unexpected character "\'"'),
    ("linear(5) >> # comment", 12, "something is missing"),
    ("# comment", 0, "something is missing"),
    ("linear(5x)", 7, "unknown unit `x`, the units are ep, tok, %, rest"),
    ("linear(5epochs)", 7, "unknown unit `epochs`, the units are ep, tok, %, rest"),
    ("cosine(10k)", 7, "unknown unit `k`, the units are ep, tok, %, rest"),
    ("linear(5__0)", 7, "unknown unit `__0`"),
    ("rest", 0, "a schedule is needed here"),
    ("rest * linear(5)", 5, "`*` needs a schedule or a number on both sides"),
    ("linear(rest) >> linear(rest)", 13, "cannot both take the rest of a run"),
    ("gs.cosin(5)", 3, "unknown name `cosin`, did you mean `cosine`?"),
    ("gs", 0, "unknown name `gs`"),
    ("gs.", 3, "expected a name"),
    ("torch.cosine(5)", 0, "unknown name `torch`"),
    ("CosineAnnealingLR(10)", 0, "unknown name `CosineAnnealingLR`, here: cosine(10)"),
    ("torch.optim.lr_scheduler.StepLR(30)", 25, "unknown name `StepLR`, here: step(30)"),
    ("optax.unknown(5)", 0, "unknown name `optax`"),
    ("StepLR(30, gamma=0.5)", 0, "unknown name `StepLR`, here: step(30, 0.5)"),
    ("warmup(5) >> ExponentialLR(0.9)", 13, "unknown name `ExponentialLR`, here: exponential(0.9)"),
    ("MultiStepLR([30, 80ep])", 0, 'here: multistep([30, "80ep"], 0.1)'),
    ("CosineAnnealingLR(optimizer, 10)", 0, "here: cosine(T_max, end=eta_min)"),
    ("CosineAnnealingLR", 0, "here: cosine(T_max, end=eta_min)"),
    ("CosineAnnealingLR(linear(5))", 0, "here: cosine(T_max, end=eta_min)"),
    ("StepLR(StepLR(5))", 0, "here: step(step_size, gamma)"),
    ("ChainedScheduler([linear(5)])", 0, "here: a * b"),
    ("linear(1e400)", 0, "`steps` must be finite, got inf"),
    ("step(0%)", 0, "`every` must be more than 0, got 0"),
    ("0%", 0, "a schedule is needed here"),
    ("linear(5) * 1e308 * 1e308", 18, "`value` must be finite, got inf"),
    ("piecewise(5)", 0, "`points` must be (step, value) pairs"),
    ("warmup(5, 'lin')", 0, "`shape` must be one of"),
    ("linear(5)\n  >> cosin(5)", 15, "unknown name `cosin`"),
    ("λ(5)", 0, "unexpected character 'λ'"),
    ("linear(5)\x00", 9, "unexpected character '\\x00'"),
]


@pytest.mark.parametrize(("text", "position", "problem"), MISTAKES)
def test_a_mistake_is_pointed_at(text: str, position: int, problem: str) -> None:
    with pytest.raises(ParseError) as caught:
        gs.parse(text)
    assert (caught.value.position, caught.value.text) == (position, text)
    assert problem in caught.value.problem
    assert caught.value.problem in str(caught.value)


@pytest.mark.parametrize("text", [None, 5, b"linear(5)", gs.linear(5), ["linear(5)"]])
def test_what_is_not_text(text: Any) -> None:
    with pytest.raises(InvalidType, match="`text` must be a string"):
        gs.parse(text)


def test_a_mistake_is_pointed_at_in_its_own_line() -> None:
    with pytest.raises(ParseError) as caught:
        gs.parse("# up\nwarmup(5)\n  >> cosin(5)\n")
    assert str(caught.value).splitlines()[1:] == ["    >> cosin(5)", "       ^"]


# -- whatever is written ---------------------------------------------------------------------------

NAMES = ["linear", "cosine", "warmup", "wsd", "piecewise", "multistep", "one_cycle", "noam", "step"]
PIECES = [*NAMES, ".clip", ".repeat", ".branch", ".take", "constant", "fractal_chebyshev", "hold"]
PIECES += [">>", "+", "-", "*", "(", ")", "[", "]", ",", "=", ".", " ", "\n", "5%", "10ep", "2tok"]
PIECES += [
    "0",
    "1",
    "10",
    "1e3",
    "0.5",
    "1e400",
    "1e-400",
    "'linear'",
    '"5%"',
    "end=",
    "n=",
    "stretch=",
]
PIECES += [
    "True",
    "None",
    "__import__",
    "exec",
    "lambda",
    "\\",
    "#",
    "λ",
    "'",
    "slanted_triangular",
    "/",
    "rest",
    "# comment\n",
    "10_000",
    "5epochs",
    "0%",
    "gs.",
    "StepLR",
    "CosineDecayRestarts",
    "get_wsd_schedule",
    "noam_clamped",
]


seen: set[str] = set()
"""The names of Python's audit events so far."""

sys.addaudithook(lambda event, _: seen.add(event))


def mistake(text: str) -> ParseError | None:
    """The error that reading ``text`` raises, which executes nothing."""
    seen.clear()
    try:
        gs.parse(text)
        error = None
    except ParseError as caught:
        error = caught
    executed = seen & {"exec", "compile", "import", "open", "os.system", "subprocess.Popen"}
    assert executed == set()
    return error


gs.parse("warmup(1) >> cosine(1)")  # so that what parsing itself imports is loaded


@given(
    st.text(max_size=60)
    | st.text(string.printable)
    | st.lists(st.sampled_from(PIECES)).map("".join)
)
def test_only_parse_errors_leave(text: str) -> None:
    error = mistake(text)
    if error is None:
        schedule = gs.parse(text)
        assert gs.parse(repr(schedule)) == schedule
    else:
        assert 0 <= error.position <= len(text)
        assert error.text == text


@given(schedules(SIGNED, ANY_LENGTH).map(repr), st.data())
def test_a_slip_of_the_pen_is_read_or_pointed_at(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    slip = data.draw(st.sampled_from(["", *"()[],.=>+-*5 x'"]))
    slipped = text[:place] + slip + text[place + 1 :]
    error = mistake(slipped)
    assert error is None or 0 <= error.position <= len(slipped)


@given(st.sampled_from(NAMES), st.lists(st.sampled_from(PIECES[:7] + PIECES[-40:]), max_size=6))
def test_the_arguments_of_a_recipe_may_be_anything(name: str, pieces: list[str]) -> None:
    mistake(f"{name}({', '.join(pieces)})")


# -- size ------------------------------------------------------------------------------------------

LONGEST = 1_000_000
MANY = 20_000
LONG = {
    "digits": "1" * LONGEST,
    "digits and a letter": "1" * (LONGEST - 1) + "x",
    "digits in a call": f"linear({'9' * (LONGEST - 8)})",
    "a name": "a" * LONGEST,
    "an argument": f"linear({'a' * MANY}=3)",
    "a method": f"linear(5).{'a' * MANY}()",
    "a string": "'" + "a" * (LONGEST - 1),
    "a string for a number": f"linear('{'a ' * MANY}')",
    "spaces": " " * LONGEST,
    "grouped digits": "1_" * (LONGEST // 2),
    "comments": "# \n" * (LONGEST // 3),
    "a long unit": "1" + "a" * (LONGEST - 1),
    "more after the end": "linear(5) " + "a" * MANY,
    "too much": "linear(5)".ljust(LONGEST + 1),
    "plus signs": "+" * MANY,
    "foreign names": "StepLR(" * MANY,
    "open parentheses": "(" * MANY,
    "open brackets": "[" * MANY,
    "open calls": "linear(" * MANY,
    "minus signs": "-" * MANY,
    "dots": "." * MANY,
    "signs": ">>" * MANY,
    "methods": "linear(5)" + ".reverse()" * MANY,
    "arguments within arguments": "linear(5).branch(1, " * MANY,
    "one endless part": ">>".join(["constant(1)"] * MANY),
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_of_nonsense_is_refused_at_once(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        gs.parse(text)
    assert len(str(caught.value)) < 6 * READABLE
    assert pickle.loads(pickle.dumps(caught.value)).text == text


def test_the_longest_text_is_read() -> None:
    assert gs.parse("linear(5)".ljust(LONGEST)) == gs.linear(5)


@given(st.text(st.sampled_from("ab \n"), max_size=3 * READABLE), st.data())
def test_the_mark_is_below_its_character(text: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(text)))
    _, line, mark = str(ParseError("no", text, position)).split("\n")
    own = text[text.rfind("\n", 0, position) + 1 :].partition("\n")[0]
    assert line[len(mark) - 1 : len(mark)] == text[position : position + 1].strip("\n")
    assert line[2:].strip("…") in own
    assert len(line) <= READABLE + 4
    assert ("…" in line) == (len(own) > READABLE)


@pytest.mark.parametrize(
    ("sign", "kind"), [(" >> ", gs.Sequence), (" + ", gs.Sum), (" * ", gs.Product)]
)
def test_thousands_of_parts_are_read(sign: str, kind: type[Schedule]) -> None:
    schedule = gs.parse(sign.join(["linear(10)"] * 5_000))
    assert type(schedule) is kind
    assert len(schedule.parts) == 5_000  # type: ignore[attr-defined]


def test_thousands_of_points_are_read() -> None:
    schedule = gs.fractal_chebyshev(2**14)
    assert gs.parse(repr(schedule)) == schedule


def test_nesting_has_room_for_what_people_write() -> None:
    text = "linear(10)"
    for _ in range(30):
        text = f"({text} >> linear(5)).clip(0.1)"
    assert gs.parse(text).steps == 160


@pytest.mark.parametrize(
    "text",
    [
        "step(30)",
        "step(30, 0.5)",
        'step("10ep")',
        "step(30) * 2",
        "exponential(0.1, every=30).staircase(15)",
        "linear(30).staircase(30)",
    ],
)
def test_stairs_of_a_decay_print_as_the_recipe(text: str) -> None:
    assert repr(gs.parse(text)) == text


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (gs.one_cycle(12), "cosine(2.6, start=0.04, end=1) >> cosine(8.4, end=4e-06)"),
        (gs.one_cycle(100, 0.29), "cosine(28, start=0.04, end=1) >> cosine(71, end=4e-06)"),
        (gs.slanted_triangular(100, 0.29, 4), "warmup(29, start=0.25) >> linear(71, end=0.25)"),
    ],
    ids=repr,
)
def test_a_share_of_the_steps_is_rounded_once(made: Schedule, text: str) -> None:
    assert repr(made) == text
