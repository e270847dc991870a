"""Damaged and hostile files: all are refused, and none runs code."""

from __future__ import annotations

import builtins
import os
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import CheckpointError

from .crafting import craft, records_of
from .values import same

STATE = {"weight": torch.arange(4.0), "step": 3, "name": "a run", "losses": [0.5, 0.25]}
RECORDS = records_of(STATE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "a.pt"
    gs.save_checkpoint(STATE, path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "a.pt"


def refused(path: Path, content: bytes | bytearray) -> None:
    """Fail unless ``content`` is refused with a sentence that names the file."""
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        gs.load_checkpoint(path)
    assert re.fullmatch(
        rf"{path} is (empty|cut short.*|(damaged:|not a|refused:) .+)", str(caught.value)
    )


def flipped(content: bytes, position: int, mask: int) -> bytes:
    return content[:position] + bytes([content[position] ^ mask]) + content[position + 1 :]


def test_a_flip_at_any_byte_is_noticed(whole: bytes, path: Path) -> None:
    for position in range(len(whole)):
        refused(path, flipped(whole, position, 1 << position % 8))


@pytest.mark.long
@pytest.mark.parametrize("mask", [*(1 << bit for bit in range(8)), 0xFF])
def test_a_flip_of_any_bit_is_noticed(whole: bytes, path: Path, mask: int) -> None:
    for position in range(len(whole)):
        refused(path, flipped(whole, position, mask))


def test_a_cut_at_any_length_is_noticed(whole: bytes, path: Path) -> None:
    for length in range(len(whole)):
        refused(path, whole[:length])


def zero_page(content: bytes) -> bytes:
    return content[:512] + bytes(512) + content[1024:]


def zero_end(content: bytes) -> bytes:
    return content[:-512] + bytes(512)


def without_seal(content: bytes) -> bytes:
    return content[: content.rindex(b"glideslope")]


DAMAGE: list[Callable[[bytes], bytes]] = [
    lambda content: content + b"\0",
    lambda content: content + b"\n",
    lambda content: content + content,
    lambda content: content + content[-22:],
    lambda content: b"\0" + content,
    lambda content: content[:600] + content[601:],
    lambda content: content[:600] + b"\0" + content[600:],
    lambda content: content.upper(),
    zero_page,
    zero_end,
    without_seal,
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_larger_damage_is_noticed(
    whole: bytes, path: Path, damage: Callable[[bytes], bytes]
) -> None:
    refused(path, damage(whole))


def test_a_flip_in_the_data_of_a_file_that_torch_wrote_is_noticed(path: Path) -> None:
    torch.save(STATE, path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(4.0).numpy().tobytes()) + 3] ^= 1
    refused(path, content)


EDITS = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "insert", "repeat"]), st.floats(0, 1), st.binary()),
    min_size=1,
    max_size=4,
)


def edited(content: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    for kind, place, extra in edits:
        at = int(place * len(content))
        if kind == "flip":
            content = content[:at] + extra + content[at + len(extra) :]
        elif kind == "cut":
            content = content[:at] + content[at + 1 + len(extra) :]
        elif kind == "insert":
            content = content[:at] + extra + content[at:]
        else:
            content = content[: at + len(extra)] + content[at:]
    return content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDITS)
def test_no_damaged_file_is_taken_for_whole(
    whole: bytes, path: Path, edits: list[tuple[str, float, bytes]]
) -> None:
    content = edited(whole, edits)
    assume(content != whole)
    refused(path, content)


@given(EDITS)
def test_the_content_of_a_whole_file_is_loaded_or_refused(
    path: Path, edits: list[tuple[str, float, bytes]]
) -> None:
    """Every checksum is right here: the damage was done before the file was sealed."""
    craft(path, {**RECORDS, "archive/data.pkl": edited(RECORDS["archive/data.pkl"], edits)})
    with suppress(CheckpointError):
        gs.save_checkpoint(gs.load_checkpoint(path), path)  # plain values, that is


class Runs:
    """Something whose pickle calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


CANARY = "glideslope_was_here"
MARK = f"import builtins; builtins.{CANARY} = True"
HOSTILE = {
    "exec": Runs(exec, MARK),
    "eval": Runs(eval, f"exec({MARK!r})"),
    "system": Runs(os.system, "touch canary"),
    "import": Runs(__import__, "antigravity"),
    "getattr": Runs(getattr, Runs(__import__, "os"), "system"),
    "in a dict": {"weight": torch.ones(1), "evil": Runs(exec, MARK)},
    "as a key": {Runs(exec, MARK): 1},
    "torch.load": Runs(torch.load, "other.pt"),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_no_pickle_runs_code(
    path: Path, monkeypatch: pytest.MonkeyPatch, hostile: Any, protocol: int
) -> None:
    monkeypatch.chdir(path.parent)
    craft(path, {**RECORDS, "archive/data.pkl": pickle.dumps(hostile, protocol)})
    refuse_without_running(path)


OPCODES = {
    "a call by INST": b"(S'touch canary'\nios\nsystem\n",
    "a call by OBJ": b"(cos\nsystem\nS'touch canary'\no",
    "a call by NEWOBJ": b"cos\nsystem\n(X\x0c\0\0\0touch canaryt\x81",
    "a call by REDUCE": b"cposix\nsystem\n(X\x0c\0\0\0touch canaryt\x85R",
    "a dotted name": b"\x8c\x02os\x8c\x06system\x93\x8c\x0ctouch canary\x85R",
    "an attribute set by BUILD": b"ctorch\nTensor\n}X\x01\0\0\0aK\x01sb",
    "a name of torch that loads": b"ctorch\nload\nX\x04\0\0\0a.pt\x85R",
    "a storage that is none": b"X\x04\0\0\0evilQ",
    "a storage of nowhere": (
        b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x009X\x03\0\0\0cpuK\x04tQ"
    ),
    "an extension": b"\x82\x01",
    "nothing": b"",
}


@pytest.mark.parametrize("pickled", OPCODES.values(), ids=OPCODES)
def test_no_trick_of_the_unpickler_runs_code(
    path: Path, monkeypatch: pytest.MonkeyPatch, pickled: bytes
) -> None:
    monkeypatch.chdir(path.parent)
    craft(path, {**RECORDS, "archive/data.pkl": b"\x80\x02" + pickled + b"."})
    refuse_without_running(path)


GLOBALS = st.sampled_from(
    [
        *("os\nsystem", "posix\nsystem", "builtins\nexec", "builtins\neval", "__builtin__\nexec"),
        *("subprocess\nPopen", "torch\nload", "torch.hub\nload", "runpy\nrun_path"),
    ]
)
WORDS = st.sampled_from(
    [
        *(b"(", b"t", b"}", b"]", b"R", b"b", b"\x81", b"o", b"s", b"u", b"a", b"e", b"0", b"2"),
        *(b"\x85", b"\x86", b"\x87", b"N", b"K\x01", b"Q", b"q\x01", b"h\x01", b"\x8c\x01a"),
        b"X\x0c\0\0\0touch canary",
    ]
)
PROGRAMS = st.lists(
    st.one_of(WORDS, GLOBALS.map(lambda name: b"c" + name.encode() + b"\n")), max_size=20
).map(b"".join)


@given(PROGRAMS, GLOBALS)
def test_no_program_for_the_unpickler_runs_code(path: Path, program: bytes, name: str) -> None:
    call = b"c" + name.encode() + b"\nX\x0c\0\0\0touch canary\x85R"
    pickled = b"\x80\x02" + program + call + b"."
    craft(path, {**RECORDS, "archive/data.pkl": pickled})
    refuse_without_running(path)


def refuse_without_running(path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"a\.pt is refused: "):
        gs.load_checkpoint(path)
    assert not hasattr(builtins, CANARY)
    assert not Path("canary").exists()
    assert [file.name for file in path.parent.iterdir()] == ["a.pt"]


def test_a_hostile_file_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    craft(path, {**RECORDS, "archive/data.pkl": b"\x80\x02" + OPCODES["nothing"] + b"."})
    with pytest.raises(CheckpointError):
        gs.load_checkpoint(path)
    gs.save_checkpoint(STATE, path)
    assert same(gs.load_checkpoint(path), STATE)


BAD_SPARSE = {
    "an index out of bounds": lambda: torch.sparse_coo_tensor(
        torch.tensor([[5]]), torch.ones(1), (2,), check_invariants=False
    ),
    "a negative index": lambda: torch.sparse_coo_tensor(
        torch.tensor([[-1]]), torch.ones(1), (2,), check_invariants=False
    ),
    "a column out of bounds": lambda: torch.sparse_csr_tensor(
        torch.tensor([0, 1]), torch.tensor([7]), torch.ones(1), (1, 2), check_invariants=False
    ),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
@pytest.mark.parametrize("make", BAD_SPARSE.values(), ids=BAD_SPARSE)
def test_a_sparse_tensor_that_points_outside_itself_is_refused(
    make: Callable[[], torch.Tensor], tmp_path: Path
) -> None:
    """Made dense, it would write outside its memory; torch looks by itself only from 2.14 on."""
    torch.save({"value": make()}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt is refused: "):
        gs.load_checkpoint(tmp_path / "a.pt")


def test_loading_leaves_torchs_switch_as_it_was(tmp_path: Path) -> None:
    gs.save_checkpoint(STATE, tmp_path / "a.pt")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(gs.load_checkpoint, [tmp_path / "a.pt"] * 40))
    assert not torch.sparse.check_sparse_tensor_invariants.is_enabled()


def test_a_storage_larger_than_its_record_is_refused(tmp_path: Path) -> None:
    """Reading past the record's end would show the memory of the process."""
    pickled = RECORDS["archive/data.pkl"]
    larger = pickled.replace(b"cpuq\x06K\x04", b"cpuq\x06K\x7f")
    assert larger != pickled
    craft(tmp_path / "a.pt", {**RECORDS, "archive/data.pkl": larger})
    with pytest.raises(CheckpointError, match="record size"):
        gs.load_checkpoint(tmp_path / "a.pt")
