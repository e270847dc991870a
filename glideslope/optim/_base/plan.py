"""Plan of a step: the batches of all parameters that have gradients, kept until they change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, MutableMapping, Sequence
from itertools import compress
from operator import is_
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glideslope.distributed import Reduction, reduction_of
from glideslope.engines import (
    EMA_WEIGHT,
    FACTOR,
    SEED,
    SKIP,
    Batch,
    Engine,
    Recipe,
    Slot,
    Use,
    choose,
    sharing_owners,
)
from glideslope.rules import Rule

from .common import CommonSettings
from .counters import Counters, new_count
from .gradients import check_apart, check_gradient
from .local import Local, Parts, Watched, local_part
from .param_state import NARROW, check_state, complete
from .storage import rounding_of
from .watched_state import AccessLog, WatchedState

Group = Mapping[str, Any]
Gradients = Sequence[Tensor | None]
States = MutableMapping[Tensor, dict[str, Any]]


class StepConfig(NamedTuple):
    """Configuration of a step: with the tensors, it decides which kernels run."""

    rule: Rule
    settings: CommonSettings
    zeroing: bool
    groups: tuple[tuple[frozenset[str], bool, bool], ...]
    """Of each group: the rule's active options, maximize, differentiable."""
    scaled: bool
    """Gradients are multiplied by a factor: they are clipped, or come scaled."""
    place: int = 0
    """The number of the first parameter: noise differs between plans that have other places."""

    @classmethod
    def of(
        cls,
        rule: Rule,
        settings: CommonSettings,
        zeroing: bool,
        groups: Sequence[Group],
        scaled: bool = False,
    ) -> StepConfig:
        switches = tuple(_switches(rule, settings, group) for group in groups)
        return cls(rule, settings, zeroing, switches, scaled or settings.max_grad_norm is not None)

    @property
    def differentiable(self) -> bool:
        """True if gradients flow through the step."""
        return any(differentiable for _, _, differentiable in self.groups)

    def extras(self, factor: float) -> dict[str, float]:
        """The scalars of a step that belong to no rule."""
        return {FACTOR: factor, EMA_WEIGHT: 1.0 - (self.settings.ema_decay or 0.0)}

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
    options = rule.active_options({"cautious": settings.cautious, **group})
    return options, bool(group.get("maximize")), bool(group.get("differentiable"))


class Planned(NamedTuple):
    """A parameter that has a gradient."""

    position: int
    group: int
    parameter: Tensor
    gradient: Tensor
    state: dict[str, Any]
    recipe: Recipe
    fresh: bool
    local: Local


class Prepared(NamedTuple):
    """A batch, the positions of its parameters, and if sums over all parameters include it here."""

    positions: list[int]
    batch: Batch
    is_counted: bool


class Cohort(NamedTuple):
    """Members of one group that are at the same step, by their place in the plan."""

    group: int
    fresh: bool
    places: NDArray[np.intp]


class Assignment(NamedTuple):
    """Which engine runs a parameter, and why no faster one."""

    position: int
    parameter: Tensor
    engine: str
    reason: str | None


class PreparedStep(Protocol):
    """A step that is ready to run: a `Plan`, or several of them with their directions."""

    @property
    def assignments(self) -> list[Assignment]:
        """Which engine runs each parameter, and why no faster one."""

    def sum_of_squares(self) -> float:
        """The sum of the squares of all gradients."""

    def run(self, groups: Sequence[Group], factor: float) -> None:
        """Update everything, as if each gradient had been multiplied by the factor."""

    def release(self) -> None:
        """Drop the references to the gradients."""


class Plan:
    """The batches of a step, ready to run."""

    def __init__(
        self, config: StepConfig, groups: Sequence[Group], gradients: Gradients, states: States
    ) -> None:
        self._config, self._parameters = config, flattened(groups)
        self._idle = [i for i, gradient in enumerate(gradients) if gradient is None]
        self._log = AccessLog()
        check_members(config, groups, gradients, states)
        self._reduction = reduction_of(self._parameters)
        members = list(_members(config, groups, gradients, states, self._log, self._reduction))
        self._parts = Parts(
            [Watched(m.position, m.parameter, m.state, m.local) for m in members if m.local.whole]
        )
        self._counters = Counters(_counted(config, members), [member.state for member in members])
        self._cohorts, cohort_of = self._gather(members)
        self.assignments: list[Assignment] = []
        self._batches = self._prepare(members, cohort_of)
        self._seen = list(states.values())
        self._log.touched = True  # other code may hold a state from before

    def aim(
        self, config: StepConfig, parameters: Sequence[Tensor], gradients: Gradients, states: States
    ) -> bool:
        """Take this step's gradients; False if the plan was made for something else."""
        if not (
            self._config == config
            and _are_same(parameters, self._parameters)
            and all(gradients[i] is None for i in self._idle)
            and _are_same(list(states.values()), self._seen)
            and self._state_is_in_place()
            and self._counters.are_untouched()
        ):
            return False
        if not self._parts.are_in_place():
            return False
        own = self._parts.of(gradients)
        return all(each.batch.aim(_picked(own, each.positions)) for each in self._batches)

    def _state_is_in_place(self) -> bool:
        """True if the tensors of the state are those prepared for, at the same addresses."""
        if self._log.touched:
            if self._counters.were_replaced() or any(
                each.batch.has_moved() for each in self._batches
            ):
                return False
            self._log.touched = any(each.batch.is_shared() for each in self._batches)
        return True

    def sum_of_squares(self) -> float:
        """The sum of the squares of all gradients."""
        sums = [(float(each.batch.sum_of_squares()), each.is_counted) for each in self._batches]
        (squares,) = self._summed([sum(square for square, is_counted in sums if is_counted)])
        return squares

    def totals(self, measure: Rule, groups: Sequence[Group], factor: float) -> list[float]:
        """The totals of a measuring rule over all parameters; empty if none has a gradient."""
        extras = {FACTOR: factor, SEED: 0, SKIP: 0.0}
        scalars = [
            {**self._values(cohort, groups[cohort.group], measure), **extras}
            for cohort in self._cohorts
        ]
        by_batch = [map(float, each.batch.totals(measure, scalars)) for each in self._batches]
        counted = [each.is_counted for each in self._batches]
        columns = zip(*by_batch, strict=True)
        return self._summed([sum(compress(column, counted)) for column in columns])

    def _summed(self, totals: list[float]) -> list[float]:
        """Totals over all processes that hold parts of the parameters."""
        if self._reduction is None or not totals:
            return totals
        summed: list[float] = self._reduction.sum(
            torch.tensor(totals, dtype=torch.float64, device="cpu")
        ).tolist()
        return summed

    def run(self, groups: Sequence[Group], factor: float) -> None:
        """Update everything: parameters, state and counts."""
        extras = self._config.extras(factor)
        rule = self._config.rule
        values = [self._values(cohort, groups[cohort.group], rule) for cohort in self._cohorts]
        seeds = [seed_of(known, self._config.place) for known in values]
        scalars = [
            {**known, **extras, SEED: seed, SKIP: 0.0}
            for known, seed in zip(values, seeds, strict=True)
        ]
        for each in self._batches:
            each.batch.run(scalars)
        if self._config.zeroing:
            self._parts.zero_copied()
        for cohort, known in zip(self._cohorts, values, strict=True):
            for name in self._counters.names:
                self._counters.advance(name, cohort.places, known[name])
        self._cohorts = [cohort._replace(fresh=False) for cohort in self._cohorts]

    def release(self) -> None:
        """Drop the references to the gradients."""
        for each in self._batches:
            each.batch.release()
        self._parts.release()

    def _values(self, cohort: Cohort, group: Group, rule: Rule) -> dict[str, Any]:
        """The scalars of a cohort in this step, and its counts after it."""
        counts = {**self._counters.of(cohort.places[0]), "fresh": float(cohort.fresh)}
        if "step" in counts:
            counts["step"] += 1
        return {**counts, **rule.values(group, counts)}

    def _gather(self, members: Sequence[Planned]) -> tuple[list[Cohort], list[int]]:
        """The cohorts, and the number of each member's."""
        numbers: dict[Hashable, int] = {}
        cohort_of = [
            numbers.setdefault(
                (member.group, member.fresh, *self._counters.of(place).values()), len(numbers)
            )
            for place, member in enumerate(members)
        ]
        firsts = [cohort_of.index(number) for number in range(len(numbers))]
        cohorts = [
            Cohort(
                members[first].group,
                members[first].fresh,
                np.flatnonzero(np.array(cohort_of) == number),
            )
            for number, first in enumerate(firsts)
        ]
        return cohorts, cohort_of

    def _prepare(self, members: Sequence[Planned], cohort_of: Sequence[int]) -> list[Prepared]:
        """A batch for each engine, recipe, kind of tensor and way of being sharded."""
        kinds: dict[tuple[Engine, Recipe, Hashable], list[tuple[Planned, Slot]]] = defaultdict(list)
        sharing = sharing_owners(list(_uses(members)))
        for member, cohort in zip(members, cohort_of, strict=True):
            local, recipe = member.local, member.recipe
            is_shared = member.position in sharing
            slot = Slot(local.parameter, local.state, cohort, is_shared, local.whole)
            engine, reason = choose(self._config.settings.engine, recipe, slot, local.gradient)
            kind = engine.kind(recipe, slot, local.gradient), local.layout
            kinds[engine, recipe, kind].append((member, slot))
            assignment = Assignment(member.position, member.parameter, engine.name, reason)
            self.assignments.append(assignment)
        return [_prepared(engine, pairs) for (engine, *_), pairs in kinds.items()]


def _prepared(engine: Engine, pairs: Sequence[tuple[Planned, Slot]]) -> Prepared:
    """A batch of members that one engine updates together."""
    members, slots = zip(*pairs, strict=True)
    first = members[0]
    gradients = [member.local.gradient for member in members]
    batch = engine.prepare(first.recipe, slots, gradients)
    return Prepared([m.position for m in members], batch, first.local.is_counted)


def flattened(groups: Sequence[Group]) -> list[Tensor]:
    """The parameters of all groups."""
    return [parameter for group in groups for parameter in group["params"]]


def seed_of(values: Mapping[str, Any], place: int = 0) -> int:
    """The seed of a step: the same on every process, and in a resumed run."""
    return (int(values.get("step", 0)) * 0x9E3779B1 + place * 0x85EBCA77) % 2**31


def _counted(config: StepConfig, members: Sequence[Planned]) -> tuple[str, ...]:
    """The names of what is counted: the rule's, and the step where numbers are rounded by it."""
    counters = config.rule.counters
    if "step" in counters or not any(_is_noisy(member) for member in members):
        return counters
    for member in members:
        if "step" not in member.state:
            member.state["step"] = new_count(0.0)
    return (*counters, "step")


def _is_noisy(member: Planned) -> bool:
    """True if something of a parameter is rounded stochastically.

    A matrix method whose direction keeps state of 16 bits has put the step there already.
    """
    kept = (member.state[name] for name in member.recipe.averages)
    return (
        member.recipe.rounding == "stochastic"
        or "step" in member.state
        or member.recipe.packed
        or any(tensor.dtype in NARROW for tensor in kept)
    )


def check_members(
    config: StepConfig, groups: Sequence[Group], gradients: Gradients, states: States
) -> None:
    """Refuse gradients and state that are not the parameters', before anything is changed."""
    homes = [(i, p) for i, group in enumerate(groups) for p in group["params"]]
    for name, (i, p), g in zip(parameter_names(groups), homes, gradients, strict=True):
        if g is not None:
            recipe = config.recipe(i, p)
            check_gradient(name, p, g)
            check_state(name, recipe, p, states[p])
            check_apart(name, p, g, {entry: states[p].get(entry) for entry in recipe.state})


def _members(
    config: StepConfig,
    groups: Sequence[Group],
    gradients: Gradients,
    states: States,
    log: AccessLog,
    reduction: Reduction | None,
) -> Iterator[Planned]:
    """The parameters that have gradients, with all the state that they need."""
    homes = [i for i, group in enumerate(groups) for _ in group["params"]]
    for position, parameter in enumerate(flattened(groups)):
        gradient = gradients[position]
        if gradient is not None:
            home = homes[position]
            state = states[parameter] = WatchedState(states[parameter], log)
            recipe = config.recipe(home, parameter)
            dtype = config.settings.float_dtype
            fresh = complete(recipe, groups[home], parameter, state, dtype)
            here = local_part(recipe, parameter, gradient, state, reduction)
            yield Planned(position, home, parameter, gradient, state, recipe, fresh, here)


def parameter_names(groups: Sequence[Group]) -> list[str]:
    """The name of every parameter, or its number."""
    named = (group.get("param_names") or [""] * len(group["params"]) for group in groups)
    flat = (name for names in named for name in names)
    return [name or f"parameter {position}" for position, name in enumerate(flat)]


def _uses(members: Sequence[Planned]) -> Iterator[Use]:
    """The tensors that a step reads and writes; a gradient of several parameters counts once."""
    seen: set[int] = set()
    for member in members:
        owner, local = member.position, member.local
        yield Use(owner, local.parameter, True)
        if id(local.gradient) not in seen:
            seen.add(id(local.gradient))
            yield Use(owner, local.gradient, member.recipe.zeroing)
        for name in member.recipe.state:
            yield Use(owner, local.state[name], True)


def _picked(gradients: Gradients, positions: list[int]) -> Sequence[Any]:
    """The gradients of a batch, which most often is all there are."""
    if len(positions) == len(gradients):
        return gradients
    return [gradients[position] for position in positions]


def _are_same(these: Sequence[Any], those: Sequence[Any]) -> bool:
    return len(these) == len(those) and all(map(is_, these, those))
