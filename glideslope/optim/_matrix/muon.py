"""Muon: a step whose singular values are all about 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Unpack

from torch import Tensor

from glideslope import rules
from glideslope.distributed import is_sharded
from glideslope.errors import require

from .._base.common import Common
from .._base.hyperparameters import Scalar, at_start, require_fraction
from .._base.optimizer import Params
from .._base.step_config import Group
from .blocks import Split, blocks_of, check_split, joined
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


SEVERAL_FORMS = frozenset({"ns_coefficients", "split", "neuron_beta"})
MOMENTS, WEIGHT_NORM = "second_momentum_buffer", "weight_norm"
TINY = 1e-10
"""The least norm to divide by, and what is added to the roots of rows: that of NorMuon's code."""


class Orthogonal(Direction):
    """The averaged gradient with all its singular values brought near 1."""

    state = ("momentum_buffer", MOMENTS, WEIGHT_NORM)
    switches = MappingProxyType({MOMENTS: "neuron_beta", WEIGHT_NORM: "hyperball"})
    widened = frozenset({WEIGHT_NORM})
    takes_stacks = True

    def shapes(self, p: Tensor, group: Group) -> dict[str, Sequence[int]]:
        """As the parameter; one number for each row if rows are evened, one if the norm is kept."""
        kept: dict[str, Sequence[int]] = {"momentum_buffer": p.shape}
        if group["neuron_beta"] is not None:
            kept[MOMENTS] = (p.shape[0], 1)
        if group["hyperball"]:
            kept[WEIGHT_NORM] = (1,)
        return kept

    def start(self, name: str, p: Tensor) -> float:
        """0, but for the norm to be kept, which is that of the parameter."""
        return _norm_of(p) if name == WEIGHT_NORM else 0.0

    def check(self, name: str, p: Tensor, group: Group, state: Mapping[str, Any]) -> None:
        """A matrix of zeros would keep its norm of 0."""
        if group["hyperball"] and WEIGHT_NORM not in state and p.numel():
            moves = _norm_of(p) != 0
            require(moves, "hyperball", f"be False for a matrix of zeros, which {name} is", True)

    def __call__(
        self, p: Tensor, g: Tensor, state: Tensors, group: Group, step: int
    ) -> tuple[Tensor, Tensors]:
        """Average the gradient, and orthogonalise, even and scale each block of the average."""
        average = state["momentum_buffer"].lerp(g, 1 - float(group["momentum"]))
        ahead = g.lerp(average, float(group["momentum"])) if group["nesterov"] else average
        blocks, kept = blocks_of(ahead, group["split"]), {"momentum_buffer": average}
        found = [orthogonalised(block, **_iteration(group)) for block in blocks]
        if MOMENTS in state:
            moments, beta = blocks_of(state[MOMENTS], group["split"]), float(group["neuron_beta"])
            pairs = [_evened(*each, beta) for each in zip(found, moments, strict=True)]
            found = [block for block, _ in pairs]
            kept[MOMENTS] = joined([moment for _, moment in pairs], average)
        scale = ADJUSTMENTS[group["adjust_lr_fn"]]
        whole = joined([block * scale(*block.shape[-2:]) for block in found], average)
        if WEIGHT_NORM in state:
            radius = kept[WEIGHT_NORM] = state[WEIGHT_NORM]
            whole = _unit(whole) * radius.unsqueeze(-1)
        return whole, kept


def _iteration(group: Group) -> dict[str, Any]:
    coefficients, steps = group["ns_coefficients"], group["ns_steps"]
    return {"coefficients": coefficients, "steps": steps, "eps": float(group["eps"])}


def _evened(block: Tensor, moments: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """A block of the same length whose rows are divided by the roots of their averaged squares."""
    moments = moments.lerp(block.square().mean(-1, keepdim=True), 1 - beta)
    even = block / (moments.sqrt() + TINY)
    return even * (_length(block) / _length(even).clamp(min=TINY)), moments


def _unit(matrix: Tensor) -> Tensor:
    """A matrix divided by its norm, however small that is; zeros if it is 0.

    The rule gives the parameter the norm of its direction, so one between 0 and 1 is wrong.
    """
    largest = matrix.abs().amax(dim=(-2, -1), keepdim=True)
    scaled = matrix / largest.where(largest != 0, 1.0)
    return scaled / _length(scaled).clamp(min=1.0)


def _length(matrix: Tensor) -> Tensor:
    """The Euclidean norm of a matrix, or of each of a stack."""
    length: Tensor = matrix.norm(dim=(-2, -1), keepdim=True)
    return length


def _norm_of(p: Tensor) -> float:
    """The Euclidean norm of a parameter, wherever its shards are."""
    norm = p.detach().double().norm()
    return float(norm.full_tensor() if is_sharded(norm) else norm)


def _check_options(group: Group, matrices: Iterable[Tensor], is_cautious: bool) -> None:
    fits = not (group["hyperball"] and is_cautious)
    require(
        fits, "cautious", "be False with `hyperball`, whose steps have a length of their own", True
    )
    check_iteration(group)
    check_split(group["split"], matrices)
    if group["neuron_beta"] is not None:
        require_fraction("neuron_beta", at_start(group["neuron_beta"]))


class Muon(DirectedOptimizer):
    r"""The averaged gradient with its singular values brought near 1: for hidden matrices.

    .. math::
        M_t = \mu M_{t-1} + (1 - \mu) G_t, \quad
        P_t = (1 - \eta\lambda) P_{t-1}
        - \eta s \, \operatorname{NS}\bigl((1 - \mu) G_t + \mu M_t\bigr)

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
        split: in how many equal blocks of rows each matrix is taken apart, each of which is a
            matrix to Muon, or a tuple with the rows of each block: heads, or the queries, keys and
            values that one `torch.nn.Linear` computes.
        neuron_beta: divide each row of NS by the root of its averaged mean square, and the whole by
            what that changes its norm; this is the β of the average, 0.95 in the paper.
        hyperball: keep the Euclidean norm R that each matrix has at its first step: P becomes
            R (P - η R u) over the norm of that, with the step u divided by its norm. η is then
            relative, 0.01 for example, and ``weight_decay`` does nothing.
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
    Jiacheng, in Jordan's `modded-nanogpt <https://github.com/KellerJordan/modded-nanogpt>`_ (2025);
    ``neuron_beta``: Li et al., `NorMuon <https://arxiv.org/abs/2510.05491>`_ (2025), in the form of
    their published code; ``hyperball``: Wen et al., `Fantastic Pretraining Optimizers II
    <https://arxiv.org/abs/2606.16899>`_ (2026).
    """

    rule = rules.muon
    direction = Orthogonal()
    _of_several_forms = SEVERAL_FORMS
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
        split: Split = 1,
        neuron_beta: Scalar | None = None,
        hyperball: bool = False,
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
            "split": split,
            "neuron_beta": neuron_beta,
            "hyperball": hyperball,
        }
        super().__init__(params, defaults, **common)

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        _check_options(group, group["params"], self._is_cautious(group))


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
        split: see `Muon`.
        neuron_beta: see `Muon`.
        hyperball: see `Muon`.
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

    rule = rules.muon
    direction = Orthogonal()
    _of_several_forms = SEVERAL_FORMS
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
        split: Split = 1,
        neuron_beta: Scalar | None = None,
        hyperball: bool = False,
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
            "split": split,
            "neuron_beta": neuron_beta,
            "hyperball": hyperball,
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
        directed = [p for p in group["params"] if self._is_directed(p, group)]
        _check_options(group, directed, self._is_cautious(group))
