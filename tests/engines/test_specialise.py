"""A rule becomes a straight line: options taken, scalars hoisted, everything else refused."""

from __future__ import annotations

import math

import pytest
import torch

from glideslope.engines._front.specialise import specialise
from glideslope.errors import InvalidValue
from glideslope.rules import Rule, adam, maximum, mean, norm, rule, sgd, sqrt, where

NONE: frozenset[str] = frozenset()
HALF = 0.5


def line(made: Rule, *options: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    straight = specialise(made, frozenset(options))
    (stage,) = straight.stages
    return straight.constants, (*stage.body, *stage.outputs)


def test_options_choose_branches_and_drop_state() -> None:
    assert line(sgd) == (("lr",), ("update = g", "p - _c0 * update"))
    assert specialise(sgd, NONE).elements == ("p", "g")
    constants, text = line(sgd, "with_momentum", "nesterov")
    assert constants == ("momentum", "1 - dampening * (1 - fresh)", "lr")
    assert text[1] == "momentum_buffer = _c0 * momentum_buffer + _c1 * g"


def test_scalars_leave_the_loop_in_double_precision() -> None:
    straight = specialise(adam, frozenset({"decoupled_weight_decay"}))
    values = straight.stages[0].prologue(
        lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01, step=3.0, _count=0
    )
    by_meaning = dict(zip(straight.constants, values, strict=True))
    assert by_meaning["1 - beta2"] == 1 - 0.999
    assert by_meaning["1 / sqrt(1 - beta2 ** step)"] == 1 / math.sqrt(1 - 0.999**3)


def test_scalar_statements_constants_and_closures() -> None:
    def make(power: float) -> Rule:
        @rule
        def damped(p, g, /, lr, step):  # type: ignore[no-untyped-def]
            rate = lr / step**power
            rate *= HALF
            return p - rate * maximum(-g, -1.0)

        return damped

    straight = specialise(make(2.0), NONE)
    (stage,) = straight.stages
    assert stage.outputs == ("p - _c0 * maximum(-g, _c1)",)
    assert stage.prologue(lr=8.0, step=2.0, _count=0) == (1.0, -1.0)


def test_a_scalar_may_become_a_number_of_each_element() -> None:
    @rule
    def masked(p, g, /, lr, decay):  # type: ignore[no-untyped-def]
        first = decay * p
        decay = decay * where(g > 0, 1, 0)
        return p - lr * (g + decay * p) - lr * first

    straight = specialise(masked, NONE)
    (stage,) = straight.stages
    known = stage.prologue(lr=0.5, decay=0.25, _count=0)
    space = {"where": where, **dict(zip((f"_c{i}" for i in stage.known), known, strict=True))}
    for g in (1.0, -1.0):
        names = {"p": 2.0, "g": g}
        exec("\n".join(stage.body), space, names)
        expected = masked(2.0, g, lr=0.5, decay=0.25)
        assert eval(stage.outputs[0], space, names) == expected


@rule
def trusting(p, g, average, /, lr, beta1):  # type: ignore[no-untyped-def]
    average = beta1 * average + g
    trust = norm(p) / norm(average)
    return p - lr * trust * average / mean(abs(trust * average)), average


def test_a_total_makes_a_pass_of_its_own() -> None:
    first, second, last = specialise(trusting, NONE).stages
    assert first.body[0] == "average = _c0 * average + g"
    assert first.outputs == ("_e0", "_e1")
    assert first.prologue(lr=0.1, beta1=0.9, _count=2) == (0.9,)
    assert second.outputs == ("_e2",)
    known = second.prologue(lr=0.1, beta1=0.9, _count=2, _t0=16.0, _t1=4.0)
    assert known == (0.9, 2.0, pytest.approx(0.2))
    values = last.prologue(lr=0.1, beta1=0.9, _count=2, _t0=16.0, _t1=4.0, _t2=3.0)
    assert values == (0.9, 2.0, pytest.approx(0.2), pytest.approx(2 / 3))


def limited(x, limit):  # type: ignore[no-untyped-def]
    """No longer than a limit, which is in proportion to the mean."""
    return where(abs(x) > limit * mean(abs(x)), HALF * x, x)


@rule
def helped(p, g, /, lr):  # type: ignore[no-untyped-def]
    where = 3.0
    return p - lr * limited(g * where, 2.0)


def test_a_function_of_one_expression_takes_the_place_of_its_call() -> None:
    first, last = specialise(helped, NONE).stages
    assert first.outputs == ("_e0",)
    assert first.body == ("_e0 = absolute(g * _c0)",)
    limit = "where(absolute(g * _c0) > _c2, _c3 * (g * _c0), g * _c0)"
    assert last.outputs == (f"p - _c1 * {limit}",)
    assert last.prologue(lr=0.1, _count=4, _t0=8.0) == (3.0, 0.1, 4.0, 0.5)


@rule
def asks(p, g, /, lr):  # type: ignore[no-untyped-def]
    if g > 0:
        p = p - lr
    return p


@rule
def loops(p, g, /, lr):  # type: ignore[no-untyped-def]
    for _ in range(3):
        p = p - lr * g
    return p


@rule
def powers(p, g, /, lr):  # type: ignore[no-untyped-def]
    return p - lr * g**2


@rule
def calls(p, g, /, lr):  # type: ignore[no-untyped-def]
    return p - lr * torch.exp(g)


@rule
def forgets(p, g, memory, /, lr):  # type: ignore[no-untyped-def]
    return p - lr * (g + memory)


def longer(x):  # type: ignore[no-untyped-def]
    twice = 2 * x
    return twice + x


@rule
def asks_more(p, g, /, lr):  # type: ignore[no-untyped-def]
    return p - lr * longer(g)


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (asks, "`g > 0` asks for a value; use `where`"),
        (loops, "is no assignment to one name"),
        (powers, r"`g \*\* 2` is not among the words for elements"),
        (calls, "`torch.exp` is not among absolute, clip"),
        (asks_more, "`longer` is not among absolute, clip"),
        (forgets, "rule `forgets` must return p and each state, in order"),
    ],
)
def test_what_a_kernel_cannot_do_is_said(made: Rule, problem: str) -> None:
    with pytest.raises(InvalidValue, match=problem):
        specialise(made, NONE)


def test_a_rule_without_source_or_with_another_is_refused(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    space: dict[str, object] = {"rule": rule}
    exec("@rule\ndef bare(p, g, /, lr):\n    return p - lr * g\n", space)
    with pytest.raises(InvalidValue, match="the source of `bare` cannot be read"):
        specialise(space["bare"], NONE)  # type: ignore[arg-type]
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "changing_rule.py"
    text = (
        "from glideslope.rules import rule\n\n@rule\ndef f(p, g, /, lr):\n    return p - lr * g\n"
    )
    file.write_text(text)
    import changing_rule  # type: ignore[import-not-found]

    file.write_text(text.replace("p - lr", "p + lr"))
    with pytest.raises(InvalidValue, match="has changed since it was imported"):
        specialise(changing_rule.f, NONE)


def test_words_mean_the_same_for_floats_arrays_and_tensors() -> None:
    @rule
    def worded(p, g, /, lr):  # type: ignore[no-untyped-def]
        return where(g > 0, sqrt(abs(g)), maximum(p, lr))

    tensor = torch.tensor([4.0, -4.0], dtype=torch.float64)
    expected = [2.0, 0.5]
    assert worded(torch.zeros(2, dtype=torch.float64), tensor, lr=0.5).tolist() == expected
    assert worded(tensor.numpy() * 0, tensor.numpy(), lr=0.5).tolist() == expected
    assert [worded(0.0, g, lr=0.5) for g in (4.0, -4.0)] == expected
