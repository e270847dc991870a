"""Rates that transfer from a narrow model to a wide one."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue
from glideslope.optim import AdamW, param_groups

CHOSEN: Any = {"lr": 0.01, "weight_decay": 0.1}


class Network(nn.Module):
    """Every kind of parameter: table, input, hidden, wide hidden, convolution, output."""

    def __init__(self, width: int, blocks: int = 2) -> None:
        super().__init__()
        self.width = width
        self.table = nn.Embedding(11, width)
        self.stem = nn.Linear(5, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.mix = nn.Conv1d(width, width, 3)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 11, bias=False)


def meta(*arguments: int) -> Network:
    with torch.device("meta"):
        return Network(*arguments)


def test_what_grows_on_both_sides_has_a_rate_of_its_width() -> None:
    """As `MuAdam` of the package ``mup`` divides and multiplies."""
    groups = param_groups(Network(32), base_model=meta(8), **CHOSEN)
    found = {name: group for group in groups for name, _ in group["params"]}
    hidden = {"blocks.0.weight", "blocks.1.weight", "up.weight", "down.weight", "mix.weight"}
    for name, group in found.items():
        wide = name in hidden
        assert group["lr"] == (0.0025 if wide else 0.01), name
        decays = wide or name in ("table.weight", "stem.weight", "head.weight")
        assert group["weight_decay"] == (0.4 if wide else 0.1) * decays, name
    assert [group["name"] for group in groups] == ["decay", "no_decay", "decay, 4x wide"]


def test_the_width_of_a_matrix_is_that_of_its_inputs() -> None:
    model, base = (nn.Linear(*size, bias=False) for size in ((12, 8), (3, 4)))
    (group,) = param_groups(model, base_model=base, **CHOSEN)
    assert (group["lr"], group["weight_decay"]) == (0.0025, 0.4)


def test_a_model_as_wide_as_its_base_has_the_usual_groups() -> None:
    groups = param_groups(Network(8), base_model=meta(8), **CHOSEN)
    assert str(groups) == str(param_groups(Network(8), **CHOSEN))


def test_widths_go_with_layers_and_with_schedules() -> None:
    rate = gs.linear(4, start=1.0, end=0.0)
    groups = param_groups(
        Network(12), lr=rate, weight_decay=0.5, layer_decay=0.5, base_model=meta(8)
    )
    shown = {group["name"]: group["lr"] for group in AdamW(groups).param_groups}
    assert shown["blocks.1 decay, 1.5x wide"] == pytest.approx(0.5 / 1.5)
    assert shown["head decay, 1.5x wide"] == pytest.approx(1 / 1.5)
    assert shown["head no_decay"] == 1.0


def test_a_matrix_that_is_not_decayed_stays_so() -> None:
    groups = param_groups(Network(16), no_decay=["up.weight"], base_model=meta(8), **CHOSEN)
    (group,) = (g for g in groups if "up.weight" in dict(g["params"]))
    assert (group["name"], group["lr"], group["weight_decay"]) == (
        "no_decay, 2x wide", 0.005, 0.0
    )  # fmt: skip


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no rate": ({"weight_decay": 0.1}, InvalidValue, "`lr` must be given with base_model"),
    "no decay": ({"lr": 0.1}, InvalidValue, "`weight_decay` must be given with base_model"),
    "muon": ({**CHOSEN, "use_muon": True}, InvalidValue, "`use_muon` must be False"),
    "no model": (
        {**CHOSEN, "base_model": 8}, InvalidType, "`base_model` must be a torch.nn.Module"
    ),
    "depth": (
        {**CHOSEN, "base_model": meta(8, 1)},
        InvalidValue,
        "`base_model` must have the model's parameter `blocks.1.weight`",
    ),
    "dimensions": (
        {**CHOSEN, "base_model": nn.ParameterDict({"w": torch.ones(2, 2, 2)})},
        InvalidValue,
        r"`w` is \(3, 3, 3\), there \(2, 2, 2\)",
    ),
    "number of dimensions": (
        {**CHOSEN, "base_model": nn.ParameterDict({"w": torch.ones(2, 2)})},
        InvalidValue,
        r"`w` is \(3, 3, 3\), there \(2, 2\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "kind", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compared_is_refused(
    arguments: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    single = "w" in dict(getattr(arguments.get("base_model"), "named_parameters", dict)())
    model = nn.ParameterDict({"w": torch.ones(3, 3, 3)}) if single else Network(32)
    with pytest.raises(kind, match=sentence):
        param_groups(model, **{"base_model": meta(8), **arguments})


class Perceptron(nn.Module):
    def __init__(self, width: int, multiplier: float) -> None:
        super().__init__()
        sizes = [(6, width), (width, width), (width, width), (width, 3)]
        self.layers = nn.ModuleList(nn.Linear(*size) for size in sizes)
        nn.init.zeros_(self.layers[-1].weight)  # or the output would begin smaller, the wider it is
        self.multiplier = multiplier

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return x, self.layers[-1](x) * self.multiplier


def change(width: int, transfers: bool) -> tuple[float, float]:
    """How far training moves a hidden number, and an output, on average."""
    torch.manual_seed(0)
    x, y = torch.randn(16, 6), torch.randn(16, 3)
    torch.manual_seed(width)
    model = Perceptron(width, 32 / width if transfers else 1.0)
    base: Any = {"base_model": Perceptron(32, 1.0)} if transfers else {}
    optimizer = AdamW(param_groups(model, lr=0.002, weight_decay=0.0, **base))
    before = [each.detach() for each in model(x)]
    for _ in range(4):
        (model(x)[1] - y).square().mean().backward()
        optimizer.step(zero_grad=True)
    hidden, output = (
        (a - b).abs().mean().item() for a, b in zip(model(x), before, strict=True)
    )  # fmt: skip
    return hidden, output


def slope(narrow: float, wide: float) -> float:
    """The power of the width that a change grows by, over eight widths."""
    return math.log(wide / narrow) / math.log(8)


def test_the_coordinates_change_alike_at_every_width() -> None:
    """The coordinate check of Tensor Programs V, appendix D.1."""
    small, middle, large = (change(width, True) for width in (32, 128, 1024))
    assert abs(slope(change(256, True)[0], small[0])) < 0.1
    assert abs(slope(middle[1], large[1])) < 0.15


def test_without_factors_they_grow_with_the_width() -> None:
    assert slope(change(32, False)[0], change(256, False)[0]) > 0.8
