"""Optimizers that came after Adam and change what is averaged, or when, from simple to complex."""

from __future__ import annotations

from typing import Unpack

from glideslope import rules
from glideslope.errors import require, require_type
from glideslope.schedules import HalfLife, Linear, Schedule

from ._base.common import Common
from ._base.hyperparameters import Scalar
from ._base.optimizer import Params
from ._base.rule_optimizer import RuleOptimizer

__all__ = ["ADOPT", "AdEMAMix", "AdaBelief", "Adan", "LaProp"]


class LaProp(RuleOptimizer):
    r"""Adam that divides each gradient by the root first, and then averages the quotients.

    .. math::
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \quad
        m_t = \beta_1 m_{t-1} + (1 - \beta_1)
        \frac{g_t}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon} \\
        p_t &= (1 - \eta \lambda) p_{t-1} - \eta \frac{m_t}{1 - \beta_1^t}

    A quotient is at most :math:`1 / \sqrt{1 - \beta_2}`, and so is their average, for all β: Adam
    diverges where β₁ is large for its β₂. With β₂ = 0 it averages signs.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, added to the corrected root.
        weight_decay: λ, decoupled from the gradient.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = LaProp([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)

    Source: Ziyin, Wang and Ueda, `LaProp: Separating Momentum and Adaptivity in Adam
    <https://arxiv.org/abs/2002.04839>`_ (2020). The authors' code averages η times the quotient,
    which is the same at a constant η, and does not multiply λ by η.
    """

    rule = rules.laprop

    def __init__(
        self,
        params: Params,
        lr: Scalar = 4e-4,
        betas: tuple[Scalar, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-15,
        weight_decay: Scalar = 0.0,
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


class AdaBelief(RuleOptimizer):
    r"""Adam that divides by how far the gradient is from its average, not by its size.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        s_t = \beta_2 s_{t-1} + (1 - \beta_2) (g_t - m_t)^2 + \epsilon \\
        p_t &= (1 - \eta \lambda) p_{t-1} - \eta \frac{m_t / (1 - \beta_1^t)}
        {\sqrt{s_t / (1 - \beta_2^t)} + \epsilon}

    A gradient that is as expected makes a long step. ε is added twice, as in the paper, and the
    first time it stays in :math:`s`, where it adds up to :math:`\epsilon / (1 - \beta_2)`: that is
    what keeps a constant gradient from dividing by nothing.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, inside the root and outside.
        weight_decay: λ, decoupled from the gradient.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = AdaBelief([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7222, -1.7222], requires_grad=True)

    Source: Zhuang et al., `AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed
    Gradients <https://arxiv.org/abs/2010.07468>`_ (2020), algorithm 2. The authors' package also
    rectifies as RAdam does, by default since its version 0.1; this one does not.
    """

    rule = rules.adabelief

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.999),
        eps: Scalar = 1e-16,
        weight_decay: Scalar = 0.0,
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


class ADOPT(RuleOptimizer):
    r"""Adam whose gradient is divided by the root of what came before it, and then averaged.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) \operatorname{clip}\Bigl(
        \frac{g_t}{\max(\sqrt{v_{t-1}}, \epsilon)}, \pm (t - 1)^{1/4} \Bigr) \\
        p_t &= (1 - \eta \lambda) p_{t-1} - \eta m_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2

    The gradient and what it is divided by are then independent, so that it converges for every β₂.
    The first step, t = 1, moves nothing: it only sets :math:`v_1 = g_1^2`. There is no correction
    for the start.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁ and β₂.
        eps: ε, the least that is divided by.
        weight_decay: λ, decoupled from the gradient.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = ADOPT([weight], lr=0.5, betas=(0.5, 0.9999))
        >>> weight.square().sum().backward()
        >>> for _ in range(2):
        ...     optimizer.step()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)

    Source: Taniguchi et al., `ADOPT: Modified Adam Can Converge with Any β₂ with the Optimal Rate
    <https://arxiv.org/abs/2411.02853>`_ (2024), the clipped version, in which the paper counts the
    step that only sets :math:`v` as number 0.
    """

    rule = rules.adopt

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar] = (0.9, 0.9999),
        eps: Scalar = 1e-6,
        weight_decay: Scalar = 0.0,
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


class AdEMAMix(RuleOptimizer):
    r"""Adam that adds a second, much longer average of the gradient.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        s_t = \beta_3 s_{t-1} + (1 - \beta_3) g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        p_t &= (1 - \eta \lambda) p_{t-1} - \eta \frac{m_t / (1 - \beta_1^t) + \alpha s_t}
        {\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    The long average is not corrected for its start, so that it comes in slowly. A large β₃ still
    diverges early unless α and β₃ grow: ``warmup_steps`` makes them the schedules of the paper,
    α from 0 in a straight line and β₃ from β₁ by `HalfLife`. Any other `Schedule` may be given
    instead: ``alpha=gs.cosine(...)``, ``betas=(0.9, 0.999, gs.half_life(...))``.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁, β₂ and β₃.
        alpha: α, the weight of the long average.
        eps: ε, added to the corrected root.
        weight_decay: λ, decoupled from the gradient.
        warmup_steps: updates over which α and β₃ reach their values; in the paper, all of a run.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = AdEMAMix([weight], lr=0.25, betas=(0.9, 0.999, 0.75), alpha=4.0)
        >>> weight.square().sum().backward()
        >>> optimizer.step()    # ±2 and ±4 over their sizes: 0.25 · (1 + 4 · 0.25)
        >>> weight
        tensor([ 0.5000, -1.5000], requires_grad=True)

    Source: Pagliardini et al., `The AdEMAMix Optimizer: Better, Faster, Older
    <https://arxiv.org/abs/2409.03137>`_ (2024).
    """

    rule = rules.ademamix

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar, Scalar] = (0.9, 0.999, 0.9999),
        alpha: Scalar = 5.0,
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 0.0,
        warmup_steps: int | None = None,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        require(len(betas) == 3, "betas", "be three numbers", betas)
        if warmup_steps is not None:
            alpha, betas = _warmed_up(alpha, betas, warmup_steps)
        defaults = {
            "lr": lr,
            "betas": betas,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **common)


class Adan(RuleOptimizer):
    r"""Adam along an estimate of the next gradient: the average, and the average of its changes.

    .. math::
        d_t &= g_t - g_{t-1}, \quad m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) d_t \\
        n_t &= \beta_3 n_{t-1} + (1 - \beta_3) (g_t + \beta_2 d_t)^2 \\
        p_t &= \frac{1}{1 + \eta \lambda} \Bigl( p_{t-1} - \eta \frac{m_t / (1 - \beta_1^t)
        + \beta_2 v_t / (1 - \beta_2^t)}{\sqrt{n_t / (1 - \beta_3^t)} + \epsilon} \Bigr)

    The first change is 0. The authors use η of 5 to 10 times AdamW's, and λ of 0.02. Every β is the
    weight of the old average, as in Adam; the paper writes 1 - β for it.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        betas: β₁, β₂ and β₃.
        eps: ε, added to the corrected root.
        weight_decay: λ, decoupled from the gradient, after the step.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = Adan([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)

    Source: Xie et al., `Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep
    Models <https://arxiv.org/abs/2208.06677>`_ (2022), with the corrections for the start of the
    authors' code, which the paper's algorithm leaves out.
    """

    rule = rules.adan

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[Scalar, Scalar, Scalar] = (0.98, 0.92, 0.99),
        eps: Scalar = 1e-8,
        weight_decay: Scalar = 0.0,
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


def _warmed_up(
    alpha: Scalar, betas: tuple[Scalar, Scalar, Scalar], steps: int
) -> tuple[Schedule, tuple[Scalar, Scalar, Schedule]]:
    """The paper's schedules of α and β₃; its first update is number 1, that of a schedule 0."""
    start, end = _plain("betas", betas[0]), _plain("betas", betas[2])
    growing = Linear(steps, start=0.0, end=_plain("alpha", alpha)).shift(-1)
    return growing, (start, betas[1], HalfLife(steps, start=start, end=end).shift(-1))


def _plain(name: str, value: Scalar) -> float:
    is_number = isinstance(value, float | int)
    require_type(is_number, name, "be numbers where warmup_steps makes them schedules", value)
    return float(value)  # type: ignore[arg-type]
