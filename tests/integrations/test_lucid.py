"""The code of lucid's documentation, with its imports changed, gives what the formulas say."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import glideslope as gs
import glideslope.integrations.lucid as lucid
import glideslope.integrations.lucid.nn as nn
import glideslope.integrations.lucid.optim as optim
from glideslope.errors import InvalidType
from glideslope.integrations.lucid.optim.lr_scheduler import ExponentialLR, StepLR

from .loops import rate

near = pytest.approx


class MyOptimizer(optim.Optimizer):
    """Theirs, letter for letter."""

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        defaults = {"lr": lr}
        super().__init__(params, defaults)

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    param.data -= group["lr"] * param.grad


class MyModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.param = nn.Parameter([1.0, 2.0, 3.0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.param


# -- The page on schedulers ------------------------------------------------------------------------


def test_a_loop_under_step_lr(capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Linear(10, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = StepLR(optimizer, step_size=5, gamma=0.5)

    rates = []
    for epoch in range(20):
        optimizer.step()
        scheduler.step()
        print(f"Epoch {epoch + 1}, Learning Rate: {scheduler.last_lr}")
        rates += scheduler.last_lr

    assert rates == near([0.1 * 0.5 ** (epoch // 5) for epoch in range(1, 21)], rel=1e-15)
    printed = capsys.readouterr().out.splitlines()
    assert [printed[0], printed[4], len(printed)] == [
        "Epoch 1, Learning Rate: [0.1]",
        "Epoch 5, Learning Rate: [0.05]",
        20,
    ]


def test_a_second_scheduler_continues_from_the_rate_that_the_first_one_left() -> None:
    model = nn.Linear(10, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = StepLR(optimizer, step_size=5, gamma=0.5)
    for _ in range(20):
        optimizer.step()
        scheduler.step()

    scheduler = ExponentialLR(optimizer, gamma=0.9)
    rates = []
    for _ in range(10):
        optimizer.step()
        scheduler.step()
        rates.append(rate(optimizer))

    assert rates == near([0.00625 * 0.9**epoch for epoch in range(1, 11)], rel=1e-14)


# -- The page on optimizers ------------------------------------------------------------------------


def test_a_model_of_a_list_of_numbers_is_trained() -> None:
    model = MyModel()
    optimizer = MyOptimizer(model.parameters(), lr=0.01)

    for input, target in [(torch.ones(3), torch.zeros(3))] * 3:
        output = model(input)
        loss = (output - target).square().sum()
        loss.backward()

        optimizer.step()
        optimizer.zero_grad()

    factor = (1 - 2 * 0.01) ** 3  # the gradient of p² is 2p
    assert model.param.tolist() == near([factor, 2 * factor, 3 * factor], rel=1e-6)


def test_an_optimizer_of_ones_own_is_driven() -> None:
    model = nn.Module()
    optimizer = MyOptimizer(model.parameters(), lr=0.01)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.5)
    optimizer.step()
    scheduler.step()
    assert rate(optimizer) == scheduler.last_lr[0] == 0.005


def test_the_state_of_an_optimizer_comes_back() -> None:
    model = nn.Linear(10, 1)
    optimizer = MyOptimizer(model.parameters(), lr=0.01)
    optimizer_state = optimizer.state_dict()
    optimizer.param_groups[0]["lr"] = 1.0
    optimizer.load_state_dict(optimizer_state)
    assert rate(optimizer) == 0.01


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        (lambda model: iter(()), [[]]),
        (lambda model: [], [[]]),
        (lambda model: model.parameters(), [["weight", "bias"]]),
        (
            lambda model: [{"params": [model.weight]}, {"params": [model.bias]}],
            [["weight"], ["bias"]],
        ),
        (lambda model: model.named_parameters(), [["weight", "bias"]]),
    ],
)
def test_an_optimizer_takes_all_that_torch_takes_and_nothing(
    params: Callable[[Any], Any], kept: list[list[str]]
) -> None:
    model = nn.Linear(10, 1)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = MyOptimizer(params(model)).param_groups
    assert [[names[id(parameter)] for parameter in group["params"]] for group in groups] == kept


@pytest.mark.parametrize("params", [torch.zeros(3, requires_grad=True), "weights", [1.0]])
def test_an_optimizer_of_what_is_no_parameters_is_refused_as_by_torch(params: Any) -> None:
    with pytest.raises(TypeError) as theirs:
        torch.optim.SGD(params)
    with pytest.raises(TypeError) as ours:
        MyOptimizer(params)
    assert str(ours.value) == str(theirs.value)


# -- Names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "values"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ([1, 2, 3], [1.0, 2.0, 3.0]),
        ((0.5, True), [0.5, 1.0]),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]]),
        (2.5, 2.5),
        ([], []),
        (np.arange(3), [0.0, 1.0, 2.0]),
        (np.float64(0.5), 0.5),
        ([np.float32(0.5), torch.tensor(2.0)], [0.5, 2.0]),
    ],
)
def test_a_parameter_of_numbers(data: Any, values: Any) -> None:
    parameter = nn.Parameter(data)
    assert parameter.tolist() == values
    assert parameter.dtype == torch.get_default_dtype()
    assert parameter.requires_grad
    assert not nn.Parameter(data, requires_grad=False).requires_grad


def test_a_parameter_of_an_array_or_a_tensor() -> None:
    array = np.ones(2, dtype=np.float32)
    assert nn.Parameter(array).data_ptr() != array.ctypes.data
    tensor = torch.ones(2, dtype=torch.float64)
    parameter = nn.Parameter(tensor)
    assert parameter.dtype == torch.float64
    assert parameter.data_ptr() == tensor.data_ptr()  # as torch's own


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("weights", "'weights'"),
        (["1.0", "2.0"], "['1.0', '2.0']"),
        (None, "None"),
        ([[1.0, 2.0], [3.0]], "[[1.0, 2.0], [3.0]]"),
        ([1.0, None], "[1.0, None]"),
        ([1 + 2j], "[(1+2j)]"),
        ([10**400], "[1000"),
        ({"weight": 1.0}, "{'weight': 1.0}"),
        (len, "<built-in function len>"),
        (np.array(["a"]), "array(['a']"),
    ],
)
def test_a_parameter_of_anything_else_is_refused(data: Any, shown: str) -> None:
    with pytest.raises(InvalidType) as refused:
        nn.Parameter(data)
    rule = "`data` must be a tensor, a number, or numbers in lists of equal lengths, got "
    assert str(refused.value).startswith(rule + shown)


def test_a_parameter_is_one_of_torch() -> None:
    parameter = nn.Parameter([1.0, 2.0])
    assert type(parameter) is torch.nn.Parameter  # else torch takes its slow paths
    assert type(copy.deepcopy(parameter)) is torch.nn.Parameter
    assert pickle.loads(pickle.dumps(parameter)).tolist() == [1.0, 2.0]
    assert lucid.Parameter is lucid.nn.Parameter is nn.Parameter


def test_a_subclass_of_the_parameter_is_itself() -> None:
    class Named(nn.Parameter):
        pass

    named = Named([1.0])
    assert type(named) is Named
    assert isinstance(named, nn.Parameter)
    assert not isinstance(nn.Parameter([1.0]), Named)


def test_what_torch_made_is_one_of_theirs() -> None:
    model = nn.Linear(10, 1)
    optimizer = optim.SGD(model.parameters())
    assert isinstance(model.weight, nn.Parameter)
    assert not isinstance(torch.zeros(1), nn.Parameter)
    assert isinstance(optimizer, optim.Optimizer)
    assert isinstance(MyOptimizer([]), MyOptimizer)
    assert not isinstance(optimizer, MyOptimizer)
    assert not isinstance(model, optim.Optimizer)


def test_the_rest_is_torch_and_glideslope() -> None:
    assert nn.Module is torch.nn.Module
    assert optim.SGD is gs.optim.SGD
    assert optim.lr_scheduler is gs.optim.lr_scheduler
    assert {"Linear", "Module", "Parameter"} <= set(dir(nn))
    assert {"Optimizer", "SGD", "lr_scheduler"} <= set(dir(optim))
    with pytest.raises(AttributeError, match="Linea'"):
        nn.Linea  # noqa: B018


@pytest.mark.parametrize("framework", ["lucid", "genesis"])
def test_the_deepest_module_can_be_imported_first(framework: str) -> None:
    code = (
        f"from glideslope.integrations.{framework}.optim.lr_scheduler import LambdaLR\n"
        f"import glideslope.integrations.{framework}.nn as nn\n"
        f"import glideslope.integrations.{framework}.optim as optim\n"
        f"from glideslope.integrations import {framework}\n"
        f"assert {framework}.nn is nn and {framework}.optim is optim\n"
        "assert optim.LambdaLR is optim.lr_scheduler.LambdaLR is LambdaLR"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
