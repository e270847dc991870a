"""States of random generators, captured and restored."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

Stream = torch.Generator | np.random.Generator | np.random.RandomState | random.Random
"""A source of random numbers that a program holds itself."""


def stream_state(stream: Stream) -> Any:
    """The state of a stream, as plain values."""
    state = raw_state(stream)
    return _from_python(state) if isinstance(stream, random.Random) else _with_tensors(state)


def set_stream_state(stream: Stream, state: Any) -> None:
    """Set the state of a stream."""
    if isinstance(stream, torch.Generator):
        stream.set_state(state)
    elif isinstance(stream, random.Random):
        stream.setstate(_to_python(state))
    else:
        set_raw_state(stream, _with_arrays(state))


def raw_state(stream: Stream) -> Any:
    """The state of a stream, in its own form; several times faster."""
    if isinstance(stream, torch.Generator):
        return stream.get_state()
    if isinstance(stream, random.Random):
        return stream.getstate()
    if isinstance(stream, np.random.RandomState):
        return stream.get_state(legacy=False)
    return stream.bit_generator.state


def set_raw_state(stream: Stream, state: Any) -> None:
    """Set the state of a stream from its own form."""
    if isinstance(stream, random.Random):
        stream.setstate(state)
    elif isinstance(stream, torch.Generator | np.random.RandomState):
        stream.set_state(state)
    else:
        stream.bit_generator.state = state


def is_same_state(a: Any, b: Any) -> bool:
    """True if two states in a stream's own form are equal."""
    if isinstance(a, dict):
        return all(is_same_state(value, b[name]) for name, value in a.items())
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else bool(a == b)


def seed_stream(stream: Stream, seed: int) -> None:
    """Seed a stream."""
    if isinstance(stream, torch.Generator):
        stream.manual_seed(seed)
    elif isinstance(stream, random.Random):
        stream.seed(seed)
    elif isinstance(stream, np.random.RandomState):
        stream.set_state(np.random.RandomState(np.random.MT19937(seed)).get_state(legacy=False))
    else:
        stream.bit_generator.state = type(stream.bit_generator)(seed).state


GLOBAL_STREAMS: tuple[Stream, ...] = (
    torch.default_generator,
    random.random.__self__,  # type: ignore[attr-defined]
    np.random.rand.__self__,  # type: ignore[attr-defined]
)
"""The generators behind the functions of torch on the CPU, `random` and `numpy.random`."""


def global_state() -> dict[str, Any]:
    """The random states of Python, NumPy and torch, on the CPU and on CUDA devices."""
    state = {
        "python": _from_python(random.getstate()),
        "numpy": _with_tensors(np.random.get_state(legacy=False)),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_global_state(state: dict[str, Any]) -> None:
    """Restore the global random states."""
    random.setstate(_to_python(state["python"]))
    np.random.set_state(_with_arrays(state["numpy"]))
    torch.set_rng_state(state["torch"])
    for device, device_state in enumerate(state.get("cuda", [])[: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(device_state, device)


def change_of_devices(state: dict[str, Any]) -> str:
    """A sentence about another number of CUDA devices than where a state was saved, if it is."""
    saved, here = len(state.get("cuda", [])), torch.cuda.device_count()
    if saved in (0, here):
        return ""
    told = f"saved with {saved} CUDA devices, restored with {here}"
    return f"{told}: random numbers on them will differ"


def seed_global_streams(rank: int) -> None:
    """Seed the random numbers of Python, NumPy and torch from where they are, and a rank."""
    seed = (torch.randint(2**31, (), device="cpu").item() * 0x9E3779B1 + rank) % 2**32
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


# The hundreds of integers that make up a state are kept as one tensor: a checkpoint would
# otherwise spend longer on them than on a small model. It is on the CPU, whatever the default.


def _from_python(state: Any) -> tuple[Any, ...]:
    version, numbers, gauss = state
    return version, torch.tensor(numbers, device="cpu"), gauss


def _to_python(state: tuple[Any, ...]) -> Any:
    version, numbers, gauss = state
    return version, tuple(numbers.tolist()), gauss


def _with_tensors(state: Any) -> Any:
    """The state of a NumPy generator, its arrays as tensors."""
    if isinstance(state, dict):
        return {name: _with_tensors(part) for name, part in state.items()}
    return torch.tensor(state, device="cpu") if isinstance(state, np.ndarray) else state


def _with_arrays(state: Any) -> Any:
    """The state of a NumPy generator, its tensors as arrays."""
    if isinstance(state, dict):
        return {name: _with_arrays(part) for name, part in state.items()}
    return state.numpy() if isinstance(state, torch.Tensor) else state
