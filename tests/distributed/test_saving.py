"""Ranks save into one folder together: each resumes as it was, and all agree on the step."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import CheckpointError, InvalidValue, StateMismatch
from glideslope.training._seal import Damaged
from tests.training.values import same as is_same

from . import damaging, ranks, saving


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saving")


@pytest.fixture(scope="module")
def results(folder: Path) -> list[dict[str, Any]]:
    return ranks.run("saving.py", folder)


def test_each_rank_resumes_bit_for_bit_with_its_own_random_states(
    results: list[dict[str, Any]],
) -> None:
    for found in results:
        for name, values in found["straight"].items():
            assert found["resumed"][name] == values, name
    first, second = (found["resumed"] for found in results)
    assert first["losses"] != second["losses"]
    assert first["weights"] == second["weights"]


def test_all_ranks_keep_and_find_the_same(results: list[dict[str, Any]]) -> None:
    names = [".lock", ".lock-00001", "step-00000001", "step-00000002", "step-00000003"]
    for found in results:
        assert found["resumed"]["names"] == names
        assert found["resumed"]["steps"] == [1, 2, 3]  # the best, and the newest two
        assert found["resumed"]["found"] == [3, {"loss": 3.5}, 1, {"loss": 0.5}]


def test_what_all_ranks_share_is_written_once(results: list[dict[str, Any]], folder: Path) -> None:
    del results
    files = [folder / "resumed" / "step-00000003" / f"rank-0000{rank}.pt" for rank in (0, 1)]
    parts = [torch.load(file, weights_only=True)["parts"] for file in files]
    written = [{eval(key.partition("#")[0]) for key in each} for each in parts]
    assert written[0] & written[1] == {
        *(("environment", "random", *place) for place in RANDOM),
        ("own",),
    }
    assert ("model", "0.weight") in written[0] ^ written[1]


RANDOM = [("python", 1), ("numpy", "state", "key"), ("torch",)]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("state", 'rank 1 refused: `state["file"]` must be a tensor'),
        ("steps", "the ranks gave different steps: 6 on rank 0, 7 on rank 1"),
        ("back", "`step` must be at least 5, the newest in"),
        ("folders", "the ranks gave different folders: "),
        ("missing", "step-00000008: No such file or directory"),
    ],
)
def test_a_refusal_of_one_rank_is_one_of_all(
    what: str, told: str, results: list[dict[str, Any]]
) -> None:
    for found in results:
        assert told.removeprefix("rank 1 refused: ") in found["refusals"][what]
    assert told in results[0]["refusals"][what]
    assert ".tmp" not in results[0]["refusals"]["leftovers"]
    assert ".saving" not in results[0]["refusals"]["leftovers"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a path that differs by process")
def test_disks_that_ranks_do_not_share_are_refused_by_all(results: list[dict[str, Any]]) -> None:
    for rank, found in enumerate(results):
        assert (
            "rank 1 does not see the files that rank 0 writes there" in found["other disks"]["text"]
        )
        assert found["other disks"]["left"] == [".lock-00001" if rank else ".lock"]


@pytest.mark.parametrize(
    ("what", "step", "reason"),
    [
        ("damaged", 1, "step-00000002/rank-00001.pt is damaged: "),
        ("unreadable", 2, "step-00000003/rank-00001.pt: Input/output error"),
    ],
)
def test_what_one_rank_cannot_read_is_skipped_by_all(
    what: str, step: int, reason: str, results: list[dict[str, Any]]
) -> None:
    for rank, found in enumerate(result[what] for result in results):
        assert (found["step"], found["rank"]) == (step, rank)
        assert found["losses"] == 2 * step
        assert not found["refusal"]
        (warning,) = found["warnings"]
        assert warning.startswith("skipping a checkpoint: ")
        assert reason in warning


def test_an_error_of_one_rank_leaves_all_as_they_were(results: list[dict[str, Any]]) -> None:
    first, second = (found["no memory"] for found in results)
    assert first["refusal"] == "rank 1 failed: MemoryError: no memory"
    assert second["refusal"] == "no memory"
    for found in (first, second):
        assert found["is as before"]
        assert not found["warnings"]


def checkpoints_of(folder: Path, kept: Path, steps: Sequence[int]) -> Path:
    """A copy of checkpoints that two ranks saved."""
    for step in steps:
        shutil.copytree(folder / "resumed" / f"step-{step:08d}", kept / f"step-{step:08d}")
    return kept / f"step-{steps[-1]:08d}"


def is_refused_unchanged(folder: Path) -> str:
    """The message of a folder without an undamaged checkpoint; the run stays as it was."""
    run = saving.build(0)
    before = deepcopy(run.state_dict())
    with pytest.raises(CheckpointError) as caught:
        gs.training.Checkpointer(folder).resume(run)
    assert is_same(before, run.state_dict())
    return str(caught.value)


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("kind", damaging.KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("number", [0, 1])
def test_the_step_before_a_damaged_one_is_found(
    kind: damaging.Damage, number: int, folder: Path, tmp_path: Path
) -> None:
    newest = checkpoints_of(folder, tmp_path, [2, 3])
    kind(newest / f"rank-0000{number}.pt")
    run = saving.build(0)
    with pytest.warns(UserWarning, match="skipping|saved on 2 ranks") as caught:
        assert gs.training.Checkpointer(tmp_path).resume(run).step == run.step == 2
    texts = [str(each.message) for each in caught]
    assert len(texts) == 2  # the other one is about the number of ranks
    assert texts[0].startswith("skipping a checkpoint: ")
    assert str(newest) in texts[0]
    shutil.rmtree(tmp_path / "step-00000002")
    with pytest.warns(UserWarning, match=f"skipping a checkpoint: .*{newest}"):
        told = is_refused_unchanged(tmp_path)
    assert told == f"all 1 checkpoints in {tmp_path} are damaged"


@pytest.mark.usefixtures("results")
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_edit_of_a_rank_s_file_goes_unnoticed(data: st.DataObject, folder: Path) -> None:
    with TemporaryDirectory() as place:
        file = checkpoints_of(folder, Path(place), [3]) / data.draw(
            st.sampled_from(["rank-00000.pt", "rank-00001.pt"])
        )
        content = file.read_bytes()
        edited = data.draw(damaging.edits(content))
        assume(edited != content)
        file.write_bytes(edited)
        with pytest.raises(Damaged, match=f"{file} (is|has) "):
            gs.training.Checkpointer(place).load(3)


@pytest.mark.usefixtures("results")
@pytest.mark.filterwarnings("ignore")  # of the number of ranks, and of what is skipped
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_value_in_a_sealed_file_leads_to_another_error(
    data: st.DataObject, folder: Path
) -> None:
    """The files are as their checksums say, so they are loaded or refused."""
    with TemporaryDirectory() as place:
        file = checkpoints_of(folder, Path(place), [3]) / "rank-00000.pt"
        gs.save_checkpoint(damaging.replaced(data, gs.load_checkpoint(file)), file)
        run = saving.build(0)
        before = deepcopy(run.state_dict())
        try:
            gs.training.Checkpointer(place).resume(run)
        except (CheckpointError, StateMismatch):
            assert is_same(before, run.state_dict())


def test_one_process_resumes_with_the_state_of_rank_0_and_says_so(
    results: list[dict[str, Any]], folder: Path
) -> None:
    saved = gs.training.Checkpointer(folder / "resumed")
    found = saved.latest()
    assert found is not None
    assert (found.step, found.metrics) == (3, {"loss": 3.5})
    run = saving.build(7)
    with pytest.warns(UserWarning, match="saved on 2 ranks, resumed on 1: rank 0 resumes with"):
        run.load_state_dict(found.state)
    saving.train(run, 3)
    assert run.losses == results[0]["straight"]["losses"]


def test_a_rank_that_does_not_save_is_named(results: list[dict[str, Any]]) -> None:
    first = results[0]["absent"]
    assert first["told"] == (
        f"rank 1 did not call `Checkpointer.save` within {saving.SHORT} s, the time-out of the "
        "process group: every rank must call it"
    )
    assert first["warnings"] == [
        "rank 0 has waited 1 s in `Checkpointer.save` for rank 1: every rank must call it"
    ]
    assert "step-00000001" in first["leftovers"]
    assert ".saving" not in first["leftovers"]


def test_the_calls_of_ranks_that_make_different_ones_are_named(
    results: list[dict[str, Any]],
) -> None:
    for found in results:
        assert found["different calls"] == (
            "the ranks made different calls: `Checkpointer.save` on rank 0, "
            "`Checkpointer.resume`, `latest`, `best` or `load` on rank 1"
        )


LONE = "this is rank 1 of 2: after torch.distributed.init_process_group all ranks save"


@pytest.fixture
def lone_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> gs.training.Checkpointer:
    """A rank without a process group, in a folder where another one has saved."""
    with gs.training.Checkpointer(tmp_path) as saved:
        saved.save(4, {})
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    return gs.training.Checkpointer(tmp_path)


def test_a_rank_without_a_process_group_learns_what_to_call(
    lone_rank: gs.training.Checkpointer,
) -> None:
    with pytest.raises(InvalidValue, match=f"`step` must be at least 4, .+; {LONE}"):
        lone_rank.save(1, {})


def test_a_rank_without_a_process_group_that_finds_a_lock_learns_what_to_call(
    lone_rank: gs.training.Checkpointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lockf(*_: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "held by rank 0")

    monkeypatch.setattr("fcntl.lockf", lockf)
    with pytest.raises(CheckpointError, match=f"another process is saving into .+; {LONE}"):
        lone_rank.save(5, {})
