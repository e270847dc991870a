"""The optimizers by name; the list is made of the subclasses themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from inspect import getdoc
from typing import Any, Literal, NamedTuple, get_args, overload

import torch
from torch import Tensor
from torch.optim import LBFGS, SparseAdam

from glideslope.engines import EngineName, Slot, choose
from glideslope.errors import InvalidValue, require_type
from glideslope.text import text_table

from ._base.arguments import check_arguments, near
from ._base.optimizer import Params
from ._base.rule_optimizer import RuleOptimizer
from ._base.step_config import StepConfig

OptimizerClass = type[torch.optim.Optimizer]

TORCHS_OWN = "torch"
"""The engine of an optimizer that is torch's own."""

PROBE_SIDE = 64


class OptimizerRow(NamedTuple):
    """One optimizer: its name, its class, and what it is.

    Attributes:
        name: what `create` takes.
        optimizer: the class.
        summary: one line.
        state_bytes: how many bytes of state it keeps for each float32 number of a square matrix of
            side 64, at its defaults; None for torch's own two, whose state depends on the run.
        engines: what can run it on a CPU, the fastest first.
    """

    name: str
    optimizer: OptimizerClass
    summary: str
    state_bytes: float | None
    engines: tuple[str, ...]


class Catalogue(tuple[OptimizerRow, ...]):
    """The optimizers that `create` knows; as text, a table of them."""

    def __repr__(self) -> str:
        """One line for each optimizer."""
        header = ("name", "engines", "state bytes", "")
        lines = text_table([header, *map(_cells, self)], "<<><").splitlines()
        return "\n".join(map(str.rstrip, lines))


@overload
def create(name: Literal["LBFGS", "lbfgs"], params: Params, **options: Any) -> LBFGS: ...
@overload
def create(
    name: Literal["SparseAdam", "sparseadam"], params: Params, **options: Any
) -> SparseAdam: ...
@overload
def create(name: str, params: Params, **options: Any) -> RuleOptimizer: ...
def create(name: str, params: Params, **options: Any) -> torch.optim.Optimizer:
    """Make an optimizer by its name, as a configuration file or a command line gives it.

    Args:
        name: the name of a class, in letters of any case: see `available`.
        params: tensors, parameter groups, or named tensors.
        options: the arguments of the class.

    Returns:
        A `RuleOptimizer`; of the names ``LBFGS`` and ``SparseAdam``, torch's own optimizer, which
        has none of the arguments in `Common`. A type checker knows which it is if the name is a
        literal, in lower case or as the class has it; for a name that is known only at run time,
        check ``isinstance(optimizer, RuleOptimizer)`` if it may be one of those two.

    Raises:
        InvalidValue: there is no optimizer of this name.
        InvalidType: the optimizer has no argument of this name.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> create("adamw", [weight], lr=0.1).param_groups[0]["lr"]
        0.1
        >>> create("adamwww", [weight])
        Traceback (most recent call last):
        glideslope.errors.InvalidValue: there is no optimizer `adamwww`: did you mean `AdamW`?
    """
    kind = _find(name)
    check_arguments(kind, options)
    return kind(params, **options)


def available() -> Catalogue:
    """List every optimizer that `create` makes, with its state size and engines.

    Example:
        >>> rows = {row.name: row for row in available()}
        >>> rows["AdamW"].state_bytes, rows["AdamW"].engines
        (8.0, ('fused', 'tensor'))
        >>> print(rows["Lion"].summary)
        The sign of a short average of the gradient, while a longer one is kept.
    """
    return Catalogue(map(_row, sorted(_classes().values(), key=_by_name)))


def _find(name: str) -> OptimizerClass:
    require_type(isinstance(name, str), "name", "be the name of an optimizer", name)
    classes = _classes()
    if name.lower() not in classes:
        names = [kind.__name__ for kind in sorted(classes.values(), key=_by_name)]
        hint = near(name, names, most=1) or f"; there are {', '.join(names)}"
        raise InvalidValue(f"there is no optimizer `{name}`{hint}")
    return classes[name.lower()]


def _classes() -> dict[str, OptimizerClass]:
    """Every class of this package that has a rule, and torch's own two, by lower-case name."""
    ours = filter(_is_of_this_package, _descendants(RuleOptimizer))
    return {kind.__name__.lower(): kind for kind in (*ours, LBFGS, SparseAdam)}


def _is_of_this_package(kind: type) -> bool:
    """True if a module here holds the class; one of an example may only be called after it."""
    module = kind.__module__
    is_inside = module.startswith(__name__.rpartition(".")[0])
    return is_inside and getattr(sys.modules[module], kind.__name__, None) is kind


def _descendants(kind: type[RuleOptimizer]) -> Iterator[type[RuleOptimizer]]:
    for child in kind.__subclasses__():
        if hasattr(child, "rule"):
            yield child
        yield from _descendants(child)


def _by_name(kind: OptimizerClass) -> str:
    return kind.__name__.lower()


def _row(kind: OptimizerClass) -> OptimizerRow:
    summary = (getdoc(kind) or "").partition("\n")[0]
    if not issubclass(kind, RuleOptimizer):
        return OptimizerRow(kind.__name__, kind, summary, None, (TORCHS_OWN,))
    return OptimizerRow(kind.__name__, kind, summary, *_measured(kind))


def _measured(kind: type[RuleOptimizer]) -> tuple[float, tuple[str, ...]]:
    """The state that a step leaves, in bytes per number, and this processor's engines for it."""
    probe = torch.eye(PROBE_SIDE, requires_grad=True)
    probe.grad = torch.eye(PROBE_SIDE)
    optimizer = kind([probe], engine="tensor")  # type: ignore[call-arg]
    optimizer.step()
    state = optimizer.state[probe]
    size = sum(value.numel() * value.element_size() for value in state.values() if value.ndim)
    return size / probe.numel(), tuple(_engines(optimizer, probe))


def _engines(optimizer: RuleOptimizer, probe: Tensor) -> Iterator[str]:
    config = StepConfig.of(optimizer.rule, optimizer._settings, False, optimizer.param_groups)
    slot = Slot(probe, optimizer.state[probe], 0)
    for name in get_args(EngineName):
        if name != "auto":
            with suppress(InvalidValue):
                engine = choose(name, config.recipe(0, probe), slot, probe).engine
                if not engine.devices or probe.device.type in engine.devices:
                    yield engine.name


def _cells(row: OptimizerRow) -> tuple[str, ...]:
    size = "" if row.state_bytes is None else f"{row.state_bytes:.4g}"
    return row.name, ", ".join(row.engines), size, row.summary
