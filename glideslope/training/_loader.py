"""A data loader that resumes in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import length_hint
from typing import Any, Generic, TypeVar

from torch.utils.data import DataLoader

from glideslope.errors import StateMismatch, require, require_type

from ._own_random import Drawn, OwnRandom, decide_order, draws_as_it_goes
from ._progress import Progress
from ._random import Stream, global_state, set_global_state, set_stream_state, stream_state
from ._streams import streams_of
from ._workers import PersistentWorkers

Batch = TypeVar("Batch")

FIRST = ("generator", "sampler", "batch_sampler", "dataset", "collate_fn", "worker_init_fn")
AGAIN = "restart at each epoch, which an iterator cannot"
MAKE_IT = "a new loader has none to restore, so make it in the constructor"
IN_ORDER = "be True with several workers: else the order of batches is random"


class ResumableLoader(Generic[Batch]):
    """Gives a data loader a state, so that a run resumes with the next batch.

    Each ``for`` loop over it is an epoch of ``loader``, except that the first one after
    `load_state_dict` is the rest of the epoch in which the state was taken. To resume there, the
    random states of the epoch's beginning are restored, its order is drawn again, and the batches
    already used are loaded and dropped; so data workers reach the random numbers they had. This
    takes as long as loading those batches.

    The state includes the random generators, of torch, NumPy and Python, that the loader, its
    samplers, its data set and its functions hold; the numbers and lists that a sampler changes
    during an epoch; and persistent workers (``persistent_workers=True``), whose random numbers are
    seeded again at each epoch.

    An order that may be drawn step by step from the global generators (by a sampler that is not
    torch's, or an `IterableDataset` without workers) is drawn from separate streams, seeded from
    the global ones at the epoch's beginning: so it does not depend on what training draws.

    Args:
        loader: a ``torch.utils.data.DataLoader``, or any iterable that restarts with each
            loop. ``set_epoch`` of its sampler is called, where there is one.

    Raises:
        InvalidType: ``loader`` is an iterator, or cannot be iterated over.
        InvalidValue: the order of batches is random (``in_order=False``), or a generator cannot be
            restored: one in persistent workers, but outside of the data set.

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
        iterable = hasattr(loader, "__iter__") or hasattr(loader, "__getitem__")
        require_type(iterable, "loader", "be iterable", loader)
        require_type(not isinstance(loader, Iterator), "loader", AGAIN, loader)
        self.loader: Any = loader
        self.epoch = 0
        """The number of completed epochs."""
        self.batch = 0
        """The number of batches given in the running epoch."""
        self._beginning: dict[str, Any] | None = None  # of the running epoch, if one is
        self._rest: Iterator[Batch] | None = None
        self._followed: dict[str, Stream] = {}
        self._workers = _workers(loader)
        self._made_with = self._streams().keys()
        self._progress = Progress(self._owners())

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        # A generator: an iterator of which no batch is taken begins no epoch, and ends none.
        batches, self._rest = self._rest, None
        if batches is None:
            self.batch = 0
            epochs = [_epoch(sampler) for sampler in self._samplers()]
            self._beginning = {"random": global_state(), "epochs": epochs, **self._position()}
            batches = self._batches()
        yield from self._count(batches, self._beginning)

    def follow(self, streams: Mapping[str, Stream]) -> None:
        """Restore more generators: those that the loader uses without holding them.

        `TrainingState` does this with the generators among its parts.

        Args:
            streams: generators by a name for each.

        Raises:
            InvalidValue: an epoch is running, and their states at its beginning are unknown.
        """
        held = {id(stream) for stream in self._all_streams().values()}
        new = {name: stream for name, stream in streams.items() if id(stream) not in held}
        rule = "be named before an epoch begins: build the TrainingState before the loop"
        require(not new or self._beginning is None, "generators", rule, list(new))
        self._followed |= new

    def state_dict(self) -> dict[str, Any]:
        """The position: the epoch, the batch, and the random states at the epoch's beginning.

        Raises:
            StateMismatch: the loader has a generator that was made after it was built, and that no
                new loader would have.
        """
        position = self._position()
        known = (self._beginning or position)["generators"]
        position["generators"] = {
            place: state for place, state in position["generators"].items() if place in known
        }
        for place in known:
            if place not in self._made_with and place not in self._followed:
                raise StateMismatch(f"`{place}` was made after the loader was built: {MAKE_IT}")
        here = {"epoch": self.epoch, "batch": self.batch, "beginning": self._beginning}
        return here | position

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to the position of ``state``; the global random states do not change.

        Raises:
            StateMismatch: the loader has fewer batches than were used, or other generators.
        """
        beginning = state["beginning"]
        self._check(beginning or state)
        before = self._position()
        try:
            rest = None if beginning is None else self._fast_forward(beginning, state["batch"])
        except BaseException:
            self._go_to(before)
            raise
        self._rest, self._beginning = rest, beginning
        self.epoch, self.batch = state["epoch"], state["batch"]
        if beginning is None:
            self._go_to(state)
        else:
            self._set_streams(state["generators"])

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

    def _batches(self) -> Iterator[Batch]:
        """A pass over the loader, which draws its order from its own random streams."""
        streams = decide_order(self.loader, self._streams())
        own = OwnRandom(streams, drawn_as_it_goes=draws_as_it_goes(self.loader))
        with own:
            batches = iter(self.loader) if self._workers is None else self._workers.begin()
        return Drawn(batches, own)

    def _fast_forward(self, beginning: dict[str, Any], count: int) -> Iterator[Batch]:
        """The rest of the epoch that began at ``beginning``, after its first ``count`` batches."""
        now = global_state()
        try:
            set_global_state(beginning["random"])
            self._go_to(beginning)
            for sampler, epoch in zip(self._samplers(), beginning["epochs"], strict=True):
                if epoch is not None:
                    sampler.set_epoch(epoch)
            batches = self._batches()
            for used in range(count):
                if next(batches, self) is self:
                    raise StateMismatch(f"{count} batches were used, but the loader has {used}")
        finally:
            set_global_state(now)
        return batches

    def _position(self) -> dict[str, Any]:
        """The state that determines the next epoch."""
        return {
            "generators": {name: stream_state(it) for name, it in self._all_streams().items()},
            "progress": self._progress.state_dict(),
            "workers": None if self._workers is None else self._workers.state_dict(),
        }

    def _go_to(self, position: dict[str, Any]) -> None:
        self._set_streams(position["generators"])
        self._progress.load_state_dict(position["progress"])
        if self._workers is not None:
            self._workers.load_state_dict(position["workers"])

    def _check(self, position: dict[str, Any]) -> None:
        """Refuse a position of a loader with other generators."""
        there, here = position["generators"], self._all_streams()
        if there.keys() != here.keys():
            own, saved = (", ".join(sorted(streams)) or "none" for streams in (here, there))
            raise StateMismatch(f"this loader's generators are {own}; the state holds {saved}")

    def _samplers(self) -> list[Any]:
        """The samplers that decide the order; some are None, and some occur twice."""
        batches = getattr(self.loader, "batch_sampler", None)
        return [getattr(self.loader, "sampler", None), batches, getattr(batches, "sampler", None)]

    def _owners(self) -> dict[str, object]:
        """The objects that decide the next batches, in this process."""
        if not isinstance(self.loader, DataLoader):
            return {"loader": self.loader}
        names = ("loader.sampler", "loader.batch_sampler", "loader.batch_sampler.sampler")
        owners = dict(zip(names, self._samplers(), strict=True))
        return (
            owners if self.loader.num_workers else {**owners, "loader.dataset": self.loader.dataset}
        )

    def _streams(self) -> dict[str, Stream]:
        """The generators that the loader holds."""
        if not isinstance(self.loader, DataLoader):
            return streams_of({"loader": self.loader})
        held = {name: part for name, part in vars(self.loader).items() if name != "_iterator"}
        first = {name: held[name] for name in FIRST}
        return streams_of({f"loader.{name}": part for name, part in (first | held).items()})

    def _all_streams(self) -> dict[str, Stream]:
        """The generators that the loader holds, and those that it follows."""
        return {**self._streams(), **self._followed}

    def _set_streams(self, states: dict[str, Any]) -> None:
        for name, stream in self._all_streams().items():
            if name in states:
                set_stream_state(stream, states[name])


def _epoch(sampler: Any) -> int | None:
    """The epoch that ``set_epoch`` gave to a sampler."""
    return getattr(sampler, "epoch", None) if hasattr(sampler, "set_epoch") else None


def _workers(loader: Any) -> PersistentWorkers | None:
    """The persistent workers, if the loader has them."""
    if not isinstance(loader, DataLoader):
        return None
    in_order = loader.num_workers < 2 or getattr(loader, "in_order", True)
    require(in_order, "loader.in_order", IN_ORDER, False)
    return PersistentWorkers(loader) if loader.persistent_workers else None
