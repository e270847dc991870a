"""Persistent data workers, restarted with the random numbers they had."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterDataPipe, get_worker_info

from glideslope.errors import require

from ._own_random import is_torchs
from ._random import seed_stream
from ._streams import streams_of

FUNCTIONS = ("collate_fn", "worker_init_fn")
HELD = "be held by the data set, where persistent workers can seed it"
OFF = "or persistent_workers be False"


class PersistentWorkers:
    """Starts the epochs of a loader with ``persistent_workers``, also in the middle of a run.

    torch seeds the workers once, when it makes them in the first epoch, by a number that it draws
    from the loader's generator. From the second epoch on it draws none, and the workers' generators
    continue. So a later epoch could be repeated only after all earlier ones. Here, the workers'
    generators are seeded again at each later epoch, from the first state of the generator and the
    epoch's number.

    Args:
        loader: the `DataLoader`.

    Raises:
        InvalidValue: its workers hold a generator that cannot be seeded again.
    """

    def __init__(self, loader: Any) -> None:
        _check(loader)
        self._loader = loader
        self._iterator: Any = None
        self._origin: Any = None  # the generator's state when they were made
        self._epoch = 0  # the number of epochs that they have started

    def state_dict(self) -> dict[str, Any] | None:
        """The state from which the next epoch starts; None if it starts with new workers."""
        if self._origin is None or self._loader._iterator is not self._iterator:
            return None
        return {"origin": self._origin, "epoch": self._epoch}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Drop the workers; the next epoch starts from ``state``."""
        self._loader._iterator = self._iterator = None
        self._origin = None if state is None else state["origin"]
        self._epoch = 0 if state is None else state["epoch"]

    def begin(self) -> Iterator[Any]:
        """The batches of the next epoch."""
        if self.state_dict() is None:
            self.load_state_dict(None)
            self._origin = _generator(self._loader).get_state()
            self._iterator = iter(self._loader)
        else:
            if self._iterator is None:
                self._iterator = self._idle()
            self._iterator._shared_seed = _Seed(_seed(self._origin, self._epoch))
            iter(self._loader)  # sends it to the workers
            self._iterator._shared_seed = None
        self._epoch += 1
        batches: Iterator[Any] = self._iterator
        return batches

    def _idle(self) -> Any:
        """New workers with the seeds of the first ones, and without tasks."""
        loader, held = self._loader, vars(self._loader)
        name = "sampler" if loader.batch_sampler is None else "batch_sampler"
        sampler, generator = held[name], held["generator"]
        held[name], held["generator"] = (), torch.Generator().set_state(self._origin)
        try:
            iterator = iter(loader)
        finally:
            held[name], held["generator"] = sampler, generator
        iterator._index_sampler = sampler
        return iterator


@dataclass(frozen=True)
class _Seed:
    """A number that seeds a worker when the worker unpickles it, as None."""

    value: int

    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return _seed_worker, (self.value,)


def _seed_worker(seed: int) -> None:
    info: Any = get_worker_info()
    numbers = np.random.SeedSequence(seed, spawn_key=(info.id,))
    first, second, third = numbers.generate_state(3).tolist()
    torch.manual_seed(first)
    random.seed(second)
    np.random.seed(third)
    for stream in streams_of({"loader.dataset": info.dataset}).values():
        seed_stream(stream, int(numbers.spawn(1)[0].generate_state(1)[0]))


def _seed(origin: torch.Tensor, epoch: int) -> int:
    content = origin.numpy().tobytes() + epoch.to_bytes(8, "big")
    return int.from_bytes(hashlib.sha256(content).digest()[:16])


def _generator(loader: Any) -> torch.Generator:
    generator: torch.Generator = loader.generator or torch.default_generator
    return generator


def _check(loader: Any) -> None:
    require(is_torchs(loader), "loader", f"be iterated over as torch does it, {OFF}", loader)
    pipe = isinstance(loader.dataset, IterDataPipe)
    require(not pipe, "loader.dataset", f"be no IterDataPipe, {OFF}", loader.dataset)
    seeded = {id(stream) for stream in streams_of({"loader.dataset": loader.dataset}).values()}
    functions = {f"loader.{name}": getattr(loader, name) for name in FUNCTIONS}
    for place, stream in streams_of(functions).items():
        require(id(stream) in seeded, place, f"{HELD}, {OFF}", stream)
