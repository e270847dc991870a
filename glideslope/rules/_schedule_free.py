"""Schedule-free rules: iterate averaging instead of a decaying learning rate.

There are three points. ``z`` takes the steps, ``x`` is the average of its path and the result, and
gradients are computed at ``y``, between the two. The parameter is ``y``; ``x`` follows from ``y``
and ``z``, and is not stored.
"""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import TINY, agreeing, agreeing_decay, maximum, minimum
from ._moments import averaged_square, corrected_root
from ._rule import rule

__all__ = ["adamw_schedule_free", "sgd_schedule_free"]


def _averaging_weights(lr, warmup_steps, r, weight_lr_power, lr_max, weight_sum, step):
    """The rate after warm-up, and the weight of this step's z among all so far."""
    rate = lr * minimum(1.0, step / maximum(warmup_steps, 1.0))
    lr_max = maximum(lr_max, rate)
    weight = step**r * lr_max**weight_lr_power
    weight_sum = weight_sum + weight
    share = weight / maximum(weight_sum, TINY)
    return {"rate": rate, "share": share, "lr_max": lr_max, "weight_sum": weight_sum}


@rule(derive=_averaging_weights, counters=["lr_max", "weight_sum"], start={"z": "p"})
def sgd_schedule_free(
    p, g, z, /,
    momentum, weight_decay, rate, share,
    *, cautious, cautious_weight_decay,
):  # fmt: skip
    """Schedule-Free SGD: z descends, x averages it, p is between them."""
    update = g
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    update = update + weight_decay * p
    p = p + share * (z - p) - rate * (1 - momentum * (1 - share)) * update
    return p, z - rate * update


@rule(
    derive=_averaging_weights,
    counters=["lr_max", "weight_sum"],
    start={"z": "p"},
    non_negative=["exp_avg_sq"],
)
def adamw_schedule_free(
    p, g, z, exp_avg_sq, /,
    beta1, beta2, eps, weight_decay, step, rate, share,
    *, cautious, cautious_weight_decay,
):  # fmt: skip
    """Schedule-Free AdamW: the same, along the gradient over the root of its averaged square."""
    exp_avg_sq = averaged_square(exp_avg_sq, g, beta2)
    root = corrected_root(exp_avg_sq, beta2, step)
    update = g / (root + eps)
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    update = update + weight_decay * p
    p = p + share * (z - p) - rate * (1 - beta1 * (1 - share)) * update
    return p, z - rate * update, exp_avg_sq
