"""Base of optimizers whose update is a rule: the step around the formula."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Unpack, overload

import torch
from torch import Tensor, nn
from torch._C._autograd import _profiler_enabled
from torch._compile import _disable_dynamo
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from glideslope.distributed import is_flat_shard, reduction_of
from glideslope.engines import COMPENSATION, REMAINDER, REMAINDERS, takes_totals
from glideslope.errors import GlideslopeError, require
from glideslope.groups import NOTE
from glideslope.rules import Rule

from .._loading.fitted_state import FittedState
from .._loading.kept import Kept
from .._loading.matching import names_of
from .._loading.merging import Hyperparameters
from ..lr_scheduler._owned import POLICIES, TEXTS, OwnedSchedules
from .arguments import check_arguments
from .capturable import check_capturable, put_on_device, restore_tensors
from .common import Common, CommonSettings, changed_settings, check_settings
from .decay import check_decay
from .engine_report import EngineReport, EngineReportRow
from .gradients import large_norm
from .hyperparameters import starts
from .masters import check_weights, master_of, remainder_of, set_master
from .optimizer import Optimizer, Params
from .packing import pack, unpack
from .param_state import usual_dtype
from .peers import Peers
from .plan import PreparedStep, flattened, parameter_names
from .plan_cache import PlanCache, Preparation
from .record import GradientRecord
from .released import ReleasedGradients, released
from .snapshot import separate
from .step_config import Group, StepConfig
from .storage import check_packing, rounding_of
from .text import optimizer_repr
from .traced import can_trace, traced_step
from .verdict import Verdict, clipped, near, root, unscaled_by

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

Closure = Callable[[], Any]
Loss = TypeVar("Loss")


class RuleOptimizer(Optimizer):
    """An optimizer whose update is a `Rule`; the class attribute ``rule`` holds it.

    A subclass names its rule and passes its hyperparameters on. Any of them, or one of a tuple, may
    be a `Schedule`: then each update runs at the schedule's value at the number of updates before
    it, and between updates the parameter group shows the value of the next one. It multiplies with
    whatever else drives the group; a value set by hand is scheduled from there. In a group that
    gives a number instead, the number is the value at the schedule's peak.

    Args:
        params: tensors, parameter groups, or named tensors.
        defaults: the hyperparameters by name.
        common: the arguments that all optimizers share: see `Common`.

    Raises:
        InvalidValue: a value is outside its bounds, a group's key is misspelt, or the rule cannot
            run on these hyperparameters; then the message has the line of the rule.
        InvalidType: there is no argument of this name.

    Example:
        >>> import torch
        >>> from glideslope.rules import rule, sign
        >>> @rule
        ... def sign_descent(p, g, /, lr):
        ...     return p - lr * sign(g)
        >>> class SignDescent(RuleOptimizer):
        ...     rule = sign_descent
        ...
        ...     def __init__(self, params, lr=0.25, **common):
        ...         super().__init__(params, {"lr": lr}, **common)
        >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = SignDescent([weight])
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight
        tensor([ 0.7500, -1.7500], requires_grad=True)
    """

    rule: ClassVar[Rule]
    matrices_only: ClassVar[bool] = False
    """True for a class that updates nothing but parameters of two dimensions."""

    _traceable: ClassVar[bool] = True
    """True if a step is the rule and nothing else."""
    _prepare: Preparation
    _released: ReleasedGradients | None
    _lock: RLock
    """Held by a step: the plan, its table and the counts belong to one thread at a time."""

    def __init__(self, params: Params, defaults: dict[str, Any], **common: Unpack[Common]) -> None:
        check_arguments(type(self), common)
        self._peers = Peers(common.get("process_group"))
        self._settings = CommonSettings.of(common)
        check_settings(self._settings)
        may = not self._settings.cautious or self._can_be_cautious()
        require(may, "cautious", f"be False: the rule {self.rule.name} has no such option", True)
        self._record = GradientRecord()
        self._owned = OwnedSchedules()
        self._lock, self._prepare = RLock(), self._preparation()
        self._released = None
        super().__init__(params, defaults)

    @property
    def grad_norm(self) -> float | None:
        """The norm of all gradients at the last step; None if no argument needs it.

        Where a GPU keeps it, reading it waits for the step.
        """
        return self._record.norm

    @property
    def skipped_steps(self) -> int:
        """The number of steps that `skip_nonfinite` has skipped."""
        return self._record.skipped

    @overload
    def step(self, closure: None = None, *, zero_grad: bool = False) -> None: ...
    @overload
    def step(self, closure: Callable[[], Loss], *, zero_grad: bool = False) -> Loss: ...
    def step(self, closure: Closure | None = None, *, zero_grad: bool = False) -> Any:
        """Update all parameters that have gradients.

        Args:
            closure: evaluates the model again, calls ``backward`` and returns the loss.
            zero_grad: leave zeros in the gradients, in the same pass over memory.

        Returns:
            The closure's loss, or None.
        """
        if not torch.compiler.is_compiling() and self._is_observed():
            return _observed_step(self, closure, zero_grad=zero_grad)
        return self._step(closure, zero_grad=zero_grad)

    # Torch would wrap every `step` in hooks and a profiler's label. They cost as much as a tenth of
    # a step, so `step` itself calls torch's wrapper, where there is a hook or a profiler.
    step.hooked = True  # type: ignore[attr-defined]

    def _is_observed(self) -> bool:
        return bool(
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or _global_optimizer_pre_hooks
            or _global_optimizer_post_hooks
            or _profiler_enabled()
        )

    def _step(self, closure: Closure | None = None, *, zero_grad: bool = False) -> Any:
        self._check_ready()
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if self._released is not None:
            self._released.end_step(self)
        told = [getattr(self, name, None) is not None for name in ("grad_scale", "found_inf")]
        groups = self._planned_groups(self.param_groups)
        config = StepConfig.of(self.rule, self._settings, zero_grad, groups, *told)
        with torch.set_grad_enabled(config.differentiable):
            if not torch.compiler.is_compiling():
                self._update(config)
            elif self._traceable and can_trace(config, groups) and not self._owned:
                traced_step(config, groups, self.state)
            else:
                self._update_untraced(config)
        return loss

    def engine_report(self) -> EngineReport:
        """Which engine runs each parameter that has a gradient, and why not a faster one.

        Example:
            >>> import torch
            >>> from glideslope.optim import AdamW
            >>> model = torch.nn.Linear(3, 2)
            >>> optimizer = AdamW(model.named_parameters(), engine="tensor")
            >>> model(torch.ones(3)).sum().backward()
            >>> optimizer.engine_report()
            tensor: weight and 1 more
        """
        with self._lock, torch.no_grad():
            groups = self._planned_groups(self.param_groups)
            config = StepConfig.of(self.rule, self._settings, False, groups)
            config = config._replace(process_group=self.process_group)
            plan = self._prepare(config, groups, self.state)
            plan.release()
            assignments = plan.assignments
        names = [name for group in groups for name in names_of(group)]
        return EngineReport(
            EngineReportRow(
                names[position] or f"parameter {position}",
                tuple(parameter.shape),
                str(parameter.dtype).removeprefix("torch."),
                engine,
                reason,
            )
            for position, parameter, engine, reason in assignments
        )

    def release_gradients(self, model: nn.Module) -> ReleasedGradients:
        """Update each parameter of a model in the backward pass, and free its gradient at once.

        As soon as the gradient of a parameter is complete, the parameter is updated and its
        ``grad`` becomes None, so the gradients of all layers are never in memory together. The
        numbers are those of an ordinary step, bit for bit; where they are rounded stochastically,
        the noise is another one. The loop stays as it is: `step`, once
        after each backward pass, ends the update. There, schedules advance, hooks are called, and
        parameters that were not updated (other models', or added later) take an ordinary step.

        Rates are those at the backward pass. A second backward pass before `step` would accumulate
        gradients and is refused; so is a `torch.amp.GradScaler`, at `step`. If a backward pass
        fails, the parameters that it has reached are updated.

        Args:
            model: the parameters that it shares with the optimizer, and that require gradients.

        Returns:
            A handle: ``remove()`` ends it, or the end of a ``with`` block.

        Raises:
            InvalidValue: the step needs all gradients at once (`max_grad_norm`, `skip_nonfinite`,
                Prodigy, ``differentiable``), or gradients that are not there in the backward pass
                (`DistributedDataParallel`, whole matrices of sharded parameters); the model has no
                parameter of the optimizer, or its gradients are released already.

        Example:
            >>> import torch
            >>> from glideslope.optim import AdamW
            >>> model = torch.nn.Linear(3, 1)
            >>> optimizer = AdamW(model.parameters())
            >>> with optimizer.release_gradients(model):
            ...     for _ in range(2):
            ...         model(torch.ones(3)).sum().backward()
            ...         print(model.weight.grad)
            ...         optimizer.step()
            None
            None
        """
        return released(self, model)

    def master_weights(self) -> dict[str, Tensor]:
        """The numbers that the parameters stand for, by the names of the parameters.

        With ``rounding="split"`` they are float32, exactly those of a run in float32; they are
        copies. A model of float32 parameters loads them as any state.

        Example:
            >>> import torch
            >>> from glideslope.optim import SGD
            >>> weight = torch.ones(1, dtype=torch.bfloat16, requires_grad=True)
            >>> optimizer = SGD([("weight", weight)], lr=0.001, rounding="split")
            >>> weight.sum().backward()
            >>> optimizer.step()
            >>> weight.item(), optimizer.master_weights()["weight"].item()
            (1.0, 0.9990000128746033)
        """
        return {name: master_of(p, self.state.get(p, {})) for name, p in self._named_parameters()}

    def load_master_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Set the parameters, and what the state holds of them, to float32 numbers.

        Args:
            weights: what `master_weights` gave, or the state of a model of float32 parameters; by
                the names of this optimizer's parameters, or more.

        Raises:
            StateMismatch: a name is missing, or a tensor has another shape. Then nothing was
                changed.
        """
        named = dict(self._named_parameters())
        check_weights(named, weights)
        for name, p in named.items():
            self._begin_parts(p)
            set_master(p, self.state[p], weights[name].to(p.device))

    def _begin_parts(self, parameter: Tensor) -> None:
        """Make the state that holds a part of the parameter, if that is to be held so."""
        rounding, state = rounding_of(self._settings, parameter, False), self.state[parameter]
        if rounding in REMAINDERS:
            state[REMAINDER] = remainder_of(parameter, state, REMAINDERS[rounding])

    def _named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        names = parameter_names(self.param_groups)
        return zip(names, flattened(self.param_groups), strict=True)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Replace the parameters by the averages of `ema_decay` inside a ``with`` block.

        Example:
            >>> import torch
            >>> from glideslope.optim import SGD
            >>> weight = torch.ones(1, requires_grad=True)
            >>> optimizer = SGD([weight], lr=1.0, ema_decay=0.75)
            >>> weight.sum().backward()
            >>> optimizer.step()
            >>> with optimizer.averaged():
            ...     print(weight.item())
            0.75
            >>> weight.item()
            0.0

        Raises:
            InvalidValue: the optimizer was made without ``ema_decay``.
        """
        require(self._settings.ema_decay is not None, "ema_decay", "be given to average", None)
        pairs = [(p, self.state[p]["ema"]) for p in flattened(self.param_groups) if self.state[p]]
        kept = [parameter.detach().clone() for parameter, _ in pairs]
        _write((parameter, average) for parameter, average in pairs)
        try:
            yield
        finally:
            _write(zip((parameter for parameter, _ in pairs), kept, strict=True))

    @_disable_dynamo
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters; its schedules join those that run.

        Args:
            param_group: ``params`` and any hyperparameters that differ from the defaults.

        Raises:
            InvalidValue: a hyperparameter is outside its bounds, a key is misspelt, the rule
                cannot run on these hyperparameters, or the parameters are parts that FSDP1 cut
                and the step needs the whole.
        """
        if isinstance(param_group, dict):
            self._check_rules({**self.defaults, **param_group})
            check_decay(self._rules(), self._settings.over({**self.defaults, **param_group}))
        super().add_param_group(param_group)
        try:
            self._check_storage(self.param_groups[-1])
            self._peers.check_flat_shards(self, self.param_groups[-1])
            check_capturable(self.param_groups[-1], self._settings.engine)
        except GlideslopeError:
            del self.param_groups[-1]
            raise
        self._owned.take_group(self)
        put_on_device(self.param_groups[-1], self._switches())

    def _check_storage(self, group: Group) -> None:
        """Refuse parameters that cannot be held in the form that the settings ask for."""
        differentiable = bool(group.get("differentiable"))
        for parameter in group["params"]:
            rounding_of(self._settings, parameter, differentiable)
            if self._settings.is_packed:
                check_packing(self._rules(), parameter, differentiable)

    @property
    def process_group(self) -> ProcessGroup | None:
        """The ranks that hold other parameters of the model as plain tensors: see `Common`."""
        return self._peers.group

    @process_group.setter
    def process_group(self, group: ProcessGroup | None) -> None:
        self._peers = Peers(group)

    def _need_of_all(self) -> str | None:
        """The reason for which a step needs all parameters together; None if one will do."""
        if self._settings.max_grad_norm is not None:
            return "`max_grad_norm` takes the norm of all of them"
        return "`skip_nonfinite` looks at all of them" if self._settings.skip_nonfinite else None

    def _need_of_wholes(self, group: Group) -> str | None:
        """The reason for which a step needs whole tensors; None if parts of them will do."""
        options = self.rule.active_options(self._settings.over(group))
        takes = takes_totals(self.rule, options)
        return f"{type(self).__name__} takes sums over whole parameters" if takes else None

    def _need_of_count(self) -> str | None:
        """The reason for which an update must be one step; None if it may be several."""
        scheduled = ", ".join(f"`{key}`" for key in self._owned.bindings)
        return f"each step advances the schedule of {scheduled}" if scheduled else None

    @_disable_dynamo
    def load_state_dict(
        self,
        state_dict: dict[str, Any],
        *,
        strict: bool = True,
        hyperparameters: Hyperparameters = "saved",
        on_mismatch: str = "error",
    ) -> None:
        """Take over a saved state: see `Optimizer.load_state_dict`.

        Args:
            state_dict: what `state_dict` gave, here or by the same optimizer of torch.
            strict: see `Optimizer.load_state_dict`.
            hyperparameters: see `Optimizer.load_state_dict`.
            on_mismatch: what to do if the state was made under other schedules than this
                optimizer's own: ``"error"`` refuses it, ``"keep"`` continues with the code's at the
                state's update, ``"adopt"`` with the state's.

        Raises:
            InvalidValue: an unknown ``on_mismatch``.
            StateMismatch: the state does not fit, or is of other schedules. Then nothing was
                changed.
        """
        require(on_mismatch in POLICIES, "on_mismatch", f"be one of {POLICIES}", on_mismatch)
        load = FittedState.of(self, self._after_pre_hooks(state_dict), strict, hyperparameters)
        same = self._owned.check(self, load.told, on_mismatch)
        own = [dict(group) for group in self.param_groups]
        self._take(load)
        if not same and on_mismatch == "adopt":
            self._owned.adopt(self, [_told(*pair) for pair in zip(own, load.told, strict=True)])
        self._owned.fill(self, load.told)
        is_same = same or on_mismatch == "adopt"
        self._owned.resume(self, own, is_same and hyperparameters == "saved")
        restore_tensors(self.param_groups, own)

    @_disable_dynamo
    def state_dict(self, *, share: bool = False) -> dict[str, Any]:
        """Give the state and the hyperparameters, in torch's format for this optimizer.

        Args:
            share: see `Optimizer.state_dict`.
        """
        saved = super().state_dict(share=share)
        entries = {key: _plain(entry) for key, entry in saved["state"].items()}
        saved["state"] = {key: entry for key, entry in entries.items() if entry != {}}
        return saved

    def __repr__(self) -> str:
        return optimizer_repr(self, changed_settings(getattr(self, "_settings", CommonSettings())))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        entries = {key: separate(entry) for key, entry in state["state"].items()}
        kept = ("_settings", "_owned", "_record")
        own = {name: value for name, value in vars(self).items() if name in kept}
        return {**state, "state": defaultdict(dict, entries), **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._lock, self._prepare = RLock(), self._preparation()
        self._peers = vars(self).get("_peers") or Peers()  # a process group cannot be saved
        if (handle := vars(self).setdefault("_released", None)) is not None:
            handle.forget()

    def _check_ready(self) -> None:
        """Refuse to update parameters that are not those of training; here, they always are."""

    def _can_be_cautious(self) -> bool:
        return "cautious" in self.rule.options

    def _switches(self) -> set[str]:
        """The hyperparameters that 0 switches off."""
        return {name.removeprefix("with_") for rule in self._rules() for name in rule.options}

    def _rules(self) -> tuple[Rule, ...]:
        """The rules that update the parameters."""
        return (self.rule,)

    def _check_rules(self, group: dict[str, Any]) -> None:
        """Refuse a rule that fails on a group, before the first step."""
        named = {k: starts(v) for k, v in group.items() if k not in ("params", "param_names")}
        element = torch.ones(1, dtype=torch.float64, device="cpu")
        with torch.no_grad():
            for rule in self._rules():
                rule.check(self._settings.over(named), element)

    def _hold(self, parameter: Tensor, entry: dict[str, Any]) -> None:
        for rule in self._rules():
            for name in entry.keys() & {*rule.state}:
                if self._settings.is_packed:
                    pack(entry, name, rule)
                else:
                    unpack(entry, name, self._settings.float_dtype or usual_dtype(parameter))
        if rounding_of(self._settings, parameter, False) not in (*REMAINDERS, "compensated"):
            for name in (COMPENSATION, REMAINDER):  # the first step would leave them out of date
                entry.pop(name, None)

    def _keeps(self, parameter: Tensor, group: dict[str, Any]) -> Kept:
        """The entries of the rule, and those that the arguments of all optimizers switch on."""
        return Kept.by_rule(self.rule, parameter, self._settings.over(group))

    def _planned_groups(self, groups: Sequence[Group]) -> Sequence[Group]:
        """Groups as a step sees them: one whose parameters are updated in two ways is two."""
        return groups

    def _preparation(self) -> Preparation:
        """A function that prepares steps, and keeps what it can from one to the next."""
        return PlanCache().prepare

    def _update(self, config: StepConfig) -> None:
        with self._lock:
            config = config._replace(process_group=self._peers.at_step(self))
            plan = self._prepare(config, self._planned_groups(self.param_groups), self.state)
            try:
                self._apply(plan, config)
            finally:
                plan.release()

    def _apply(self, plan: PreparedStep, config: StepConfig) -> None:
        plan.check_capture(is_ready=not self._owned)
        verdict = self._judged(plan, config)
        if isinstance(verdict.skip, Tensor) and self._owned:
            verdict = verdict._replace(skip=bool(verdict.skip))  # a clock of the host counts it
        self._record.add(verdict)
        if verdict.skip is True:
            self._skip(config)
            return
        self._run(plan, verdict)
        if self._owned:
            self._owned.advance(self)

    @_disable_dynamo
    def _update_untraced(self, config: StepConfig) -> None:
        self._update(config)

    def _run(self, plan: PreparedStep, verdict: Verdict) -> None:
        skip = verdict.skip if isinstance(verdict.skip, Tensor) else None
        plan.run(self._planned_groups(self.param_groups), verdict.factor, skip)

    def _judged(self, plan: PreparedStep, config: StepConfig) -> Verdict:
        """The factor of the gradients, and if the step is to be skipped."""
        told = (getattr(self, name, None) for name in ("grad_scale", "found_inf"))
        verdict = unscaled_by(*(near(each, plan.device) for each in told))
        if verdict.skip is True or not self._settings.needs_norm:
            return verdict
        return clipped(verdict, self._norm(plan, config), self._settings)

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """True where `torch.amp.GradScaler` may leave its scale and its verdict to the step.

        It sets ``grad_scale`` and ``found_inf``. On a GPU only the Triton engine, requested by
        name, takes them unread. Elsewhere the scaler unscales as for any optimizer, which lets
        other programs clip the gradients in between: Lightning refuses to if this is True. So it
        does for parts that FSDP1 cut, of which the verdict here would be one rank's.
        """
        parameters = flattened(self.param_groups)
        on_cpu = all(p.device.type == "cpu" for p in parameters)
        return (on_cpu or self._settings.engine == "triton") and not any(
            map(is_flat_shard, parameters)
        )

    def _norm(self, plan: PreparedStep, config: StepConfig) -> float | Tensor:
        """The norm of all gradients, which may be finite where their squares are not."""
        squares = plan.sum_of_squares()
        if isinstance(squares, Tensor) or squares != math.inf:
            return root(squares)
        gradients = [p.grad for p in flattened(self.param_groups) if p.grad is not None]
        return large_norm(gradients, reduction_of(gradients, config.process_group))

    def _skip(self, config: StepConfig) -> None:
        if config.zeroing:
            self.zero_grad(set_to_none=False)


_observed_step = torch.optim.Optimizer.profile_hook_step(RuleOptimizer._step)


def _told(group: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """The values of a saved group, and the rest of a group; the group, if none was saved."""
    if not told:
        return group
    known = {*told, *(NOTE + key for key in told), TEXTS}
    return {**{key: value for key, value in group.items() if key not in known}, **told}


def _plain(entry: Any) -> Any:
    return dict(entry) if isinstance(entry, dict) else entry


@torch.no_grad()
def _write(pairs: Any) -> None:
    for parameter, value in pairs:
        parameter.copy_(value)
