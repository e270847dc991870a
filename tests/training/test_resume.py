"""A run resumed from a checkpoint ends with the same bits as one that never stopped."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import glideslope as gs
from glideslope.training import TrainingState
from glideslope.training._nest import Buffers

from . import example_run
from .example_run import STOPS, build, digest, train


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums are added up in another order by another number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run_program(program: str, folder: Path, workers: int) -> list[str]:
    command = [sys.executable, example_run.__file__, program, str(folder), str(workers)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


# With workers, items are read ahead, in other processes with random numbers of their own.
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.long)])
def test_every_stop_ends_with_the_same_bits(tmp_path: Path, workers: int) -> None:
    straight = run_program("straight", tmp_path, workers)
    assert run_program("resume", tmp_path, workers) == straight * len(STOPS)


def states_and_end(**options: Any) -> tuple[dict[int, Any], str]:
    """The states of a run at each of its stops, and the digest of its end."""
    run, states = build(0, **options), {}

    def keep() -> None:
        if run.step in STOPS:
            states[run.step] = Buffers().snapshot(run.state_dict())

    train(run, keep)
    return states, digest(run)


@pytest.fixture(scope="module")
def halfway() -> tuple[Any, str]:
    """The state of a run in the middle of its second epoch, and the digest of its end."""
    torch.set_num_threads(1)
    states, end = states_and_end()
    return states[23], end


def resumed(run: TrainingState, state: Any) -> str:
    run.load_state_dict(state)
    train(run, lambda: None)
    return digest(run)


def test_a_state_can_be_loaded_again_and_again(halfway: tuple[Any, str]) -> None:
    state, end = halfway
    assert [resumed(build(seed), state) for seed in (1, 2)] == [end, end]


def test_our_own_optimizer_and_schedulers_resume_too() -> None:
    options = {"optimizer": example_run.optimizer_of_ours}
    states, end = states_and_end(**options)
    assert [resumed(build(1, **options), state) for state in states.values()] == [end] * len(STOPS)


@pytest.mark.parametrize("order", [sorted, lambda names: sorted(names, reverse=True)])
def test_the_order_of_parts_does_not_matter(
    halfway: tuple[Any, str], order: Callable[[Any], list[str]]
) -> None:
    state, end = halfway
    parts = vars(build(3))
    assert resumed(TrainingState(**{name: parts[name] for name in order(parts)}), state) == end


def forget_random(name: str) -> Callable[[Any, Any], None]:
    def forget(state: Any, fresh: Any) -> None:
        state["environment"]["random"][name] = fresh["environment"]["random"][name]

    return forget


def forget_part(name: str) -> Callable[[Any, Any], None]:
    def forget(state: Any, fresh: Any) -> None:
        state[name] = fresh[name]

    return forget


def forget_statistics(state: Any, fresh: Any) -> None:
    state["model"] |= {n: v for n, v in fresh["model"].items() if n.startswith("1.running")}


def forget_order(state: Any, fresh: Any) -> None:
    state["loader"]["beginning"] = fresh["loader"]["beginning"]


# The scaler is not here: its scale is a power of two, which changes no bit of a float32.
FORGOTTEN = {
    **{part: forget_part(part) for part in ("model", "optimizer", "scheduler", "plateau", "noise")},
    **{source: forget_random(source) for source in ("python", "numpy", "torch")},
    "batch statistics": forget_statistics,
    "order of the epoch": forget_order,
}


@pytest.mark.parametrize("forget", FORGOTTEN.values(), ids=FORGOTTEN)
def test_each_part_that_is_left_out_changes_the_end(
    halfway: tuple[Any, str], forget: Callable[[Any, Any], None]
) -> None:
    """So the tests above would notice."""
    other = build(4)
    next(iter(other.loader))
    state, end = Buffers().snapshot(halfway[0]), halfway[1]
    forget(state, Buffers().snapshot(other.state_dict()))
    assert resumed(build(5), state) != end


def test_random_states_are_captured_and_restored() -> None:
    def draw() -> list[float]:
        return [random.random(), random.gauss(0, 1), np.random.randn(), torch.rand(()).item()]

    run = TrainingState()
    random.gauss(0, 1)  # which keeps a second number for the next call, as NumPy's does
    np.random.randn()
    state = run.state_dict()
    drawn = draw()
    run.load_state_dict(state)
    assert draw() == drawn


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: torch.Generator().manual_seed(seed),
        lambda seed: random.Random(seed),
        lambda seed: np.random.default_rng(seed),
        lambda seed: np.random.Generator(np.random.MT19937(seed)),
        lambda seed: np.random.Generator(np.random.Philox(seed)),
        lambda seed: np.random.Generator(np.random.SFC64(seed)),
    ],
)
def test_generators_are_parts(tmp_path: Path, make: Callable[[int], Any]) -> None:
    def draw(generator: Any) -> Any:
        if isinstance(generator, torch.Generator):
            return torch.rand((), generator=generator).item()
        return generator.random()

    run = TrainingState(generator=make(1))
    draw(run.generator)
    gs.save_checkpoint(run.state_dict(), tmp_path / "a.pt")
    drawn = draw(run.generator)
    again = TrainingState(generator=make(2))
    again.load_state_dict(gs.load_checkpoint(tmp_path / "a.pt"))
    assert draw(again.generator) == drawn
