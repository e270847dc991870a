"""A folder of checkpoints: those kept, the one found, and the errors."""

from __future__ import annotations

import errno
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import CheckpointError, InvalidType, InvalidValue
from glideslope.training import Checkpointer, _checkpointer, _nest

from .crafting import damage
from .values import same


def state(step: int) -> dict[str, Any]:
    return {"weight": torch.full((1000,), float(step)), "losses": [0.1] * step}


def filled(folder: Path, steps: range, **options: Any) -> Checkpointer:
    checkpoints = Checkpointer(folder, **options)
    for step in steps:
        checkpoints.save(step, state(step))
    checkpoints.close()
    return checkpoints


def test_the_newest_is_found_with_all_that_was_saved(tmp_path: Path) -> None:
    filled(tmp_path / "deep" / "folder", range(5))
    found = Checkpointer(tmp_path / "deep" / "folder").latest()
    assert found is not None
    assert (found.step, found.metrics, found.path.name) == (4, {}, "step-00000004.pt")
    assert same(found.state, state(4))
    assert same(torch.load(found.path, weights_only=True)["state"], state(4))


def test_an_empty_folder_and_a_missing_one_hold_none(tmp_path: Path) -> None:
    assert Checkpointer(tmp_path).latest() is None
    assert Checkpointer(tmp_path / "missing", keep_best=("loss", "min")).best() is None
    assert not (tmp_path / "missing").exists()


def test_other_files_are_ignored(tmp_path: Path) -> None:
    names = ["notes.txt", "step-1.pt.bak", "step-x.pt", "best.pt", ".glideslope-0.tmp"]
    for name in names[:-1]:
        (tmp_path / name).touch()
    filled(tmp_path, range(1, 6), keep=1)
    assert Checkpointer(tmp_path).steps() == [5]
    assert all((tmp_path / name).exists() for name in names[:-1])


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.3, math.nan, math.inf, None]), min_size=1, max_size=7),
    st.integers(1, 3),
    st.sampled_from(["min", "max", None]),
    st.integers(0, 7),
)
def test_the_newest_and_the_best_are_kept_across_restarts(
    tmp_path_factory: pytest.TempPathFactory,
    losses: list[float | None],
    keep: int,
    mode: str | None,
    restart: int,
) -> None:
    folder = tmp_path_factory.mktemp("folder")

    def checkpointer() -> Checkpointer:
        return Checkpointer(folder, keep=keep, keep_best=("loss", mode) if mode else None)

    checkpoints = checkpointer()
    for step, loss in enumerate(losses):
        if step == restart:
            checkpoints.close()
            checkpoints = checkpointer()
        checkpoints.save(step, state(1), **({} if loss is None else {"loss": loss}))
    checkpoints.close()
    scored = [(loss, -step) for step, loss in enumerate(losses) if loss is not None]
    numbers = [pair for pair in scored if not math.isnan(pair[0])]
    best = min((-a if mode == "max" else a, step) for a, step in numbers)[1] if numbers else None
    expected = set(range(len(losses))[-keep:])
    if mode and best is not None:
        expected.add(-best)
    assert set(checkpoints.steps()) == expected
    found = checkpointer().best()
    assert (found.step if found else None) == (-best if mode and best is not None else None)


@pytest.mark.parametrize(
    "value",
    [None, "0.5", [1], {}, 1j, torch.ones(2), np.ones(2), torch.ones((), device="meta"), 10**400],
)
def test_a_metric_that_is_no_number_is_refused_before_anything_is_made(
    tmp_path: Path, value: Any
) -> None:
    checkpoints = Checkpointer(tmp_path / "folder")
    with pytest.raises(InvalidType, match=r"`loss` must be a number, got "):
        checkpoints.save(1, state(1), loss=value)
    assert list(tmp_path.iterdir()) == []


def test_metrics_of_any_kind_of_number(tmp_path: Path) -> None:
    checkpoints = Checkpointer(tmp_path, keep_best=("val/loss", "min"))
    metrics = {"val/loss": torch.tensor(0.5), "state": np.float32(2), "step": 3}
    checkpoints.save(1, state(1), **metrics)
    assert checkpoints.best().metrics == {"val/loss": 0.5, "state": 2.0, "step": 3.0}


def test_every(tmp_path: Path) -> None:
    checkpoints = Checkpointer(tmp_path, every=3)
    assert [step for step in range(10) if checkpoints.is_due(step)] == [3, 6, 9]


class TestDamage:
    def test_the_newest_whole_one_is_found_with_a_warning(self, tmp_path: Path) -> None:
        filled(tmp_path, range(4))
        damage(tmp_path / "step-00000003.pt")
        with pytest.warns(UserWarning, match=r"skipping a checkpoint: .*3\.pt is damaged"):
            found = Checkpointer(tmp_path).latest()
        assert found is not None
        assert found.step == 2

    def test_a_folder_without_any_whole_one_is_an_error(self, tmp_path: Path) -> None:
        filled(tmp_path, range(1, 3))
        for path in tmp_path.glob("*.pt"):
            path.write_bytes(b"")
        with (
            pytest.warns(UserWarning, match="is empty"),
            pytest.raises(CheckpointError, match=r"all 2 checkpoints in .* are damaged"),
        ):
            Checkpointer(tmp_path).latest()

    def test_a_damaged_one_replaces_none_and_is_not_deleted(self, tmp_path: Path) -> None:
        filled(tmp_path, range(1, 4), keep=3)
        damage(tmp_path / "step-00000003.pt")
        with pytest.warns(UserWarning, match="skipping"):
            filled(tmp_path, range(4, 5), keep=3)
        assert Checkpointer(tmp_path).steps() == [1, 2, 3, 4]

    def test_a_damaged_best_one_is_not_the_best(self, tmp_path: Path) -> None:
        checkpoints = Checkpointer(tmp_path, keep_best=("loss", "min"))
        for step in range(1, 4):
            checkpoints.save(step, state(step), loss=float(step))
        checkpoints.close()
        damage(tmp_path / "step-00000001.pt")
        with pytest.warns(UserWarning, match="skipping"):
            best = Checkpointer(tmp_path, keep_best=("loss", "min")).best()
        assert best is not None
        assert best.step == 2

    def test_training_continues_below_a_damaged_one_and_replaces_it(self, tmp_path: Path) -> None:
        filled(tmp_path, range(1, 4))
        damage(tmp_path / "step-00000003.pt")
        checkpoints = Checkpointer(tmp_path)
        with pytest.warns(UserWarning, match="skipping"):
            assert checkpoints.latest().step == 2
        checkpoints.save(2, state(2))
        checkpoints.save(3, state(3))
        assert checkpoints.latest().step == 3

    def test_a_file_of_another_maker_is_named_and_left_alone(self, tmp_path: Path) -> None:
        gs.save_checkpoint({"weight": torch.ones(1)}, tmp_path / "step-00000001.pt")
        with pytest.raises(CheckpointError, match="was not saved by a Checkpointer"):
            Checkpointer(tmp_path).latest()
        with pytest.warns(UserWarning, match="was not saved by a Checkpointer"):
            filled(tmp_path, range(2, 4), keep=1)
        assert Checkpointer(tmp_path).steps() == [1, 3]

    def test_a_folder_that_is_a_file_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        checkpoints = Checkpointer(tmp_path / "file")
        with pytest.raises(CheckpointError, match=r"could not read .*: Not a directory"):
            checkpoints.latest()
        with pytest.raises(CheckpointError, match=r"could not save into .*: File exists"):
            checkpoints.save(1, state(1))

    def test_a_folder_deleted_between_saves_is_made_again(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        checkpoints = filled(folder, range(1, 3))
        shutil.rmtree(folder)
        checkpoints.save(3, state(3))
        checkpoints.wait()
        shutil.rmtree(folder)
        checkpoints.save(4, state(4))
        assert checkpoints.steps() == [4]


REFUSED = [
    (lambda folder: Checkpointer(folder, keep=0), "`keep` must be at least 1, got 0"),
    (lambda folder: Checkpointer(folder, every=0), "`every` must be at least 1, got 0"),
    (
        lambda folder: Checkpointer(folder, keep_best=("loss", "least")),
        "`keep_best` must end in 'min' or 'max', got ('loss', 'least')",
    ),
    (lambda folder: Checkpointer(folder).save(-1, {}), "`step` must be at least 0, got -1"),
    (
        lambda folder: filled(folder, range(5)).save(2, {}),
        "`step` must be at least 4, the newest in {}, got 2",
    ),
]


@pytest.mark.parametrize(("use", "message"), REFUSED)
def test_arguments_are_refused(tmp_path: Path, use: Callable[[Path], object], message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        use(tmp_path)
    assert str(caught.value) == message.format(tmp_path)


def test_a_state_that_cannot_be_saved_is_refused_at_once(tmp_path: Path) -> None:
    checkpoints = Checkpointer(tmp_path)
    with pytest.raises(InvalidType, match=r'`state\["state"\]\["schedule"\]` must be a tensor'):
        checkpoints.save(1, {"schedule": gs.cosine(10)})
    with pytest.raises(InvalidType, match=r"`step` must be a whole number, got 1.5"):
        checkpoints.save(1.5, {})  # type: ignore[arg-type]
    assert checkpoints.steps() == []


class Held:
    """Delays writes until they are released, or makes them fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go, self.error, self.written = threading.Event(), None, []
        self._write = _checkpointer.write_checkpoint
        monkeypatch.setattr(_checkpointer, "write_checkpoint", self.write)

    def write(self, nest: Any, path: Path) -> None:
        assert self.go.wait(10)
        if self.error is not None:
            raise CheckpointError(self.error)
        self._write(nest, path)
        self.written.append(path.name)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(monkeypatch)
    yield held
    held.go.set()


class TestBackground:
    def test_saving_returns_before_it_is_written(self, tmp_path: Path, held: Held) -> None:
        checkpoints = Checkpointer(tmp_path)
        checkpoints.save(1, state(1))
        assert held.written == []
        held.go.set()
        checkpoints.wait()
        assert held.written == ["step-00000001.pt"]

    def test_the_state_at_the_call_is_written(self, tmp_path: Path, held: Held) -> None:
        checkpoints = Checkpointer(tmp_path)
        live = state(1)
        checkpoints.save(1, live)
        live["weight"].fill_(-1)
        live["losses"].append(-1)
        held.go.set()
        checkpoints.wait()
        assert same(checkpoints.load(1).state, state(1))

    def test_one_write_at_a_time(self, tmp_path: Path, held: Held) -> None:
        checkpoints = Checkpointer(tmp_path)
        checkpoints.save(1, state(1))
        threading.Timer(0.1, held.go.set).start()
        checkpoints.save(2, state(2))
        assert held.written[0] == "step-00000001.pt"
        assert threading.active_count() <= 3
        checkpoints.close()

    def test_the_memory_of_the_copy_is_used_again(self, tmp_path: Path) -> None:
        checkpoints = Checkpointer(tmp_path)
        addresses = set()
        for step in range(3):
            copy = checkpoints._buffers.snapshot(state(step))
            addresses.add(copy["weight"].data_ptr())
            assert same(copy, state(step))
        assert len(addresses) == 1

    def test_a_state_of_another_shape_is_copied_again(self) -> None:
        buffers = _nest.Buffers()
        for tensor in (torch.zeros(4), torch.ones(1), torch.ones(4, dtype=torch.float64)):
            assert same(buffers.snapshot({"weight": tensor}), {"weight": tensor})

    def test_an_error_shows_at_the_next_save_which_starts_nevertheless(
        self, tmp_path: Path, held: Held
    ) -> None:
        checkpoints = Checkpointer(tmp_path)
        held.error = "the disk is full"
        checkpoints.save(1, state(1))
        threading.Timer(0.05, held.go.set).start()
        thread = checkpoints._background._thread
        assert thread is not None
        thread.join()
        held.error = None
        with pytest.raises(CheckpointError, match="the disk is full"):
            checkpoints.save(2, state(2))
        assert checkpoints.latest().step == 2

    def test_an_error_shows_once(self, tmp_path: Path, held: Held) -> None:
        checkpoints = Checkpointer(tmp_path)
        held.error = "the disk is full"
        held.go.set()
        checkpoints.save(1, state(1))
        with pytest.raises(CheckpointError, match="the disk is full"):
            checkpoints.wait()
        checkpoints.close()

    @pytest.mark.parametrize("call", ["wait", "close", "steps", "latest", "best"])
    def test_an_error_shows_wherever_one_waits(self, tmp_path: Path, held: Held, call: str) -> None:
        checkpoints = Checkpointer(tmp_path)
        held.error = "the disk is full"
        held.go.set()
        checkpoints.save(1, state(1))
        with pytest.raises(CheckpointError, match="the disk is full"):
            getattr(checkpoints, call)()

    def test_an_error_at_the_end_of_a_with_block(self, tmp_path: Path, held: Held) -> None:
        held.error = "the disk is full"
        held.go.set()
        with (
            pytest.raises(CheckpointError, match="the disk is full"),
            Checkpointer(tmp_path) as checkpoints,
        ):
            checkpoints.save(1, state(1))

    def test_an_error_does_not_hide_the_one_that_ended_training(
        self, tmp_path: Path, held: Held
    ) -> None:
        def train() -> None:
            with Checkpointer(tmp_path) as checkpoints:
                checkpoints.save(1, state(1))
                raise KeyboardInterrupt

        held.error = "the disk is full"
        held.go.set()
        with pytest.raises(KeyboardInterrupt) as caught:
            train()
        assert caught.value.__notes__ == ["and the last checkpoint was lost: the disk is full"]

    def test_a_checkpoint_that_cannot_be_deleted_is_a_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        filled(tmp_path, range(2), keep=1)
        monkeypatch.setattr(Path, "unlink", refuse)
        with pytest.warns(UserWarning, match=r"could not delete .*1\.pt: Permission denied"):
            checkpoints = filled(tmp_path, range(2, 3), keep=1)
        monkeypatch.undo()
        assert checkpoints.steps() == [1, 2]
        checkpoints.save(3, state(3))
        assert checkpoints.steps() == [3]
        checkpoints.close()


def run_program(program: str, folder: Path, *, code: int) -> str:
    """Run a program that saves slowly; return what it printed to the terminal."""
    prelude = f"""
import os, sys, time, torch
import glideslope as gs
from glideslope.training import _checkpointer
write = _checkpointer.write_checkpoint
def slowly(nest, path):
    time.sleep(0.5)
    write(nest, path)
_checkpointer.write_checkpoint = slowly
checkpoints = gs.training.Checkpointer({str(folder)!r})
checkpoints.save(1, {{"weight": torch.ones(10)}})
"""
    command = [sys.executable, "-c", prelude + program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("ending", "code"),
    [("del checkpoints", 0), ("raise ValueError('my own')", 1)],
)
def test_a_write_is_not_lost_at_exit(tmp_path: Path, ending: str, code: int) -> None:
    printed = run_program(ending, tmp_path, code=code)
    assert "Exception ignored" not in printed
    found = Checkpointer(tmp_path).latest()
    assert found is not None
    assert found.step == 1
    assert ("my own" in printed) == (code == 1)


def test_an_error_shows_at_exit(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    spoil = f"import shutil; shutil.rmtree({str(folder)!r})"
    printed = run_program(spoil, folder, code=0)
    assert f"CheckpointError: could not save {folder}/step-00000001.pt: No such file" in printed


class TestTwoProcesses:
    @pytest.fixture
    def other(self, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
        """Another process that has saved into the folder and still runs."""
        program = f"""
import glideslope as gs
checkpoints = gs.training.Checkpointer({str(tmp_path)!r})
checkpoints.save(1, {{}})
checkpoints.wait()
print("saved", flush=True)
input()
"""
        command = [sys.executable, "-c", program]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "saved\n"
            yield process
            process.kill()

    def test_one_saves_and_the_other_reads(
        self, tmp_path: Path, other: subprocess.Popen[str]
    ) -> None:
        checkpoints = Checkpointer(tmp_path)
        assert checkpoints.latest().step == 1
        with pytest.raises(CheckpointError, match=f"another process is saving into {tmp_path}"):
            checkpoints.save(2, {})
        other.kill()
        other.wait()
        checkpoints.save(2, {})
        assert checkpoints.steps() == [1, 2]
        checkpoints.close()

    def test_closing_lets_others_save(self, tmp_path: Path) -> None:
        filled(tmp_path, range(1, 2))
        program = f"""
import glideslope as gs
with gs.training.Checkpointer({str(tmp_path)!r}) as checkpoints:
    checkpoints.save(2, {{}})
"""
        subprocess.run([sys.executable, "-c", program], check=True)
        assert Checkpointer(tmp_path).steps() == [1, 2]

    def test_a_child_that_outlives_its_parent_does_not_keep_the_lock(self, tmp_path: Path) -> None:
        filled(tmp_path, range(1, 2))
        program = f"""
import os, signal, time
import glideslope as gs
checkpoints = gs.training.Checkpointer({str(tmp_path)!r})
checkpoints.save(2, {{}})
checkpoints.wait()
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
        command = [sys.executable, "-c", program]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            child = int(process.stdout.readline())
            process.wait()
            filled(tmp_path, range(3, 4))
            os.kill(child, signal.SIGKILL)  # it was still alive
        assert Checkpointer(tmp_path).steps() == [1, 2, 3]
