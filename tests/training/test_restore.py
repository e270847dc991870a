"""A part that refuses its state, at any place, leaves the whole run as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import glideslope as gs
from glideslope.errors import StateMismatch
from glideslope.optim.lr_scheduler import ReduceLROnPlateau, Scheduler
from glideslope.training import (
    CSVWriter,
    EarlyStopping,
    History,
    ResumableLoader,
    TrainingState,
    _restore,
    _state,
)
from glideslope.training._state import RECORDS

from .values import same

SAVED_AT, FAILED_AT = 1, 3
PARTS = 11


class Run:
    """A run with one part of every kind, in containers too.

    Args:
        folder: where its records go.
        order: the order of the parts.
    """

    def __init__(self, folder: Path, order: list[int]) -> None:
        model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
        other = nn.Linear(1, 1)
        optimizer = gs.optim.AdamW(model.parameters(), lr=0.1)
        torchs = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9)
        parts: dict[str, Any] = {
            "models": [model, other],
            "optimizers": {"ours": optimizer, "torchs": torchs},
            "scheduler": Scheduler(optimizer, lr="warmup(2) >> cosine(8)"),
            "plateau": ReduceLROnPlateau(optimizer, patience=1),
            "stopping": EarlyStopping(9, model=model),
            "loader": ResumableLoader([torch.rand(4, 2) for _ in range(7)]),
            "streams": (torch.Generator(), random.Random(1), np.random.default_rng(1)),
            "records": [History(folder / "a.jsonl"), CSVWriter(folder / "a.csv")],
            "second": History(folder / "b.jsonl"),
            "plain": {"losses": [0.0]},
            "mixed": [nn.Linear(1, 1), 0],
        }
        names = list(parts)
        assert len(names) == PARTS
        self.folder = folder
        self.state = TrainingState(**{names[i]: parts[names[i]] for i in order})
        self._batches: Iterator[torch.Tensor] = iter(self.state.loader)

    def train(self, steps: int) -> None:
        """Change every part, at each step."""
        run = self.state
        for _ in range(steps):
            loss = run.models[1](run.models[0](next(self._batches))).square().sum()
            loss.backward()
            for optimizer in run.optimizers.values():
                optimizer.step()
            run.scheduler.step()
            run.plateau.step(loss)
            run.stopping.step(loss)
            for writer in (*run.records, run.second):
                writer.append({"loss": loss.item()})
            run.streams[0].manual_seed(int(loss))
            drawn = run.streams[1].random() + run.streams[2].random() + torch.rand(()).item()
            run.plain["losses"].append(drawn + random.random() + np.random.rand())
            run.mixed[1] += 1

    def content(self) -> Any:
        """All that loading could change: states, random numbers and files."""
        files = {path.name: path.read_bytes() for path in self.folder.glob("[ab].*")}
        return deepcopy(self.state.state_dict()), dict(sorted(files.items()))

    def held(self) -> list[Any]:
        """The objects that other code may hold."""
        run = self.state
        return [*run.models, *run.optimizers.values(), run.plain, run.mixed, run.streams]


ORDERS = st.permutations(range(PARTS))


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def failing_at(place: int, calls: list[Any]) -> Any:
    """A setter that takes a state, and refuses it afterwards if it is the one at ``place``."""
    real = _restore._set_state

    def set_state(part: Any, state: Any) -> None:
        real(part, state)
        calls.append(part)
        if len(calls) == place + 1:
            raise ValueError("no")

    return set_state


def loaded_parts(run: Run) -> list[Any]:
    state = run.state.state_dict()
    return [part for _, part, _ in run.state._in_order(state)]


@given(order=ORDERS, data=st.data())
def test_a_part_that_refuses_leaves_everything_as_it_was(order: list[int], data: Any) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        run = Run(Path(name), order)
        run.train(SAVED_AT)
        saved, _ = run.content()
        run.train(FAILED_AT - SAVED_AT)
        before, held = run.content(), run.held()
        parts = [part for part in loaded_parts(run) if not isinstance(part, RECORDS)]
        place = data.draw(st.integers(0, len(parts) - 1))
        calls: list[Any] = []
        patch.setattr(_restore, "_set_state", failing_at(place, calls))
        with pytest.raises(StateMismatch, match="does not take its state: no") as caught:
            run.state.load_state_dict(saved)
        assert not hasattr(caught.value, "__notes__")
        assert same(run.content(), before)
        assert all(map(lambda a, b: a is b, run.held(), held))
        run.state.load_state_dict(saved)
        assert same(run.content()[0], saved)


def test_random_states_that_are_refused_change_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(folder, list(range(PARTS)))
    run.train(SAVED_AT)
    saved, _ = run.content()
    run.train(FAILED_AT - SAVED_AT)
    before = run.content()
    saved["environment"]["random"]["torch"] = torch.zeros(3, dtype=torch.uint8)
    with pytest.raises(StateMismatch, match="`environment` does not take its state"):
        run.state.load_state_dict(saved)
    assert same(run.content(), before)


def test_a_history_with_other_records_changes_nothing(folder: Path) -> None:
    """No other history has been cut off by then."""
    run = Run(folder, list(range(PARTS)))
    run.train(SAVED_AT)
    saved, _ = run.content()
    run.train(FAILED_AT - SAVED_AT)
    saved["second"]["last"] = "{}\n"
    before = run.content()
    with pytest.raises(StateMismatch, match=r"`second` does not take its state: .* other records"):
        run.state.load_state_dict(saved)
    assert same(run.content(), before)


def test_ctrl_c_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(folder, list(range(PARTS)))
    run.train(SAVED_AT)
    saved, _ = run.content()
    run.train(FAILED_AT - SAVED_AT)
    before = run.content()

    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_state, "set_global_state", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.state.load_state_dict(saved)
    assert same(run.content(), before)


class Stubborn:
    """A part that takes no state, or cannot give its own."""

    def __init__(self, telling: bool) -> None:
        self.telling = telling

    def state_dict(self) -> dict[str, Any]:
        if not self.telling:
            raise OSError("unreadable")
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise ValueError("never")


@pytest.mark.parametrize(("telling", "why"), [(True, "never"), (False, "unreadable")])
def test_a_part_that_cannot_be_restored_is_named(telling: bool, why: str) -> None:
    model = nn.Linear(1, 1)
    run = TrainingState(a=Stubborn(telling), model=model)
    saved = TrainingState(a=Stubborn(True), model=nn.Linear(1, 1)).state_dict()
    before = deepcopy(model.state_dict())
    with pytest.raises(StateMismatch, match="`a` does not take its state: never") as caught:
        run.load_state_dict(saved)
    assert caught.value.__notes__ == [f"`a` could not be restored: {why}"]
    assert same(model.state_dict(), before)


@pytest.mark.parametrize("kind", [gs.optim.AdamW, torch.optim.AdamW])
def test_a_state_is_copied_once(kind: type[torch.optim.Optimizer], folder: Path) -> None:
    """`Checkpointer` copies at once, so the checkpoint is of the step at which it was saved."""
    model = nn.Linear(2, 1)
    optimizer = kind(model.parameters(), lr=0.1)  # type: ignore[call-arg]
    run = TrainingState(model=model, optimizer=optimizer)

    def train() -> None:
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()

    train()
    state = run.state_dict()
    kept = optimizer.state[model.weight]["exp_avg"]
    assert state["optimizer"]["state"][0]["exp_avg"].data_ptr() == kept.data_ptr()
    assert state["model"]["weight"].data_ptr() == model.weight.data_ptr()
    before = deepcopy(state)
    with gs.training.Checkpointer(folder) as checkpoints:
        checkpoints.save(1, run.state_dict())
        train()
        found = checkpoints.latest()
    assert found is not None
    for name in ("model", "optimizer"):
        assert same(found.state[name], before[name])
    assert not same(run.state_dict()["optimizer"], before["optimizer"])


class Counting(gs.optim.SGD):
    """An optimizer of a user's, whose `state_dict` takes no argument."""

    def state_dict(self) -> dict[str, Any]:  # type: ignore[override]
        return {**super().state_dict(), "count": 3}


def test_a_users_optimizer_gives_its_state_without_arguments() -> None:
    run = TrainingState(optimizer=Counting([torch.ones(1, requires_grad=True)], lr=0.1))
    assert run.state_dict()["optimizer"]["count"] == 3
