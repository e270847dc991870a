"""Rates that transfer from a model of which only the width is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from glideslope.demo import CharTransformer
from glideslope.errors import GlideslopeError
from glideslope.optim import AdamW, param_groups

CHOSEN: Any = {"lr": 0.01, "weight_decay": 0.1}
OTHER, HIDDEN, WEIGHTLESS = (0.01, 0.1), (0.0025, 0.4), (0.01, 0.0)
"""Rate and decay of a model four times as wide, by hand: only hidden matrices have others."""


def perceptron(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(5, width), nn.Linear(width, width), nn.Linear(width, 3))


def convolutional(width: int) -> nn.Module:
    """With a depthwise convolution, whose groups grow and have one input each."""
    return nn.Sequential(
        nn.Conv2d(3, width, 7),
        nn.Conv2d(width, 2 * width, 3),
        nn.BatchNorm2d(2 * width),
        nn.Conv2d(2 * width, 2 * width, 3, groups=2 * width),
        nn.Conv2d(2 * width, width, 1),
        nn.Linear(width, 10),
    )


class Attention(nn.Module):
    """With torch's fused matrix of queries, keys and values, and a tied output layer or none."""

    def __init__(self, width: int, tied: bool = False) -> None:
        super().__init__()
        self.table = nn.Embedding(33, width)
        self.attention = nn.MultiheadAttention(width, 2)
        self.norm = nn.LayerNorm((4, width))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.head = nn.Linear(width, 33, bias=False)
        if tied:
            self.head.weight = self.table.weight


def tied(width: int) -> nn.Module:
    return Attention(width, tied=True)


def recurrent(width: int) -> nn.Module:
    return nn.Sequential(nn.Embedding(33, width), nn.LSTM(width, width), nn.Linear(width, 33))


def characters(width: int) -> nn.Module:
    return CharTransformer(97, width=width, layers=1)


MODELS: dict[str, tuple[Callable[[int], nn.Module], dict[str, tuple[float, float]]]] = {
    "perceptron": (perceptron, {"0.weight": OTHER, "1.weight": HIDDEN, "2.weight": OTHER}),
    "convolution": (
        convolutional,
        {
            "0.weight": OTHER,
            "1.weight": HIDDEN,
            "3.weight": OTHER,
            "4.weight": HIDDEN,
            "5.weight": OTHER,
        },
    ),
    "fused attention": (
        Attention,
        {
            "table.weight": OTHER,
            "attention.in_proj_weight": HIDDEN,
            "attention.out_proj.weight": HIDDEN,
            "up.weight": HIDDEN,
            "down.weight": HIDDEN,
            "head.weight": OTHER,
        },
    ),
    "tied embedding": (
        tied,
        {
            "table.weight": OTHER,
            "attention.in_proj_weight": HIDDEN,
            "attention.out_proj.weight": HIDDEN,
            "up.weight": HIDDEN,
            "down.weight": HIDDEN,
        },
    ),
    "recurrent": (
        recurrent,
        {
            "0.weight": OTHER,
            "1.weight_ih_l0": HIDDEN,
            "1.weight_hh_l0": HIDDEN,
            "2.weight": OTHER,
        },
    ),
    "characters": (
        characters,
        {
            "symbol.weight": OTHER,
            "position.weight": OTHER,
            "blocks.0.attention.query_key_value.weight": HIDDEN,
            "blocks.0.attention.output.weight": HIDDEN,
            "blocks.0.network.0.weight": HIDDEN,
            "blocks.0.network.2.weight": HIDDEN,
            "head.weight": OTHER,
        },
    ),
}


def numbers(groups: Any) -> dict[str, tuple[float, float]]:
    """The rate and the decay of each parameter, by its name."""
    return {
        name: (group["lr"], group["weight_decay"])
        for group in groups
        for name, _ in group["params"]
    }


@pytest.mark.parametrize(("make", "table"), MODELS.values(), ids=MODELS)
def test_factors_are_those_of_the_table(
    make: Callable[[int], nn.Module], table: dict[str, tuple[float, float]]
) -> None:
    found = numbers(param_groups(make(64), base_width=16, **CHOSEN))
    vectors = {name: WEIGHTLESS for name in found if name not in table}
    assert found == {**vectors, **table}
    assert all(p.ndim < 2 or "norm" in n for n, p in make(64).named_parameters() if n in vectors)


@pytest.mark.parametrize("make", [make for make, _ in MODELS.values()], ids=MODELS)
@given(widths=st.lists(st.integers(9, 15).map(lambda n: 4 * n), min_size=2, max_size=2))
def test_a_width_is_enough_for_the_groups_of_a_base_model(
    make: Callable[[int], nn.Module], widths: list[int]
) -> None:
    own, base = widths
    with torch.device("meta"):
        model, narrow = make(own), make(base)
    by_width = param_groups(model, base_width=base, **CHOSEN)
    assert str(by_width) == str(param_groups(model, base_model=narrow, **CHOSEN))
    assert str(param_groups(model, base_width=own, **CHOSEN)) == str(param_groups(model, **CHOSEN))


def layers(*sizes: tuple[int, int]) -> nn.Module:
    """A perceptron of outputs and inputs."""
    return nn.Sequential(*(nn.Linear(inputs, outputs, bias=False) for outputs, inputs in sizes))


class Positions(nn.Module):
    """Positions as a parameter, which could be a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(3, 16)
        self.inner = nn.ParameterDict({"positions": torch.ones(1, 20, 16)})
        self.head = nn.Linear(16, 3)


UNCLEAR = "`base_width` is not enough for this model: {}: give `base_model`"
GROWS = UNCLEAR.format("{} of `{}`, {}, may grow with the width, 16, or not")

REFUSED: dict[str, tuple[nn.Module, Any, str]] = {
    "a hidden size of 8/3": (
        layers((16, 3), (44, 16), (16, 44), (3, 16)),
        8,
        GROWS.format(44, "1.weight", "(44, 16)"),
    ),
    "as many classes": (layers((16, 3), (16, 16)), 8, GROWS.format(16, "1.weight", "(16, 16)")),
    "features of twice the width": (
        layers((16, 32), (16, 16), (3, 16)),
        8,
        GROWS.format(32, "0.weight", "(16, 32)"),
    ),
    "grouped keys": (
        nn.Sequential(nn.Embedding(9, 16), nn.Linear(16, 4), nn.Linear(16, 9)),
        8,
        GROWS.format(4, "1.weight", "(4, 16)"),
    ),
    "positions": (Positions(), 8, GROWS.format(20, "inner.positions", "(1, 20, 16)")),
    "two widths": (
        layers((16, 3), (32, 16), (3, 32)),
        8,
        UNCLEAR.format("`0.weight` has 16 outputs and `2.weight` 32 inputs"),
    ),
    "one matrix": (
        layers((16, 3)),
        8,
        UNCLEAR.format("`0.weight` has 16 outputs and `0.weight` 3 inputs"),
    ),
    "no matrix": (nn.LayerNorm(16), 8, "`base_width` must come with a model that has matrices"),
    "zero": (perceptron(16), 0, "`base_width` must be at least 1, got 0"),
    "a fraction": (perceptron(16), 1.5, "`base_width` must be a whole number, got 1.5"),
    "a truth value": (perceptron(16), True, "`base_width` must be a whole number, got True"),
    "a model": (perceptron(16), perceptron(8), "`base_width` must be a whole number, got Sequen"),
}


@pytest.mark.parametrize(("model", "width", "sentence"), REFUSED.values(), ids=REFUSED)
def test_shapes_that_may_grow_or_not_are_refused(
    model: nn.Module, width: Any, sentence: str
) -> None:
    with pytest.raises(GlideslopeError) as error:
        param_groups(model, base_width=width, **CHOSEN)
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"lr": 0.1}, "`weight_decay` must be given with base_width, got None"),
        ({"weight_decay": 0.1}, "`lr` must be given with base_width, got None"),
        ({**CHOSEN, "use_muon": True}, "`use_muon` must be False with base_width, got True"),
        (
            {**CHOSEN, "base_model": perceptron(8)},
            "`base_width` must be None with base_model, got 8",
        ),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(GlideslopeError) as error:
        param_groups(perceptron(16), **{"base_width": 8, **arguments})
    assert str(error.value) == sentence


class Transferred(nn.Module):
    """One block of attention and a perceptron, with the parts of the rule that a model has."""

    def __init__(self, width: int, base: int) -> None:
        super().__init__()
        self.scale, self.multiplier = 1 / width, base / width
        self.table = nn.Embedding(11, width)
        self.fused, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.head = nn.Linear(width, 11)
        nn.init.zeros_(self.head.weight)

    def forward(self, text: Tensor) -> dict[str, Tensor]:
        x = self.table(text)
        query, key, value = self.fused(normed(x)).chunk(3, -1)
        mixed = F.scaled_dot_product_attention(query, key, value, scale=self.scale)
        x = x + self.output(mixed)
        deep = x + self.down(self.up(normed(x)).relu())
        return {"attention": x, "perceptron": deep, "scores": self.multiplier * self.head(deep)}


def normed(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


def changes(width: int, base: int | None) -> dict[str, float]:
    """How far five updates move the numbers of each layer, on average."""
    torch.manual_seed(0)
    text, following = torch.randint(11, (8, 6)), torch.randint(11, (8, 6))
    torch.manual_seed(1)
    model = Transferred(width, base or width)
    groups: Any = param_groups(model, lr=0.001, weight_decay=0.0, base_width=base)
    optimizer = AdamW(groups)
    before = {name: each.detach() for name, each in model(text).items()}
    for _ in range(5):
        F.cross_entropy(model(text)["scores"].flatten(0, 1), following.flatten()).backward()
        optimizer.step(zero_grad=True)
    return {name: (model(text)[name] - each).abs().mean().item() for name, each in before.items()}


def slopes(base: int | None) -> dict[str, float]:
    """The power of the width that the changes grow by, from 32 to 256."""
    narrow, wide = (changes(width, base) for width in (32, 256))
    return {name: math.log(wide[name] / narrow[name]) / math.log(8) for name in narrow}


def test_the_coordinates_of_a_transformer_change_alike_at_every_width() -> None:
    """The coordinate check of Tensor Programs V, appendix D.1."""
    assert max(map(abs, slopes(32).values())) < 0.15


def test_without_factors_they_grow_with_the_width() -> None:
    assert min(slopes(None).values()) > 0.4
