"""Rules that scale each element by what its gradients have added up to, from simple to complex."""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import agreeing, sqrt
from ._moments import averaged_square
from ._rule import rule

__all__ = ["adadelta", "adagrad"]


@rule(start={"sum": "initial_accumulator_value"}, non_negative=["sum"])
def adagrad(
    p, g, sum, /,
    lr, lr_decay, weight_decay, eps, step,
    *, with_weight_decay, cautious,
):  # fmt: skip
    """Adagrad: the gradient over the root of the sum of all squares so far."""
    if with_weight_decay:
        g = g + weight_decay * p
    sum = sum + g * g
    update = g / (sqrt(sum) + eps)
    if cautious:
        update = agreeing(update, g)
    return p - lr / (1 + (step - 1) * lr_decay) * update, sum


@rule(counters=["step"], non_negative=["square_avg", "acc_delta"])
def adadelta(
    p, g, square_avg, acc_delta, /,
    lr, rho, eps, weight_decay,
    *, with_weight_decay, cautious,
):  # fmt: skip
    """Adadelta: RMS(recent updates) / RMS(recent gradients) · gradient."""
    if with_weight_decay:
        g = g + weight_decay * p
    square_avg = averaged_square(square_avg, g, rho)
    delta = sqrt(acc_delta + eps) / sqrt(square_avg + eps) * g
    acc_delta = averaged_square(acc_delta, delta, rho)
    if cautious:
        delta = agreeing(delta, g)
    return p - lr * delta, square_avg, acc_delta
