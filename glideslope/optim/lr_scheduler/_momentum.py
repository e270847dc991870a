"""The momentum cycle of `CyclicLR` and `OneCycleLR`, opposite to the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glideslope.errors import InvalidValue

NOTES = ("max_momentum", "base_momentum")
"""The keys under which torch keeps the ends of a group's cycle."""


class MomentumCycle:
    """The ends of a momentum cycle, kept in the groups as torch does.

    The key is ``"betas[0]"`` if the optimizer has betas, otherwise ``"momentum"``.

    Raises:
        InvalidValue: the optimizer has no momentum.
    """

    def __init__(
        self, optimizer: Any, groups: Sequence[Any], lower: list[float], upper: list[float]
    ) -> None:
        held = [getattr(optimizer, "defaults", groups[0]), groups[0]]  # ZeRO's has no defaults
        known = [key for key in ("betas", "momentum") if any(key in each for each in held)]
        if not known:
            raise InvalidValue(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
            )
        self.key = "betas[0]" if known[0] == "betas" else "momentum"
        self.lower, self.upper = lower, upper

    def read(self, groups: Sequence[Any]) -> None:
        """Read the ends that the groups keep from an earlier run."""
        for index, group in enumerate(groups):
            if "max_momentum" in group and "base_momentum" in group:
                self.lower[index] = float(group["base_momentum"])
                self.upper[index] = float(group["max_momentum"])

    def note(self, groups: Sequence[Any]) -> None:
        """Keep the ends in the groups."""
        for group, low, high in zip(groups, self.lower, self.upper, strict=False):
            group["max_momentum"], group["base_momentum"] = high, low
