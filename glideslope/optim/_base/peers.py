"""The other ranks that a model's parameters are shared out to, where these are plain tensors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from glideslope.distributed import (
    Comparison,
    ZeroParts,
    gathered,
    has_peers,
    is_flat_shard,
    is_own_group,
    is_sharded,
    shard,
    zero_group,
    zero_parts,
)
from glideslope.errors import InvalidValue, require_type

from .plan import flattened, parameter_names
from .step_config import Group

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

FULLY_SHARD = "use `torch.distributed.fsdp.fully_shard`"


class Needs(Protocol):
    """An optimizer, as far as its peers are concerned."""

    param_groups: Any

    def _need_of_all(self) -> str | None:
        """The reason for which a step needs all parameters together."""

    def _need_of_wholes(self, group: Group) -> str | None:
        """The reason for which a step needs whole tensors."""

    def _need_of_count(self) -> str | None:
        """The reason for which an update must be one step."""


class Peers:
    """The ranks that hold other parameters of the model than this one, or other parts of them.

    Sharded tensors tell where their parts are. For plain tensors the group is given, or found where
    `ZeroRedundancyOptimizer` shares them out.

    Args:
        group: the ranks; None if no rank holds other parameters, or they are to be found.
    """

    def __init__(self, group: ProcessGroup | None = None) -> None:
        rule = "be None or a group of torch.distributed that this rank is in"
        require_type(group is None or is_own_group(group), "process_group", rule, group)
        self.group = group
        self._is_checked = False
        self._comparison: Comparison | None = None
        self._zero: ZeroParts | None = None
        self._searched: Any = None
        self._fitting: set[int] = set()

    def at_step(self, optimizer: Needs) -> ProcessGroup | None:
        """The group over which a step takes sums, beside those of sharded tensors.

        The first step checks it.

        Raises:
            InvalidValue: FSDP1 or DeepSpeed cut the parameters, and the step needs wholes, a group,
                or an update in one step.
        """
        if (zero := self._zero_parts(optimizer)) is not None:
            return self._at_step_of_parts(optimizer, zero)
        if not has_peers():
            return None
        if not self._is_checked:
            self._check(optimizer)
        if self._comparison is not None:
            self._compare(self._comparison, optimizer)
        return self.group

    def check_flat_shards(self, optimizer: Needs, group: Group) -> None:
        """Refuse parts that FSDP1 cut from parameters, where a step needs more than it can see."""
        if not (has_peers() and any(map(is_flat_shard, group["params"]))):
            return
        parts = "`params` are parts that FSDP1 cut from parameters, and"
        if need := optimizer._need_of_wholes(group):
            raise InvalidValue(f"{parts} {need}: {FULLY_SHARD}")
        need = optimizer._need_of_all()
        if need and self.group is None:
            given = "give `process_group=model.process_group` of the wrapped model"
            raise InvalidValue(f"{parts} {need}: {given}, or {FULLY_SHARD}")

    def _zero_parts(self, optimizer: Needs) -> ZeroParts | None:
        """The parts that DeepSpeed made of the parameters, looked for again when these change."""
        present = optimizer.param_groups[0]["params"] if optimizer.param_groups else None
        if self._zero is None and self._searched is not present:
            self._zero, self._searched = zero_parts(optimizer), present
        return self._zero

    def _at_step_of_parts(self, optimizer: Needs, zero: ZeroParts) -> ProcessGroup | None:
        for group in optimizer.param_groups:
            if id(group) not in self._fitting:
                _check_parts(optimizer, group, zero)
                self._fitting.add(id(group))
        if self.group is None and optimizer._need_of_all():
            self.group = zero.group
        return self.group

    def _check(self, optimizer: Needs) -> None:
        for group in optimizer.param_groups:
            self.check_flat_shards(optimizer, group)
        self._is_checked = True
        if not optimizer._need_of_all():
            return
        if self.group is not None:
            _warn_of_copies(self.group, optimizer.param_groups)
            return
        self.group = zero_group(optimizer)
        plain = [p for p in flattened(optimizer.param_groups) if not is_sharded(p)]
        if self.group is None and plain:
            self._comparison = Comparison(_described(optimizer.param_groups))

    def _compare(self, comparison: Comparison, optimizer: Needs) -> None:
        rank = comparison.different()
        if rank is not None:
            warnings.warn(
                f"rank {rank} holds other parameters than this one, and "
                f"{optimizer._need_of_all()}, but sees this rank's only: give `process_group=` "
                "the ranks that share a model out",
                stacklevel=7,
            )
        if rank is not None or comparison.is_over:
            self._comparison = None


def _check_parts(optimizer: Needs, group: Group, zero: ZeroParts) -> None:
    """Refuse parts that DeepSpeed cut and steps, where an update needs more than one part."""
    if need := optimizer._need_of_wholes(group):
        raise InvalidValue(
            "`params` are parts that DeepSpeed's ZeRO cut from all parameters of a group, and "
            f"{need}: {FULLY_SHARD}, or ZeRO's stage 0"
        )
    if zero.steps == 1:
        return
    apart = (
        f"DeepSpeed's ZeRO updates `params` in {zero.steps} steps, one for each group (in stage 3, "
        "for each `sub_group_size` elements of it), and"
    )
    if need := optimizer._need_of_all():
        raise InvalidValue(f"{apart} {need}: give one group, or {FULLY_SHARD}")
    if need := optimizer._need_of_count():
        raise InvalidValue(
            f"{apart} {need}: give one group, or DeepSpeed a `Scheduler` as its `lr_scheduler`"
        )


def _warn_of_copies(group: ProcessGroup, groups: Sequence[Group]) -> None:
    """Warn of a group whose ranks all hold the same numbers: its sums count each several times."""
    own = sum(float(shard(p).detach().double().sum()) for p in flattened(groups))
    rows = gathered([own, float(len(flattened(groups)))], group)
    if len(rows) > 1 and all(row == rows[0] for row in rows):
        warnings.warn(
            "all ranks of `process_group` hold the same parameters, and sums count each of them "
            f"{len(rows)} times: leave it out",
            stacklevel=8,
        )


def _described(groups: Sequence[Group]) -> str:
    """The names, shapes and dtypes of parameters."""
    named = zip(parameter_names(groups), flattened(groups), strict=True)
    return "; ".join(f"{name} {tuple(p.shape)} {p.dtype}" for name, p in named)
