"""Ranks save into one folder together: each resumes as it was, and all agree on the step."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import glideslope as gs
from glideslope.errors import CheckpointError, InvalidValue

from . import ranks, saving


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


def test_a_file_damaged_for_one_rank_is_skipped_by_all(results: list[dict[str, Any]]) -> None:
    for rank, found in enumerate(results):
        assert found["damaged"]["step"] == 1
        assert found["damaged"]["own"] == rank
        (warning,) = found["damaged"]["warnings"]
        assert warning.startswith("skipping a checkpoint: ")
        assert "step-00000002/rank-00001.pt is damaged" in warning


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
