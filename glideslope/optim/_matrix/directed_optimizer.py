"""The base of the matrix methods."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from torch import Tensor
from torch._compile import _disable_dynamo

from glideslope.errors import GlideslopeError, InvalidValue, UnsupportedDtype, require
from glideslope.rules import Rule

from .._base.common import EIGHT_BITS
from .._base.plan_cache import Preparation
from .._base.rule_optimizer import RuleOptimizer
from .._base.step_config import Group
from .._loading.kept import Kept
from .directed_step import DirectedStep, RulePart
from .direction import Direction


class DirectedOptimizer(RuleOptimizer):
    """An optimizer whose rule takes a `Direction` for the gradient.

    The direction is made of tensor operations, wherever the parameter is; what follows it is run by
    an engine, as any rule. A rule for the parameters that have no direction is its `companion`.
    """

    direction: ClassVar[Direction]
    companion: ClassVar[Rule | None] = None

    def _is_directed(self, p: Tensor, group: Group) -> bool:
        """True if a parameter has a direction; if not, the companion updates it."""
        return True

    def _is_cautious(self, group: Group) -> bool:
        return bool(group.get("cautious", self._settings.cautious))

    def _check_group(self, group: Group) -> None:
        """Refuse a group that no direction can be made for."""
        for p in group["params"]:
            if p.is_complex():
                raise UnsupportedDtype(f"`params` must be real numbers, got {p.dtype}")
            fits = p.ndim == 2 or not self.matrices_only
            require(fits, "params", f"be matrices for {type(self).__name__}", tuple(p.shape))

    def _check_storage(self, group: Group) -> None:
        if self._settings.is_packed:
            kind = type(self).__name__
            raise InvalidValue(
                f'`state_dtype="{EIGHT_BITS}"` is not for {kind}: it keeps whole matrices'
            )
        super()._check_storage(group)

    def _need_of_wholes(self, group: Group) -> str | None:
        return f"{type(self).__name__} computes with whole matrices"

    @_disable_dynamo
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters; see `RuleOptimizer.add_param_group`."""
        super().add_param_group(param_group)
        try:
            self._check_group(self.param_groups[-1])
        except GlideslopeError:
            del self.param_groups[-1]
            raise

    @_disable_dynamo
    def _step(self, *args: Any, **kwargs: Any) -> Any:
        """Never traced: a direction keeps what no compiler should unroll."""
        return super()._step(*args, **kwargs)

    def _preparation(self) -> Preparation:
        return partial(DirectedStep, self._new_parts())

    def _new_parts(self) -> tuple[RulePart, ...]:
        """The parts of a step, with nothing prepared yet."""
        directed = RulePart(self.rule, self.direction, self._is_directed)
        if self.companion is None:
            return (directed,)
        rest = RulePart(self.companion, None, lambda p, group: not self._is_directed(p, group))
        return directed, rest

    def _can_be_cautious(self) -> bool:
        return True

    def _rules(self) -> tuple[Rule, ...]:
        return (self.rule,) if self.companion is None else (self.rule, self.companion)

    def _keeps(self, parameter: Tensor, group: Group) -> Kept:
        """The entries of the rule and of its direction; of the companion, where there is none."""
        rule = self._rules()[0 if self._is_directed(parameter, group) else -1]
        kept = Kept.by_rule(rule, parameter, self._settings.over(group))
        if self._is_directed(parameter, group):
            shapes = self.direction.shapes(parameter, group)
            return kept.with_shapes(shapes, self.direction.switches)
        return kept
