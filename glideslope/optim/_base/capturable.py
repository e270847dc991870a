"""Steps that a CUDA graph can hold: the numbers of a group live on its device.

A graph replays launches, not Python: it reads the learning rate and the counts where they lie. So
each hyperparameter of a group becomes a tensor, which schedulers fill in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from glideslope.engines import EngineName, is_capturing, lacks_graphs
from glideslope.errors import InvalidValue, require

GROUP_KEYS = {"params", "param_names"}


def check_capturable(group: Mapping[str, Any], engine: EngineName) -> None:
    """Refuse to make steps capturable where an engine reads numbers of the host."""
    if group.get("capturable"):
        rule = f"be False with the {engine} engine"
        require(engine in ("auto", "triton"), "capturable", rule, True)
        for device in {parameter.device for parameter in group["params"]}:
            lack = lacks_graphs(device, engine)
            require(lack is None, "capturable", f"be False: {lack}", True)


def put_on_device(group: dict[str, Any], switches: Iterable[str]) -> None:
    """Make tensors of the numbers of a group, in double precision.

    Args:
        group: the group; one that is not capturable stays as it is.
        switches: the names of the numbers that 0 switches off: then they stay numbers.
    """
    if not group.get("capturable") or not group["params"]:
        return
    device, off = group["params"][0].device, set(switches)
    for name in group.keys() - GROUP_KEYS:
        if not (name in off and _is_number(group[name]) and not group[name]):
            group[name] = _on(device, group[name])


def restore_tensors(groups: Sequence[dict[str, Any]], before: Sequence[Mapping[str, Any]]) -> None:
    """Fill the tensors of groups with the numbers that have replaced them, and put them back.

    A graph that was captured before reads these tensors.
    """
    for group, old in zip(groups, before, strict=True):
        if group.get("capturable"):
            for name, held in old.items():
                if name in group and name not in GROUP_KEYS:
                    group[name] = _restored(held, group[name])


def check_capture(devices: Iterable[torch.device], is_ready: bool) -> None:
    """Refuse a step that a graph being captured would repeat with the numbers of now.

    Raises:
        InvalidValue: a graph is being captured, and the step is not ready for it.
    """
    if not is_ready and any(map(is_capturing, devices)):
        raise InvalidValue(
            "a CUDA graph can hold a step only of an optimizer with `capturable=True` and the "
            "triton engine, after a first step with gradients of the same kind, and without "
            "schedules of its own: use a scheduler"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _on(device: torch.device, value: Any) -> Any:
    """A number as a tensor, each of several too; anything else as it is."""
    if isinstance(value, tuple | list):
        return type(value)(_on(device, each) for each in value)
    if not _is_number(value):
        return value
    return torch.tensor(float(value), dtype=torch.float64, device=device)


def _restored(held: Any, new: Any) -> Any:
    if isinstance(held, Tensor):
        is_other = new is not held and (_is_number(new) or isinstance(new, Tensor))
        return held.fill_(float(new)) if is_other else new
    if isinstance(held, tuple | list) and isinstance(new, tuple | list) and len(held) == len(new):
        return type(held)(map(_restored, held, new))
    return new
