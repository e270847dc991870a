"""The two rules of Prodigy: one measures the distance to the solution, one updates."""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import absolute, agreeing, agreeing_decay, sqrt, total
from ._rule import rule

__all__ = ["prodigy", "prodigy_totals"]


def _weights(lr, beta1, beta2, d, d0, use_bias_correction, safeguard_warmup, step):
    """The rate of a step, and the weights of its gradient in the estimate of the distance.

    Only the quotient of the two sums matters: both are divided by d0, to keep them from vanishing.
    """
    correction = sqrt(1 - beta2**step) / (1 - beta1**step) if use_bias_correction else 1.0
    rate = d * lr * correction
    in_length = d * (lr > 0) if safeguard_warmup else rate
    return {"rate": rate, "weight": d / d0 * rate, "weight_in_length": d / d0 * in_length}


@rule(derive=_weights, start={"p0": "p"})
def prodigy_totals(
    p, g, s, p0, /,
    beta2, weight, weight_in_length,
):  # fmt: skip
    """Prodigy's two sums: how far the gradients led away from the start, and their length."""
    s = sqrt(beta2) * s + weight_in_length * g
    return total(weight * g * (p0 - p)), total(absolute(s))


@rule(derive=_weights, start={"p0": "p"}, non_negative=["exp_avg_sq"])
def prodigy(
    p, g, exp_avg, exp_avg_sq, s, p0, /,
    beta1, beta2, eps, weight_decay, d, rate, weight_in_length,
    *, cautious, cautious_weight_decay,
):  # fmt: skip
    """Prodigy: AdamW whose rate is an estimate of the distance from the start to the solution."""
    exp_avg = beta1 * exp_avg + (1 - beta1) * d * g
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * d * d * g * g
    s = sqrt(beta2) * s + weight_in_length * g
    update = exp_avg / (sqrt(exp_avg_sq) + d * eps)
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    return p * (1 - rate * weight_decay) - rate * update, exp_avg, exp_avg_sq, s, p0
