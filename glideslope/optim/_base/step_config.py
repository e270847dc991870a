"""Configuration of a step: what decides, with the tensors, which kernels run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from glideslope.engines import EMA_WEIGHT, FACTOR, Recipe
from glideslope.rules import Rule

from .common import CommonSettings
from .decay import corrected
from .storage import rounding_of

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

Group = Mapping[str, Any]


class StepConfig(NamedTuple):
    """Configuration of a step: with the tensors, it decides which kernels run."""

    rule: Rule
    settings: CommonSettings
    zeroing: bool
    groups: tuple[tuple[frozenset[str], bool, bool], ...]
    """Of each group: the rule's active options, maximize, differentiable."""
    scaled: bool
    """Gradients are multiplied by a factor: they are clipped, or come scaled."""
    judged: bool = False
    """A loss scaler says if the gradients are finite."""
    capturable: bool = False
    """A group's counts stay on its device."""
    place: int = 0
    """The number of the first parameter: noise differs between plans that have other places."""
    process_group: ProcessGroup | None = None
    """The ranks that hold other parameters, as plain tensors."""

    @classmethod
    def of(
        cls,
        rule: Rule,
        settings: CommonSettings,
        zeroing: bool,
        groups: Sequence[Group],
        scaled: bool = False,
        judged: bool = False,
    ) -> StepConfig:
        return cls(
            rule,
            settings,
            zeroing,
            tuple(_switches(rule, settings, group) for group in groups),
            scaled or settings.max_grad_norm is not None,
            judged,
            any(group.get("capturable") for group in groups),
        )

    @property
    def differentiable(self) -> bool:
        """True if gradients flow through the step."""
        return any(differentiable for _, _, differentiable in self.groups)

    @property
    def counts_on_device(self) -> bool:
        """True if counts must be where a GPU decides if the step is taken, or captures it."""
        return self.capturable or self.judged or self.settings.skip_nonfinite

    def extras(self, factor: float | Tensor) -> dict[str, Any]:
        """The scalars of a step that belong to no rule."""
        return {FACTOR: factor, EMA_WEIGHT: 1.0 - (self.settings.ema_decay or 0.0)}

    def values(self, rule: Rule, group: Group, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Every scalar of a rule by name, for one step of one group."""
        return rule.values(corrected(self.settings, group), counts)

    def recipe(self, group: int, parameter: Tensor) -> Recipe:
        """The recipe for a parameter of a group."""
        options, maximize, differentiable = self.groups[group]
        return Recipe(
            rule=self.rule,
            options=options,
            maximize=maximize,
            scaled=self.scaled,
            averaged=self.settings.ema_decay is not None,
            zeroing=self.zeroing,
            rounding=rounding_of(self.settings, parameter, differentiable),
            packed=self.settings.is_packed,
            differentiable=differentiable,
        )


def _switches(
    rule: Rule, settings: CommonSettings, group: Group
) -> tuple[frozenset[str], bool, bool]:
    known = settings.over(group)
    named = {name: known[name] for name in (each.removeprefix("with_") for each in rule.options)}
    is_kept = bool(group.get("capturable"))
    options = rule.active_options({name: _is_on(named[name], is_kept) for name in named})
    return options, bool(group.get("maximize")), bool(group.get("differentiable"))


def _is_on(value: Any, is_kept: bool) -> bool:
    """True if a hyperparameter switches its option on; one on a device is not read, and does."""
    return True if isinstance(value, Tensor) and (is_kept or not value.is_cpu) else bool(value)
