"""Fixtures of the tests of optimizers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def float64_counts() -> Iterator[None]:
    """Torch counts in its default dtype, and NAdam's product of momenta is no whole number."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
