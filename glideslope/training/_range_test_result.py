"""The result of a learning-rate range test: a value to draw, print and save."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glideslope.errors import InvalidValue, require
from glideslope.plot import plot_range_test
from glideslope.schedules import Schedule
from glideslope.text import text_table

from ._suggestions import LEAST, RULES, SHARES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMAT = 1
SKIPPED_AT_END = 5
"""The number of losses at the end, the divergence, that the rules leave out."""
SKIPPED_SHARE = 10
"""One over the share of the sweep at its beginning that the rules leave out."""


class Average:
    """Exponential moving average of the losses, with bias correction.

    ``a_n = β·a_(n-1) + (1-β)·x_n`` from 0, divided by ``1 - β^n``.
    """

    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing
        self._sum = 0.0
        self._weight = 1.0

    def __call__(self, loss: float) -> float:
        self._sum = self.smoothing * self._sum + (1 - self.smoothing) * loss
        self._weight *= self.smoothing
        return self._sum / (1 - self._weight)


@dataclass(frozen=True, repr=False)
class RangeTestResult:
    """The losses under rising learning rates; as a pair, ``lrs, losses``.

    Args:
        groups: the names of the parameter groups.
        sweeps: the schedule that each group's rate followed.
        losses: the loss at each update, before it.
        smoothing: β of the average that `smoothed` is, in [0, 1).
        reason: the reason for the end of the test.

    Raises:
        InvalidValue: the numbers of ``sweeps`` and ``groups`` differ, or a loss is not finite.

    Example:
        >>> import glideslope as gs
        >>> losses = [abs(t - 60) / 40 for t in range(80)]
        >>> sweep = gs.range_test(100)
        >>> result = gs.training.RangeTestResult(("0",), (sweep,), losses, smoothing=0.0)
        >>> print(result)
        80 updates: the sweep is over
        suggestion        lr
        valley      5.59e-05
        steep       1.26e-05
        minimum     0.000705
        slide       0.000433
        >>> result.suggest("minimum") == sweep(60) / 10
        True
        >>> result == gs.training.RangeTestResult.from_json(result.to_json())
        True
    """

    groups: tuple[str, ...]
    sweeps: tuple[Schedule, ...]
    losses: tuple[float, ...]
    smoothing: float = 0.98
    reason: str = "the sweep is over"

    def __post_init__(self) -> None:
        for name in ("groups", "sweeps", "losses"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        rule = f"be as many as the groups, {len(self.groups)}"
        require(0 < len(self.sweeps) == len(self.groups), "sweeps", rule, self.sweeps)
        finite = all(map(math.isfinite, self.losses))
        require(finite, "losses", "be finite", self.losses)
        require(
            0 <= self.smoothing < 1, "smoothing", "be at least 0 and less than 1", self.smoothing
        )

    @property
    def lrs(self) -> tuple[float, ...]:
        """The learning rate of each update: the highest of all groups'."""
        return tuple(map(max, zip(*self.group_lrs.values(), strict=True)))

    @property
    def group_lrs(self) -> dict[str, tuple[float, ...]]:
        """The learning rates of each group, by its name."""
        steps = range(len(self.losses))
        pairs = zip(self.groups, self.sweeps, strict=True)
        return {name: tuple(float(sweep(t)) for t in steps) for name, sweep in pairs}

    @property
    def smoothed(self) -> tuple[float, ...]:
        """The bias-corrected moving average of the losses."""
        return tuple(map(Average(self.smoothing), self.losses))

    def suggest(self, method: str = "valley") -> float:
        r"""A learning rate to train at, from the smoothed losses.

        The first tenth of the sweep and the last five losses are left out.

        Args:
            method: ``"valley"``, half way down the longest valley; ``"steep"``, where the loss
                falls fastest with the logarithm of the rate; ``"minimum"``, a tenth of the rate
                where it is lowest; ``"slide"``, left of the divergence.

        Returns:
            The rate; with several groups, that of the group with the highest.

        Raises:
            InvalidValue: an unknown method, too few losses, or losses that never fell.

        Source: fastai's functions of these names.
        """
        return max(self.suggest_by_group(method).values())

    def suggest_by_group(self, method: str = "valley") -> dict[str, float]:
        """The suggestion for each group, by its name."""
        index, share = self._find(method), SHARES.get(method, 1.0)
        return {name: lrs[index] * share for name, lrs in self.group_lrs.items()}

    def suggestions(self) -> dict[str, float]:
        """The suggestions of all methods that find one."""
        found = {}
        for method in RULES:
            try:
                found[method] = self.suggest(method)
            except InvalidValue:
                continue
        return found

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses over the learning rate, with the suggestions.

        Args:
            ax: where to draw; a new figure unless given.

        Raises:
            MissingDependency: Matplotlib is not installed.
        """
        return plot_range_test(self, ax=ax)

    def to_json(self) -> str:
        """The result as JSON, with the curves written out for other programs."""
        groups = [
            {"name": name, "sweep": sweep.to_dict()}
            for name, sweep in zip(self.groups, self.sweeps, strict=True)
        ]
        return json.dumps(
            {
                "format": FORMAT,
                "groups": groups,
                "smoothing": self.smoothing,
                "reason": self.reason,
                "suggestions": self.suggestions(),
                "lrs": self.lrs,
                "losses": self.losses,
                "smoothed": self.smoothed,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> RangeTestResult:
        """The result that `to_json` wrote.

        Raises:
            InvalidValue: ``text`` is none.
        """
        try:
            data = json.loads(text)
            sweeps = [Schedule.from_dict(group["sweep"]) for group in data["groups"]]
            names = [group["name"] for group in data["groups"]]
            given: dict[str, Any] = {key: data[key] for key in ("losses", "smoothing", "reason")}
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidValue(f"not the result of a range test: {error!r}") from error
        require(data["format"] == FORMAT, "format", f"be {FORMAT}", data["format"])
        return cls(tuple(names), tuple(sweeps), **given)

    def __iter__(self) -> Iterator[tuple[float, ...]]:
        return iter((self.lrs, self.losses))

    def __repr__(self) -> str:
        lrs = self.lrs
        span = f", lr {lrs[0]:.3g} to {lrs[-1]:.3g}" if lrs else ""
        return f"RangeTestResult({len(lrs)} updates{span}: {self.reason})"

    def __str__(self) -> str:
        """A table of the suggestions, by method and group."""
        head = f"{len(self.losses)} updates: {self.reason}"
        rows = [["suggestion", *(self.groups if len(self.groups) > 1 else ["lr"])]]
        for method in self.suggestions():
            rows.append([method, *(f"{lr:.3g}" for lr in self.suggest_by_group(method).values())])
        table = text_table(rows, "<".ljust(len(rows[0]), ">"))
        return f"{head}\n{table if len(rows) > 1 else 'no suggestion'}"

    def _find(self, method: str) -> int:
        """The index of the rate that a method picks."""
        require(method in RULES, "method", f"be one of {', '.join(RULES)}", method)
        skipped = math.ceil(self.sweeps[0].steps) // SKIPPED_SHARE
        losses = self.smoothed[skipped:-SKIPPED_AT_END]
        least = LEAST.get(method, 2)
        rule = f"be at least {skipped + least + SKIPPED_AT_END} for {method}"
        require(len(losses) >= least, "len(losses)", rule, len(self.losses))
        if min(losses) >= losses[0]:
            raise InvalidValue("the losses never fall: there is nothing to suggest")
        return skipped + RULES[method](self.lrs[skipped:-SKIPPED_AT_END], losses)
