"""A weighted mean of checkpoints: the model after a cooldown that was never run."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from operator import methodcaller
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from glideslope.distributed import has_peers
from glideslope.errors import (
    CheckpointError,
    InvalidValue,
    StateMismatch,
    require,
    require_type,
    shortened,
)
from glideslope.schedules import Schedule, parse

from ._checkpointer import Checkpointer
from ._nest import Keys, place
from ._seal import Damaged
from ._sharded.outline import replaced
from ._sharded.reading import of_rank_0, read_alone, read_together

BLOCK = 1 << 18
"""The number of elements that are added up at once in double precision."""

Files = Mapping[int, str | os.PathLike[str]]


@dataclass(frozen=True, eq=False, repr=False)
class MergedModel:
    """A weighted mean of checkpoints, from `merge`.

    Args:
        state: for ``load_state_dict`` of the model; its tensors are on the CPU.
        steps: the numbers of the checkpoints.
        weights: their weights, which add up to 1.
    """

    state: Any
    steps: list[int]
    weights: list[float]

    def __repr__(self) -> str:
        """The number of checkpoints, and the first and last of them."""
        steps = self.steps
        if len(steps) == 1:
            return f"MergedModel(1 checkpoint, of step {steps[0]})"
        return f"MergedModel({len(steps)} checkpoints, of steps {steps[0]} to {steps[-1]})"


def merge(
    checkpoints: Checkpointer | Files,
    schedule: Schedule | str,
    *,
    key: str | Sequence[str] = "model",
) -> MergedModel:
    """The approximate model after a cooldown that ends at the newest checkpoint.

    A weighted mean ``Σ c_j θ_j`` of the checkpoints of a run at full rate, with the weights of
    `Schedule.merge_weights`. Nothing is trained, and the run that writes the checkpoints may
    continue meanwhile: one that it deletes is left out.

    Tensors of floating point are added up in double precision and rounded to their dtype. Integers,
    booleans, sparse tensors and plain values are those of the newest checkpoint. Running statistics
    of a BatchNorm are averaged like weights; `torch.optim.swa_utils.update_bn` computes them for
    the merged model. In memory are the result and a block of one tensor. On several ranks, all
    call this, and each gets the whole tensors.

    Args:
        checkpoints: a `Checkpointer` of any process, or a dict of files by step, as
            `save_checkpoint` or ``torch.save`` writes them. Damaged ones are left out with a
            warning.
        schedule: the cooldown, or its text, such as ``"linear(20%)"``. Percent are of the updates
            before the newest checkpoint.
        key: the place of the model in each state, such as ``("run", "model")``; ``()`` if the state
            is the model's.

    Raises:
        InvalidType: ``schedule`` is neither a schedule nor text.
        InvalidValue: no checkpoint, or none from before the decay; a schedule without such weights;
            a state without ``key``.
        StateMismatch: the checkpoints are of different models.
        CheckpointError: one cannot be read.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import torch, glideslope as gs
        >>> with TemporaryDirectory() as folder:
        ...     with gs.training.Checkpointer(folder, keep=5) as saved:
        ...         for step in range(5):
        ...             saved.save(step, {"model": {"weight": torch.tensor([float(step)])}})
        ...     merged = gs.training.merge(saved, gs.linear(4))
        >>> merged, merged.state
        (MergedModel(4 checkpoints, of steps 1 to 4), {'weight': tensor([2.5000])})

    Source: Tian et al., *WSM: Decay-Free Learning Rate Schedule via Checkpoint Merging* (2025),
    https://arxiv.org/abs/2507.17634.
    """
    schedule = parse(schedule) if isinstance(schedule, str) else schedule
    require_type(isinstance(schedule, Schedule), "schedule", "be a schedule or its text", schedule)
    steps, load = _source(checkpoints, _keys(key))
    models = _loaded(steps, load, schedule)
    weights = [weight for _, weight in models.values()]
    return MergedModel(
        _mean([model for model, _ in models.values()], weights), list(models), weights
    )


class Model(NamedTuple):
    """The state of a model in a checkpoint, and the file."""

    state: Any
    path: Path


def _keys(key: object) -> tuple[str, ...]:
    keys = (key,) if isinstance(key, str) else key
    is_place = isinstance(keys, Sequence) and all(isinstance(each, str) for each in keys)
    require_type(is_place, "key", "be a name or a list of names", key)
    return tuple(cast(Sequence[str], keys))


Load = Callable[[int], Model | None]
"""Opens the checkpoint of a step; None if it has been deleted."""


def _source(checkpoints: object, keys: Sequence[str]) -> tuple[list[int], Load]:
    """The steps in order, and how to open one."""
    if isinstance(checkpoints, Checkpointer):
        return of_rank_0(checkpoints.steps), partial(_numbered, checkpoints, keys)
    rule = "be a Checkpointer or a dict of files by step"
    require_type(isinstance(checkpoints, Mapping), "checkpoints", rule, checkpoints)
    files = dict(_file(*item) for item in cast(Files, checkpoints).items())
    return sorted(files), lambda step: _part(_open(files[step]), keys, files[step])


def _file(step: object, file: object) -> tuple[int, Path]:
    """A step as an int, also of NumPy's, and its file."""
    is_whole = isinstance(step, Integral) and not isinstance(step, bool)
    require_type(is_whole, "checkpoints", "have whole numbers as keys", step)
    is_path = isinstance(file, str | os.PathLike)
    require_type(is_path, "checkpoints", "have files as values", file)
    path = Path(cast(str, file))
    require(path.exists(), "checkpoints", "have files as values", str(path))
    return int(cast(int, step)), path


def _numbered(checkpoints: Checkpointer, keys: Sequence[str], step: int) -> Model | None:
    path = of_rank_0(partial(checkpoints.path, step))
    try:
        content = _open(path, step)
    except CheckpointError:
        if of_rank_0(path.exists):
            raise
        return None
    return _part(content["state"], keys, path)


def _open(path: Path, step: int | None = None) -> Any:
    """The content of a checkpoint, which is verified, and whose tensors are read when used."""
    return read_together(path, step) if has_peers() else read_alone(path, step, mmap=True)


def _part(state: Any, keys: Sequence[str], path: Path) -> Model:
    """The model in a state."""
    for key in keys:
        names = list(state) if isinstance(state, Mapping) else []
        if key not in names:
            where = f"name a part of {path.name}, which has {shortened(names)}"
            require(False, "key", where, key)
        state = state[key]
    return Model(state, path)


def _loaded(steps: list[int], load: Load, schedule: Schedule) -> dict[int, tuple[Model, float]]:
    """The models that have a weight, by step, and their weights.

    They are open, so they can be read even if another process deletes them. The weight of one that
    is damaged, or deleted already, goes to others.
    """
    usable, loaded = list(steps), dict[int, Model]()
    while usable:
        weights = dict(zip(usable, schedule.merge_weights(usable), strict=True))
        weights = {step: weight for step, weight in weights.items() if weight}
        step = next((step for step in weights if step not in loaded), None)
        if step is None:
            return {step: (loaded[step], weight) for step, weight in weights.items()}
        model = _load_or_skip(load, step)
        if model is None:
            usable.remove(step)
        else:
            loaded[step] = model
    raise InvalidValue(f"`checkpoints` must have one that is undamaged, got {shortened(steps)}")


def _load_or_skip(load: Load, step: int) -> Model | None:
    try:
        return load(step)
    except Damaged as error:
        warnings.warn(f"skipping a checkpoint: {error}", stacklevel=5)
        return None


@torch.no_grad()
def _mean(models: Sequence[Model], weights: Sequence[float]) -> Any:
    """The weighted mean of models, in the nest of the last one."""
    tensors = [_tensors(model.state) for model in models]
    for model, own in zip(models, tensors, strict=True):
        _require_same(model, own, models[-1], tensors[-1])
    merged: dict[tuple[Hashable, ...], Tensor] = {}

    def mean(keys: Keys, _: Tensor) -> Tensor:
        row = [own[keys] for own in tensors]
        same = tuple(map(_memory, row))  # the same of tensors that a model has under two names
        if same not in merged:
            merged[same] = _mean_tensor(row, weights)
        return merged[same]

    return replaced(models[-1].state, mean)


def _memory(tensor: Tensor) -> Hashable:
    """The place of a tensor's numbers: ``state_dict`` makes a new tensor for each name of one."""
    if type(tensor) is not Tensor or tensor.layout is not torch.strided or not tensor.numel():
        return id(tensor)
    start = tensor.untyped_storage().data_ptr()
    signs = tensor.is_conj(), tensor.is_neg()
    return start, tensor.storage_offset(), tensor.dtype, tensor.shape, tensor.stride(), signs


def _tensors(state: Any) -> dict[Keys, Tensor]:
    """The tensors of a model by their place."""
    found: dict[Keys, Tensor] = {}
    replaced(state, lambda keys, tensor: found.setdefault(keys, tensor))
    return found


def _require_same(
    model: Model, tensors: dict[Keys, Tensor], last: Model, wanted: dict[Keys, Tensor]
) -> None:
    """Refuse a model that has other tensors than the last one."""
    for keys in (*wanted, *tensors):
        here, there = (_kind(each.get(keys)) for each in (tensors, wanted))
        if here != there:
            told = f"`{place(keys)}` is {here} in {model.path}, {there} in {last.path}"
            raise StateMismatch(f"the checkpoints are of different models: {told}")


def _kind(tensor: Tensor | None) -> str:
    if tensor is None:
        return "missing"
    return f"{tensor.dtype} {tuple(tensor.shape)}".removeprefix("torch.")


def _mean_tensor(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The weighted mean in the dtype of the tensors; of those that have none, the last."""
    last = tensors[-1]
    has_mean = last.dtype.is_floating_point or last.dtype.is_complex
    if not has_mean or last.layout is not torch.strided:
        return last.detach().clone()
    mean = torch.empty(last.shape, dtype=last.dtype)
    for cut in _blocks(last.shape):
        cut(mean).copy_(_mean_block([cut(tensor) for tensor in tensors], weights))
    return mean


def _blocks(shape: Sequence[int]) -> Iterator[Callable[[Tensor], Tensor]]:
    """Functions that cut tensors into blocks along the first dimension."""
    if not shape:
        yield Tensor.detach
        return
    rows = max(1, BLOCK // max(1, math.prod(shape[1:])))
    for start in range(0, shape[0], rows):
        yield methodcaller("narrow", 0, start, min(rows, shape[0] - start))


def _mean_block(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """``θ_n + Σ c_j (θ_j - θ_n)``, in which numbers that never change stay exactly the same."""
    wide = torch.complex128 if tensors[-1].is_complex() else torch.float64
    last = tensors[-1].to(wide)
    mean = last.clone()
    for tensor, weight in zip(tensors[:-1], weights[:-1], strict=True):
        other = tensor.to(wide)
        same = other == last  # also of infinite numbers, which have no difference
        mean.add_((other - last).masked_fill_(same, 0), alpha=weight)
    return mean
