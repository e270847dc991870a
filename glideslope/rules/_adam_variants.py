"""Rules that keep Adam's averages and use them in another way, from simple to complex."""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import absolute, agreeing, agreeing_decay, maximum, sqrt
from ._moments import averaged, averaged_square, corrected_root
from ._rule import rule

__all__ = ["adamax", "nadam", "radam"]


@rule(non_negative=["exp_inf"])
def adamax(
    p, g, exp_avg, exp_inf, /,
    lr, beta1, beta2, eps, weight_decay, step,
    *, with_weight_decay, cautious,
):  # fmt: skip
    """Adamax: Adam with the largest recent gradient where the root of the mean square was."""
    if with_weight_decay:
        g = g + weight_decay * p
    exp_avg = averaged(exp_avg, g, beta1)
    exp_inf = maximum(beta2 * exp_inf, absolute(g) + eps)
    update = exp_avg / exp_inf
    if cautious:
        update = agreeing(update, g)
    return p - lr / (1 - beta1**step) * update, exp_avg, exp_inf


def _nesterov(lr, beta1, momentum_decay, mu_product, step):
    """The shares of gradient and momentum in a step whose momentum μ grows towards β₁."""
    mu = beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))
    next_mu = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
    mu_product = mu_product * mu
    return {
        "gradient_rate": lr * (1 - mu) / (1 - mu_product),
        "momentum_rate": lr * next_mu / (1 - mu_product * next_mu),
        "mu_product": mu_product,
    }


@rule(
    derive=_nesterov,
    counters=["mu_product"],
    start={"mu_product": 1.0},
    non_negative=["exp_avg_sq"],
)
def nadam(
    p, g, exp_avg, exp_avg_sq, /,
    lr, beta1, beta2, eps, weight_decay, step, gradient_rate, momentum_rate,
    *, with_weight_decay, decoupled_weight_decay, cautious, cautious_weight_decay,
):  # fmt: skip
    """NAdam and NAdamW: Adam that steps along the average of the gradient after this one."""
    if with_weight_decay and not decoupled_weight_decay:
        g = g + weight_decay * p
    exp_avg = averaged(exp_avg, g, beta1)
    exp_avg_sq = averaged_square(exp_avg_sq, g, beta2)
    root = corrected_root(exp_avg_sq, beta2, step)
    update = (gradient_rate * g + momentum_rate * exp_avg) / (root + eps)
    if cautious:
        update = agreeing(update, g)
    if decoupled_weight_decay and cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    if decoupled_weight_decay:
        p = p * (1 - lr * weight_decay)
    return p - update, exp_avg, exp_avg_sq


def _rectified(lr, beta1, beta2, step):
    """The two rates of RAdam, one of which is 0: without and with division by the root.

    The variance of that root is finite once the average is longer than four gradients.
    """
    rate = lr / (1 - beta1**step)
    correction = 1 - beta2**step
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / correction
    adaptive = (length > 5) * 1.0
    length, longest = maximum(length, 5.0), maximum(longest, 5.0)
    variance = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return {
        "plain_rate": rate * (1 - adaptive),
        "adaptive_rate": rate * adaptive * sqrt(variance * correction),
    }


@rule(derive=_rectified, non_negative=["exp_avg_sq"])
def radam(
    p, g, exp_avg, exp_avg_sq, /,
    lr, beta1, beta2, eps, weight_decay, plain_rate, adaptive_rate,
    *, with_weight_decay, decoupled_weight_decay, cautious, cautious_weight_decay,
):  # fmt: skip
    """RAdam and RAdamW: momentum alone until the average square can be trusted, then Adam."""
    if with_weight_decay and not decoupled_weight_decay:
        g = g + weight_decay * p
    exp_avg = averaged(exp_avg, g, beta1)
    exp_avg_sq = averaged_square(exp_avg_sq, g, beta2)
    update = (plain_rate + adaptive_rate / (sqrt(exp_avg_sq) + eps)) * exp_avg
    if cautious:
        update = agreeing(update, g)
    if decoupled_weight_decay and cautious_weight_decay:
        weight_decay = agreeing_decay(weight_decay, update, p)
    if decoupled_weight_decay:
        p = p * (1 - lr * weight_decay)
    return p - update, exp_avg, exp_avg_sq
