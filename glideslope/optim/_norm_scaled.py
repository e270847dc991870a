"""Optimizers whose step depends on the length of a whole tensor, from simple to complex.

Each takes one pass over the tensors to measure them and one to update them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress, islice
from typing import Any, Unpack

from torch import Tensor

from glideslope import rules

from ._base.common import Common
from ._base.hyperparameters import FRACTIONS, Scalar
from ._base.optimizer import Params
from ._base.plan import parameter_names
from ._base.rule_optimizer import RuleOptimizer
from ._base.step_config import Group
from ._loading.kept import Kept

__all__ = ["LAMB", "LARS", "MARS", "StableAdamW"]


class LARS(RuleOptimizer):
    r"""Gradient descent with momentum whose steps are in proportion to the tensor they change.

    .. math::
        \eta^l_t = \tau \frac{\lVert p_{t-1} \rVert}
        {\lVert g_t \rVert + \lambda \lVert p_{t-1} \rVert},
        \quad b_t = \mu b_{t-1} + \eta \eta^l_t (g_t + \lambda p_{t-1}), \quad p_t = p_{t-1} - b_t

    with the norms of each tensor. Where a norm is 0, :math:`\eta^l_t = 1`; so it is in groups with
    ``"adapt": False``, where biases and the weights of norms belong, with no weight decay. The
    learning rate is inside the momentum, as in the paper; timm and apex multiply by it afterwards,
    which differs while it changes.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        momentum: μ, less than 1.
        weight_decay: λ, added to the gradient.
        trust_coefficient: τ.
        adapt: use the norms.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = LARS([weight], lr=1.0, trust_coefficient=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([2.2500, 3.0000], requires_grad=True)

    Source: You et al., `Large Batch Training of Convolutional Networks
    <https://arxiv.org/abs/1708.03888>`_ (2017), algorithm 1.
    """

    rule = rules.lars
    _fractions = FRACTIONS | {"momentum"}

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1.0,
        momentum: Scalar = 0.9,
        weight_decay: Scalar = 0.0,
        trust_coefficient: Scalar = 1e-3,
        adapt: bool = True,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient,
            "adapt": adapt,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)


class LAMB(RuleOptimizer):
    r"""AdamW whose step, decay and all, is in proportion to the length of the tensor it changes.

    .. math::
        u_t = \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}
        + \lambda p_{t-1}, \quad
        p_t = p_{t-1} - \eta \frac{\lVert p_{t-1} \rVert}{\lVert u_t \rVert} u_t

    with the norms of each tensor and `Adam`'s averages :math:`m` and :math:`v`. Where a norm is 0,
    the ratio is 1; so it is in groups with ``"adapt": False``, where biases and the weights of
    norms belong, with no weight decay.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the corrected root.
        weight_decay: λ, inside the ratio.
        adapt: use the norms.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0, 2.0], requires_grad=True)
        >>> optimizer = LAMB([weight], lr=0.1)
        >>> weight.square().sum().backward()
        >>> optimizer.step()    # ±1 each, made 3 long
        >>> weight
        tensor([ 0.8268, -1.8268,  1.8268], requires_grad=True)

    Source: You et al., `Large Batch Optimization for Deep Learning: Training BERT in 76 minutes
    <https://arxiv.org/abs/1904.00962>`_ (2019), algorithm 2 with φ(x) = x. Published
    variants differ: NVIDIA's divides all gradients by their common norm first (``max_grad_norm=1``
    clips by it), others clamp the tensor's norm to [0, 10] or leave out the corrections.
    """

    rule = rules.lamb

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-6,
        weight_decay: Scalar = 0.0,
        adapt: bool = True,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "adapt": adapt,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)


class StableAdamW(RuleOptimizer):
    r"""AdamW that slows down where a tensor's gradients are larger than its averages expect.

    .. math::
        \eta_t = \frac{\eta}{\max\Bigl(1, \sqrt{\operatorname{mean}\bigl(
        g_t^2 / \max(\hat v_t, \epsilon^2)\bigr)}\Bigr)}, \quad
        p_t = (1 - \eta_t \lambda) p_{t-1} - \eta_t \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}

    with the mean over each tensor, and `Adam`'s averages :math:`m` and :math:`v` over
    :math:`1 - \beta^t`, which are the paper's: it corrects β instead. It does what clipping of the
    gradient's norm is for.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the corrected root.
        weight_decay: λ, decoupled from the gradient, slowed down as well.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = StableAdamW([weight], lr=0.25, weight_decay=0.0)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)

    Source: Wortsman et al., `Stable and low-precision training for large-scale vision-language
    models <https://arxiv.org/abs/2304.13013>`_ (2023), algorithm 2.
    """

    rule = rules.stable_adamw

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.99),
        eps: Scalar = 1e-6,
        weight_decay: Scalar = 1e-2,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)


class MARS(RuleOptimizer):
    r"""AdamW on a gradient that is moved on by how it changed, and clipped tensor by tensor.

    .. math::
        c_t = g_t + \gamma \frac{\beta_1}{1 - \beta_1} (g_t - g_{t-1}), \quad
        \tilde c_t = \frac{c_t}{\max(1, \lVert c_t \rVert)}, \quad
        p_t = (1 - \eta \lambda) p_{t-1} - \eta \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}

    with `Adam`'s corrected averages of :math:`\tilde c`. Only matrices, that is tensors of two
    dimensions or more, are treated so: vectors get plain AdamW with ``vector_betas``. A group may
    say ``variance_reduction``: True treats all its tensors as matrices, False gives all of them
    plain AdamW with ``betas``.

    The first :math:`g_0` is 0, as published: :math:`c_1` is longer than :math:`g_1`, before it is
    clipped. The last gradient is that of another batch, the paper's "approximate" MARS, so that one
    evaluation of the model is enough.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂ of matrices.
        eps: ε, added to the corrected root.
        weight_decay: λ, decoupled from the gradient.
        gamma: γ.
        vector_betas: β₁ and β₂ of vectors.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(2, 1)
        >>> optimizer = MARS(layer.parameters())
        >>> layer(torch.ones(2)).sum().backward()
        >>> optimizer.step()
        >>> [sorted(optimizer.state[p]) for p in layer.parameters()]
        [['exp_avg', 'exp_avg_sq', 'last_grad', 'step'], ['exp_avg', 'exp_avg_sq', 'step']]

    Source: Yuan et al., `MARS: Unleashing the Power of Variance Reduction for Training Large Models
    <https://arxiv.org/abs/2411.10438>`_ (2024), algorithm 2, MARS-AdamW.
    """

    rule = rules.mars

    def __init__(
        self,
        params: Params,
        lr: Scalar = 3e-3,
        betas: tuple[Scalar, Scalar] = (0.95, 0.99),
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 0.0,
        gamma: Scalar = 0.025,
        vector_betas: tuple[Scalar, Scalar] = (0.9, 0.95),
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "gamma": gamma,
            "vector_betas": vector_betas,
            "variance_reduction": None,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)

    def _planned_groups(self, groups: Sequence[Group]) -> list[Group]:
        names = iter(parameter_names(groups))
        return [part for group in groups for part in _parts(group, names)]

    def _keeps(self, parameter: Tensor, group: dict[str, Any]) -> Kept:
        return super()._keeps(
            parameter, {**group, "variance_reduction": _is_reduced(parameter, group)}
        )

    def _need_of_wholes(self, group: Group) -> str | None:
        return "MARS tells matrices from vectors"


def _is_reduced(parameter: Tensor, group: Group) -> bool:
    """True if a parameter of a group gets a gradient of less variance."""
    chosen = group["variance_reduction"]
    return parameter.ndim >= 2 if chosen is None else bool(chosen)


def _parts(group: Group, all_names: Iterator[str]) -> Iterator[Group]:
    """A group as a step sees it: its matrices, and its vectors with their own averages."""
    reduced = [_is_reduced(parameter, group) for parameter in group["params"]]
    names = [*islice(all_names, len(reduced))]
    for chosen in sorted(set(reduced), reverse=True):
        places = [is_reduced is chosen for is_reduced in reduced]
        is_vectors = group["variance_reduction"] is None and not chosen
        yield {
            **group,
            "params": [*compress(group["params"], places)],
            "param_names": [*compress(names, places)],
            "betas": group["vector_betas"] if is_vectors else group["betas"],
            "variance_reduction": chosen,
        }
