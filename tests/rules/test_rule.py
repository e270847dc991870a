"""The declaration of a rule, and its values from a parameter group."""

from __future__ import annotations

import pytest

from glideslope.errors import InvalidValue
from glideslope.rules import adam, rmsprop, rule, sgd


def test_a_signature_says_everything() -> None:
    assert adam.state == ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    assert adam.scalars == ("lr", "beta1", "beta2", "eps", "weight_decay", "step")
    decays = ("with_weight_decay", "decoupled_weight_decay")
    assert adam.options == (*decays, "amsgrad", "cautious", "cautious_weight_decay")
    assert adam.counters == ("step",)
    assert sgd.counters == ()
    assert rmsprop.counters == ("step",)


def test_a_group_switches_options_on_and_state_follows() -> None:
    group = {"momentum": 0.9, "nesterov": False, "weight_decay": 0.0, "cautious": False}
    active = sgd.active_options(group)
    assert active == {"with_momentum"}
    assert sgd.kept_state(active) == ("momentum_buffer",)
    assert sgd.kept_state(frozenset()) == ()


def test_values_come_from_the_group_the_count_and_what_is_derived() -> None:
    def warmed(lr, step, product):  # type: ignore[no-untyped-def]
        return {"rate": lr * min(1.0, step / 10), "product": product * 0.5}

    @rule(derive=warmed, counters=["product"], start={"memory": "initial"})
    def made(p, g, memory, /, rate, beta2, product):  # type: ignore[no-untyped-def]
        return p - rate * g, memory * beta2 * product

    assert made.counters == ("step", "product")
    assert made.initial("memory", {"initial": 0.25}) == 0.25
    group = {"lr": 1.0, "betas": (0.9, 0.99)}
    assert made.values(group, {"step": 5.0, "product": 8.0}) == {
        "rate": 0.5,
        "beta2": 0.99,
        "product": 4.0,
    }


def test_a_formula_begins_with_p_and_g() -> None:
    with pytest.raises(InvalidValue, match=r"`backwards` must take \(p, g, ..., /\) first"):

        @rule
        def backwards(g, p, /, lr):  # type: ignore[no-untyped-def]
            return p - lr * g
