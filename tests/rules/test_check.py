"""Wrong rules, refused when the optimizer is built: by name, with the line."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

import glideslope as gs
from glideslope.errors import GlideslopeError, InvalidValue
from glideslope.optim import RuleOptimizer
from glideslope.rules import Rule, rule, sqrt, where


def build(made: Rule, **defaults: Any) -> RuleOptimizer:
    class Mine(RuleOptimizer):
        rule = made

        def __init__(self, params: Any, **common: Any) -> None:
            super().__init__(params, {"lr": 0.1, **defaults}, **common)

    p = torch.ones(2, requires_grad=True)
    p.grad = torch.ones(2)
    return Mine([p])


@rule
def misspelt_scalar(p, g, /, lr, momentm):  # here
    return p - lr * momentm * g


@rule
def unknown_option(
    p, g, /,
    lr,
    *, with_weight_deca,  # here
):  # fmt: skip
    return p - lr * g


@rule
def state_not_returned(p, g, m, /, lr):
    m = m + g
    return p - lr * m  # here


@rule
def too_much_returned(p, g, m, /, lr):
    return p - lr * g, m, g  # here


@rule
def nothing_returned(p, g, m, /, lr):  # here
    m = m + lr * g


@rule
def one_of_two_is_nothing(p, g, m, /, lr):
    return p - lr * g, None  # here


@rule
def misspelt_word(p, g, exp_avg, /, lr):
    exp_avg = 0.9 * exp_avg + 0.1 * g
    return p - lr * exp_avgg, exp_avg  # noqa: F821 -- here


@rule
def misspelt_word_in_a_branch(p, g, /, lr, *, nesterov):
    if nesterov:
        g = g + sqr(g)  # noqa: F821 -- here
    return p - lr * g


@rule
def unknown_attribute(p, g, /, lr):
    g = g.sqaure()  # here
    return p - lr * g


@rule
def wrong_call(p, g, /, lr):
    return p - lr * sqrt(g, 2)  # here


@rule
def beta_of_no_tuple(p, g, /, lr, beta3):  # here
    return p - lr * beta3 * g


@rule(start={"m": "initial_sum"})
def start_at_nothing_known(p, g, m, /, lr):  # here
    return p - lr * g, m


def misspelt_source(lr, warmup_stps):  # here
    return {"rate": lr * warmup_stps}


@rule(derive=misspelt_source)
def derived_from_nothing(p, g, /, rate):
    return p - rate * g


def other_name(lr):
    return {"rat": lr}


@rule(derive=other_name)
def derived_under_another_name(p, g, /, rate):  # here
    return p - rate * g


def no_mapping(lr):  # here
    return lr


@rule(derive=no_mapping)
def derived_is_a_number(p, g, /, rate):
    return p - rate * g


def broken(lr):
    return {"rate": lr["x"]}  # here


@rule(derive=broken)
def derived_fails(p, g, /, rate):
    return p - rate * g


MISTAKES: dict[str, tuple[Rule, dict[str, Any], str]] = {
    each.name: (each, defaults, told)
    for each, defaults, told in (
        (misspelt_scalar, {"momentum": 0.9},
         "uses `momentm`, which is no hyperparameter: did you mean `momentum`?"),
        (unknown_option, {"weight_decay": 0.1},
         "has the option `with_weight_deca`, and there is no hyperparameter `weight_deca`: "
         "did you mean `weight_decay`?"),
        (state_not_returned, {}, "returns 1 of 2 results: `return p, m` is expected"),
        (too_much_returned, {}, "returns 3 of 2 results: `return p, m` is expected"),
        (nothing_returned, {}, "returns nothing: `return p, m` is expected"),
        (one_of_two_is_nothing, {}, "returns None for `m`: `return p, m` is expected"),
        (misspelt_word, {},
         "uses `exp_avgg`, which is not defined: did you mean `exp_avg`?"),
        (misspelt_word_in_a_branch, {"nesterov": False},
         "uses `sqr`, which is not defined: did you mean `sqrt`?"),
        (unknown_attribute, {}, "fails: AttributeError: 'Tensor' object has no attribute"),
        (wrong_call, {}, "fails: TypeError: sqrt() takes 1 positional argument but 2 were given"),
        (beta_of_no_tuple, {"betas": (0.9, 0.99)}, "uses `beta3`, which is no hyperparameter"),
        (start_at_nothing_known, {"initial_sun": 1.0},
         "uses `initial_sum`, which is no hyperparameter: did you mean `initial_sun`?"),
        (derived_from_nothing, {"warmup_steps": 3},
         "uses `warmup_stps`, which is no hyperparameter: did you mean `warmup_steps`?"),
        (derived_under_another_name, {},
         "uses `rate`, which is no hyperparameter: did you mean `rat`?"),
        (derived_is_a_number, {}, "must give a mapping of names to numbers"),
        (derived_fails, {}, "fails: TypeError: 'float' object is not subscriptable"),
    )
}  # fmt: skip


def line_marked(function: Callable[..., Any]) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if "# here" in line or "-- here" in line)


@pytest.mark.parametrize(("made", "defaults", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_wrong_rule_is_refused_when_the_optimizer_is_built(
    made: Rule, defaults: dict[str, Any], told: str
) -> None:
    text = inspect.getsource(made.formula)
    guilty = made.formula if " here" in text else made.derive
    assert guilty is not None
    with pytest.raises(InvalidValue) as caught:
        build(made, **defaults)
    assert f"the rule `{guilty.__name__}` {told}" in str(caught.value)
    assert str(caught.value).endswith(f"({__file__}:{line_marked(guilty)})")


def test_a_rule_of_a_group_added_later_is_refused_and_the_group_is_not_there() -> None:
    @rule
    def scaled(p, g, /, lr, scale):
        return p - lr * scale * g

    class Mine(RuleOptimizer):
        rule = scaled

        def __init__(self, params: Any) -> None:
            super().__init__(params, {"lr": 0.1})

    p, q = (torch.ones(2, requires_grad=True) for _ in range(2))
    optimizer = Mine([{"params": [p], "scale": 2.0}])  # a hyperparameter that groups must give
    with pytest.raises(InvalidValue, match="uses `scale`"):
        optimizer.add_param_group({"params": [q]})
    assert len(optimizer.param_groups) == 1


DECLARATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "a state that is none": (
        {"only_if": {"momentum_bufer": "with_momentum"}},
        "must have a state `momentum_bufer`: did you mean `momentum_buffer`?",
    ),
    "an option that is none": (
        {"only_if": {"momentum_buffer": "with_momentm"}},
        "must have an option `with_momentm`: did you mean `with_momentum`?",
    ),
    "a start of nothing": (
        {"start": {"momentum": 1.0}},
        "must have a state or a counter `momentum`: did you mean `momentum_buffer`?",
    ),
}


@pytest.mark.parametrize(("arguments", "told"), DECLARATIONS.values(), ids=DECLARATIONS)
def test_a_wrong_declaration_is_refused_at_once(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidValue, match=re.escape(told)) as caught:

        @rule(**arguments)
        def damped(p, g, momentum_buffer, /, lr, *, with_momentum):
            return p - lr * g, momentum_buffer

    assert re.search(rf"{__file__}:\d+\)$", str(caught.value))


def test_parameters_without_names_are_refused() -> None:
    with pytest.raises(InvalidValue, match="must name each of its parameters, not `scalars`"):

        @rule
        def vague(p, g, /, **scalars):
            return p


def test_a_rule_without_a_text_is_refused_by_its_first_line() -> None:
    space: dict[str, Any] = {"rule": rule}
    exec("@rule\ndef typed(p, g, /, lr):\n    return p - lr * gg\n", space)
    with pytest.raises(InvalidValue, match=r"uses `gg`.*\(<string>:3\)"):
        build(space["typed"])


@rule(start={"z": "p"})
def of_the_rate(p, g, z, /, lr, share):
    scale = 1 / lr
    return p - where(g > 0, scale, share) * g, z


def test_what_fails_for_these_numbers_alone_is_not_the_rules_mistake() -> None:
    build(of_the_rate, lr=0.0, share=1.0)
    build(of_the_rate, lr=gs.linear(9, start=0.0, end=1.0), share=torch.tensor(1.0))


def test_a_key_that_was_removed_from_a_group_is_named_at_the_step() -> None:
    optimizer = build(of_the_rate, share=1.0)
    del optimizer.param_groups[0]["share"]
    with pytest.raises(GlideslopeError, match="the group has no `share`, which its rule needs"):
        optimizer.step()
