"""The state of a run: which parts it may have, and which states fit it."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import glideslope as gs
from glideslope.errors import CheckpointError, InvalidType, InvalidValue, StateMismatch
from glideslope.training import ResumableLoader, TrainingState
from glideslope.training._nest import Buffers
from glideslope.training._parts import leaves


def test_counters_are_counted_on_it() -> None:
    run = TrainingState(step=0, losses=[], best=None)
    run.step += 2
    run.losses.append(0.5)
    again = TrainingState(step=0, losses=[], best=1.0)
    again.load_state_dict(run.state_dict())
    assert (again.step, again.losses, again.best) == (2, [0.5], None)
    again.losses.append(0.25)
    assert run.losses == [0.5]


def test_a_misspelt_counter_is_an_error() -> None:
    run = TrainingState(step=0)
    with pytest.raises(AttributeError, match="`stpe` is no part of this run"):
        run.stpe = 1


def test_a_part_may_be_replaced() -> None:
    run = TrainingState(model=nn.Linear(1, 1))
    run.model = nn.Linear(2, 2)
    assert run.state_dict()["model"]["weight"].shape == (2, 2)


@pytest.mark.parametrize(
    ("part", "place"),
    [
        (DataLoader([1]), "loader"),  # type: ignore[arg-type]
        (object(), "loader"),
        (len, "loader"),
        (nn.Linear, "loader"),
        ([object()], "loader"),
        ([nn.Linear(1, 1), object()], "loader[1]"),
        ({"a": {"b": (nn.Linear(1, 1), len)}}, "loader['a']['b'][1]"),
    ],
)
def test_a_part_without_a_state_is_refused_by_its_place(part: Any, place: str) -> None:
    with pytest.raises(InvalidType) as caught:
        TrainingState(loader=part)
    assert str(caught.value).startswith(f"`{place}` must have `state_dict` and `load_state_dict`")


@pytest.mark.parametrize("name", ["environment", "state_dict", "load_state_dict"])
def test_a_name_in_use_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match=f"TrainingState uses, got '{name}'"):
        TrainingState(**{name: 1})


@pytest.mark.parametrize("other", [{}, {"step": 0}, {"step": 0, "epoch": 0, "more": 0}])
def test_a_state_with_other_parts_is_refused(other: dict[str, int]) -> None:
    state = TrainingState(**other).state_dict()
    run = TrainingState(step=1, epoch=1)
    with pytest.raises(StateMismatch, match=r"this run consists of step, epoch; the state holds"):
        run.load_state_dict(state)
    assert (run.step, run.epoch) == (1, 1)


def test_a_nest_that_is_no_state_of_a_run_is_refused() -> None:
    with pytest.raises(StateMismatch, match="the state holds step"):
        TrainingState(step=1).load_state_dict({"step": 2})


def test_loading_leaves_the_state_as_it_was() -> None:
    """torch's optimizers keep the tensors that they load, and write into them."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    run = TrainingState(model=model, optimizer=optimizer)
    state = run.state_dict()
    momentum = state["optimizer"]["state"][0]["momentum_buffer"]
    run.load_state_dict(state)
    before = momentum.clone()
    optimizer.step()
    assert torch.equal(momentum, before)


@pytest.mark.parametrize(
    ("name", "before", "message"),
    [
        ("threads", 99, r"saved with threads 99, resumed with \d+: the last bits may differ"),
        ("torch", "1.0", r"saved with torch 1.0, resumed with \d.*: the last bits may differ"),
    ],
)
def test_another_environment_is_a_warning(name: str, before: object, message: str) -> None:
    run = TrainingState(step=1)
    state = run.state_dict()
    state["environment"][name] = before
    with pytest.warns(UserWarning, match=message) as caught:
        run.load_state_dict(state)
    assert caught[0].filename == __file__


def test_other_devices_are_a_warning() -> None:
    run = TrainingState(step=1)
    state = run.state_dict()
    state["environment"]["random"]["cuda"] = [torch.zeros(16, dtype=torch.uint8)] * 99
    message = r"saved with 99 CUDA devices, restored with \d+: random numbers on them will differ"
    with pytest.warns(UserWarning, match=message) as caught:
        run.load_state_dict(state)
    assert caught[0].filename == __file__


# -- lists and dicts of parts --------------------------------------------------------------------


class Part:
    """A part whose state is one number, and which may refuse a state."""

    def __init__(self, number: int) -> None:
        self.number = number

    def state_dict(self) -> dict[str, int]:
        return {"number": self.number}

    def load_state_dict(self, state: dict[str, int]) -> None:
        if state["number"] < 0:
            raise self.refusal
        self.number = state["number"]

    refusal: Exception = ValueError("it is negative")


def nest(first: int) -> dict[str, Any]:
    """Parts in every kind of container, and plain values among them."""
    return {
        "pair": [Part(first), Part(first + 1)],
        "named": {"a": Part(first + 2), 3: [Part(first + 3), first + 4]},
        "fixed": (Part(first + 5), first + 6, [first + 7]),
        "streams": {"python": random.Random(first), "torch": torch_generator(first)},
        "plain": [first + 8, (first + 9, {"x": first})],
    }


def torch_generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbers(part: Any) -> Any:
    """The contents of a nest, as plain values."""
    if isinstance(part, dict):
        return {key: numbers(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return type(part)(map(numbers, part))
    if isinstance(part, random.Random):
        return random.Random.getstate(part)
    if isinstance(part, torch.Generator):
        return part.get_state().tolist()
    return part.number if isinstance(part, Part) else part


def test_parts_may_be_in_lists_and_dicts(tmp_path: Path) -> None:
    run, again = TrainingState(**nest(10)), TrainingState(**nest(50))
    held = again.pair, again.named, again.fixed[0]
    gs.save_checkpoint(run.state_dict(), tmp_path / "a.pt")
    again.load_state_dict(gs.load_checkpoint(tmp_path / "a.pt"))
    assert numbers(vars(again)) == numbers(nest(10))
    assert (again.pair, again.named, again.fixed[0]) == held
    assert again.pair is held[0]
    assert again.named is held[1]


def test_several_optimizers_resume() -> None:
    def build() -> TrainingState:
        torch.manual_seed(0)
        models = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
        optimizers = [gs.optim.AdamW(model.parameters(), lr=0.1) for model in models]
        schedulers = {
            f"{number}": gs.optim.lr_scheduler.Scheduler(optimizer, lr="cosine(9)")
            for number, optimizer in enumerate(optimizers)
        }
        return TrainingState(models=models, optimizers=optimizers, schedulers=schedulers)

    def step(run: TrainingState) -> None:
        for index, optimizer in enumerate(run.optimizers):
            optimizer.zero_grad()
            run.models[index](torch.ones(3, 2)).square().sum().backward()
            optimizer.step()
            run.schedulers[str(index)].step()

    run = build()
    step(run)
    step(run)
    state = Buffers().snapshot(run.state_dict())
    step(run)
    again = build()
    again.load_state_dict(state)
    step(again)
    assert all(map(torch.equal, again.models.parameters(), run.models.parameters()))
    assert again.optimizers[1].param_groups[0]["lr"] == run.optimizers[1].param_groups[0]["lr"]


SHAPES: list[tuple[Any, Any, str]] = [
    ([Part(1)], [Part(1), Part(2)], "`a` is a list of 1; its state is of a list of 2"),
    ({"x": Part(1)}, {"y": Part(1)}, "`a` is a dict with 'x'; its state is of a dict with 'y'"),
    ([Part(1)], {"x": Part(1)}, "`a` is a list of 1; its state is of a dict with 'x'"),
    ([[Part(1)]], [Part(1)], "`a[0]` is a list of 1; its state is of a dict with 'number'"),
    ({"x": [Part(1)]}, {"x": 3}, "`a['x']` is a list of 1; its state is of int"),
]


@pytest.mark.parametrize(("here", "there", "message"), SHAPES)
def test_the_state_of_another_nest_is_refused_before_anything_changes(
    here: Any, there: Any, message: str
) -> None:
    run = TrainingState(first=Part(7), a=here, step=0)
    with pytest.raises(StateMismatch, match=re.escape(message)):
        run.load_state_dict(TrainingState(first=Part(9), a=there, step=5).state_dict())
    assert (run.first.number, run.step) == (7, 0)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("odd"), StateMismatch, "`a[0]['x']` does not take its state: odd"),
        (RuntimeError("odd"), StateMismatch, "`a[0]['x']` does not take its state: odd"),
        (KeyError("odd"), StateMismatch, "`a[0]['x']` does not take its state: no 'odd'"),
        (StateMismatch("odd"), StateMismatch, "`a[0]['x']` does not take its state: odd"),
        (CheckpointError("odd"), CheckpointError, "odd\nwhile `a[0]['x']` was restored"),
        (OSError("odd"), OSError, "odd\nwhile `a[0]['x']` was restored"),
    ],
)
def test_a_part_that_refuses_its_state_is_named(
    error: Exception, kind: type[Exception], message: str
) -> None:
    part = Part(1)
    part.refusal = error
    run = TrainingState(a=[{"x": part}])
    with pytest.raises(kind) as caught:
        run.load_state_dict(TrainingState(a=[{"x": Part(-1)}]).state_dict())
    assert "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])]) == message


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "this run consists of step; the state holds None"),
        ([], "this run consists of step; the state holds []"),
        ({"step": 1}, "this run consists of step; the state holds step"),
        ({1: 2}, "this run consists of step; the state holds 1"),
        ({"step": 1, "environment": 3}, "`environment` must hold random, threads, torch, got 3"),
        (
            {"step": 1, "environment": {"torch": "2", "threads": 1, "random": {}}},
            "`environment` does not take its state: no 'python'",
        ),
    ],
)
def test_a_value_that_is_no_state_of_this_run_is_refused(state: Any, message: str) -> None:
    run = TrainingState(step=0)
    with pytest.raises(StateMismatch) as caught:
        run.load_state_dict(state)
    assert str(caught.value) == message
    assert run.step == 0


def test_a_generator_of_another_kind_is_named() -> None:
    state = TrainingState(noise=[np.random.default_rng(1)]).state_dict()
    with pytest.raises(StateMismatch, match=r"`noise\[0\]` does not take its state"):
        TrainingState(noise=[torch.Generator()]).load_state_dict(state)


def test_a_nest_prints_its_classes() -> None:
    run = TrainingState(optimizers=[Part(1), Part(2)], named={"a": Part(3)}, losses=[0.5])
    assert repr(run) == "TrainingState(optimizers=[Part, Part], named={'a': Part}, losses=[0.5])"


def test_a_nest_that_contains_itself_is_refused() -> None:
    parts: list[Any] = [Part(1)]
    parts.append(parts)
    with pytest.raises(InvalidValue, match="`parts` must be at most 200 deep"):
        TrainingState(parts=parts)


# -- loaders, and generators that are parts ------------------------------------------------------


class Drawing(Dataset[int]):
    """Draws from a generator that the search for generators cannot find."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        return int(torch.randint(1000, (), generator=DRAWN_FROM[self.name]))


DRAWN_FROM: dict[str, torch.Generator] = {}


@pytest.mark.parametrize("order", list(itertools.permutations(["loader", "noise", "model"])))
@pytest.mark.parametrize("wrap", [lambda part: part, lambda part: [part], lambda part: {"x": part}])
def test_generators_are_where_the_epoch_began_when_a_loader_resumes(
    order: tuple[str, ...], wrap: Any
) -> None:
    def build() -> TrainingState:
        DRAWN_FROM["noise"] = torch_generator(3)
        loader = ResumableLoader(DataLoader(Drawing("noise"), 2))
        parts = {"loader": loader, "noise": DRAWN_FROM["noise"], "model": nn.Linear(1, 1)}
        return TrainingState(**{name: wrap(parts[name]) for name in order})

    def batches(run: TrainingState) -> Iterator[Any]:
        loader = next(part for _, part in leaves("", run.loader))
        for _ in range(loader.epoch, 2):
            for batch in loader:
                yield batch.tolist()

    run, taken, states = build(), [], []
    for batch in batches(run):
        taken.append(batch)
        states.append(Buffers().snapshot(run.state_dict()))
    for stop, state in enumerate(states, start=1):
        again = build()
        torch.randint(1000, (), generator=DRAWN_FROM["noise"])
        again.load_state_dict(state)
        assert list(batches(again)) == taken[stop:]


def test_a_generator_named_while_an_epoch_runs_is_refused() -> None:
    loader = ResumableLoader(range(5))
    next(batches := iter(loader))
    message = r"`generators` must be named before an epoch begins.*got \['run\.noise'\]"
    with pytest.raises(InvalidValue, match=message):
        TrainingState(loader=loader, noise=random.Random(1))
    del batches
    TrainingState(loader=loader, noise=random.Random(1))


@pytest.fixture
def another_device() -> Iterator[None]:
    torch.set_default_device("meta")  # in the place of "cuda" on a machine without one
    yield
    torch.set_default_device(None)


@pytest.mark.usefixtures("another_device")
def test_random_states_are_on_the_cpu_whatever_the_default_device(tmp_path: Path) -> None:
    run = TrainingState(
        python=random.Random(1), new=np.random.default_rng(1), old=np.random.RandomState(1)
    )
    gs.save_checkpoint(run.state_dict(), tmp_path / "a.pt")
    drawn = random.random(), np.random.rand(), run.python.random(), run.new.random()
    run.load_state_dict(gs.load_checkpoint(tmp_path / "a.pt"))
    assert (random.random(), np.random.rand(), run.python.random(), run.new.random()) == drawn
