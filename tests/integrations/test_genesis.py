"""The code of genesis's documentation, with its imports changed, gives what the formulas say."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import pytest
import torch

import glideslope as gs
import glideslope.integrations.genesis as genesis
import glideslope.integrations.genesis.nn as nn
import glideslope.integrations.genesis.optim as optim
from glideslope.errors import InvalidType
from glideslope.integrations.genesis.optim.lr_scheduler import LambdaLR

from .loops import rate, update

near = pytest.approx


def sgd(lr: float = 0.1) -> Any:
    return optim.SGD(nn.Linear(10, 1).parameters(), lr=lr)


def factors(optimizer: Any, scheduler: Any, updates: int) -> list[float]:
    """The factor of 0.1 at each update."""
    seen = []
    for _ in range(updates):
        seen.append(rate(optimizer) / 0.1)
        optimizer.step()
        scheduler.step()
    return seen


# -- What the signatures promise -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "promised"),
    [
        (optim.LambdaLR, "(optimizer, lr_lambda, last_epoch=-1, verbose=False)"),
        (
            optim.get_cosine_schedule_with_warmup,
            "(optimizer, num_warmup_steps, num_training_steps)",
        ),
        (optim.LambdaLR.step, "(self, epoch=None)"),
        (optim.LambdaLR.get_last_lr, "(self)"),
        (optim.LambdaLR.state_dict, "(self)"),
        (optim.LambdaLR.load_state_dict, "(self, state_dict)"),
        (genesis.save_checkpoint, "(state, path)"),
        (genesis.load_checkpoint, "(path)"),
    ],
)
def test_the_arguments_are_the_documented_ones(function: Any, promised: str) -> None:
    ours = inspect.signature(function).parameters.values()
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in ours]
    names = promised.strip("()").split(", ")
    assert [str(each) for each in plain][: len(names)] == names
    assert all(each.default is not inspect.Parameter.empty for each in plain[len(names) :])


def test_lambda_lr_with_a_list_of_functions_that_tells(capsys: pytest.CaptureFixture[str]) -> None:
    body, head = nn.Linear(10, 10), nn.Linear(10, 1)
    groups = [{"params": body.parameters(), "lr": 0.01}, {"params": head.parameters()}]
    optimizer = optim.Adam(groups, lr=0.1)
    rules = [lambda epoch: 0.5**epoch, lambda epoch: 1 / (1 + epoch)]
    scheduler = LambdaLR(optimizer, lr_lambda=rules, last_epoch=-1, verbose=True)
    optimizer.step()
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == near([0.005, 0.05], rel=1e-15)
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 0: setting learning rate to [0.01, 0.1].",
        "Epoch 1: setting learning rate to [0.005, 0.05].",
    ]


def test_the_methods_of_a_scheduler() -> None:
    optimizer = sgd()
    scheduler = optim.LambdaLR(optimizer, lr_lambda=lambda epoch: 0.5**epoch)
    assert f"{scheduler.get_last_lr():.6f}" == "0.100000"  # before any step
    optimizer.step()
    scheduler.step()
    with pytest.warns(PendingDeprecationWarning):  # torch's words, which Python does not show
        scheduler.step(epoch=4)
    assert rate(optimizer) == scheduler.get_last_lr()[0] == 0.1 * 0.5**4

    saved = scheduler.state_dict()
    another = sgd()
    resumed = optim.LambdaLR(another, lr_lambda=lambda epoch: 0.5**epoch)
    resumed.load_state_dict(saved)
    assert rate(another) == 0.1 * 0.5**4
    resumed.step()
    assert rate(another) == 0.1 * 0.5**5


# -- Examples --------------------------------------------------------------------------------------


def test_a_function_of_the_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Linear(10, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.001)

    def lr_lambda(epoch: int) -> float:
        return 0.95 ** (epoch // 10)

    scheduler = optim.LambdaLR(optimizer, lr_lambda=lr_lambda)
    rates = []
    for epoch in range(100):
        update(model, optimizer)
        scheduler.step()
        print(f"Epoch {epoch}: lr={scheduler.get_last_lr()}")
        rates += scheduler.get_last_lr()

    assert rates == near([0.001 * 0.95 ** (epoch // 10) for epoch in range(1, 101)], rel=1e-15)
    assert capsys.readouterr().out.splitlines()[0] == "Epoch 0: lr=[0.001]"


def test_cosine_with_warmup_by_batches(capsys: pytest.CaptureFixture[str]) -> None:
    num_epochs, steps_per_epoch = 5, 100
    total_steps = num_epochs * steps_per_epoch
    warmup_steps = total_steps // 10
    model = nn.Linear(10, 1)
    optimizer = optim.AdamW(model.parameters(), lr=5e-4)
    scheduler = optim.get_cosine_schedule_with_warmup(
        optimizer, num_warmup_steps=warmup_steps, num_training_steps=total_steps
    )

    step = 0
    for _ in range(num_epochs):
        for batch in torch.zeros(steps_per_epoch, 10):
            loss = model(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

            scheduler.step()
            step += 1

            if step % 100 == 0:
                print(f"Step {step}: lr={scheduler.get_last_lr():.6f}")

    def expected(t: int) -> float:
        return 5e-4 * 0.5 * (1 + math.cos(math.pi * (t - 50) / 450))

    lines = [f"Step {t}: lr={expected(t):.6f}" for t in (100, 200, 300, 400, 500)]
    assert capsys.readouterr().out.splitlines() == lines
    scheduler.step()  # one too many
    assert rate(optimizer) == 0.0


# -- Patterns --------------------------------------------------------------------------------------


def test_exponential_decay() -> None:
    optimizer = sgd()
    scheduler = optim.LambdaLR(optimizer, lr_lambda=lambda epoch: 0.95**epoch)
    assert factors(optimizer, scheduler, 9) == near([0.95**t for t in range(9)], rel=1e-15)


def test_step_decay() -> None:
    def step_decay(epoch: int) -> float:
        return 0.5 ** (epoch // 30)

    optimizer = sgd()
    scheduler = optim.LambdaLR(optimizer, lr_lambda=step_decay)
    assert factors(optimizer, scheduler, 90) == near([1.0] * 30 + [0.5] * 30 + [0.25] * 30)


def test_polynomial_decay_is_refused_where_it_turns_complex() -> None:
    def poly_decay(epoch: int, total_epochs: int = 100, power: float = 0.9) -> float:
        return (1 - epoch / total_epochs) ** power

    optimizer = sgd()
    scheduler = optim.LambdaLR(optimizer, lr_lambda=lambda epoch: poly_decay(epoch))
    expected = [(1 - t / 100) ** 0.9 for t in range(100)]
    assert factors(optimizer, scheduler, 100) == near(expected, rel=1e-14)

    saved = scheduler.state_dict()
    says = r"^LambdaLR, step 101: <lambda>\(101\) must be a real number, got \(-0\.015"
    with pytest.raises(InvalidType, match=says):
        scheduler.step()
    assert rate(optimizer) == 0.0
    assert scheduler.state_dict() == saved


def test_polynomial_decay_of_our_own_holds_its_end() -> None:
    optimizer = sgd()
    scheduler = optim.LambdaLR(optimizer, lr_lambda=gs.polynomial(100, power=0.9))
    expected = [(1 - t / 100) ** 0.9 for t in range(100)]
    assert factors(optimizer, scheduler, 100) == near(expected, rel=1e-14)
    assert factors(optimizer, scheduler, 100) == [0.0] * 100


def test_cosine_with_restarts() -> None:
    def cosine_restart(epoch: int, restart_period: int = 50) -> float:
        epoch_in_cycle = epoch % restart_period
        return 0.5 * (1 + math.cos(math.pi * epoch_in_cycle / restart_period))

    optimizer = sgd()
    scheduler = optim.LambdaLR(optimizer, lr_lambda=cosine_restart)
    expected = [math.cos(math.pi * t / 100) ** 2 for t in range(50)] * 2  # half-angle
    assert factors(optimizer, scheduler, 100) == near(expected, rel=1e-12)


def test_one_after_another_on_the_same_optimizer() -> None:
    optimizer = sgd()
    scheduler = optim.LambdaLR(optimizer, lr_lambda=lambda epoch: 0.95**epoch)
    factors(optimizer, scheduler, 10)
    scheduler = optim.LambdaLR(optimizer, lr_lambda=lambda epoch: 0.5 ** (epoch // 2))
    assert factors(optimizer, scheduler, 4) == near([1.0, 1.0, 0.5, 0.5], rel=1e-15)


# -- Training --------------------------------------------------------------------------------------


def test_a_training_loop(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.001)
    scheduler = optim.get_cosine_schedule_with_warmup(
        optimizer, num_warmup_steps=10, num_training_steps=100
    )
    train_loader = [(torch.randn(6, 12), torch.arange(6) % 3)] * 20

    losses = []
    for epoch in range(5):
        model.train()
        for batch_idx, (data, targets) in enumerate(train_loader):
            outputs = model(data)
            loss = nn.CrossEntropyLoss()(outputs, targets)

            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())

            if batch_idx % 100 == 0:
                lr = scheduler.get_last_lr()
                print(f"Epoch: {epoch}, Batch: {batch_idx}, LR: {lr:.6f}, Loss: {loss.item():.4f}")

    assert losses[0] == losses[1] > losses[-1]  # the first update is at rate 0
    rates = [
        0.001 * min(t / 10, (1 + math.cos(math.pi * (t - 10) / 90)) / 2) for t in range(1, 100)
    ]
    lines = [
        f"Epoch: {epoch}, Batch: 0, LR: {rates[20 * epoch]:.6f}, Loss: {losses[20 * epoch]:.4f}"
        for epoch in range(5)
    ]
    assert capsys.readouterr().out.splitlines() == lines


def test_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)

    def built() -> tuple[Any, Any, Any]:
        model = nn.Linear(10, 1)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        return model, optimizer, optim.LambdaLR(optimizer, lr_lambda=lambda epoch: 0.9**epoch)

    model, optimizer, scheduler = built()
    loss = update(model, optimizer)
    scheduler.step()
    epoch = 0

    checkpoint = {
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "scheduler_state_dict": scheduler.state_dict(),
        "epoch": epoch,
        "loss": loss,
    }
    genesis.save_checkpoint(checkpoint, "checkpoint.pth")
    assert checkpoint["loss"] is loss  # what was given is as it was
    expected = [update(model, optimizer).item() for _ in range(3)]

    model, optimizer, scheduler = built()
    checkpoint = genesis.load_checkpoint("checkpoint.pth")
    model.load_state_dict(checkpoint["model_state_dict"])
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    scheduler.load_state_dict(checkpoint["scheduler_state_dict"])

    assert (checkpoint["epoch"], checkpoint["loss"]) == (0, loss)
    assert rate(optimizer) == near(0.01 * 0.9, rel=1e-15)
    assert [update(model, optimizer).item() for _ in range(3)] == expected


def test_the_schedule_of_the_transformer() -> None:
    def get_transformer_schedule(
        optimizer: Any, d_model: int = 512, warmup_steps: int = 4000
    ) -> optim.LambdaLR:
        def lr_lambda(step: int) -> float:
            if step == 0:
                return 0
            return min(step**-0.5, step * warmup_steps**-1.5) * (d_model**-0.5)

        return optim.LambdaLR(optimizer, lr_lambda=lr_lambda)

    optimizer = sgd()
    scheduler = get_transformer_schedule(optimizer, d_model=512, warmup_steps=4000)
    seen = factors(optimizer, scheduler, 4002)
    peak = 1 / math.sqrt(512 * 4000)
    assert (seen[0], seen[4000]) == (0.0, near(peak, rel=1e-14))
    assert max(seen) == seen[4000]

    theirs = gs.noam(512, 4000)  # the same, at the rate 1
    assert seen[1:] == near([theirs(step) for step in range(1, 4002)], rel=1e-14)


def parabola() -> tuple[Any, torch.Tensor, float]:
    """A linear model, inputs whose squares it cannot fit, and the rate where descent diverges."""
    torch.manual_seed(0)
    batch = torch.randn(32, 10)
    with_bias = torch.cat([batch, torch.ones(32, 1)], dim=1)
    curvature = torch.linalg.eigvalsh(2 * with_bias.T @ with_bias / 32).max().item()
    return nn.Linear(10, 1), batch, 2 / curvature


def train_step(model: Any, batch: torch.Tensor, optimizer: Any) -> torch.Tensor:
    optimizer.zero_grad()
    loss = (model(batch) - batch[:, :1].square()).square().mean()
    loss.backward()
    optimizer.step()
    return loss


def test_the_range_test_that_is_written_by_hand() -> None:
    def lr_range_test(
        model: Any, optimizer: Any, start_lr: float = 1e-7, end_lr: float = 10, num_it: int = 100
    ) -> tuple[list[Any], list[Any]]:
        lrs: list[Any] = []
        losses: list[Any] = []

        lr_lambda = lambda step: (end_lr / start_lr) ** (step / num_it)  # noqa: E731
        scheduler = optim.LambdaLR(optimizer, lr_lambda=lr_lambda)

        for _ in range(num_it):
            loss = train_step(model, batch, optimizer)
            losses.append(loss)
            lrs.append(scheduler.get_last_lr())

            scheduler.step()

            if loss > 4 * min(losses):
                break

        return lrs, losses

    model, batch, limit = parabola()
    lrs, losses = lr_range_test(model, optim.SGD(model.parameters(), lr=1e-7))
    sweep = [1e-7 * 1e8 ** (step / 100) for step in range(len(lrs))]
    assert [float(lr) for lr in lrs] == near(sweep, rel=1e-12)
    assert len(lrs) == len(losses) < 100
    assert losses[-1] > 4 * min(losses) > losses[-2]
    assert limit < lrs[-1][0] < 10 * limit


def test_the_range_test_that_is_a_function() -> None:
    model, batch, limit = parabola()
    optimizer = optim.SGD(model.parameters(), lr=0.3)  # not where the test begins
    before = [each.clone() for each in model.parameters()]
    lrs, losses = genesis.lr_range_test(
        model,
        optimizer,
        start_lr=1e-7,
        end_lr=10,
        num_it=100,
        train_step=lambda model, batch: train_step(model, batch, optimizer),
        batches=[batch],
    )
    sweep = [1e-7 * 1e8 ** (step / 99) for step in range(len(lrs))]  # the last one at 10
    assert lrs == near(sweep, rel=1e-12)
    assert len(lrs) == len(losses) < 100
    assert limit < lrs[-1] < 10 * limit
    assert rate(optimizer) == 0.3
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


def test_cosine_annealing_as_a_function() -> None:
    theirs, ours = sgd(), sgd()
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, T_max=100)
    scheduler = optim.LambdaLR(
        ours, lr_lambda=lambda epoch: 0.5 * (1 + math.cos(math.pi * epoch / 100))
    )
    assert factors(ours, scheduler, 250) == near(factors(theirs, cosine, 250), abs=1e-14)


def test_the_names_are_those_of_torch_and_glideslope() -> None:
    assert genesis.nn is nn is torch.nn
    assert genesis.optim is optim is gs.optim
    assert optim.LambdaLR is LambdaLR is gs.optim.lr_scheduler.LambdaLR
    assert genesis.save_checkpoint is gs.save_checkpoint
    assert genesis.load_checkpoint is gs.load_checkpoint
    assert genesis.lr_range_test is gs.training.lr_range_test
