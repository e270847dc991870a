"""Rules that step along a direction made of a whole matrix, from simple to complex."""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import agreeing_decay, maximum, mean, minimum, norm, sqrt, where
from ._rule import rule

__all__ = ["adafactor", "apollo", "descent", "kron", "muon", "soap"]


@rule
def descent(
    p, g, /,
    lr, weight_decay,
    *, cautious_weight_decay,
):  # fmt: skip
    """Descent along a given direction, with decoupled weight decay: what CAME ends with."""
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, g, p)
    return p * (1 - lr * weight_decay) - lr * g


kron = rule(counters=["step"])(descent.formula)
"""The same descent, whose updates are counted: what Kron ends with."""


def _restoring(wanted, length, lr):
    """The factor that gives a tensor its length again; 1 where either is 0, or no step is taken."""
    return where((wanted > 0) & (length > 0) & (lr > 0), wanted / length, 1.0)


@rule
def muon(
    p, g, /,
    lr, weight_decay,
    *, hyperball, cautious_weight_decay,
):  # fmt: skip
    """Muon's end: descent with decoupled weight decay, or on a sphere as large as the direction."""
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, g, p)
    moved = p * (1 - lr * weight_decay) - lr * g
    if hyperball:
        moved = p - lr * g
        moved = moved * _restoring(norm(g), norm(moved), lr)
    return moved


def _soap_rate(lr, step):
    """The first gradient only initialises the state: its rate is 0."""
    return {"rate": lr * (step > 1)}


@rule(derive=_soap_rate)
def soap(
    p, g, /,
    weight_decay, rate,
    *, cautious_weight_decay,
):  # fmt: skip
    """SOAP's end: descent that decays after the step, and not at all at the first."""
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, g, p)
    return (p - rate * g) * (1 - rate * weight_decay)


def _corrected_rate(lr, beta1, beta2, step):
    """The rate with the corrections of both averages of Adam for their start at 0."""
    return {"rate": lr * sqrt(1 - beta2**step) / (1 - beta1**step)}


@rule(derive=_corrected_rate)
def apollo(
    p, g, /,
    lr, weight_decay, rate,
    *, cautious_weight_decay,
):  # fmt: skip
    """APOLLO's end: descent at a corrected rate that decays after the step."""
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, g, p)
    return (p - rate * g) * (1 - lr * weight_decay)


def _relative(lr, eps, step):
    """The length of a step in units of the parameter's, whose smallest length is given."""
    return {"relative_rate": minimum(lr, 1 / sqrt(step)), "smallest": eps[1]}


@rule(derive=_relative)
def adafactor(
    p, g, /,
    lr, d, weight_decay, relative_rate, smallest,
    *, cautious_weight_decay,
):  # fmt: skip
    """Adafactor's end: a step as long as its direction, at most d, times the parameter's length."""
    length = maximum(sqrt(mean(g * g)) / d, 1)
    rate = relative_rate * maximum(sqrt(mean(p * p)), smallest) / length
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, g, p)
    return p * (1 - lr * weight_decay) - rate * g
