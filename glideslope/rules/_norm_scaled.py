"""Rules whose step depends on the length of a whole tensor, from simple to complex."""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import TINY, agreeing, agreeing_decay, maximum, mean, norm, sqrt, where
from ._moments import averaged, averaged_square, corrected_root
from ._rule import rule

__all__ = ["lamb", "lars", "mars", "stable_adamw"]


def _local_rate(weight, gradient, weight_decay, trust_coefficient):
    """The tensor's own learning rate; 1 where either norm is 0."""
    step = maximum(gradient + weight_decay * weight, TINY)
    return where((weight > 0) & (gradient > 0), trust_coefficient * weight / step, 1.0)


@rule
def lars(
    p, g, momentum_buffer, /,
    lr, momentum, weight_decay, trust_coefficient,
    *, adapt, cautious,
):  # fmt: skip
    """LARS: momentum of steps that are in proportion to the tensor they change."""
    if adapt:
        lr = lr * _local_rate(norm(p), norm(g), weight_decay, trust_coefficient)
    g = g + weight_decay * p
    momentum_buffer = momentum * momentum_buffer + lr * g
    update = momentum_buffer
    if cautious:
        update = agreeing(update, g)
    return p - update, momentum_buffer


def _trust_ratio(weight, step):
    """The length of a tensor over that of its step; 1 where either is 0."""
    return where((weight > 0) & (step > 0), weight / maximum(step, TINY), 1.0)


@rule(non_negative=["exp_avg_sq"])
def lamb(
    p, g, exp_avg, exp_avg_sq, /,
    lr, beta1, beta2, eps, weight_decay, step,
    *, adapt, cautious, cautious_weight_decay,
):  # fmt: skip
    """LAMB: AdamW's step, decay and all, as long as the tensor it changes."""
    exp_avg = averaged(exp_avg, g, beta1)
    exp_avg_sq = averaged_square(exp_avg_sq, g, beta2)
    root = corrected_root(exp_avg_sq, beta2, step)
    update = exp_avg / (1 - beta1**step) / (root + eps)
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    update = update + weight_decay * p
    if adapt:
        lr = lr * _trust_ratio(norm(p), norm(update))
    return p - lr * update, exp_avg, exp_avg_sq


@rule(non_negative=["exp_avg_sq"])
def stable_adamw(
    p, g, exp_avg, exp_avg_sq, /,
    lr, beta1, beta2, eps, weight_decay, step,
    *, cautious, cautious_weight_decay,
):  # fmt: skip
    """StableAdamW: AdamW that slows down where a tensor's gradients are larger than expected."""
    exp_avg = averaged(exp_avg, g, beta1)
    exp_avg_sq = averaged_square(exp_avg_sq, g, beta2)
    root = corrected_root(exp_avg_sq, beta2, step)
    expected = g / maximum(root, eps)
    lr = lr / maximum(1.0, sqrt(mean(expected * expected)))
    update = exp_avg / (root + eps)
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    p = p * (1 - lr * weight_decay) - lr / (1 - beta1**step) * update
    return p, exp_avg, exp_avg_sq


@rule(only_if={"last_grad": "variance_reduction"}, non_negative=["exp_avg_sq"])
def mars(
    p, g, exp_avg, exp_avg_sq, last_grad, /,
    lr, beta1, beta2, eps, weight_decay, gamma, step,
    *, variance_reduction, cautious, cautious_weight_decay,
):  # fmt: skip
    """MARS: AdamW on the gradient moved on by how it changed, clipped to a length of 1."""
    moved = g
    if variance_reduction:
        moved = g + gamma * beta1 / (1 - beta1) * (g - last_grad)
        moved = moved / maximum(1.0, norm(moved))
    exp_avg = averaged(exp_avg, moved, beta1)
    exp_avg_sq = averaged_square(exp_avg_sq, moved, beta2)
    root = corrected_root(exp_avg_sq, beta2, step)
    update = exp_avg / (root + eps)
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    p = p * (1 - lr * weight_decay) - lr / (1 - beta1**step) * update
    return p, exp_avg, exp_avg_sq, g
