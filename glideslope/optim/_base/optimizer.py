"""The base of every optimizer: torch's own, with checked groups and safe states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from inspect import signature
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch._compile import _disable_dynamo

from glideslope.errors import StateMismatch
from glideslope.groups import remember_load

from .._loading.fitted_state import FittedState
from .._loading.kept import Kept
from .._loading.merging import Hyperparameters
from .common import GROUP_OPTIONS
from .hyperparameters import FRACTIONS, check_keys, check_lengths, check_values
from .snapshot import snapshot
from .text import optimizer_repr

Params = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
"""Tensors, parameter groups, or named tensors, as any optimizer of torch takes them."""


class Optimizer(torch.optim.Optimizer):
    """Base class of all optimizers, for those written by hand too.

    It is `torch.optim.Optimizer`: hooks, `GradScaler`, ``add_param_group``, ``zero_grad``,
    pickling and profiling are torch's. Four things differ:

    - a key of a parameter group that looks like a hyperparameter, but is misspelt, is refused;
    - `load_state_dict` matches parameters by name where both sides have names
      (``named_parameters()``), not by position;
    - `load_state_dict` copies a state as it was saved, and does not cast it to the dtype of its
      parameter;
    - `state_dict` is a snapshot: it shares no tensor with the optimizer.

    Args:
        params: tensors, parameter groups, or named tensors.
        defaults: hyperparameters by name, with the value of a group that does not say otherwise.

    Raises:
        InvalidValue: a hyperparameter is outside its bounds, or a group's key is misspelt.

    Example:
        >>> import torch
        >>> class Descent(Optimizer):
        ...     def __init__(self, params, lr=0.5):
        ...         super().__init__(params, {"lr": lr})
        ...
        ...     def step(self, closure=None):
        ...         for group in self.param_groups:
        ...             for param in group["params"]:
        ...                 if param.grad is not None:
        ...                     param.data -= group["lr"] * param.grad
        >>> weight = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> optimizer = Descent([weight])
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([0., 0.], requires_grad=True)
    """

    _fractions: ClassVar[frozenset[str]] = FRACTIONS
    """The hyperparameters that are less than 1."""
    _of_several_forms: ClassVar[frozenset[str]] = frozenset()
    """The hyperparameters that `_check_group` alone checks: numbers, tuples or names."""

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        check_lengths(defaults, _argument_defaults(type(self)), self._of_several_forms)
        check_values(defaults, self._fractions)
        super().__init__(params, defaults)

    @_disable_dynamo
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, as `torch.optim.Optimizer.add_param_group` does.

        Args:
            param_group: ``params`` and any hyperparameters that differ from the defaults. Keys that
                are no hyperparameter of this optimizer are the caller's own, and kept.

        Raises:
            InvalidValue: a hyperparameter is outside its bounds, or a key is misspelt.
        """
        if isinstance(param_group, dict):
            check_keys(param_group, {*self.defaults, *GROUP_OPTIONS, "params", "param_names"})
            values, examples = self.defaults | param_group, _argument_defaults(type(self))
            check_lengths(values, examples, self._of_several_forms)
            check_values({**self.defaults, **param_group}, self._fractions)
        super().add_param_group(param_group)

    @_disable_dynamo
    def load_state_dict(
        self,
        state_dict: dict[str, Any],
        *,
        strict: bool = True,
        hyperparameters: Hyperparameters = "saved",
    ) -> None:
        """Take over a saved state.

        Args:
            state_dict: what `state_dict` gave, here or by the same optimizer of torch.
            strict: refuse a state in which a parameter's name is missing. If False, such a
                parameter starts without state.
            hyperparameters: which side's are kept: ``"saved"``, as torch does, with a warning where
                one other than the learning rate differs, or this optimizer's ``"own"``.

        Raises:
            StateMismatch: the groups differ in number or size, a parameter's name is missing, or an
                entry of a parameter's state is missing, unknown or of another shape. Then nothing
                was changed.
        """
        saved = self._after_pre_hooks(state_dict)
        self._take(FittedState.of(self, saved, strict, hyperparameters))

    def _after_pre_hooks(self, state_dict: dict[str, Any]) -> dict[str, Any]:
        state_dict = copy(state_dict)
        for pre_hook in self._optimizer_load_state_dict_pre_hooks.values():
            state_dict = pre_hook(self, state_dict) or state_dict
        return state_dict

    def _take(self, load: FittedState) -> None:
        before = self.param_groups
        self.__setstate__({"state": load.state, "param_groups": load.groups})
        remember_load(self, before)
        for post_hook in self._optimizer_load_state_dict_post_hooks.values():
            post_hook(self)

    def _check_group(self, group: dict[str, Any]) -> None:
        """Refuse a group whose values do not go together; here, any do."""

    def _hold(self, parameter: Tensor, entry: dict[str, Any]) -> None:
        """Bring a loaded state into the form that this optimizer keeps; here, as it is."""

    def _keeps(self, parameter: Tensor, group: dict[str, Any]) -> Kept | None:
        """The state of a parameter under a group's hyperparameters; None if it may be anything."""
        return None

    @_disable_dynamo
    def state_dict(self, *, share: bool = False) -> dict[str, Any]:
        """Give the state and the hyperparameters, in torch's format.

        Args:
            share: give the tensors themselves, as torch does, instead of copies: for who writes
                them at once. The next step changes some of them.

        Returns:
            A dict of ``"state"``, by the number of the parameter, and ``"param_groups"``; nothing
            in it changes when training continues.

        Raises:
            StateMismatch: there is state of a tensor that is in no parameter group.
        """
        if stray := self._stray_tensors():
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in stray)
            raise StateMismatch(f"`state` holds tensors of no parameter group, of shape {shapes}")
        saved = super().state_dict()
        # By number, whatever was updated first, so that a resumed run saves the same.
        saved["state"] = dict(sorted(saved["state"].items(), key=_number_first))
        return saved if share else snapshot(saved)

    def _stray_tensors(self) -> list[Tensor]:
        """The tensors that have state and are in no group: torch has no number for them."""
        known = {id(p) for group in self.param_groups for p in group["params"]}
        return [key for key in self.state if isinstance(key, Tensor) and id(key) not in known]

    def __repr__(self) -> str:
        return optimizer_repr(self, {})


def _argument_defaults(kind: type[Optimizer]) -> Mapping[str, Any]:
    return {name: each.default for name, each in signature(kind).parameters.items()}


def _number_first(item: tuple[Any, Any]) -> tuple[bool, int]:
    key, _ = item
    return not isinstance(key, int), key if isinstance(key, int) else 0
