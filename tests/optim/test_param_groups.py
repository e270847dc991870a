"""Parameter groups: what is decayed, at which rate, under which name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue
from glideslope.optim._adaptive import AdamW
from glideslope.optim._momentum import SGD
from glideslope.optim._param_groups import param_groups


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm((4, 4))  # a norm whose weight is a matrix
        self.fc = nn.Linear(4, 4)


class Transformer(nn.Module):
    """With a head that is tied to the embedding, and a matrix that is its own."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(6, 4))
        self.embedding = nn.Embedding(10, 4)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.final_norm = nn.LayerNorm(4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embedding.weight


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)


def names(groups: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {group["name"]: [name for name, _ in group["params"]] for group in groups}


def test_norms_biases_and_vectors_are_not_decayed() -> None:
    groups = param_groups(Transformer(), weight_decay=0.1)
    assert names(groups) == {
        "decay": ["position", "embedding.weight", "blocks.0.fc.weight", "blocks.1.fc.weight"],
        "no_decay": [
            *(
                f"blocks.{i}.{name}"
                for i in (0, 1)
                for name in ("norm.weight", "norm.bias", "fc.bias")
            ),
            "final_norm.weight",
            "final_norm.bias",
        ],
    }
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]


@pytest.mark.parametrize(
    ("no_decay", "left"),
    [
        ([nn.Embedding], {"position", "blocks.0.fc.weight", "blocks.1.fc.weight"}),
        (["position", "blocks.1.*"], {"embedding.weight", "blocks.0.fc.weight"}),
        (["head.weight", Block], {"position", "blocks.0.fc.weight", "blocks.1.fc.weight"}),
    ],
    ids=["class", "patterns", "tied"],
)
def test_more_can_be_left_undecayed(no_decay: Any, left: set[str]) -> None:
    assert set(names(param_groups(Transformer(), no_decay=no_decay))["decay"]) == left


def test_a_weight_decay_not_given_is_the_optimizers() -> None:
    optimizer = AdamW(param_groups(Transformer()), weight_decay=0.3)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]


def test_frozen_parameters_are_left_out_and_tied_ones_come_once() -> None:
    model = Transformer()
    model.blocks[0].requires_grad_(False)
    listed = [name for group in names(param_groups(model)).values() for name in group]
    wanted = {name for name, p in model.named_parameters() if p.requires_grad}
    assert sorted(listed) == sorted(wanted)
    assert "head.weight" not in listed


@pytest.mark.parametrize(
    ("model", "rates"),
    [
        (
            Transformer(),
            {"position": 1, "embedding.weight": 1, "blocks.0.fc.bias": 2, "blocks.1.fc.weight": 4,
             "final_norm.weight": 8},
        ),
        (Plain(), {"first.weight": 4, "second.bias": 8}),
        (
            nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Sequential(*Plain().children())),
            {"0.weight": 4, "2.0.weight": 8, "2.1.bias": 8},
        ),
    ],
    ids=["blocks", "children", "sequential"],
)  # fmt: skip
def test_a_layer_has_its_rate(model: nn.Module, rates: dict[str, float]) -> None:
    groups = param_groups(model, lr=8.0, layer_decay=0.5)
    found = {name: group["lr"] for group in groups for name, _ in group["params"]}
    assert {name: found[name] for name in rates} == rates


def test_what_comes_between_blocks_belongs_to_the_block_before() -> None:
    model = nn.Module()
    model.low = nn.ModuleList([nn.Linear(2, 2, bias=False)])
    model.middle = nn.Linear(2, 2, bias=False)
    model.high = nn.ModuleList([nn.Linear(2, 2, bias=False)])
    groups = param_groups(model, lr=1.0, layer_decay=0.5)
    assert names(groups) == {
        "low.0 decay": ["low.0.weight", "middle.weight"],
        "high.0 decay": ["high.0.weight"],
    }


def test_a_rate_may_be_a_schedule() -> None:
    groups = param_groups(Plain(), lr=gs.linear(4, start=1.0, end=0.0), layer_decay=0.5)
    optimizer = SGD(groups)
    assert {group["name"]: group["lr"] for group in optimizer.param_groups} == {
        "first decay": 0.5,
        "first no_decay": 0.5,
        "second decay": 1.0,
        "second no_decay": 1.0,
    }


def test_hidden_matrices_are_marked_for_muon() -> None:
    groups = param_groups(Transformer(), no_decay=["position"], use_muon=True)
    marked = {name for group in groups if group["use_muon"] for name, _ in group["params"]}
    assert marked == {"blocks.0.fc.weight", "blocks.1.fc.weight"}
    assert {group["name"]: group["use_muon"] for group in groups} == {
        "no_decay": False,
        "decay": False,
        "hidden": True,
    }
    untied = nn.Sequential(nn.Embedding(9, 2), nn.Linear(2, 2), nn.Linear(2, 9))
    groups = param_groups(untied, use_muon=True)
    assert names(groups)["hidden"] == ["1.weight"]


def test_state_is_matched_by_name_when_groups_change() -> None:
    def stepped(**options: Any) -> tuple[Plain, AdamW]:
        model = Plain()
        for i, p in enumerate(model.parameters()):
            p.grad = torch.full_like(p, i + 1.0)
        optimizer = AdamW(param_groups(model, **options))
        optimizer.step()
        return model, optimizer

    _, saved = stepped()
    model, optimizer = stepped(lr=1e-3, layer_decay=0.5)
    optimizer.load_state_dict(saved.state_dict())
    averages = [optimizer.state[p]["exp_avg"].max().item() for p in model.parameters()]
    assert averages == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_the_text_is_a_table_before_and_after_an_optimizer_has_taken_the_groups() -> None:
    groups = param_groups(Plain(), weight_decay=0.1)
    assert str(groups).splitlines() == [
        "name      weight_decay  tensors  elements",
        "decay              0.1        2        18",
        "no_decay           0.0        2         6",
    ]
    SGD(groups, lr=0.25)
    first, second, *_ = str(groups).splitlines()
    assert first.endswith("tensors  elements")
    assert second.endswith("2        18")


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "pattern": ({"no_decay": ["embeding.*"]}, InvalidValue, "`no_decay` must name parameters"),
    "text": ({"no_decay": "first.*"}, InvalidType, "`no_decay` must be a list of names"),
    "number": ({"no_decay": [3]}, InvalidType, "`no_decay` must hold names and classes, got 3"),
    "decay": ({"weight_decay": -1.0}, InvalidValue, "`weight_decay` must be at least 0, got -1"),
    "lr": ({"lr": "fast"}, InvalidType, "`lr` must be a number"),
    "layers": ({"lr": 1.0, "layer_decay": 1.5}, InvalidValue, "`layer_decay` must be more than 0"),
    "no lr": ({"layer_decay": 0.5}, InvalidValue, "`lr` must be given with layer_decay"),
}


@pytest.mark.parametrize(("options", "error", "words"), BAD.values(), ids=BAD)
def test_bad_arguments_are_refused(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        param_groups(Plain(), **options)


def test_a_model_must_be_one_and_have_something_to_train() -> None:
    with pytest.raises(InvalidType, match=r"`model` must be a torch\.nn\.Module"):
        param_groups(Plain().parameters())  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="`model` must have parameters that require gradients"):
        param_groups(Plain().requires_grad_(False))
