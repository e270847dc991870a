"""Adafactor and CAME: what they keep, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from glideslope.errors import InvalidValue
from glideslope.optim._matrix.factored import CAME, Adafactor

from .matrix_cases import parameters, train


@pytest.mark.parametrize(("kind", "names"), [
    (Adafactor, {"row_var": (3, 4, 1), "col_var": (3, 1, 5), "step": ()}),
    (CAME, {"exp_avg": (3, 4, 5), "exp_avg_sq_row": (3, 4, 1), "exp_avg_sq_col": (3, 1, 5),
            "exp_avg_res_row": (3, 4, 1), "exp_avg_res_col": (3, 1, 5)}),
])  # fmt: skip
def test_only_factors_are_kept(kind: Any, names: dict[str, tuple[int, ...]]) -> None:
    optimizer = kind(parameters([(3, 4, 5)]))
    (p,) = train(optimizer, 1)
    assert {name: tuple(value.shape) for name, value in optimizer.state[p].items()} == names


@pytest.mark.parametrize("shape", [(4, 3), (5,)])
@pytest.mark.parametrize("kind", [Adafactor, CAME])
def test_a_gradient_of_zeros_moves_nothing_that_was_factored(
    kind: Any, shape: tuple[int, ...]
) -> None:
    p = torch.ones(shape, requires_grad=True)
    optimizer = kind([p])
    for _ in range(3):
        p.grad = torch.zeros_like(p)
        optimizer.step()
    assert torch.equal(p, torch.ones(shape))


BAD_FACTORED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "decay": (Adafactor, {"beta2_decay": 0.8}, "`beta2_decay` must be at most 0, got 0.8"),
    "d": (Adafactor, {"d": 0.5}, "`d` must be at least 1, got 0.5"),
    "eps": (Adafactor, {"eps": (None, -1.0)}, "`eps` must be at least 0, got -1.0"),
    "one eps": (Adafactor, {"eps": 1e-8}, "`eps` must be two numbers, got 1e-08"),
    "threshold": (CAME, {"clip_threshold": 0.0}, "`clip_threshold` must be more than 0"),
    "betas": (CAME, {"betas": (0.9, 0.999)}, "`betas` must be three numbers"),
    "large beta": (CAME, {"betas": (0.9, 0.999, 1.0)}, "`betas` must be at least 0 and less"),
    "came eps": (CAME, {"eps": 1e-8}, "`eps` must be two numbers, got 1e-08"),
}


@pytest.mark.parametrize(("kind", "options", "words"), BAD_FACTORED.values(), ids=BAD_FACTORED)
def test_bad_arguments_of_factored_ones_are_refused(kind: Any, options: Any, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        kind([torch.ones(2, 2, requires_grad=True)], **options)
