"""Batches whose size follows a schedule."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice

from torch.utils.data import Sampler

from glideslope.errors import require, require_type
from glideslope.schedules import Schedule


class ScheduledBatchSampler(Sampler[list[int]]):
    """Gives a `DataLoader` batches whose size is a schedule of the number of batches so far.

    The count continues from epoch to epoch, so that t is the number of updates where each batch is
    one. A size is rounded to the nearest whole number. `ResumableLoader` saves the count with the
    position. Data workers fetch batches ahead: of an epoch that is left early the count has those
    as well, and ``len`` is of the next epoch once they have the last one. On several processes it
    is the size on each of them: give each a ``DistributedSampler``.

    Args:
        sampler: gives the indices of an epoch, as ``torch.utils.data.RandomSampler`` does.
        batch_size: examples in a batch, at least 1, as a schedule of t.
        drop_last: leave out the last batch of an epoch where it is not full.

    Raises:
        InvalidType: ``sampler`` cannot be iterated over, ``batch_size`` is no schedule, or
            ``drop_last`` no bool.
        InvalidValue: a batch size is below 1: of t = 0 at once, of others when they are reached.
        UnboundError: a length of the schedule has no number yet.

    Example:
        >>> import glideslope as gs
        >>> sizes = gs.linear(4, start=1, end=3)
        >>> batches = gs.training.ScheduledBatchSampler(range(8), sizes)
        >>> list(batches), list(batches)
        ([[0], [1, 2], [3, 4], [5, 6], [7]], [[0, 1, 2], [3, 4, 5], [6, 7]])

    Source: Smith et al., `Don't Decay the Learning Rate, Increase the Batch Size
    <https://arxiv.org/abs/1711.00489>`_ (2017); Merrill et al., `Critical Batch Size Revisited
    <https://arxiv.org/abs/2505.23971>`_ (2025).
    """

    def __init__(
        self, sampler: Iterable[int], batch_size: Schedule, drop_last: bool = False
    ) -> None:
        require_type(isinstance(batch_size, Schedule), "batch_size", "be a schedule", batch_size)
        require_type(hasattr(sampler, "__iter__"), "sampler", "be iterable", sampler)
        require_type(not isinstance(sampler, Iterator), "sampler", "restart each epoch", sampler)
        require_type(isinstance(drop_last, bool), "drop_last", "be True or False", drop_last)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last
        self.batches = 0
        """The number of batches given so far, over all epochs."""
        self._epoch_start = 0
        self.size_at(0)

    def size_at(self, t: int) -> int:
        """The number of examples in the batch number t, counted from 0.

        Raises:
            InvalidValue: the schedule gives none.
        """
        size = float(self.batch_size(t))
        require(size > 0.5, "batch_size", f"be at least 1 at t = {t}", size)
        return round(size)

    def __iter__(self) -> Iterator[list[int]]:
        self._epoch_start = self.batches
        indices = iter(self.sampler)
        while True:
            size = self.size_at(self.batches)
            batch = list(islice(indices, min(size, sys.maxsize)))
            if not batch or (self.drop_last and len(batch) < size):
                break
            self.batches += 1
            yield batch
        self._epoch_start = self.batches

    def __len__(self) -> int:
        """The number of batches in this epoch; between two, in the next one."""
        left, count = len(self.sampler), 0  # type: ignore[arg-type]
        while left > 0:
            size = self.size_at(self._epoch_start + count)
            if self.drop_last and size > left:
                break
            left -= size
            count += 1
        return count

    def __repr__(self) -> str:
        return f"ScheduledBatchSampler({self.batches} batches so far, {self.batch_size!r})"
