"""The arguments that all optimizers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, get_args

import torch

from glideslope.engines import EngineName, Rounding
from glideslope.errors import require, require_type

from .hyperparameters import check_values

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

EIGHT_BITS = "8bit"
"""The `state_dtype` of codes and scales."""

GROUP_OPTIONS = ("cautious", "cautious_weight_decay", "decay_peak_lr")
"""The arguments of all optimizers that a group may have too."""


class Common(TypedDict, total=False):
    """The arguments that all optimizers share, by keyword.

    Attributes:
        engine: what runs the rule: ``"auto"``, the fastest that is right for each parameter,
            ``"fused"`` on a CPU, ``"triton"`` on a GPU, or ``"tensor"``.
            `RuleOptimizer.engine_report` says which it is and why.
        max_grad_norm: scale all gradients down so that their common Euclidean norm is at most this,
            inside the step: ``grad`` itself stays as it is.
        skip_nonfinite: leave out a step whose gradients hold an infinity or a not-a-number; the
            attribute ``skipped_steps`` counts them.
        ema_decay: keep an exponential moving average of each parameter, ``ema`` in its state, and
            use it inside ``with optimizer.averaged():``.
        state_dtype: of the state; by default that of the parameter, as in torch, but float32 for a
            float16 parameter. State of 16 bits is rounded stochastically. ``"8bit"`` keeps it in a
            byte for each number and a scale for each 64, where a rule keeps averages and sums.
        rounding: how parameters of 16 bits take their new value: ``"nearest"`` as in torch, where
            small updates are lost, ``"stochastic"``, up or down at random with the right mean, or
            ``"compensated"``, where what is lost is kept in the state and added the next time; or
            ``"split"``, where a bfloat16 parameter is the upper part of a float32, whose other 16
            bits are the state ``remainder``: exactly the run of float32 parameters, in two bytes
            less. ``"split24"`` keeps 8 bits. `RuleOptimizer.master_weights` joins the parts.
        cautious: leave out the elements of an update that point against their gradient, and scale
            the rest of the tensor up by as much as was left out, a thousand times at most (`Liang
            et al., 2024 <https://arxiv.org/abs/2411.16085>`_, in the form of their published code).
            Decoupled weight decay is not masked; decay that is added to the gradient is part of it.
            A group may say ``"cautious": False``.
        cautious_weight_decay: apply decoupled weight decay only to the elements that the update
            moves towards 0, or does not move (`Chen et al., 2025
            <https://arxiv.org/abs/2510.12402>`_). A group may say it too.
        decay_peak_lr: the highest learning rate of the run, γ: decoupled weight decay is multiplied
            by lr / γ in each step, so that a parameter shrinks by lr² λ / γ (`Defazio, 2025
            <https://arxiv.org/abs/2506.02285>`_: AdamC). Where groups have different rates, give
            each group its own; None in a group leaves its weight decay as it is.
        process_group: the ranks among which the parameters of the model are shared out as plain
            tensors, by FSDP1 or by pipeline stages: sums over all parameters are over theirs too.
            Sharded tensors, `ZeroRedundancyOptimizer` and DeepSpeed need none. The attribute of
            this name can be set later.
    """

    engine: EngineName
    max_grad_norm: float | None
    skip_nonfinite: bool
    ema_decay: float | None
    state_dtype: torch.dtype | Literal["8bit"] | None
    rounding: Rounding
    cautious: bool
    cautious_weight_decay: bool
    decay_peak_lr: float | None
    process_group: ProcessGroup | None


class CommonSettings(NamedTuple):
    """`Common` with its defaults, but for the process group, which cannot be saved."""

    engine: EngineName = "auto"
    max_grad_norm: float | None = None
    skip_nonfinite: bool = False
    ema_decay: float | None = None
    state_dtype: torch.dtype | Literal["8bit"] | None = None
    rounding: Rounding = "nearest"
    cautious: bool = False
    cautious_weight_decay: bool = False
    decay_peak_lr: float | None = None

    @classmethod
    def of(cls, common: Mapping[str, Any]) -> CommonSettings:
        """The settings among the arguments that all optimizers share."""
        return cls(**{name: value for name, value in common.items() if name in cls._fields})

    def over(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """A group, with the settings of `GROUP_OPTIONS` that it does not have."""
        return {
            "cautious": self.cautious,
            "cautious_weight_decay": self.cautious_weight_decay,
            "decay_peak_lr": self.decay_peak_lr,
            **group,
        }

    @property
    def is_packed(self) -> bool:
        """True if the state of rules is held in 8 bits."""
        return self.state_dtype == EIGHT_BITS

    @property
    def float_dtype(self) -> torch.dtype | None:
        """The dtype that state of floating-point numbers is cast to, if there is one."""
        return None if isinstance(self.state_dtype, str) else self.state_dtype

    @property
    def needs_norm(self) -> bool:
        """True if a step reads all gradients before it updates."""
        return self.skip_nonfinite or self.max_grad_norm is not None


def check_settings(settings: CommonSettings) -> None:
    """Refuse a value that no optimizer could use."""
    _require_choice("engine", settings.engine, get_args(EngineName))
    _require_choice("rounding", settings.rounding, get_args(Rounding))
    norm, decay, dtype = settings.max_grad_norm, settings.ema_decay, settings.state_dtype
    require(norm is None or norm > 0, "max_grad_norm", "be more than 0", norm)
    require(decay is None or 0 <= decay < 1, "ema_decay", "be at least 0 and less than 1", decay)
    is_real = isinstance(dtype, torch.dtype) and dtype.is_floating_point
    is_known = is_real or dtype is None or dtype == EIGHT_BITS
    rule = f'be a floating-point torch.dtype or "{EIGHT_BITS}"'
    require_type(is_known, "state_dtype", rule, dtype)
    check_values({"decay_peak_lr": settings.decay_peak_lr})


def changed_settings(settings: CommonSettings) -> dict[str, Any]:
    """The settings that differ from their defaults, by name."""
    usual = CommonSettings._field_defaults
    return {name: value for name, value in settings._asdict().items() if value != usual[name]}


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    require(value in choices, name, f"be one of {', '.join(choices)}", value)
