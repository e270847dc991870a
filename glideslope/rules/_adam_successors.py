"""Rules that came after Adam and change what is averaged, or when, from simple to complex."""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import agreeing, agreeing_decay, clip, maximum, sqrt
from ._moments import averaged, averaged_square, corrected_root
from ._rule import rule

__all__ = ["adabelief", "adan", "ademamix", "adopt", "laprop"]


@rule(non_negative=["exp_avg_sq"])
def laprop(
    p, g, exp_avg, exp_avg_sq, /,
    lr, beta1, beta2, eps, weight_decay, step,
    *, cautious, cautious_weight_decay,
):  # fmt: skip
    """LaProp: Adam that averages gradients already divided by the root of their averaged square."""
    exp_avg_sq = averaged_square(exp_avg_sq, g, beta2)
    root = corrected_root(exp_avg_sq, beta2, step)
    exp_avg = averaged(exp_avg, g / (root + eps), beta1)
    update = exp_avg
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    p = p * (1 - lr * weight_decay)
    return p - lr / (1 - beta1**step) * update, exp_avg, exp_avg_sq


@rule(non_negative=["exp_avg_var"])
def adabelief(
    p, g, exp_avg, exp_avg_var, /,
    lr, beta1, beta2, eps, weight_decay, step,
    *, cautious, cautious_weight_decay,
):  # fmt: skip
    """AdaBelief: Adam that divides by how far the gradient is from its average."""
    exp_avg = averaged(exp_avg, g, beta1)
    surprise = g - exp_avg
    exp_avg_var = averaged_square(exp_avg_var, surprise, beta2) + eps
    root = corrected_root(exp_avg_var, beta2, step)
    update = exp_avg / (root + eps)
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    p = p * (1 - lr * weight_decay)
    return p - lr / (1 - beta1**step) * update, exp_avg, exp_avg_var


def _adopt_scalars(beta2, step):
    """The first gradient only initialises the square; then the bound grows from 1."""
    later = (step > 1) * 1.0
    return {"memory": beta2 * later, "bound": (step - 1) ** 0.25, "later": later}


@rule(derive=_adopt_scalars, non_negative=["exp_avg_sq"])
def adopt(
    p, g, exp_avg, exp_avg_sq, /,
    lr, beta1, eps, weight_decay, memory, bound, later,
    *, cautious, cautious_weight_decay,
):  # fmt: skip
    """ADOPT: Adam that averages gradients already divided by the root of what came before them."""
    normed = clip(g / maximum(sqrt(exp_avg_sq), eps), -bound, bound)
    exp_avg = averaged(exp_avg, normed, beta1)
    exp_avg_sq = averaged_square(exp_avg_sq, g, memory)
    update = exp_avg
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    return p * (1 - lr * weight_decay * later) - lr * update, exp_avg, exp_avg_sq


@rule(non_negative=["exp_avg_sq"])
def ademamix(
    p, g, exp_avg, exp_avg_slow, exp_avg_sq, /,
    lr, beta1, beta2, beta3, alpha, eps, weight_decay, step,
    *, cautious, cautious_weight_decay,
):  # fmt: skip
    """AdEMAMix: Adam that adds a second, much longer average of the gradient."""
    exp_avg = averaged(exp_avg, g, beta1)
    exp_avg_slow = averaged(exp_avg_slow, g, beta3)
    exp_avg_sq = averaged_square(exp_avg_sq, g, beta2)
    root = corrected_root(exp_avg_sq, beta2, step)
    update = (exp_avg / (1 - beta1**step) + alpha * exp_avg_slow) / (root + eps)
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    return p * (1 - lr * weight_decay) - lr * update, exp_avg, exp_avg_slow, exp_avg_sq


@rule(non_negative=["exp_avg_sq"])
def adan(
    p, g, exp_avg, exp_avg_diff, exp_avg_sq, last_grad, /,
    lr, beta1, beta2, beta3, eps, weight_decay, step, fresh,
    *, cautious, cautious_weight_decay,
):  # fmt: skip
    """Adan: Adam along the average of the gradient and of its changes, with a decay after it."""
    change = (1 - fresh) * (g - last_grad)
    exp_avg = averaged(exp_avg, g, beta1)
    exp_avg_diff = averaged(exp_avg_diff, change, beta2)
    exp_avg_sq = averaged_square(exp_avg_sq, g + beta2 * change, beta3)
    ahead = exp_avg / (1 - beta1**step) + beta2 / (1 - beta2**step) * exp_avg_diff
    update = ahead / (corrected_root(exp_avg_sq, beta3, step) + eps)
    if cautious:
        update = agreeing(update, g)
    if cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    p = (p - lr * update) / (1 + lr * weight_decay)
    return p, exp_avg, exp_avg_diff, exp_avg_sq, g
