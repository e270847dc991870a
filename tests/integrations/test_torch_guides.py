"""The loops that guides to torch's schedulers show, with their imports changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

import glideslope.optim as optim
from glideslope.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR

from .loops import rate, update

near = pytest.approx


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (
            lambda o: optim.lr_scheduler.StepLR(o, step_size=10, gamma=0.1),
            lambda t: 0.1 ** (t // 10),
        ),
        (lambda o: optim.lr_scheduler.ExponentialLR(o, gamma=0.9), lambda t: 0.9**t),
        (
            lambda o: optim.lr_scheduler.CosineAnnealingLR(o, T_max=30),
            lambda t: math.cos(math.pi * t / 60) ** 2,
        ),
    ],
)
def test_a_loop_by_epochs(
    build: Callable[[Any], Any],
    expected: Callable[[int], float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = torch.nn.Linear(10, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = build(optimizer)
    rates = []
    for epoch in range(30):
        update(model, optimizer)
        scheduler.step()
        print(f"Epoch {epoch + 1}, Learning Rate: {optimizer.param_groups[0]['lr']}")
        rates.append(rate(optimizer))

    assert rates == near([0.1 * expected(t) for t in range(1, 31)], rel=1e-12, abs=1e-16)
    assert capsys.readouterr().out.splitlines()[29] == f"Epoch 30, Learning Rate: {rates[29]}"


def test_early_stopping_by_hand_beside_a_scheduler(capsys: pytest.CaptureFixture[str]) -> None:
    model = torch.nn.Linear(10, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    cosine_scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    recorded = torch.tensor([1.0, 0.9, 0.8, 0.85, 0.84, 0.83, 0.82, 0.81, 0.1])

    best_loss = float("inf")
    patience = 5
    counter = 0
    for epoch in range(30):
        update(model, optimizer)
        loss = recorded[epoch]
        if loss < best_loss:
            best_loss = loss
            counter = 0
        else:
            counter += 1
            if counter >= patience:
                print("Early stopping!")
                break
        cosine_scheduler.step()

    assert (epoch, best_loss) == (7, recorded[2])
    assert rate(optimizer) == near(0.1 * math.cos(math.pi * 7 / 60) ** 2, rel=1e-12)
    assert capsys.readouterr().out == "Early stopping!\n"


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda o: StepLR(o, step_size=5, gamma=0.1), 0.1 * 0.1),
        (lambda o: CosineAnnealingLR(o, T_max=10), 0.1 * math.cos(math.pi * 7 / 20) ** 2),
    ],
)
def test_a_loop_that_shows_no_update(build: Callable[[Any], Any], expected: float) -> None:
    model = torch.nn.Linear(10, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = build(optimizer)
    with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`"):
        scheduler.step()
    for _ in range(6):  # once is enough
        scheduler.step()
    assert rate(optimizer) == near(expected, rel=1e-14)


def test_plateau_that_tells(capsys: pytest.CaptureFixture[str]) -> None:
    model = torch.nn.Linear(10, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    scheduler = ReduceLROnPlateau(optimizer, mode="min", factor=0.1, patience=5, verbose=True)
    rates = []
    for val_loss in [0.9] + [0.5] * 13:
        update(model, optimizer)
        scheduler.step(val_loss)
        rates.append(rate(optimizer))

    # after six losses in a row that are not below 0.5, and after six more
    assert rates == near([1e-3] * 7 + [1e-4] * 6 + [1e-5], rel=1e-15)
    printed = capsys.readouterr().out.splitlines()
    assert printed[6:8] == [
        "Epoch 7: setting learning rate to 0.001.",
        "Epoch 8: setting learning rate to 0.0001.",
    ]
