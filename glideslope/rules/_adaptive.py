"""Rules that divide by a root of the averaged square of the gradient, from simple to complex."""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import agreeing, agreeing_decay, maximum, sqrt
from ._moments import averaged, averaged_square, corrected_root
from ._rule import rule

__all__ = ["adam", "rmsprop"]


@rule(
    counters=["step"],
    only_if={"momentum_buffer": "with_momentum", "grad_avg": "centered"},
    non_negative=["square_avg"],
)
def rmsprop(
    p, g, square_avg, momentum_buffer, grad_avg, /,
    lr, alpha, eps, weight_decay, momentum,
    *, with_weight_decay, with_momentum, centered, cautious,
):  # fmt: skip
    """RMSprop; centered, it divides by the standard deviation of the gradient."""
    if with_weight_decay:
        g = g + weight_decay * p
    square_avg = averaged_square(square_avg, g, alpha)
    variance = square_avg
    if centered:
        grad_avg = averaged(grad_avg, g, alpha)
        variance = maximum(square_avg - grad_avg * grad_avg, 0.0)  # rounding takes it below
    update = g / (sqrt(variance) + eps)
    if with_momentum:
        momentum_buffer = momentum * momentum_buffer + update
        update = momentum_buffer
    if cautious:
        update = agreeing(update, g)
    return p - lr * update, square_avg, momentum_buffer, grad_avg


@rule(
    only_if={"max_exp_avg_sq": "amsgrad"},
    non_negative=["exp_avg_sq", "max_exp_avg_sq"],
)
def adam(
    p, g, exp_avg, exp_avg_sq, max_exp_avg_sq, /,
    lr, beta1, beta2, eps, weight_decay, step,
    *, with_weight_decay, decoupled_weight_decay, amsgrad, cautious, cautious_weight_decay,
):  # fmt: skip
    """Adam, AdamW and AMSGrad; ``eps`` is added to the bias-corrected root."""
    if with_weight_decay and not decoupled_weight_decay:
        g = g + weight_decay * p
    exp_avg = averaged(exp_avg, g, beta1)
    exp_avg_sq = averaged_square(exp_avg_sq, g, beta2)
    if amsgrad:
        max_exp_avg_sq = maximum(max_exp_avg_sq, exp_avg_sq)
    largest = max_exp_avg_sq if amsgrad else exp_avg_sq
    root = corrected_root(largest, beta2, step)
    update = exp_avg / (root + eps)
    if cautious:
        update = agreeing(update, g)
    if decoupled_weight_decay and cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    if decoupled_weight_decay:
        p = p * (1 - lr * weight_decay)
    return p - lr / (1 - beta1**step) * update, exp_avg, exp_avg_sq, max_exp_avg_sq
