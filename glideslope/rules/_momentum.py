"""Rules that keep at most one average of the gradient, from simple to complex."""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import agreeing, agreeing_decay, sign
from ._rule import rule

__all__ = ["lion", "sgd", "signum"]


@rule(only_if={"momentum_buffer": "with_momentum"})
def sgd(
    p, g, momentum_buffer, /,
    lr, momentum, dampening, weight_decay, fresh,
    *, with_weight_decay, with_momentum, nesterov, cautious,
):  # fmt: skip
    """Gradient descent with momentum; the first gradient enters the average undamped."""
    if with_weight_decay:
        g = g + weight_decay * p
    update = g
    if with_momentum:
        momentum_buffer = momentum * momentum_buffer + (1 - dampening * (1 - fresh)) * g
        update = g + momentum * momentum_buffer if nesterov else momentum_buffer
    if cautious:
        update = agreeing(update, g)
    return p - lr * update, momentum_buffer


@rule
def signum(
    p, g, exp_avg, /,
    lr, momentum, weight_decay,
    *, cautious, cautious_weight_decay,
):  # fmt: skip
    """Signum: the sign of the averaged gradient."""
    exp_avg = momentum * exp_avg + (1 - momentum) * g
    update = sign(exp_avg)
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    return p * (1 - lr * weight_decay) - lr * update, exp_avg


@rule
def lion(
    p, g, exp_avg, /,
    lr, beta1, beta2, weight_decay,
    *, cautious, cautious_weight_decay,
):  # fmt: skip
    """Lion: the sign of an average that looks one gradient ahead of the one kept."""
    update = sign(beta1 * exp_avg + (1 - beta1) * g)
    exp_avg = beta2 * exp_avg + (1 - beta2) * g
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    return p * (1 - lr * weight_decay) - lr * update, exp_avg
