"""Values saved in a checkpoint are loaded equal; values that could not be loaded are refused."""

from __future__ import annotations

import copy
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import nn

import glideslope as gs
from glideslope.errors import GlideslopeError, InvalidType, InvalidValue

from .values import NESTS, bits, same

Point = namedtuple("Point", "x y")
BASE = torch.arange(6.0)
ONE = torch.ones(1)
COMPLEX = torch.tensor([1 + 2j])
SQUARE = torch.arange(4.0).reshape(2, 2)


@given(NESTS)
def test_any_nest_comes_back_bit_for_bit_and_stays_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, nest: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "nest.pt"
    before = copy.deepcopy(nest)
    gs.save_checkpoint(nest, path)
    assert same(nest, before)
    assert same(gs.load_checkpoint(path), nest)
    assert same(torch.load(path, weights_only=True), nest)


# A saved value, and the loaded one.
CASES = {
    "a view of a larger tensor": (BASE[2:4], torch.tensor([2.0, 3.0])),
    "a transposed tensor": (BASE.reshape(2, 3).T, torch.tensor([[0.0, 3], [1, 4], [2, 5]])),
    "an expanded tensor": (torch.ones(1).expand(3), torch.ones(3)),
    "a conjugate view": (torch.tensor([1 + 2j]).conj(), torch.tensor([1 - 2j])),
    "a tensor and its conjugate view": (
        [COMPLEX, COMPLEX.conj()],
        [torch.tensor([1 + 2j]), torch.tensor([1 - 2j])],
    ),
    "a tensor and its transposed view": (
        [SQUARE, SQUARE.T],
        [torch.tensor([[0.0, 1], [2, 3]]), torch.tensor([[0.0, 2], [1, 3]])],
    ),
    "a parameter": (nn.Parameter(torch.ones(2)), torch.ones(2)),
    "a loss with its graph": (nn.Parameter(torch.ones(2)).sum(), torch.tensor(2.0)),
    "a sparse tensor": (torch.eye(2).to_sparse(), torch.eye(2).to_sparse()),
    "two views of one memory": (
        [BASE[:2], BASE[1:3]],
        [torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0])],
    ),
    "one memory as two types": (
        [ONE, ONE.view(torch.int32)],
        [torch.ones(1), torch.tensor([0x3F800000], dtype=torch.int32)],
    ),
    "scalars of NumPy": (
        [np.float32(0.1), np.float64(0.1), np.int64(3), np.bool_(True), np.str_("a")],
        [0.10000000149011612, 0.1, 3, True, "a"],
    ),
    "a scalar of NumPy as a key": ({np.int64(3): 1}, {3: 1}),
    "a defaultdict": (defaultdict(list, a=[1]), {"a": [1]}),
    "a list of one's own": (type("Rates", (list,), {})([0.1]), [0.1]),
    "empty bytes": ([b"", {b"": b""}], [b"", {b"": b""}]),
    "empty containers": ([[], (), {}, set(), OrderedDict(), Counter()],) * 2,
}


@pytest.mark.parametrize(("saved", "expected"), CASES.values(), ids=CASES)
def test_loaded_values(tmp_path: Path, saved: Any, expected: Any) -> None:
    path = tmp_path / "a.pt"
    gs.save_checkpoint({"value": saved}, path)
    assert same(gs.load_checkpoint(path)["value"], expected)


def test_a_view_is_saved_without_the_memory_behind_it(tmp_path: Path) -> None:
    gs.save_checkpoint(torch.zeros(1_000_000)[:10], tmp_path / "a.pt")
    assert (tmp_path / "a.pt").stat().st_size < 10_000


ROW = torch.arange(100.0)
# Each shows many more numbers than it has: their count, and the most that may be written of them.
REPEATED = {
    "expanded": (ROW.expand(1000, 100), 100),
    "one number": (torch.ones(()).expand(300, 300), 1),
    "expanded in the middle": (ROW.reshape(10, 1, 10).expand(10, 1000, 10), 100),
    "expanded and transposed": (ROW.expand(1000, 100).T, 100),
    "an expanded view with gaps": (torch.zeros(100_000)[::1000].expand(1000, 100), 100),
    "expanded in a memory of its size": (torch.zeros(100, 100)[0].expand(100, 100), 100),
    "overlapping windows": (torch.arange(2000.0).unfold(0, 1000, 1), 2000),
    "expanded windows": (torch.arange(200.0).unfold(0, 100, 1).expand(10, 101, 100), 200),
    "an expanded conjugate": (torch.tensor([1 + 2j]).expand(20_000).conj(), 1),
    "an imaginary part": (torch.tensor([1 + 2j]).conj().imag.expand(20_000), 1),
    "values of a sparse one": (
        torch.sparse_coo_tensor(
            torch.tensor([[1]]),
            torch.zeros(100_000)[:1],
            (2,),
            check_invariants=True,
            is_coalesced=True,
        ),
        1,
    ),
}


@pytest.mark.parametrize(("tensor", "count"), REPEATED.values(), ids=REPEATED)
def test_no_number_is_written_twice(tmp_path: Path, tensor: torch.Tensor, count: int) -> None:
    gs.save_checkpoint({"a": tensor}, tmp_path / "a.pt")
    assert (tmp_path / "a.pt").stat().st_size < count * tensor.itemsize + 3000
    assert same(gs.load_checkpoint(tmp_path / "a.pt"), {"a": tensor.detach()})
    with gs.training.Checkpointer(tmp_path / "folder") as checkpoints:
        checkpoints.save(1, {"a": tensor})
        checkpoints.wait()
        assert checkpoints.path(1).stat().st_size < count * tensor.itemsize + 3000
        assert same(checkpoints.load(1).state, {"a": tensor.detach()})


def test_an_expanded_tensor_comes_back_expanded(tmp_path: Path) -> None:
    gs.save_checkpoint(torch.ones(3).expand(2, 3), tmp_path / "a.pt")
    assert gs.load_checkpoint(tmp_path / "a.pt").stride() == (0, 1)


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    weight = torch.ones(3)
    gs.save_checkpoint({"a": weight, "b": weight.detach()}, tmp_path / "a.pt")
    loaded = gs.load_checkpoint(tmp_path / "a.pt")
    assert loaded["a"].data_ptr() == loaded["b"].data_ptr()


def test_the_metadata_of_a_modules_state_is_kept(tmp_path: Path) -> None:
    state = nn.BatchNorm1d(2).state_dict()
    gs.save_checkpoint(state, tmp_path / "a.pt")
    assert gs.load_checkpoint(tmp_path / "a.pt")._metadata == state._metadata  # type: ignore[attr-defined]


def deep(levels: int) -> list[Any]:
    nest: list[Any] = []
    for _ in range(levels):
        nest = [nest]
    return nest


def cyclic() -> list[Any]:
    nest: list[Any] = [1]
    nest.append({"self": nest})
    return nest


PLAIN = "be a tensor, a number, text, bytes, None, or a dict, list, tuple or set of those"
REFUSED = {
    "an object": ({"a": [1, {"b": object}]}, InvalidType, rf'`state["a"][1]["b"]` must {PLAIN}'),
    "a schedule": (
        {"scheduler": {"schedule": gs.cosine(10)}},
        InvalidType,
        f'`state["scheduler"]["schedule"]` must {PLAIN}, got cosine(10)',
    ),
    "an array": (
        {"a": np.ones(1)},
        InvalidType,
        '`state["a"]` must be a tensor (torch.from_numpy makes one), got array([1.])',
    ),
    "a key": ({"a": {Path("b"): 1}}, InvalidType, f'`a key of state["a"]` must {PLAIN}'),
    "a part of a key": ({(1, Path("b")): 1}, InvalidType, f"`a key of state` must {PLAIN}"),
    "a member of a set": ({frozenset()}, InvalidType, f"`state[frozenset()]` must {PLAIN}"),
    "a path": (Path("a"), InvalidType, f"`state` must {PLAIN}"),
    "a deque": (deque([1]), InvalidType, f"`state` must {PLAIN}"),
    "a namedtuple": (Point(1, 2), InvalidType, f"`state` must {PLAIN}, got Point(x=1, y=2)"),
    "a function": (len, InvalidType, f"`state` must {PLAIN}"),
    "a long double": ([np.longdouble(1)], InvalidType, f"`state[0]` must {PLAIN}"),
    "a tensor without data": (
        {"a": torch.ones(1, device="meta")},
        InvalidType,
        '`state["a"]` must be a plain tensor that holds data',
    ),
    "a huge integer": ([2**2039], InvalidValue, "`state[0]` must be of at most 2039 bits"),
    "a cycle": (cyclic(), InvalidValue, '`state[1]["self"]` must not contain itself'),
    "a deep nest": (deep(5000), InvalidValue, "`state` must be at most 200 deep"),
}


@pytest.mark.parametrize(("nest", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_values_that_could_not_be_loaded_are_refused_by_place(
    tmp_path: Path, nest: Any, error: type[GlideslopeError], message: str
) -> None:
    with pytest.raises(error) as caught:
        gs.save_checkpoint(nest, tmp_path / "a.pt")
    assert str(caught.value).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_the_deepest_nest_there_may_be(tmp_path: Path) -> None:
    gs.save_checkpoint(deep(199), tmp_path / "a.pt")
    assert gs.load_checkpoint(tmp_path / "a.pt") == deep(199)


def test_loaded_values_share_no_memory_with_saved_ones(tmp_path: Path) -> None:
    state = {"weight": torch.ones(2), "losses": [1.0]}
    gs.save_checkpoint(state, tmp_path / "a.pt")
    loaded = gs.load_checkpoint(tmp_path / "a.pt")
    loaded["weight"].zero_()
    loaded["losses"].clear()
    assert same(state, {"weight": torch.ones(2), "losses": [1.0]})
    assert bits(gs.load_checkpoint(tmp_path / "a.pt")["weight"]) == bits(torch.ones(2))
