"""Muon: a step whose singular values are all about 1."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from glideslope import rules

from .._base.common import Common
from .._base.hyperparameters import Scalar
from .._base.optimizer import Params
from .._base.step_config import Group
from .directed_optimizer import DirectedOptimizer
from .direction import Direction, Tensors
from .orthogonal import (
    ADJUSTMENTS,
    QUINTIC,
    Adjustment,
    Coefficients,
    check_iteration,
    orthogonalised,
)

__all__ = ["Muon", "MuonWithAuxAdam"]


class Orthogonal(Direction):
    """The averaged gradient with all its singular values brought near 1."""

    state = ("momentum_buffer",)
    takes_stacks = True

    def shapes(self, p: Tensor, group: Group) -> dict[str, torch.Size]:
        """As the parameter."""
        return {"momentum_buffer": p.shape}

    def __call__(
        self, p: Tensor, g: Tensor, state: Tensors, group: Group, step: int
    ) -> tuple[Tensor, Tensors]:
        """Average the gradient, orthogonalise the average, and scale it for its shape."""
        average = state["momentum_buffer"].lerp(g, 1 - float(group["momentum"]))
        ahead = g.lerp(average, float(group["momentum"])) if group["nesterov"] else average
        options = group["ns_coefficients"], group["ns_steps"], float(group["eps"])
        ratio = ADJUSTMENTS[group["adjust_lr_fn"]](*p.shape[-2:])
        return orthogonalised(ahead, *options) * ratio, {"momentum_buffer": average}


class Muon(DirectedOptimizer):
    r"""The averaged gradient with its singular values brought near 1: for hidden matrices.

    .. math::
        M_t = \mu M_{t-1} + (1 - \mu) G_t, \quad
        P_t = (1 - \eta\lambda) P_{t-1}
        - \eta s \, \operatorname{NS}\big((1 - \mu) G_t + \mu M_t\big)

    NS divides a matrix by its Euclidean norm and iterates :math:`X \leftarrow a X + (b X X^\top + c
    (X X^\top)^2) X` in bfloat16. For a matrix of r rows and c columns, s is
    :math:`\sqrt{\max(1, r / c)}`; or :math:`0.2 \sqrt{\max(r, c)}`, with which a step is as long as
    one of AdamW, so that the same η and λ serve; or :math:`\sqrt{r / c}`, with which one η serves
    all widths.

    Five of Jordan's iterations do not lift the smallest singular values to 1: a square matrix keeps
    some near 0, and none exceeds 1.21. ``"polar_express"`` has the best triple for each iteration:
    the worst singular value is nearer to 1, and more iterations bring all of them there. Matrices
    of one shape in one group are computed together.

    Embeddings, the output layer, and all that is no matrix are better left to AdamW:
    `MuonWithAuxAdam` does both.

    Args:
        params: matrices, parameter groups, or named matrices.
        lr: η.
        weight_decay: λ, decoupled from the gradient.
        momentum: μ.
        nesterov: look one step ahead; if not, NS takes :math:`M_t`.
        ns_coefficients: a, b and c; a triple for each iteration; or a name: ``"jordan"``, the
            default, ``"you"`` or ``"polar_express"``, whose triples differ between iterations.
        eps: the least norm to divide by.
        ns_steps: how many iterations.
        adjust_lr_fn: ``"original"``, which None means too, ``"match_rms_adamw"`` or
            ``"unit_rms_norm"``.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds, or a parameter is no matrix.

    Example:
        >>> import torch
        >>> weight = torch.diag(torch.tensor([1.0, 2.0])).requires_grad_()
        >>> optimizer = Muon([weight], lr=0.5, weight_decay=0.0)
        >>> weight.square().sum().backward()
        >>> optimizer.step()    # the smaller gradient does not make the smaller step
        >>> weight.detach().diag().round(decimals=1)
        tensor([0.4000, 1.7000])

    Source: Jordan et al., `Muon: An optimizer for hidden layers in neural networks
    <https://kellerjordan.github.io/posts/muon/>`_ (2024), in the form of `torch.optim.Muon`;
    ``"match_rms_adamw"``: Liu et al., `Muon is Scalable for LLM Training
    <https://arxiv.org/abs/2502.16982>`_ (2025); ``"unit_rms_norm"``: Bernstein, `Deriving Muon
    <https://jeremybernste.in/writing/deriving-muon>`_ (2025); ``"polar_express"``: Amsel et al.,
    `The Polar Express <https://arxiv.org/abs/2505.16932>`_ (2025), algorithm 1; ``"you"``: You
    Jiacheng, in Jordan's `modded-nanogpt <https://github.com/KellerJordan/modded-nanogpt>`_ (2025).
    """

    rule = rules.descent
    direction = Orthogonal()
    _of_several_forms = frozenset({"ns_coefficients"})
    matrices_only = True

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        weight_decay: Scalar = 0.1,
        momentum: Scalar = 0.95,
        nesterov: bool = True,
        ns_coefficients: Coefficients = QUINTIC,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: Adjustment | None = None,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults, **common)

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        check_iteration(group)


class MuonWithAuxAdam(DirectedOptimizer):
    r"""Muon for hidden matrices and AdamW for everything else, in one optimizer.

    The matrices of a group are Muon's where the group says ``use_muon``, and so by default. That is
    wrong for embeddings and for the output layer: put them into a group of ``use_muon`` False, as
    `param_groups` does::

        MuonWithAuxAdam(param_groups(model, use_muon=True), lr=3e-4)

    Everything that is no matrix is AdamW's in any group. With the default ``adjust_lr_fn`` one rate
    and one weight decay serve both; for ``"original"`` Muon's groups want a rate of their own, some
    tens of times larger.

    Args:
        params: tensors, parameter groups, or named tensors.
        lr: η.
        weight_decay: λ, decoupled from the gradient.
        momentum: Muon's μ.
        betas: AdamW's β₁ and β₂.
        eps: AdamW's ε, and the least norm that Muon divides by.
        nesterov: see `Muon`.
        ns_coefficients: see `Muon`.
        ns_steps: see `Muon`.
        adjust_lr_fn: see `Muon`.
        use_muon: whether Muon updates the matrices of a group that does not say.
        maximize: go uphill.
        common: `Common`.

    Raises:
        InvalidValue: a value is outside its bounds.

    Example:
        >>> import torch
        >>> from glideslope.optim import param_groups
        >>> layers = [torch.nn.Embedding(9, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 9)]
        >>> model = torch.nn.Sequential(*layers)
        >>> optimizer = MuonWithAuxAdam(param_groups(model, use_muon=True), lr=3e-4)
        >>> model(torch.tensor([1, 2])).square().sum().backward()
        >>> optimizer.step()
        >>> [sorted(optimizer.state[p]) for p in model[1].parameters()]
        [['momentum_buffer'], ['exp_avg', 'exp_avg_sq', 'step']]

    Source: as `Muon`; the name and the key are those of Jordan's `repository
    <https://github.com/KellerJordan/Muon>`_, the common rate is that of Liu et al.
    """

    rule = rules.descent
    direction = Orthogonal()
    _of_several_forms = frozenset({"ns_coefficients"})
    companion = rules.adam

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        weight_decay: Scalar = 0.1,
        momentum: Scalar = 0.95,
        betas: tuple[Scalar, Scalar] = (0.9, 0.95),
        eps: Scalar = 1e-8,
        nesterov: bool = True,
        ns_coefficients: Coefficients = QUINTIC,
        ns_steps: int = 5,
        adjust_lr_fn: Adjustment | None = "match_rms_adamw",
        use_muon: bool = True,
        *,
        maximize: bool = False,
        **common: Unpack[Common],
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "betas": betas,
            "eps": eps,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
            "use_muon": use_muon,
            "maximize": maximize,
            "amsgrad": False,
            "decoupled_weight_decay": True,
        }
        super().__init__(params, defaults, **common)

    def _is_directed(self, p: Tensor, group: Group) -> bool:
        return p.ndim == 2 and bool(group["use_muon"])

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        check_iteration(group)
