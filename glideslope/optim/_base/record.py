"""Record of the gradients of past steps, which stays on a device until it is read."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .verdict import Number, Verdict


class GradientRecord:
    """The norm at the last step, and the number of steps that were skipped."""

    def __init__(self) -> None:
        self._norm: Number | None = None
        self._skipped: Number = 0

    @property
    def norm(self) -> float | None:
        """The norm of all gradients at the last step; None if nothing needed it."""
        return None if self._norm is None else float(self._norm)

    @property
    def skipped(self) -> int:
        """The number of steps that `skip_nonfinite` has skipped."""
        return int(self._skipped)

    def add(self, verdict: Verdict) -> None:
        """Note a step."""
        if verdict.norm is not None:
            self._norm = verdict.norm
        if isinstance(verdict.counted, Tensor):
            self._skipped = verdict.counted + self._skipped
        elif verdict.counted:
            self._skipped = self._skipped + 1

    def __getstate__(self) -> dict[str, Any]:
        return {"_norm": self.norm, "_skipped": self.skipped}
