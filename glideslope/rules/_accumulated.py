"""Rules that scale each element by what its gradients have added up to, from simple to complex."""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import agreeing, agreeing_decay, maximum, sqrt
from ._moments import averaged_square
from ._rule import rule

__all__ = ["adadelta", "adagrad", "madgrad"]


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


LEAST_SUM = 1e-36
"""The least sum that a cube root is taken of: near the smallest float32."""


def _nearer_cube_root(root, x):
    """Halley's step towards the cube root of x: three times as many digits are right after it."""
    return root * ((root * root * root + 2 * x) / (2 * root * root * root + x))


@rule(start={"x0": "p"}, non_negative=["grad_sum_sq"])
def madgrad(
    p, g, grad_sum_sq, s, x0, /,
    lr, momentum, eps, weight_decay, step,
    *, with_weight_decay, decoupled_weight_decay, cautious, cautious_weight_decay,
):  # fmt: skip
    """MADGRAD: from the start along the sum of all gradients, over the cube root of their squares.

    The cube root begins as a product of square roots, x to the power of 1/4 + 1/16 + 1/64, which is
    within half of it over the range of float32.
    """
    if with_weight_decay and not decoupled_weight_decay:
        g = g + weight_decay * p
    grad_sum_sq = grad_sum_sq + lr * sqrt(step) * g * g
    s = s + lr * sqrt(step) * g
    summed = maximum(grad_sum_sq, LEAST_SUM)
    fourth = sqrt(sqrt(summed))
    sixteenth = sqrt(sqrt(fourth))
    root = fourth * sixteenth * sqrt(sqrt(sixteenth))
    root = _nearer_cube_root(root, summed)
    root = _nearer_cube_root(root, summed)
    root = _nearer_cube_root(root, summed)
    root = _nearer_cube_root(root, summed)
    update = (1 - momentum) * (p - x0 + s / (root + eps))
    if cautious:
        update = agreeing(update, g)
    if decoupled_weight_decay and cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    if decoupled_weight_decay:
        p = p * (1 - lr * weight_decay)
    return p - update, grad_sum_sq, s, x0
