"""Lightning's loop updates as a loop written by hand does, with every optimizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glideslope import optim
from glideslope.schedules import cosine

from .lightning_runs import Network, batches, trainer

EPOCHS, BATCHES = 3, 6
RATE = 0.01

NAMES = [row.name for row in optim.available() if row.name not in ("LBFGS", "SparseAdam")]


def build(name: str, parameters: Any, **options: Any) -> Any:
    """An optimizer of the catalogue, given the parameters that it updates."""
    if getattr(optim, name).matrices_only:
        parameters = [parameter for parameter in parameters if parameter.ndim == 2]
    return optim.create(name, parameters, lr=RATE, **options)


def under_lightning(folder: Path, configure: Any, **options: Any) -> Network:
    model = Network(configure)
    trainer(folder, EPOCHS, **options).fit(model, batches(BATCHES))
    return model


def by_hand(configure: Any, accumulate: int = 1, between: Any = None) -> Network:
    """The same run without a trainer; ``between`` is called before each update."""
    model = Network(configure)
    optimizer = model.configure_optimizers()
    model.train()
    loader = batches(BATCHES)
    for _ in range(EPOCHS):
        for index, (x, y) in enumerate(loader):
            loss = nn.functional.mse_loss(model.layers(x), y) / accumulate
            loss.backward()
            if (index + 1) % accumulate == 0:
                if between is not None:
                    between(model)
                optimizer.step()
                optimizer.zero_grad()
    return model


def assert_same_bits(one: Network, other: Network) -> None:
    assert len(one.rates[0].shown) == len(other.rates[0].shown) > 0
    assert torch.equal(one.weights(), other.weights())


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_an_optimizer_updates_as_in_a_loop_by_hand(
    name: str, accumulate: int, tmp_path: Path
) -> None:
    def configure(parameters: Any) -> Any:
        return build(name, parameters)

    got = under_lightning(tmp_path, configure, accumulate_grad_batches=accumulate)
    assert_same_bits(got, by_hand(configure, accumulate))


TORCHS = ["Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop"]
TORCHS += ["Rprop", "SGD"]


@pytest.mark.parametrize("name", TORCHS)
def test_an_optimizer_with_torchs_name_updates_as_torchs(name: str, tmp_path: Path) -> None:
    ours, theirs = (
        under_lightning(tmp_path, lambda p, of=of: getattr(of, name)(p, lr=RATE)).weights()
        for of in (optim, torch.optim)
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6)


@pytest.mark.parametrize("bound", [0.05, 1.0])
@pytest.mark.parametrize("name", ["AdamW", "SGD", "Lion", "Prodigy"])
def test_max_grad_norm_is_lightnings_clipping(name: str, bound: float, tmp_path: Path) -> None:
    clipped = under_lightning(
        tmp_path, lambda p: build(name, p), gradient_clip_val=bound, gradient_clip_algorithm="norm"
    )
    ours = under_lightning(tmp_path, lambda p: build(name, p, max_grad_norm=bound))
    torch.testing.assert_close(ours.weights(), clipped.weights(), rtol=0, atol=2e-6)


def test_lightning_clips_gradients_by_value(tmp_path: Path) -> None:
    def configure(parameters: Any) -> Any:
        return build("AdamW", parameters)

    def clip(model: Network) -> None:
        nn.utils.clip_grad_value_(model.parameters(), 0.01)

    options = {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"}
    assert_same_bits(
        under_lightning(tmp_path, configure, **options), by_hand(configure, between=clip)
    )


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_other_precisions_train_as_with_torchs_optimizer(precision: str, tmp_path: Path) -> None:
    ours, theirs = (
        under_lightning(tmp_path, lambda p, of=of: of.AdamW(p, lr=RATE), precision=precision)
        for of in (optim, torch.optim)
    )
    tolerance = {"bf16-mixed": 2e-4, "bf16-true": 2e-2, "64-true": 1e-9}[precision]
    assert ours.weights().dtype == theirs.weights().dtype
    torch.testing.assert_close(ours.weights(), theirs.weights(), rtol=0, atol=tolerance)


class Manual(Network):
    """Two optimizers stepped by hand, the second at every other batch, with their schedulers."""

    def __init__(self, of: Any) -> None:
        super().__init__(lambda _: None)
        self.automatic_optimization = False
        self.of = of

    def configure_optimizers(self) -> Any:
        first = self.of.AdamW(self.layers[0].parameters(), lr=RATE)
        second = self.of.SGD(self.layers[3:].parameters(), lr=RATE, momentum=0.9)
        module = optim.lr_scheduler if self.of is optim else torch.optim.lr_scheduler
        schedulers = [
            module.CosineAnnealingLR(first, T_max=18),
            module.LinearLR(second, 1.0, 0.1, total_iters=9),
        ]
        return [first, second], schedulers

    def training_step(self, batch: Any, index: int) -> None:
        loss = nn.functional.mse_loss(self.layers(batch[0]), batch[1])
        first, second = self.optimizers()
        one, other = self.lr_schedulers()
        self.manual_backward(loss)
        first.step()
        one.step()
        first.zero_grad()
        if index % 2:
            second.step()
            other.step()
            second.zero_grad()


def test_manual_optimisation_with_two_optimizers_and_schedulers(tmp_path: Path) -> None:
    def run(of: Any) -> Tensor:
        model = Manual(of)
        trainer(tmp_path, EPOCHS).fit(model, batches(BATCHES))
        return model.weights()

    torch.testing.assert_close(run(optim), run(torch.optim), rtol=0, atol=2e-6)


def test_a_closure_runs_once_for_each_update(tmp_path: Path) -> None:
    calls = []

    class Counting(Network):
        def training_step(self, batch: Any, index: int) -> Tensor:
            calls.append(index)
            return super().training_step(batch, index)

    model = Counting(lambda p: optim.AdamW(p, lr=RATE * cosine(18)))
    trainer(tmp_path, EPOCHS).fit(model, batches(BATCHES))
    assert calls == list(range(BATCHES)) * EPOCHS


def test_the_wrapper_has_the_members_of_the_optimizer(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    class Looking(Network):
        def on_train_epoch_end(self) -> None:
            optimizer = self.optimizers()
            seen["norm"], seen["skipped"] = optimizer.grad_norm, optimizer.skipped_steps
            seen["engines"] = str(optimizer.engine_report())
            with optimizer.averaged():
                seen["averaged"] = self.weights()
            seen["own"] = type(optimizer.optimizer)

    model = Looking(
        lambda p: optim.AdamW(p, lr=RATE, ema_decay=0.5, max_grad_norm=1.0, skip_nonfinite=True)
    )
    trainer(tmp_path).fit(model, batches(BATCHES))
    assert seen["norm"] > 0
    assert seen["skipped"] == 0
    assert seen["engines"] == "fused: parameter 0 and 5 more"
    assert not torch.equal(seen["averaged"], model.weights())
    assert seen["own"] is optim.AdamW
