"""Values that are refused leave the groups, and the other sources, as they were."""

from __future__ import annotations

import math

import pytest
import torch

from glideslope.errors import InvalidValue
from glideslope.groups import SharedKey

from .driven import Driven, Owner, near


def test_what_was_refused_is_forgotten() -> None:
    optimizer = Driven(0.8)
    shared = SharedKey.of(optimizer)
    owners = [Owner(), Owner()]
    first, second = (shared.join(owner) for owner in owners)
    with pytest.raises(InvalidValue):
        shared.post_all([(first, [math.inf]), (second, [0.4])])
    assert shared.post(second, [0.4]) == near([0.4])


def test_what_a_tensor_cannot_hold_is_refused_whole() -> None:
    optimizer = Driven(0.5, torch.tensor(0.5))
    shared, owner = SharedKey.of(optimizer), Owner()
    entry = shared.join(owner)
    with pytest.raises(InvalidValue):
        shared.post(entry, [1e39, 1e39])
    assert optimizer.param_groups[0]["lr"] == 0.5
