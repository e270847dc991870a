"""Rules that keep an average of the parameters."""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import agreeing, maximum
from ._rule import rule

__all__ = ["asgd"]


def _averaging(lr, lambd, alpha, t0, step, eta, mu):
    """This step's rate and weight in the average, and the next step's, which are kept.

    Until the average begins, the weight is 1 and nothing of the old average remains.
    """
    return {
        "rate": eta,
        "weight": mu,
        "kept": (mu != 1) * 1.0,
        "eta": lr / (1 + lambd * lr * step) ** alpha,
        "mu": 1 / maximum(1.0, step - t0),
    }


@rule(
    derive=_averaging,
    counters=["eta", "mu"],
    start={"eta": "lr", "mu": 1.0},
    exact={"ax": "an average of the parameters"},
)
def asgd(
    p, g, ax, /,
    lambd, weight_decay, rate, weight, kept,
    *, with_weight_decay, cautious,
):  # fmt: skip
    """ASGD: gradient descent with a falling rate, and the mean of the parameters after t0."""
    if with_weight_decay:
        g = g + weight_decay * p
    update = g
    if cautious:
        update = agreeing(update, g)
    p = p * (1 - lambd * rate) - rate * update
    ax = kept * ax
    return p, ax + weight * (p - ax)
