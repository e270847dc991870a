"""Merged checkpoints: their numbers, what is not a number, damage, deletion and refusals."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import glideslope as gs
from glideslope.errors import GlideslopeError
from glideslope.training import Checkpointer, MergedModel, _merge, merge
from glideslope.training._sharded.outline import Outline
from glideslope.training._sharded.rank_file import file_content, file_name
from glideslope.training._sharded.stored import Part

from .crafting import damage

States = dict[int, Any]
STEPS = [0, 1, 2, 3, 4]
DECAY = gs.polynomial(4, power=2)
WEIGHTS = [7 / 16, 5 / 16, 3 / 16, 1 / 16]
"""Of the steps 1 to 4; that of step 0 is 0."""

FLOATS = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def merged(states: States, schedule: gs.Schedule | str = DECAY, key: Any = "w") -> MergedModel:
    """The merge of states that are saved one by one."""
    files = {step: f"{step}.pt" for step in states}
    for step, file in files.items():
        gs.save_checkpoint(states[step], file)
    return merge(files, schedule, key=key)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def random(dtype: torch.dtype, *shape: int) -> dict[int, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {step: torch.randn(shape, generator=generator).to(dtype) for step in STEPS}


@pytest.mark.parametrize("block", [1, 4, 1 << 20])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (5, 3), (2, 3, 4), (0, 3)])
@pytest.mark.parametrize("dtype", [*FLOATS, torch.complex64])
def test_a_merge_is_the_mean_in_double_precision_rounded_once(
    dtype: torch.dtype, shape: tuple[int, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_merge, "BLOCK", block)
    values = random(dtype, *shape)
    wide = torch.complex128 if dtype.is_complex else torch.float64
    exact = sum(w * values[s].to(wide) for w, s in zip(WEIGHTS, STEPS[1:], strict=True))
    found = merged({step: {"w": value} for step, value in values.items()}).state
    assert found.dtype is dtype
    assert isinstance(exact, Tensor)
    torch.testing.assert_close(found, exact.to(dtype), rtol=1e-14, atol=1e-16)


CONSTANT = {
    **{str(dtype): torch.randn(50).to(dtype) for dtype in FLOATS},
    "complex": torch.randn(5, dtype=torch.complex64),
    "integers": torch.tensor([2**62 + 1, -3]),
    "booleans": torch.tensor([True, False]),
    "a mask": torch.full((3, 3), -torch.inf).triu(1),
    "infinite and not a number": torch.tensor([torch.inf, -torch.inf, 1.0]),
    "sparse": torch.eye(3).to_sparse(),
    "channels last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
    "expanded": torch.ones(1, 1).expand(3, 4),
    "plain values": {"a": 1, "b": [None, "c", 0.1]},
}


@pytest.mark.parametrize("value", CONSTANT.values(), ids=CONSTANT)
@pytest.mark.parametrize("schedule", ["linear(4)", "cosine(3)", "hold(1) >> hold(3) * 0.1"])
def test_what_never_changes_stays_exactly_the_same(value: Any, schedule: str) -> None:
    found = merged({step: {"w": value} for step in STEPS}, schedule).state
    if isinstance(value, Tensor):
        assert (found.dtype, found.shape) == (value.dtype, value.shape)
        assert torch.equal(found.to_dense(), value.to_dense())
    else:
        assert found == value


def test_what_is_no_mean_is_that_of_the_newest() -> None:
    states = {
        s: {"w": {"count": torch.tensor(s), "on": torch.tensor(s > 2), "n": s}} for s in STEPS
    }
    assert merged(states).state == {"count": torch.tensor(4), "on": torch.tensor(True), "n": 4}


class Net(nn.Module):
    """Buffers of floats and integers, and tied weights."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
        self.head = nn.Linear(3, 3, bias=False)
        self.head.weight = self.body[0].weight


def run(count: int) -> list[dict[str, Any]]:
    """The states of a model in training."""
    torch.manual_seed(0)
    net, states = Net(), []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(count):
        states.append({k: v.clone() for k, v in net.state_dict().items()})
        net.body(torch.randn(8, 3)).square().sum().backward()
        optimizer.step()
    return states


def test_a_model_takes_the_merge_of_its_checkpoints() -> None:
    net = Net()
    states = {step: {"model": state} for step, state in zip(STEPS, run(5), strict=True)}
    found = merged(states, DECAY, "model").state
    net.load_state_dict(found)
    assert net.head.weight is net.body[0].weight
    assert int(net.body[1].num_batches_tracked) == 4
    for name in ("body.0.weight", "body.1.running_var"):
        rows = [states[step]["model"][name].double() for step in STEPS[1:]]
        expected = np.tensordot(WEIGHTS, torch.stack(rows).numpy(), 1)
        torch.testing.assert_close(found[name].double(), torch.tensor(expected), rtol=1e-7, atol=0)


def test_tensors_under_two_names_stay_one() -> None:
    values = random(torch.float32, 3)
    found = merged({s: {"w": {"a": v, "b": v}} for s, v in values.items()}).state
    assert found["a"] is found["b"]
    found = merged({s: {"w": {"a": v, "b": v if s == 4 else 0 * v}} for s, v in values.items()})
    assert not torch.equal(found.state["a"], found.state["b"])


def test_tied_parameters_are_one_in_memory() -> None:
    """``state_dict`` gives a tensor for each of their names."""
    net = Net()
    assert net.state_dict()["head.weight"] is not net.state_dict()["body.0.weight"]
    states = dict(zip(STEPS, run(5), strict=True))
    for step, state in states.items():
        net.load_state_dict(state)
        gs.save_checkpoint({"w": net.state_dict()}, f"{step}.pt")
    found = merge({step: f"{step}.pt" for step in STEPS}, DECAY, key="w").state
    assert found["head.weight"] is found["body.0.weight"]
    expected = sum(w * states[s]["head.weight"] for w, s in zip(WEIGHTS, STEPS[1:], strict=True))
    torch.testing.assert_close(found["head.weight"], expected)


def test_views_of_one_storage_are_apart() -> None:
    """With another beginning, other strides, or conjugated."""
    numbers = random(torch.complex64, 8)
    found = merged({s: {"w": views(v)} for s, v in numbers.items()}).state
    exact = sum(w * numbers[s] for w, s in zip(WEIGHTS, STEPS[1:], strict=True))
    assert isinstance(exact, Tensor)
    for name, expected in views(exact).items():
        torch.testing.assert_close(found[name], expected)


def views(whole: Tensor) -> dict[str, Tensor]:
    table = whole.view(2, 4)
    return {
        "whole": whole,
        "first": whole[:4],
        "last": whole[4:],
        "rows": table,
        "columns": table.T,
        "square": table[:, :2],
        "transposed square": table[:, :2].T,
        "conjugated": whole.conj(),
        "none": whole[:0],
    }


def test_steps_may_be_numbers_of_numpy() -> None:
    for step in (0, 4):
        gs.save_checkpoint({"w": torch.tensor([float(step)])}, f"{step}.pt")
    files = {step: f"{step}.pt" for step in np.arange(0, 5, 4)}
    found = merge(files, "linear(4)", key="w")
    assert repr(found) == "MergedModel(2 checkpoints, of steps 0 to 4)"


def test_the_order_and_metadata_of_a_state_are_kept() -> None:
    net = nn.Linear(2, 2)
    found = merged({step: {"w": net.state_dict()} for step in STEPS}).state
    assert found._metadata == net.state_dict()._metadata  # type: ignore[attr-defined]
    assert list(found) == list(net.state_dict())


def keep(folder: str, values: dict[int, Any], **settings: Any) -> Checkpointer:
    with Checkpointer(folder, keep=99, **settings) as saved:
        for step, value in values.items():
            saved.save(step, {"run": {"model": {"w": value}}})
    return saved


VALUES = {step: torch.tensor([float(step)]) for step in range(0, 101, 10)}


@pytest.mark.parametrize(
    ("key", "schedule"),
    [(("run", "model", "w"), gs.linear(40)), (["run", "model", "w"], "linear(40%)")],
)
def test_a_folder_is_merged(key: Any, schedule: Any) -> None:
    found = merge(keep("run", VALUES), schedule, key=key)
    assert found.steps == [60, 70, 80, 90, 100]
    assert found.weights == gs.linear(40).merge_weights(found.steps)
    torch.testing.assert_close(found.state, torch.tensor([80.5]))  # the mean of 61 … 100


def test_the_whole_state_is_merged_if_there_is_no_key() -> None:
    assert merged({0: {"w": torch.zeros(1)}, 4: {"w": torch.ones(1)}}, "hold(4)", ()).state == {
        "w": torch.ones(1)
    }


def test_torch_files_are_merged() -> None:
    for step in (0, 4):
        torch.save({"model": dict(nn.Linear(1, 1).named_parameters())}, f"{step}.pt")
    found = merge({4: Path("4.pt"), 0: Path("0.pt")}, "linear(4)")
    assert not found.state["weight"].requires_grad


@pytest.mark.parametrize("step", [60, 80, 100])
def test_a_damaged_checkpoint_is_left_out_with_a_warning(step: int) -> None:
    saved = keep("run", VALUES)
    damage(saved.path(step))
    others = [other for other in VALUES if other != step]
    with pytest.warns(UserWarning, match=f"skipping a checkpoint: .*step-{step:08d}.pt"):
        found = merge(saved, "linear(40)", key=("run", "model", "w"))
    weights = gs.linear(40).merge_weights(others)
    assert found.steps == [other for other, weight in zip(others, weights, strict=True) if weight]
    assert found.state.item() == pytest.approx(np.dot(weights, others))


def test_a_checkpoint_that_another_process_deletes_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the list of the folder and the first look into a file."""
    saved, look = keep("run", VALUES), _merge._open
    gone = [saved.path(70), saved.path(90)]

    def late(path: Path, step: int) -> Any:
        for file in gone:
            file.unlink(missing_ok=True)
        return look(path, step)

    monkeypatch.setattr(_merge, "_open", late)
    found = merge(saved, "linear(40)", key=("run", "model", "w"))
    assert found.steps == [60, 80, 100]


def test_checkpoints_that_are_deleted_while_they_are_merged_are_still_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved, mean = keep("run", VALUES), _merge._mean

    def late(*given: Any) -> Any:
        shutil.rmtree("run")
        return mean(*given)

    monkeypatch.setattr(_merge, "_mean", late)
    found = merge(saved, "linear(40)", key=("run", "model", "w"))
    torch.testing.assert_close(found.state, torch.tensor([80.5]))


STATUS = Path("/proc/self/status")


@pytest.mark.skipif(not STATUS.exists(), reason="memory is read from /proc")
def test_no_checkpoint_is_in_memory_before_its_numbers_are_added(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The models have 16 MB each."""

    def megabytes() -> float:
        found = re.search(r"RssAnon:\s+(\d+) kB", STATUS.read_text())
        assert found
        return int(found[1]) / 1024

    for step in STEPS:
        gs.save_checkpoint({"w": torch.full((2**22,), float(step))}, f"{step}.pt")
    peaks, mean = [0.0], _merge._mean

    def look(*given: Any) -> Any:
        peaks.append(megabytes())
        return mean(*given)

    monkeypatch.setattr(_merge, "_mean", look)
    before = megabytes()
    merge({step: f"{step}.pt" for step in STEPS}, DECAY, key="w")
    assert max(peaks) - before < 16


def test_the_files_of_several_ranks_are_merged() -> None:
    """Each tensor is in two parts, with a block of the sum across both."""
    values = random(torch.float32, 5, 3)
    nest = {"model": {"w": torch.arange(1)[0]}}
    for step, value in values.items():
        folder = Path(f"run/step-{step:08d}")
        folder.mkdir(parents=True)
        for rank, (start, stop) in enumerate([(0, 3), (3, 5)]):
            parts = {"w": [Part((start, 0), value[start:stop])]}
            header = {"save": "a", "step": step, "metrics": {}}
            content = file_content(rank, 2, Outline(nest, ["w"]), [(5, 3)], parts, header)
            gs.save_checkpoint(content, folder / file_name(rank))
    found = merge(Checkpointer("run"), DECAY).state["w"]
    expected = merged({step: {"w": value} for step, value in values.items()}).state
    assert type(found) is Tensor
    assert torch.equal(found, expected)


def different(change: Callable[[dict[str, Any]], object]) -> Callable[[], object]:
    """A merge of two models that differ."""

    def call() -> object:
        states = {s: {"w": {"a": torch.zeros(2, 3), "b": torch.zeros(1)}} for s in (0, 2, 4)}
        change(states[2]["w"])
        return merged(states)

    return call


def of_another_program() -> object:
    Path("run").mkdir()
    gs.save_checkpoint({"model": 1}, "run/step-00000008.pt")
    return merge(Checkpointer("run"), "hold(8)")


STATE = {0: {"w": torch.zeros(1)}, 4: {"w": torch.ones(1)}}
DIFFERENT = r"the checkpoints are of different models: `state\[\"{}\"\]` is {} in 2.pt, {} in 4.pt"

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a shape": (
        different(lambda model: model.update(a=torch.zeros(3, 2))),
        DIFFERENT.format("a", r"float32 \(3, 2\)", r"float32 \(2, 3\)"),
    ),
    "a dtype": (
        different(lambda model: model.update(b=torch.zeros(1).double())),
        DIFFERENT.format("b", r"float64 \(1,\)", r"float32 \(1,\)"),
    ),
    "a missing tensor": (
        different(lambda model: model.pop("b")),
        DIFFERENT.format("b", "missing", r"float32 \(1,\)"),
    ),
    "one more": (
        different(lambda model: model.update(c=torch.zeros(1))),
        DIFFERENT.format("c", r"float32 \(1,\)", "missing"),
    ),
    "no tensor": (
        different(lambda model: model.update(a=1)),
        DIFFERENT.format("a", "missing", r"float32 \(2, 3\)"),
    ),
    "a key": (
        lambda: merged(STATE, key="model"),
        r"`key` must name a part of 0.pt, which has \['w'\], got 'model'",
    ),
    "a key of no dict": (
        lambda: merged(STATE, key=("w", "x")),
        r"`key` must name a part of 0.pt, which has \[\], got 'x'",
    ),
    "text as checkpoints": (
        lambda: merge("run", "linear(4)"),  # type: ignore[arg-type]
        "`checkpoints` must be a Checkpointer or a dict of files by step, got 'run'",
    ),
    "names as steps": (
        lambda: merge({"4": "4.pt"}, "linear(4)"),  # type: ignore[dict-item]
        "`checkpoints` must have whole numbers as keys, got '4'",
    ),
    "a truth value as step": (
        lambda: merge({True: "4.pt"}, "linear(4)"),
        "`checkpoints` must have whole numbers as keys, got True",
    ),
    "no file": (
        lambda: merge({4: None}, "linear(4)"),  # type: ignore[dict-item]
        "`checkpoints` must have files as values, got None",
    ),
    "no key": (
        lambda: merged(STATE, key=None),
        "`key` must be a name or a list of names, got None",
    ),
    "a number as key": (
        lambda: merged(STATE, key=("w", 0)),
        r"`key` must be a name or a list of names, got \('w', 0\)",
    ),
    "no such file": (
        lambda: merge({4: "gone.pt"}, "linear(4)"),
        "`checkpoints` must have files as values, got 'gone.pt'",
    ),
    "no checkpoints": (
        lambda: merge(Checkpointer("empty"), "linear(4)"),
        r"`checkpoints` must have one that is undamaged, got \[\]",
    ),
    "no files": (
        lambda: merge({}, "linear(4)"),
        r"`checkpoints` must have one that is undamaged, got \[\]",
    ),
    "a number as schedule": (
        lambda: merge(Checkpointer("empty"), 0.5),  # type: ignore[arg-type]
        "`schedule` must be a schedule or its text, got 0.5",
    ),
    "another program's folder": (
        of_another_program,
        r".*step-00000008.pt was not saved by a Checkpointer",
    ),
    "checkpoints that begin too late": (
        lambda: merged({2: STATE[0], 4: STATE[4]}, "linear(4)"),
        r"`steps` must begin at 1 or before, where linear\(4\) leaves 1, got 2",
    ),
}


@pytest.mark.parametrize(("call", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_sentence(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(GlideslopeError, match=f"^{sentence}"):
        call()


@pytest.mark.filterwarnings("ignore:skipping a checkpoint")
def test_damaged_checkpoints_alone_are_refused() -> None:
    saved = keep("run", {1: VALUES[10], 2: VALUES[20]})
    for step in saved.steps():
        damage(saved.path(step))
    with pytest.raises(GlideslopeError, match="`checkpoints` must have one that is undamaged"):
        merge(saved, "hold(1)")
