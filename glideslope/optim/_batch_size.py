"""Hyperparameters for another batch size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from glideslope.errors import require

from ._base.hyperparameters import Scalar, check_values, require_number


def linear_scaling(ratio: float, *, lr: Scalar) -> dict[str, Any]:
    r"""The learning rate of SGD for a batch κ times as large: κ times as high.

    .. math::
        \eta' = \kappa \eta

    κ steps on small batches go about as far as one on a large batch. Momentum and weight decay
    stay. A high rate needs a warm-up, and beyond some batch size the rule fails.

    Args:
        ratio: κ, the new batch size over the old one.
        lr: η, a number or a schedule.

    Returns:
        The argument of the optimizer, by its name.

    Raises:
        InvalidValue: κ is not above 0, or η below 0.

    Example:
        >>> linear_scaling(8, lr=0.125)
        {'lr': 1.0}

    Source: Goyal et al., `Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour
    <https://arxiv.org/abs/1706.02677>`_ (2017).
    """
    _check_ratio(ratio)
    check_values({"lr": lr})
    return {"lr": lr * ratio}


def sqrt_scaling(ratio: float, *, lr: Scalar, betas: Sequence[float], eps: float) -> dict[str, Any]:
    r"""The hyperparameters of Adam for a batch κ times as large, over the same number of epochs.

    .. math::
        \eta' = \sqrt\kappa \, \eta, \quad 1 - \beta' = \kappa (1 - \beta), \quad
        \epsilon' = \epsilon / \sqrt\kappa

    The averages then reach over as many examples as before. It holds where the noise of a gradient
    is larger than the gradient.

    Args:
        ratio: κ, the new batch size over the old one.
        lr: η, a number or a schedule.
        betas: every β of the optimizer.
        eps: ε.

    Returns:
        The arguments of the optimizer, by name.

    Raises:
        InvalidValue: κ is not above 0, or so large that a β would be below 0, or another number is
            outside its bounds.

    Example:
        >>> sqrt_scaling(4, lr=0.25, betas=(0.875, 0.9375), eps=1e-8)
        {'lr': 0.5, 'betas': (0.5, 0.75), 'eps': 5e-09}

    Source: Malladi et al., `On the SDEs and Scaling Rules for Adaptive Gradient Algorithms
    <https://arxiv.org/abs/2205.10287>`_ (2022).
    """
    _check_ratio(ratio)
    check_values({"lr": lr, "betas": tuple(betas), "eps": eps})
    root, least = math.sqrt(ratio), 1 - 1 / ratio
    for beta in betas:
        rule = f"be at least {least:.6g} for a batch {ratio:g} times as large"
        require(beta >= least, "betas", rule, tuple(betas))
    return {
        "lr": lr * root,
        "betas": tuple(max(0.0, 1 - ratio * (1 - beta)) for beta in betas),
        "eps": eps / root,
    }


def _check_ratio(ratio: float) -> None:
    require_number("ratio", ratio)
    require(0 < ratio < math.inf, "ratio", "be more than 0", ratio)
