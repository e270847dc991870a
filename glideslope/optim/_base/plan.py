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
    FACTOR,
    SEED,
    SKIP,
    Batch,
    Choice,
    Engine,
    Recipe,
    Slot,
    Use,
    choose,
    count_totals,
    kept_for_graphs,
    sharing_owners,
)
from glideslope.rules import Rule

from .._loading.matching import names_of
from .capturable import check_capture
from .counters import Counters, new_count
from .device_counters import DeviceCounters
from .gradients import check_apart, check_gradient
from .local import Local, Parts, Watched, local_part
from .param_state import NARROW, check_state, complete
from .step_config import Group, StepConfig
from .watched_state import AccessLog, WatchedState

Gradients = Sequence[Tensor | None]
States = MutableMapping[Tensor, dict[str, Any]]


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
    """Members of one group that are at the same step, by their place in the plan.

    ``fresh`` is 1 in the step that makes their state, else 0.
    """

    group: int
    fresh: float | Tensor
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
    def device(self) -> torch.device | None:
        """The device that takes and gives the numbers of the step; None if the host does."""

    @property
    def assignments(self) -> list[Assignment]:
        """Which engine runs each parameter, and why no faster one."""

    def check_capture(self, is_ready: bool) -> None:
        """Refuse a step that a graph being captured would repeat with the numbers of now."""

    def sum_of_squares(self) -> float | Tensor:
        """The sum of the squares of all gradients."""

    def run(
        self, groups: Sequence[Group], factor: float | Tensor, skip: Tensor | None = None
    ) -> None:
        """Update everything, as if each gradient had been multiplied by the factor.

        If ``skip`` is given, and is not 0, nothing is changed.
        """

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
        self._gpus = {p.device for p in self._parameters if p.is_cuda}
        check_capture(self._gpus, is_ready=False)
        self._reduction = reduction_of(self._parameters, config.process_group)
        members = list(_members(config, groups, gradients, states, self._log, self._reduction))
        self._parts = Parts(
            [Watched(m.position, m.parameter, m.state, m.local) for m in members if m.local.whole]
        )
        choices = list(_choices(config, members))
        self.assignments = [
            Assignment(member.position, member.parameter, engine.name, reason)
            for member, (_, (engine, reason)) in zip(members, choices, strict=True)
        ]
        self.device = _common_device(members, choices)
        self._counters = self._counted(members)
        self._cohorts, cohort_of = self._gather(members)
        self._batches = _prepare(members, choices, cohort_of)
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

    def check_capture(self, is_ready: bool) -> None:
        """Refuse a step that a graph being captured would repeat with the numbers of now."""
        is_counted_there = isinstance(self._counters, DeviceCounters) and self._config.capturable
        check_capture(self._gpus, is_ready and is_counted_there)

    def sum_of_squares(self) -> float | Tensor:
        """The sum of the squares of all gradients."""
        (squares,) = self._added([(each.batch.sum_of_squares(),) for each in self._batches], 1)
        return squares

    def totals(
        self, measure: Rule, groups: Sequence[Group], factor: float | Tensor
    ) -> list[float | Tensor]:
        """The totals of a measuring rule over all parameters."""
        extras = {FACTOR: factor, SEED: 0, SKIP: 0.0}
        scalars = [
            {**self._values(cohort, groups[cohort.group], measure), **extras}
            for cohort in self._cohorts
        ]
        by_batch = [each.batch.totals(measure, scalars) for each in self._batches]
        return self._added(by_batch, count_totals(measure))

    def _added(
        self, by_batch: Sequence[Sequence[float | Tensor]], count: int
    ) -> list[float | Tensor]:
        """Totals over all batches, and over all processes that hold parts of the parameters.

        A process without gradients adds nothing, but others wait for it.
        """
        device = self.device or torch.device("cpu")
        counted = [each.is_counted for each in self._batches]
        columns = [[*compress(column, counted)] for column in zip(*by_batch, strict=True)] or [
            [] for _ in range(count)
        ]
        if self.device is None:
            totals = torch.tensor([sum(map(float, column)) for column in columns], **_DOUBLE)
        else:
            totals = torch.stack([_sum_on(device, column) for column in columns])
        if self._reduction is not None:
            totals = self._reduction.total(totals)
        return totals.tolist() if self.device is None else [*totals]

    def run(
        self, groups: Sequence[Group], factor: float | Tensor, skip: Tensor | None = None
    ) -> None:
        """Update everything: parameters, state and counts."""
        extras = {**self._config.extras(factor), SKIP: 0.0 if skip is None else skip}
        rule = self._config.rule
        values = [self._values(cohort, groups[cohort.group], rule) for cohort in self._cohorts]
        scalars = [
            {**known, **extras, SEED: seed_of(known, self._config.place)} for known in values
        ]
        for each in self._batches:
            each.batch.run(scalars)
        if self._config.zeroing:
            self._parts.zero_copied()
        for cohort, known in zip(self._cohorts, values, strict=True):
            for name in self._counters.names:
                self._counters.advance(name, cohort.places, known[name], skip)
        self._cohorts = [
            cohort._replace(fresh=_fresh_after(cohort, skip)) for cohort in self._cohorts
        ]

    def release(self) -> None:
        """Drop the references to the gradients."""
        for each in self._batches:
            each.batch.release()
        self._parts.release()

    def _values(self, cohort: Cohort, group: Group, rule: Rule) -> dict[str, Any]:
        """The scalars of a cohort in this step, and its counts after it."""
        counts = {**self._counters.of(cohort.places[0]), "fresh": cohort.fresh}
        if "step" in counts:
            counts["step"] = counts["step"] + 1
        return {**counts, **self._config.values(rule, group, counts)}

    def _counted(self, members: Sequence[Planned]) -> Counters | DeviceCounters:
        """The counts of the parameters: on the host, unless a device decides what is counted."""
        names, states = _counted(self._config, members), [member.state for member in members]
        if self.device is None or not self._config.counts_on_device:
            return Counters(names, states)
        return DeviceCounters(names, states, [member.parameter.device for member in members])

    def _gather(self, members: Sequence[Planned]) -> tuple[list[Cohort], list[int]]:
        """The cohorts, and the number of each member's."""
        numbers: dict[Hashable, int] = {}
        keys = zip(members, self._counters.keys(), strict=True)
        cohort_of = [
            numbers.setdefault((m.group, m.fresh, m.parameter.device, *counts), len(numbers))
            for m, counts in keys
        ]
        firsts = [members[cohort_of.index(number)] for number in range(len(numbers))]
        places = np.array(cohort_of)
        cohorts = [
            Cohort(first.group, self._freshness(first), np.flatnonzero(places == number))
            for number, first in enumerate(firsts)
        ]
        return cohorts, cohort_of

    def _freshness(self, member: Planned) -> float | Tensor:
        """A number that is 1 in the step that makes a member's state."""
        if not member.fresh or isinstance(self._counters, Counters):
            return float(member.fresh)
        return torch.ones((), dtype=torch.float64, device=member.parameter.device)


_DOUBLE: dict[str, Any] = {"dtype": torch.float64, "device": "cpu"}


def _sum_on(device: torch.device, numbers: Sequence[float | Tensor]) -> Tensor:
    """The sum of numbers of several devices, on one of them."""
    parts = [torch.as_tensor(number, dtype=torch.float64).to(device) for number in numbers]
    return torch.stack([torch.zeros((), dtype=torch.float64, device=device), *parts]).sum()


def _fresh_after(cohort: Cohort, skip: Tensor | None) -> float | Tensor:
    """The same number in the next step; a step that a device skips makes no state."""
    if not isinstance(cohort.fresh, Tensor):
        return 0.0
    kept_for_graphs(cohort.fresh)
    return cohort.fresh.mul_(0.0 if skip is None else skip.to(cohort.fresh.device))


def _choices(config: StepConfig, members: Sequence[Planned]) -> Iterator[tuple[Slot, Choice]]:
    """Each member as an engine sees it, and which engine takes it."""
    sharing = sharing_owners(list(_uses(members)))
    for member in members:
        local = member.local
        is_shared = member.position in sharing
        slot = Slot(local.parameter, local.state, 0, is_shared, local.whole)
        yield slot, choose(config.settings.engine, member.recipe, slot, local.gradient)


def _common_device(
    members: Sequence[Planned], choices: Sequence[tuple[Slot, Choice]]
) -> torch.device | None:
    """The device that takes and gives the numbers of a step, if every engine lets it."""
    if not members or not all(choice.engine.is_on_device for _, choice in choices):
        return None
    return members[0].parameter.device


def _prepare(
    members: Sequence[Planned], choices: Sequence[tuple[Slot, Choice]], cohort_of: Sequence[int]
) -> list[Prepared]:
    """A batch for each engine, recipe, kind of tensor and way of being sharded."""
    kinds: dict[tuple[Engine, Recipe, Hashable], list[tuple[Planned, Slot]]] = defaultdict(list)
    for member, (slot, (engine, _)), cohort in zip(members, choices, cohort_of, strict=True):
        local, recipe = member.local, member.recipe
        kind = engine.kind(recipe, slot, local.gradient), local.layout
        kinds[engine, recipe, kind].append((member, slot._replace(cohort=cohort)))
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


def seed_of(values: Mapping[str, Any], place: int = 0) -> Any:
    """The seed of a step: the same on every process, and in a resumed run."""
    step = values.get("step", 0)
    number = step.long() if isinstance(step, Tensor) and step.dtype is torch.float64 else int(step)
    return (number * 0x9E3779B1 + place * 0x85EBCA77) % 2**31


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
    flat = (name for group in groups for name in names_of(group))
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
