"""Lightning saves and resumes schedulers and optimizers bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

import glideslope as gs
from glideslope import optim
from glideslope.errors import StateMismatch
from glideslope.integrations.lightning import ResumableLoader
from glideslope.optim import lr_scheduler as ours

from .lightning_runs import Network, batches, trainer

theirs = torch.optim.lr_scheduler
EPOCHS, BATCHES = 4, 6


def stepped(build: Callable[[Any], Any], kind: Any = optim.AdamW, **options: Any) -> Any:
    """``configure_optimizers`` with a scheduler that counts updates."""

    def configure(parameters: Any) -> Any:
        made = kind(parameters, lr=0.01, **options)
        return [made], [{"scheduler": build(made), "interval": "step"}]

    return configure


KEYS = {"lr": "warmup(6) >> cosine(18)", "betas[0]": "linear(24, end=0.9)"}

SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "CosineAnnealingLR": lambda o: ours.CosineAnnealingLR(o, T_max=24),
    "OneCycleLR": lambda o: ours.OneCycleLR(o, 0.05, total_steps=30),
    "CyclicLR": lambda o: ours.CyclicLR(o, 0.001, 0.05, 7),
    "WarmRestarts": lambda o: ours.CosineAnnealingWarmRestarts(o, 5, T_mult=2),
    "LambdaLR": lambda o: ours.LambdaLR(o, lambda t: 0.9**t),
    "MultiplicativeLR": lambda o: ours.MultiplicativeLR(o, lambda t: 0.95),
    "SequentialLR": lambda o: ours.SequentialLR(
        o, [ours.LinearLR(o, 0.1, total_iters=6), ours.CosineAnnealingLR(o, 18)], [6]
    ),
    "ChainedScheduler": lambda o: ours.ChainedScheduler(
        [ours.LinearLR(o, 0.1, total_iters=6), ours.StepLR(o, 7)]
    ),
    "GreedyLR": lambda o: ours.GreedyLR(o, min_lr=1e-4, patience=1),
    "Scheduler": lambda o: gs.Scheduler(o, lr="warmup(6) >> cosine(18)"),
    "Scheduler of several keys": lambda o: gs.Scheduler(o, weight_decay="linear(24)", **KEYS),
    "transformers'": lambda o: ours.get_cosine_schedule_with_warmup(o, 4, 24),
}

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "given": lambda p: optim.AdamW(p, lr=0.01 * gs.parse("warmup(6) >> cosine(18)")),
    "given, two keys": lambda p: optim.AdamW(
        p, lr=0.01 * gs.cosine(24), weight_decay=0.1 * gs.linear(24)
    ),
    "ema": lambda p: optim.AdamW(p, lr=0.01, ema_decay=0.9),
    "skip and clip": lambda p: optim.AdamW(p, lr=0.01, skip_nonfinite=True, max_grad_norm=0.1),
    "stochastic rounding": lambda p: optim.AdamW(
        p, lr=0.01, state_dtype=torch.bfloat16, rounding="stochastic"
    ),
    "SGD": lambda p: optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
    "Lion": lambda p: optim.Lion(p, lr=0.001),
    "Adafactor": lambda p: optim.Adafactor(p, lr=0.01),
    "CAME": lambda p: optim.CAME(p, lr=0.001),
    "LAMB": lambda p: optim.LAMB(p, lr=0.01),
    "MARS": lambda p: optim.MARS(p, lr=0.01),
    "MuonWithAuxAdam": lambda p: optim.MuonWithAuxAdam(p, lr=0.01),
    "Prodigy": lambda p: optim.Prodigy(p),
    "AdamWScheduleFree": lambda p: optim.AdamWScheduleFree(p, lr=0.01),
    "SOAP": lambda p: optim.SOAP(p, lr=0.01),
}

CASES = {label: stepped(build) for label, build in SCHEDULERS.items() if label != "GreedyLR"}
CASES |= {
    f"{label}, torch's AdamW": stepped(build, torch.optim.AdamW)
    for label, build in SCHEDULERS.items()
    if label in ("OneCycleLR", "SequentialLR", "Scheduler", "Scheduler of several keys")
}
CASES |= OPTIMIZERS


class Straight:
    """A run that was not interrupted, and saved on its way."""

    def __init__(
        self,
        folder: Path,
        configure: Any,
        loader: Callable[[], Any] = lambda: batches(BATCHES),
        dropout: float = 0.0,
        callbacks: Callable[[], list[Any]] = list,
        options: Mapping[str, Any] = MappingProxyType({}),
        **saving: Any,
    ) -> None:
        self.folder, self.loader = folder, loader
        self.dropout, self.callbacks, self.options = dropout, callbacks, options
        save = ModelCheckpoint(dirpath=folder, filename="{step}", save_top_k=-1, **saving)
        self.model = self._run(configure, EPOCHS, None, [save])

    def _run(self, configure: Any, epochs: int, path: Path | None, more: list[Any]) -> Network:
        model = Network(configure, self.dropout)
        torch.manual_seed(len(more))  # a resumed process has other random numbers
        options = {"callbacks": [*self.callbacks(), *more], "enable_checkpointing": bool(more)}
        run = trainer(self.folder, epochs, **options, **self.options)
        run.fit(model, self.loader(), ckpt_path=path)
        return model

    def resume(self, configure: Any, step: int, epochs: int = EPOCHS) -> Network:
        return self._run(configure, epochs, self.folder / f"step={step}.ckpt", [])

    def assert_resumes(self, configure: Any, step: int) -> None:
        """A run from the checkpoint of ``step`` has the same rates and ends at the same bits."""
        resumed = self.resume(configure, step)
        assert rates(resumed) == rates(self.model)[step:]
        assert torch.equal(resumed.weights(), self.model.weights())


def rates(model: Network) -> list[float]:
    return [float(lr) for lr in model.rates[0].values("lr")]


@pytest.mark.parametrize("label", CASES)
def test_a_fit_resumes_at_the_end_of_an_epoch(label: str, tmp_path: Path) -> None:
    configure = CASES[label]
    Straight(tmp_path, configure, every_n_epochs=1).assert_resumes(configure, 2 * BATCHES)


class Data(lightning.LightningDataModule):
    """Keeps the position of its loader: at an epoch's end Lightning itself does not restore it."""

    def __init__(self) -> None:
        super().__init__()
        self.loader: Any = ResumableLoader(batches(BATCHES, shuffle=True))

    def train_dataloader(self) -> Any:
        return self.loader

    def state_dict(self) -> dict[str, Any]:
        return self.loader.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.loader.load_state_dict(state)


MIDDLE = ["OneCycleLR", "SequentialLR", "Scheduler of several keys", "given", "ema", "SOAP"]
SAVING = {
    "by steps": {"every_n_train_steps": 2},
    "by epochs": {"every_n_epochs": 1},
    "at the epoch's end": {"every_n_epochs": 1, "save_on_train_epoch_end": True},
}


@pytest.mark.parametrize("saving", SAVING)
@pytest.mark.parametrize("label", MIDDLE)
def test_with_a_resumable_loader_a_fit_resumes_at_any_step(
    label: str, saving: str, tmp_path: Path
) -> None:
    configure = CASES[label]
    run = Straight(tmp_path, configure, Data, **SAVING[saving])
    for step in (4, 12, 16) if saving == "by steps" else (6, 18):
        run.assert_resumes(configure, step)


@pytest.mark.parametrize("saving", SAVING)
@pytest.mark.parametrize("validated", [1.0, 3])
def test_a_fit_with_validations_resumes_at_any_step(
    validated: float, saving: str, tmp_path: Path
) -> None:
    class Validated(Data):
        def val_dataloader(self) -> Any:
            return batches(2)

    configure = CASES["given"]
    options = {"val_check_interval": validated, "num_sanity_val_steps": 0}
    run = Straight(tmp_path, configure, Validated, options=options, **SAVING[saving])
    for file in tmp_path.glob("step=*.ckpt"):
        run.assert_resumes(configure, int(file.stem.partition("=")[2]))


def test_a_loader_alone_resumes_within_an_epoch(tmp_path: Path) -> None:
    configure = CASES["given"]
    run = Straight(tmp_path, configure, lambda: Data().loader, every_n_train_steps=2)
    for step in (4, 6, 8, 12, 16, 18):
        run.assert_resumes(configure, step)


def test_with_a_plain_loader_torchs_own_classes_do_not_resume_within_an_epoch(
    tmp_path: Path,
) -> None:
    configure = stepped(lambda o: theirs.CosineAnnealingLR(o, T_max=24), torch.optim.AdamW)
    run = Straight(tmp_path, configure, lambda: batches(BATCHES, True), every_n_train_steps=8)
    resumed = run.resume(configure, 8)
    assert not torch.equal(resumed.weights(), run.model.weights())


class RandomStates(Callback):
    """Saves the random states, and restores them before the first batch."""

    def __init__(self) -> None:
        self.run = gs.training.TrainingState()
        self.loaded: Any = None

    def state_dict(self) -> Any:
        return self.run.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self.loaded = state

    def on_train_batch_start(self, *_: Any) -> None:
        if self.loaded is not None:
            self.run.load_state_dict(self.loaded)
            self.loaded = None


@pytest.mark.parametrize("step", [4, 6, 12, 16, 18])
def test_random_states_saved_by_a_callback_make_dropout_resume(step: int, tmp_path: Path) -> None:
    configure = CASES["given"]
    run = Straight(
        tmp_path,
        configure,
        Data,
        0.5,
        lambda: [RandomStates()],
        every_n_train_steps=2,
    )
    run.assert_resumes(configure, step)


def with_plateau(module: Any, kind: Any) -> Any:
    def configure(parameters: Any) -> Any:
        made = kind(parameters, lr=0.01)
        plateau = module.ReduceLROnPlateau(made, factor=0.5, patience=0, threshold=0.9)
        return {"optimizer": made, "lr_scheduler": plateau, "monitor": "loss"}

    return configure


@pytest.mark.parametrize("kind", [torch.optim.AdamW, optim.AdamW], ids=["torch's", "ours"])
def test_a_plateau_resumes_as_torchs_does(kind: Any, tmp_path: Path) -> None:
    """Lightning saves before it steps a plateau, so a resumed run lacks that step."""

    def resumed(module: Any, folder: str) -> tuple[list[float], list[float]]:
        configure = with_plateau(module, kind)
        run = Straight(tmp_path / folder, configure, every_n_epochs=1)
        return rates(run.model), rates(run.resume(configure, 2 * BATCHES))

    control = resumed(theirs, "theirs")
    assert control[0][2 * BATCHES :] != control[1]
    assert resumed(ours, "ours") == control


@pytest.mark.parametrize("label", ["OneCycleLR", "LambdaLR", "SequentialLR"])
def test_a_checkpoint_of_torchs_classes_resumes_with_ours(label: str, tmp_path: Path) -> None:
    before = {
        "OneCycleLR": lambda o: theirs.OneCycleLR(o, 0.05, total_steps=30),
        "LambdaLR": lambda o: theirs.LambdaLR(o, lambda t: 0.9**t),
        "SequentialLR": lambda o: theirs.SequentialLR(
            o, [theirs.LinearLR(o, 0.1, total_iters=6), theirs.CosineAnnealingLR(o, 18)], [6]
        ),
    }[label]
    run = Straight(tmp_path, stepped(before, torch.optim.AdamW), every_n_epochs=1)
    resumed = run.resume(CASES[label], 2 * BATCHES)
    assert rates(resumed) == pytest.approx(rates(run.model)[2 * BATCHES :], rel=1e-9)
    torch.testing.assert_close(resumed.weights(), run.model.weights(), rtol=0, atol=2e-6)


# More epochs than the run was begun with.


class Bound(Network):
    """A schedule whose length is that of the whole fit."""

    def __init__(self, on_mismatch: str) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.on_mismatch: Any = on_mismatch

    def configure_optimizers(self) -> Any:
        total = self.trainer.estimated_stepping_batches
        self._configure = stepped(
            lambda o: gs.Scheduler(
                o, lr="cosine(100%)", total_steps=total, on_mismatch=self.on_mismatch
            )
        )
        return super().configure_optimizers()


def fit(folder: Path, model: Network, epochs: int, path: Path | None = None) -> Network:
    save = ModelCheckpoint(dirpath=folder, filename="{step}", save_top_k=-1)
    run = trainer(folder, epochs, callbacks=[save], enable_checkpointing=True)
    run.fit(model, batches(BATCHES), ckpt_path=path)
    return model


def test_more_epochs_under_a_schedule_of_the_whole_run(tmp_path: Path) -> None:
    fit(tmp_path, Bound("error"), 2)
    path = tmp_path / f"step={2 * BATCHES}.ckpt"
    with pytest.raises(StateMismatch, match=r"cosine\(24\) in the code, cosine\(12\)"):
        fit(tmp_path, Bound("error"), 4, path)

    kept = rates(fit(tmp_path, Bound("keep"), 4, path))
    assert kept == [0.01 * gs.cosine(24)(t) for t in range(12, 24)]
    adopted = rates(fit(tmp_path, Bound("adopt"), 4, path))
    assert adopted == [0.0] * 12


class Extended(Bound):
    """Extends the schedule of the checkpoint to the end of a longer fit."""

    def on_train_start(self) -> None:
        scheduler = self.lr_schedulers()
        more = self.trainer.estimated_stepping_batches - scheduler.schedule.steps
        if more > 0:
            scheduler.extend(int(more))


def test_more_epochs_by_extending_the_schedule(tmp_path: Path) -> None:
    fit(tmp_path, Extended("adopt"), 4)
    early = tmp_path / f"step={2 * BATCHES}.ckpt"
    longer = rates(fit(tmp_path, Extended("adopt"), 8, early))
    schedule = gs.cosine(24)
    expected = schedule.take(12) >> schedule.shift(-12).stretch(36)
    assert longer == pytest.approx([0.01 * expected(t) for t in range(12, 48)], rel=1e-12)


def test_schedules_given_to_the_optimizer_are_compared_too(tmp_path: Path) -> None:
    def configure(steps: int) -> Any:
        return lambda parameters: optim.AdamW(parameters, lr=0.01 * gs.cosine(steps))

    fit(tmp_path, Network(configure(12)), 2)
    path = tmp_path / f"step={2 * BATCHES}.ckpt"
    with pytest.raises(StateMismatch, match="of another run"):
        fit(tmp_path, Network(configure(24)), 4, path)


def test_a_checkpoint_is_read_as_plain_values(tmp_path: Path) -> None:
    Straight(tmp_path, CASES["Scheduler of several keys"], every_n_epochs=1)
    saved = torch.load(tmp_path / f"step={BATCHES}.ckpt", weights_only=True)
    assert copy.deepcopy(saved["lr_schedulers"][0])["last_epoch"] == BATCHES
