"""Repr of an optimizer: class, hyperparameters that differ from defaults, number of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from glideslope.errors import shortened

from .common import GROUP_OPTIONS

PACKAGE = "glideslope.optim"

NO_HYPERPARAMETERS = {"params", "param_names", "d_max", "d_numerator"}
"""The keys of a group besides hyperparameters and the estimate of Prodigy."""

Texts = dict[str, str]


def optimizer_repr(optimizer: torch.optim.Optimizer, options: Mapping[str, Any]) -> str:
    """One line; of several groups, one more for each, with what is not the same in all of them.

    A hyperparameter is shown where it differs from the default of the class, the learning rate
    always. Keys that schedulers or users add to a group are no hyperparameters.

    Args:
        optimizer: the optimizer.
        options: what else was given, by name.
    """
    groups: list[dict[str, Any]] = getattr(optimizer, "param_groups", [])
    rows = _rows(optimizer, groups)
    shared = {key: text for key, text in rows[0].items() if _is_in_all(key, text, rows)}
    head = _arguments(shared | _texts(options) | shared)  # a group overrules an option
    if len(groups) > 1:
        head.append(f"{len(groups)} groups")
    head.append(_count(sum(map(_size, groups))))
    lines = [f"{type(optimizer).__name__}({', '.join(head)})"]
    if len(groups) > 1:
        for index, (group, row) in enumerate(zip(groups, rows, strict=True)):
            own = {key: text for key, text in row.items() if key not in shared}
            cells = ", ".join([_count(_size(group)), *_arguments(own)])
            lines.append(f"  {group.get('name', index)}: {cells}")
    return "\n".join(lines)


def shown_group(optimizer: torch.optim.Optimizer, index: int) -> dict[str, Any]:
    """A group with the schedules of the hyperparameters that the optimizer itself drives."""
    group: dict[str, Any] = optimizer.param_groups[index]
    owned = getattr(optimizer, "_owned", None)
    return group if owned is None else owned.put_into(index, group)


def hyperparameter_text(value: Any) -> str:
    """A hyperparameter to six digits; a tensor of one element as the number it holds.

    >>> hyperparameter_text((0.30000000000000004, torch.tensor(2.0))), hyperparameter_text("auto")
    ('(0.3, 2)', "'auto'")
    """
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(hyperparameter_text, value))})"
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_meta:
        return hyperparameter_text(value.detach().item())
    return shortened(value)


def _rows(optimizer: torch.optim.Optimizer, groups: list[dict[str, Any]]) -> list[Texts]:
    """For each group, what is shown of any of them."""
    usual = _defaults(optimizer)
    rows = [
        _texts({key: group[key] for key in (*usual, *GROUP_OPTIONS) if key in group})
        for group in (shown_group(optimizer, index) for index in range(len(groups)))
    ]
    shown = {"lr"} | {
        key for row in rows for key, text in row.items() if text != usual.get(key, "")
    }
    return [{key: text for key, text in row.items() if key in shown} for row in rows] or [{}]


def _defaults(optimizer: torch.optim.Optimizer) -> Texts:
    """The default of each hyperparameter.

    That is the default of the class's argument. A class from outside the package may hand its
    arguments on, so those of its bases count too, up to the first that is ours. What is no argument
    starts from the optimizer's ``defaults``.
    """
    usual: dict[str, Any] = {}
    for kind in type(optimizer).__mro__:
        if "__init__" in vars(kind):
            arguments = signature(vars(kind)["__init__"]).parameters.values()
            usual = {each.name: each.default for each in arguments} | usual
        if kind.__module__.startswith(PACKAGE):
            break
    own: dict[str, Any] = getattr(optimizer, "defaults", {})
    keys = [key for key in own if key not in NO_HYPERPARAMETERS]
    return _texts({key: usual.get(key, own[key]) for key in keys})


def _is_in_all(key: str, text: str, rows: Iterable[Texts]) -> bool:
    return all(row.get(key) == text for row in rows)


def _texts(values: Mapping[str, Any]) -> Texts:
    return {key: hyperparameter_text(value) for key, value in values.items()}


def _arguments(texts: Texts) -> list[str]:
    return [f"{key}={text}" for key, text in texts.items()]


def _size(group: Mapping[str, Any]) -> int:
    return len(group.get("params", ()))


def _count(parameters: int) -> str:
    return "1 parameter" if parameters == 1 else f"{parameters} parameters"
