"""The search for DeepSpeed's wrapper of an optimizer, without DeepSpeed."""

from __future__ import annotations

import gc
import sys
from types import ModuleType
from typing import Any

import pytest
import torch.distributed as dist

from glideslope.distributed import zero_parts


class Wrapper:
    """As far as the search looks at one."""

    def __init__(self, optimizer: Any, **vectors: list[Any]) -> None:
        self.optimizer, self.dp_process_group = optimizer, "group"
        vars(self).update(vectors)


@pytest.fixture
def deepspeed(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "deepspeed.runtime.base_optimizer"
    module = ModuleType(name)
    module.ZeROOptimizer = Wrapper  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(dist, "is_initialized", lambda: True)


@pytest.mark.parametrize("is_frozen", [False, True])
@pytest.mark.parametrize(
    ("vectors", "steps"),
    [
        ({}, 1),
        ({"single_partition_of_fp32_groups": [0, 0]}, 2),
        ({"fp32_partitioned_groups_flat": [0, 0, 0]}, 3),
    ],
)
@pytest.mark.usefixtures("deepspeed")
def test_the_wrapper_is_found(is_frozen: bool, vectors: dict[str, Any], steps: int) -> None:
    optimizer, other = object(), object()
    wrappers = [Wrapper(other), Wrapper(optimizer, **vectors)]
    try:
        if is_frozen:
            gc.freeze()
        frozen, later = gc.get_freeze_count(), [Wrapper(other)]
        assert zero_parts(optimizer) == ("group", steps)
        assert zero_parts(wrappers) is None
        assert gc.get_freeze_count() == frozen
        assert any(each is later for each in gc.get_objects()), "it was not frozen"
    finally:
        gc.unfreeze()


def test_without_the_module_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "get_objects", pytest.fail)
    assert zero_parts(object()) is None


@pytest.mark.usefixtures("deepspeed")
def test_without_a_process_group_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "is_initialized", lambda: False)
    monkeypatch.setattr(gc, "get_objects", pytest.fail)
    assert zero_parts(object()) is None
