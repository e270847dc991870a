"""A watch notices every change that would make an address table wrong, with torch's help or not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from glideslope.engines import _watch
from glideslope.engines._watch import Watch


def plain() -> Tensor:
    return torch.zeros(4, 6)


CHANGES: dict[str, Callable[[], Tensor | None]] = {
    "none": lambda: None,
    "shape": lambda: torch.zeros(6, 4),
    "fewer": lambda: torch.zeros(4, 5),
    "strides": lambda: torch.zeros(6, 4).t(),
    "expanded": lambda: torch.zeros(1, 6).expand(4, 6),
    "dtype": lambda: plain().bfloat16(),
    "layout": lambda: plain().to_sparse(),
    "class": lambda: nn.Parameter(plain(), requires_grad=False),
    "negated": lambda: torch.zeros(4, 6, dtype=torch.complex64).conj().imag,
    "device": lambda: torch.zeros(4, 6, device="meta"),
}


@pytest.mark.parametrize("guards", [True, False])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_noticed(
    change: Callable[[], Tensor | None], guards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_watch, "_HAS_GUARDS", guards)
    watch = Watch([plain(), plain()])
    assert watch.all_unchanged([plain(), plain()])
    assert not watch.all_unchanged([plain(), change()])


def test_lazy_conjugation_is_noticed() -> None:
    number = torch.zeros(3, dtype=torch.complex64)
    assert not Watch([number]).all_unchanged([number.conj()])
