"""Optimizers by their names, and the list of them."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch

from glideslope import optim
from glideslope.errors import InvalidType, InvalidValue
from glideslope.optim._catalogue import available, create

ROWS = {row.name: row for row in available()}
TORCHS = ["LBFGS", "SparseAdam"]
GUIDE = Path(__file__).parents[2] / "docs" / "optimizers.md"


def matrix() -> torch.Tensor:
    return torch.ones(2, 2, requires_grad=True)


def test_every_public_optimizer_with_a_rule_is_listed_and_no_other() -> None:
    public = [getattr(optim, name) for name in optim.__all__]
    kinds = [kind for kind in public if isinstance(kind, type)]
    optimizers = [kind for kind in kinds if issubclass(kind, torch.optim.Optimizer)]
    wanted = {kind.__name__ for kind in optimizers if hasattr(kind, "rule")}
    assert set(ROWS) == wanted | set(TORCHS)


def test_an_optimizer_of_the_users_own_is_not_mixed_in() -> None:
    class Descent(optim.SGD):
        """Somewhere else."""

    class Ascent(optim.SGD):
        """As an example in a docstring has it: the module there is the docstring's."""

        __module__ = optim.SGD.__module__

    assert not {"Descent", "Ascent"} & {row.name for row in available()}


@pytest.mark.parametrize("name", ROWS)
def test_every_row_can_be_made_and_says_what_it_is(name: str) -> None:
    params = [matrix()]
    for spelling in (name, name.upper(), name.lower()):
        assert type(create(spelling, params)) is ROWS[name].optimizer
    assert ROWS[name].summary
    assert not set("\n`*\\") & set(ROWS[name].summary)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("SGD", 0),
        ("Adafactor", 2 * 4 / 64),
        ("Lion", 4),
        ("Muon", 4),
        ("CAME", 4 + 4 * 4 / 64),
        ("RMSprop", 4),
        ("AdamW", 8),
        ("AdEMAMix", 12),
        ("SOAP", 24),
        ("Kron", 12),
        ("APOLLO", 8 + 4 / 64**2),
        ("LBFGS", None),
    ],
)
def test_the_state_is_what_the_papers_say(name: str, size: float | None) -> None:
    assert ROWS[name].state_bytes == size


def test_the_guide_has_the_state_of_those_that_it_lists() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", GUIDE.read_text(), re.MULTILINE)
    assert len(rows) > 20
    found = {name: float(size) for name, size in rows}
    assert found == pytest.approx({name: ROWS[name].state_bytes for name, _ in rows})


def test_the_engines_are_those_that_can_run_it() -> None:
    assert ROWS["AdamW"].engines == ("fused", "tensor")
    assert {ROWS[name].engines for name in TORCHS} == {("torch",)}


def test_options_reach_the_class() -> None:
    optimizer = create("sgd", [matrix()], lr=0.5, momentum=0.9, max_grad_norm=1.0)
    optimizer.param_groups[0]["params"][0].grad = torch.ones(2, 2)
    optimizer.step()
    assert optimizer.param_groups[0]["momentum"] == 0.9
    assert optimizer.grad_norm == 2.0


BAD: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "close": ("AdmaW", {}, InvalidValue, r"no optimizer `AdmaW`: did you mean `AdamW`\?"),
    "far": ("xyzzy", {}, InvalidValue, r"no optimizer `xyzzy`; there are AdaBelief, .*SGD"),
    "no text": (3, {}, InvalidType, "`name` must be the name of an optimizer, got 3"),
    "option": ("adamw", {"weigth_decay": 1}, InvalidType, "`weigth_decay`: did you mean `weight_d"),
    "common": ("adamw", {"max_gradnorm": 1}, InvalidType, "did you mean `max_grad_norm`"),
    "unknown": ("adamw", {"xyzzy": 1}, InvalidType, "^AdamW has no argument `xyzzy`$"),
}


@pytest.mark.parametrize(("name", "options", "error", "words"), BAD.values(), ids=BAD)
def test_bad_names_are_refused(
    name: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        create(name, [matrix()], **options)


def test_an_option_of_another_optimizer_is_refused() -> None:
    assert "betas" not in signature(optim.SGD).parameters
    with pytest.raises(InvalidType, match="SGD has no argument `betas`"):
        create("sgd", [matrix()], betas=(0.9, 0.99))


def test_the_text_is_a_table_in_order() -> None:
    header, *lines = repr(available()).splitlines()
    assert header.split() == ["name", "engines", "state", "bytes"]
    assert [line.split()[0] for line in lines] == sorted(ROWS, key=str.lower)
    assert all(line.endswith(ROWS[line.split()[0]].summary) for line in lines)
