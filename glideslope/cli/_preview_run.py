"""The answers of `glideslope preview`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from glideslope.errors import require
from glideslope.optim.lr_scheduler import ReduceLROnPlateau
from glideslope.training import EarlyStopping, History, preview


def show(path: Path, patience: int, metric: str, mode: str, factor: float) -> None:
    """Print what early stopping and a plateau controller would have done."""
    stopping = EarlyStopping(patience, mode=mode)
    optimizer = SimpleNamespace(param_groups=[{"lr": 1.0}])
    # It waits for so many values, and cuts at the next one; `patience` counts that one in.
    plateau = ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience - 1)
    history = History(path)
    count = sum(value is not None for value in history.values(metric))
    require(count > 0, "metric", f"be in {path}", metric)
    stopped = preview(history, stopping, name=metric)
    found = preview(history, plateau, name=metric)
    cuts = f"cuts after steps {', '.join(map(str, found.cuts))}" if found.cuts else "never cuts"
    print(f"{metric}: {count} measurements")
    print(f"early stopping, patience {patience}: {stopped}")
    print(
        f"plateau, patience {patience}: it {cuts}; the rate ends at {found.end:g} of the schedule"
    )
    if not found.cuts and stopped.stop is None:
        longest = longest_wait(stopped.values, mode)
        print(f"the longest wait for an improvement was {longest} of {patience} measurements")


def longest_wait(values: tuple[float, ...], mode: str) -> int:
    """The most measurements in a row without improvement."""
    watch = EarlyStopping(len(values) + 1, mode=mode, non_finite_limit=None)
    longest = 0
    for value in values:
        watch.step(value)
        longest = max(longest, watch.bad_values)
    return longest
