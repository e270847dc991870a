"""Plans that are kept from one step to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .plan import Gradients, Plan, PreparedStep, States, flattened
from .step_config import Group, StepConfig

Preparation = Callable[[StepConfig, Sequence[Group], States], PreparedStep]
"""Prepares a step of groups with the gradients that their parameters have now."""


class PlanCache:
    """Holds the plan of some groups for as long as it suits them.

    Attributes:
        plan: the last plan; None before the first step.
    """

    plan: Plan | None = None

    def prepare(self, config: StepConfig, groups: Sequence[Group], states: States) -> Plan:
        """The plan, aimed at the present gradients: a `Preparation`."""
        return self.aimed(config, groups, [p.grad for p in flattened(groups)], states)

    def aimed(
        self, config: StepConfig, groups: Sequence[Group], gradients: Gradients, states: States
    ) -> Plan:
        """The plan, aimed at these gradients; a new one if the old does not fit.

        Raises:
            RuntimeError: another thread changed the tensors while the plan was made.
        """
        parameters = flattened(groups)
        if self.plan is None or not self.plan.aim(config, parameters, gradients, states):
            self.plan = Plan(config, groups, gradients, states)
            if not self.plan.aim(config, parameters, gradients, states):
                raise RuntimeError(
                    "parameters, gradients or state changed while the step was prepared"
                )
        return self.plan

    def release(self) -> None:
        """Drop the references to the gradients."""
        if self.plan is not None:
            self.plan.release()
