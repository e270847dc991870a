"""A data loader that goes on in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import length_hint
from typing import Any, Generic, TypeVar

import torch

from glideslope.errors import StateMismatch

from ._random import global_state, set_global_state, set_stream_state, stream_state

Batch = TypeVar("Batch")


class ResumableLoader(Generic[Batch]):
    """Gives a data loader a state, so that a run goes on with the very next batch.

    Each ``for`` loop over it is an epoch of ``loader``, except that the first one after
    `load_state_dict` is the rest of the epoch in which the state was taken. To get there, the
    epoch's beginning is restored, its order drawn again, and the batches already used are loaded
    and dropped; so data workers, too, reach the random numbers they had. This takes as long as
    loading those batches.

    Two things are out of reach: batches drawn at random by an endless source that keeps its own
    position, and random augmentation in workers that outlive an epoch (``persistent_workers``).

    Args:
        loader: a ``torch.utils.data.DataLoader``, or anything that can be iterated over anew for
            each epoch. Generators of the loader and its samplers are restored, and
            ``set_epoch`` of its sampler is called, where there are any.

    Example:
        >>> import glideslope as gs
        >>> loader = gs.training.ResumableLoader(range(5))
        >>> for number in loader:
        ...     if number == 2:
        ...         state = loader.state_dict()
        >>> again = gs.training.ResumableLoader(range(5))
        >>> again.load_state_dict(state)
        >>> list(again), list(again)
        ([3, 4], [0, 1, 2, 3, 4])
    """

    def __init__(self, loader: Iterable[Batch]) -> None:
        self.loader = loader
        self.epoch = 0
        """How many epochs have been gone through to their end."""
        self.batch = 0
        """How many batches of the running epoch have been handed out."""
        self._beginning: dict[str, Any] | None = None  # of the running epoch, if one is
        self._rest: Iterator[Batch] | None = None

    def __len__(self) -> int:
        return len(self.loader)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        batches, self._rest = self._rest, None
        if batches is None:
            self.batch = 0
            self._beginning = self._position()
            batches = iter(self.loader)
        return self._count(batches, self._beginning)

    def state_dict(self) -> dict[str, Any]:
        """The position: the epoch, the batch, and what the order of the epoch follows from."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "beginning": self._beginning,
            "generators": [stream_state(generator) for generator in self._generators()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to the position of ``state``; the global random numbers stay where they are.

        Raises:
            StateMismatch: the loader has fewer batches than were already used.
        """
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._beginning, self._rest = state["beginning"], None
        if self._beginning is not None:
            now = global_state()
            self._rest = self._fast_forward(self._beginning)
            set_global_state(now)
        self._set_generators(state["generators"])

    def __repr__(self) -> str:
        of = f" of {length}" if (length := length_hint(self.loader, 0)) else ""
        kind = type(self.loader).__name__
        return f"ResumableLoader({kind}, epoch {self.epoch}, batch {self.batch}{of})"

    def _count(self, batches: Iterator[Batch], beginning: object) -> Iterator[Batch]:
        try:
            for batch in batches:
                self.batch += 1
                yield batch
            self.epoch += 1
        finally:
            if self._beginning is beginning:  # not when a later loop has begun
                self.batch, self._beginning = 0, None

    def _fast_forward(self, beginning: dict[str, Any]) -> Iterator[Batch]:
        set_global_state(beginning["random"])
        self._set_generators(beginning["generators"])
        for sampler, epoch in zip(self._samplers(), beginning["epochs"], strict=True):
            if epoch is not None:
                sampler.set_epoch(epoch)
        batches = iter(self.loader)
        for used in range(self.batch):
            if next(batches, self) is self:
                raise StateMismatch(f"{self.batch} batches were used, but the loader has {used}")
        return batches

    def _position(self) -> dict[str, Any]:
        return {
            "random": global_state(),
            "generators": [stream_state(generator) for generator in self._generators()],
            "epochs": [_epoch(sampler) for sampler in self._samplers()],
        }

    def _samplers(self) -> list[Any]:
        """Whoever decides the order; not all loaders have them, and some are twice the same."""
        batches = getattr(self.loader, "batch_sampler", None)
        return [getattr(self.loader, "sampler", None), batches, getattr(batches, "sampler", None)]

    def _generators(self) -> list[torch.Generator]:
        """The generators of the loader and of its samplers, each once."""
        held = [getattr(owner, "generator", None) for owner in (self.loader, *self._samplers())]
        return list({id(g): g for g in held if isinstance(g, torch.Generator)}.values())

    def _set_generators(self, states: list[Any]) -> None:
        for generator, state in zip(self._generators(), states, strict=True):
            set_stream_state(generator, state)


def _epoch(sampler: Any) -> int | None:
    """The epoch that a sampler was told by ``set_epoch``."""
    return getattr(sampler, "epoch", None) if hasattr(sampler, "set_epoch") else None
