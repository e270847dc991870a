"""The contract of torch-named schedulers with other libraries' loops, optimizers and subclasses."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import warnings
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from glideslope.errors import InvalidType, InvalidValue, StateMismatch
from glideslope.groups import SharedKey
from glideslope.optim import lr_scheduler as gs

from ...round_trip import through_a_file

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")

torchs = SimpleNamespace(**vars(torch.optim.lr_scheduler) | {"SWALR": torch.optim.swa_utils.SWALR})
Make = Callable[[Any, Any], Any]
near = pytest.approx

CLASSES: dict[str, Make] = {
    "lambda": lambda lib, o: lib.LambdaLR(o, lambda t: 1 / (1 + t)),
    "multiplicative": lambda lib, o: lib.MultiplicativeLR(o, lambda t: 1 - 0.5 / t),
    "step": lambda lib, o: lib.StepLR(o, 2),
    "multistep": lambda lib, o: lib.MultiStepLR(o, [2, 5]),
    "constant": lambda lib, o: lib.ConstantLR(o, total_iters=3),
    "linear": lambda lib, o: lib.LinearLR(o, total_iters=4),
    "exponential": lambda lib, o: lib.ExponentialLR(o, 0.9),
    "polynomial": lambda lib, o: lib.PolynomialLR(o, 30, power=0.5),
    "cosine": lambda lib, o: lib.CosineAnnealingLR(o, 7, eta_min=0.01),
    "restarts": lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 3, 2),
    "cyclic": lambda lib, o: lib.CyclicLR(o, 0.1, 1.0, 3),
    "one cycle": lambda lib, o: lib.OneCycleLR(o, 1.0, 20),
    "swa": lambda lib, o: lib.SWALR(o, 0.05, 5),
    "plateau": lambda lib, o: lib.ReduceLROnPlateau(o),
    "sequence": lambda lib, o: lib.SequentialLR(
        o, [lib.ConstantLR(o, 0.1, 9), lib.StepLR(o, 2)], [3]
    ),
    "chain": lambda lib, o: lib.ChainedScheduler([lib.LinearLR(o), lib.StepLR(o, 2)]),
}
JUMPS = {
    name: make for name, make in CLASSES.items() if name not in ("plateau", "sequence", "chain")
} | {"noam": lambda lib, o: lib.NoamScheduler(o, 8, 4)}


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(1))


def sgd(*rates: Any) -> torch.optim.SGD:
    groups = [{"params": [parameter()], "lr": rate} for rate in rates or (0.8,)]
    return torch.optim.SGD(groups, lr=1.0, momentum=0.9)


def rate(optimizer: Any, group: int = 0) -> float:
    return float(optimizer.param_groups[group]["lr"])


def held(optimizer: Any) -> list[tuple[float, float]]:
    return [(float(group["lr"]), group["momentum"]) for group in optimizer.param_groups]


def run(scheduler: Any, steps: int) -> list[float]:
    """The rates from the present one on."""
    rates = []
    for _ in range(steps):
        rates.append(rate(scheduler.optimizer))
        scheduler.step()
    return rates


# Optimizers that are not torch's ----------------------------------------------------------------


class Groups:
    """Has groups and nothing else, and cannot be hashed."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.param_groups = [{"lr": 0.8}, {"lr": 0.4}]

    def __eq__(self, other: object) -> bool:
        return self is other

    def rates(self) -> list[float]:
        return [group["lr"] for group in self.param_groups]


class Plain:
    """Has a rate and nothing else, and takes no weak reference."""

    __slots__ = ("lr",)

    def __init__(self) -> None:
        self.lr = 0.8

    def rates(self) -> list[float]:
        return [self.lr, self.lr / 2]


@pytest.mark.parametrize("kind", [Groups, Plain])
def test_any_optimizer_with_groups_or_a_rate(kind: Any) -> None:
    optimizer = kind()
    first, second = gs.ExponentialLR(optimizer, 0.5), gs.ConstantLR(optimizer, 0.5, 2)
    for t in range(4):
        expected = 0.8 * 0.5**t * (0.5 if t < 2 else 1.0)
        assert optimizer.rates() == near([expected, expected / 2])
        first.step()
        second.step()
    del first
    second.step()
    assert optimizer.rates()[0] == near(0.8 * 0.5**4)


@pytest.mark.parametrize("optimizer", [object(), [0.1], None])
def test_what_has_neither_is_refused(optimizer: Any) -> None:
    with pytest.raises(
        InvalidType, match=r"`optimizer` must have `param_groups`.* or a plain `lr`"
    ):
        gs.StepLR(optimizer, 1)


def test_groups_without_a_rate_are_named() -> None:
    optimizer = SimpleNamespace(param_groups=[{"lr": 1.0}, {"learning_rate": 1.0}])
    with pytest.raises(InvalidType, match="group 1 holds learning_rate"):
        gs.StepLR(optimizer, 1)


def test_an_optimizer_that_asks_for_it_is_notified() -> None:
    class Told(Groups):
        count = 0

        def _sync_hyperparams(self) -> None:
            self.count += 1

    optimizer = Told()
    run_twice = gs.ExponentialLR(optimizer, 0.5)
    run_twice.step()
    assert optimizer.count == 2


def test_groups_that_a_load_replaces_are_driven_on() -> None:
    optimizer = sgd(0.8, 0.4)
    scheduler = gs.ExponentialLR(optimizer, 0.5)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    scheduler.step()
    assert [rate(optimizer, group) for group in (0, 1)] == near([0.4, 0.2])


def test_an_optimizer_may_be_exchanged() -> None:
    first, second = sgd(0.8), sgd(0.2)
    scheduler = gs.ExponentialLR(first, 0.5)
    scheduler.optimizer = second
    scheduler.step()
    assert (rate(first), rate(second)) == (0.8, near(0.1))


def test_fewer_groups_than_there_were() -> None:
    optimizer = sgd(0.8, 0.4)
    scheduler = gs.ExponentialLR(optimizer, 0.5)
    del optimizer.param_groups[1]
    scheduler.step()
    assert scheduler.get_last_lr() == [near(0.4)]
    optimizer.add_param_group({"params": [parameter()], "lr": 0.3})
    scheduler.step()
    assert [rate(optimizer), rate(optimizer, 1)] == near([0.2, 0.15])


# Tensors ----------------------------------------------------------------------------------------


def test_tensors_and_numbers_side_by_side() -> None:
    tensor = torch.tensor(0.5)
    optimizer = sgd(0.5, tensor)
    scheduler = gs.ExponentialLR(optimizer, 0.5)
    scheduler.step()
    assert optimizer.param_groups[1]["lr"] is tensor
    assert (rate(optimizer), tensor.item()) == (0.25, 0.25)
    tensor.mul_(2)  # a hand edit, in place
    scheduler.step()
    assert (rate(optimizer), tensor.item()) == (0.125, 0.25)
    assert isinstance(optimizer.param_groups[1]["initial_lr"], torch.Tensor)


@pytest.mark.parametrize("value", [0.0, 0.8, 0.5])
def test_a_tensor_put_in_the_place_of_a_number_is_kept(value: float) -> None:
    optimizer = sgd(value)
    scheduler = gs.StepLR(optimizer, 9)
    tensor = torch.tensor(value)
    optimizer.param_groups[0]["lr"] = tensor  # equal to the number, perhaps
    run(scheduler, 10)
    assert optimizer.param_groups[0]["lr"] is tensor
    assert tensor.item() == near(value * 0.1, rel=1e-6)


# The warning about the order of calls -----------------------------------------------------------


def warned(work: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        work()
    return [str(warning.message).split(".")[0] for warning in caught]


def test_a_step_before_the_optimizers_is_remarked_on_once() -> None:
    scheduler = gs.StepLR(sgd(), 2)
    text = "Detected call of `lr_scheduler"
    assert [line[: len(text)] for line in warned(scheduler.step)] == [text]
    assert warned(scheduler.step) == []


def test_an_optimizer_that_has_stepped_gives_no_alarm_and_keeps_its_method() -> None:
    optimizer = sgd()
    scheduler = gs.StepLR(optimizer, 2)
    optimizer.step()
    assert warned(scheduler.step) == []
    assert "step" not in vars(optimizer)
    assert not optimizer._optimizer_step_post_hooks  # the watch is over


def test_a_replaced_method_is_remarked_on() -> None:
    optimizer = sgd()
    scheduler = gs.StepLR(optimizer, 2)
    optimizer.step = lambda: None  # type: ignore[method-assign,assignment]
    assert warned(scheduler.step) == ["Seems like `optimizer"]


def test_a_method_replaced_before_tells_nothing() -> None:
    optimizer = sgd()
    optimizer.step = lambda: None  # type: ignore[method-assign,assignment]
    assert warned(gs.StepLR(optimizer, 2).step) == []


@pytest.mark.parametrize("name", ["restarts", "plateau", "sequence", "chain"])
def test_where_torch_is_silent_so_are_we(name: str) -> None:
    for library in (torchs, gs):
        optimizer = sgd()
        scheduler = CLASSES[name](library, optimizer)
        optimizer._opt_called = library is torchs
        step = (lambda s=scheduler: s.step(1.0)) if name == "plateau" else scheduler.step
        assert warned(step) == [], library


# The clock --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", JUMPS.values(), ids=JUMPS)
def test_a_jump_is_exact_and_has_one_quiet_warning(make: Make) -> None:
    optimizer = sgd(0.8, 0.3)
    scheduler = make(gs, optimizer)
    whole = []
    for _ in range(10):
        whole.append(held(optimizer))
        scheduler.step()
    optimizer = sgd(0.8, 0.3)
    scheduler = make(gs, optimizer)
    for t in (5, 2, 9, 0, 3):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scheduler.step(t)
        quiet = isinstance(scheduler, gs.CosineAnnealingWarmRestarts)  # for which it is documented
        texts = [w.message.args[0] for w in caught if w.category is PendingDeprecationWarning]
        assert texts == ([] if quiet else [gs.EPOCH_DEPRECATION_WARNING])
        assert held(optimizer) == [near(pair, rel=1e-12) for pair in whole[t]]
        assert scheduler.last_epoch == t


@pytest.mark.parametrize("make", JUMPS.values(), ids=JUMPS)
def test_get_lr_follows_the_clock_and_changes_nothing(make: Make) -> None:
    rates = run(make(gs, sgd()), 9)
    optimizer = sgd()
    scheduler = make(gs, optimizer)
    for expected in rates:  # a trainer that sets the clock and writes the rates itself
        before = rate(optimizer)
        assert scheduler.get_lr() == scheduler.get_lr() == [near(expected)]
        assert rate(optimizer) == before
        scheduler.last_epoch += 1


def test_restarts_take_fractions_of_a_step() -> None:
    optimizer = sgd(1.0)
    scheduler = gs.CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=2)
    scheduler.step(12.5)
    assert (scheduler.last_epoch, scheduler.T_cur, scheduler.T_i) == (12, 2.5, 20)
    assert rate(optimizer) == near((1 + math.cos(math.pi * 2.5 / 20)) / 2)
    with pytest.raises(InvalidValue, match="non-negative"):
        scheduler.step(-1)


# Subclasses and strangers -----------------------------------------------------------------------


class Halving(gs.LRScheduler):
    """A recursion on the groups, as torch's own are."""

    def get_lr(self) -> list[float]:  # type: ignore[override]
        assert self._get_lr_called_within_step
        factor = 1.0 if self._is_initial else 0.5
        return [factor * group["lr"] for group in self.optimizer.param_groups]


def test_a_recursion_of_ones_own_composes_as_in_torch() -> None:
    optimizer = sgd(0.8)
    own, linear = Halving(optimizer), gs.LinearLR(optimizer, 0.5, total_iters=4)
    for t in range(6):
        assert rate(optimizer) == near(0.8 * 0.5**t * min(1.0, 0.5 + t / 8))
        own.step()
        linear.step()


STRANGERS: dict[str, Callable[[Any], Any]] = {
    "one's own": Halving,
    "torch's": lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.5),
}


@pytest.mark.parametrize("make", STRANGERS.values(), ids=STRANGERS)
def test_members_thwhile_running_on_the_groups_themselves(make: Callable[[Any], Any]) -> None:
    optimizer = sgd(0.8)
    sequence = gs.SequentialLR(optimizer, [gs.ConstantLR(optimizer, 0.5, 9), make(optimizer)], [2])
    assert run(sequence, 6) == near([0.4, 0.4, 0.8, 0.4, 0.2, 0.1])
    optimizer = sgd(0.8)
    chain = gs.ChainedScheduler([gs.ConstantLR(optimizer, 0.5, 2), make(optimizer)])
    assert run(chain, 4) == near([0.4, 0.2, 0.2, 0.1])
    other = sgd(0.3)
    resumed = gs.ChainedScheduler([gs.ConstantLR(other, 0.5, 2), make(other)])
    resumed.load_state_dict(chain.state_dict())
    assert run(resumed, 3) == near(run(chain, 3))


def test_ours_in_torchs_sequence() -> None:
    def make(library: Any, optimizer: Any) -> list[Any]:
        return [library.LinearLR(optimizer, 0.1, total_iters=3), library.StepLR(optimizer, 2)]

    ours, theirs = sgd(0.8), sgd(0.8)
    mixed = torch.optim.lr_scheduler.SequentialLR(ours, make(gs, ours), [3])
    plain = torch.optim.lr_scheduler.SequentialLR(theirs, make(torchs, theirs), [3])
    assert run(mixed, 8) == near(run(plain, 8))


def test_a_floor_in_a_subclass() -> None:
    class Floored(gs.ExponentialLR):
        def get_lr(self) -> list[float]:  # type: ignore[override]
            return [max(0.3, rate) for rate in super().get_lr()]

    optimizer = sgd(1.0)
    scheduler = Floored(optimizer, 0.5)
    twice = gs.ConstantLR(optimizer, 0.5, 100)
    assert run(scheduler, 4) == near([0.5, 0.25, 0.15, 0.15])
    assert twice.get_last_lr() == [0.5]


def test_a_state_of_ones_own_subclass_may_have_more_in_it() -> None:
    class Noted(gs.StepLR):
        pass

    first, second = Noted(sgd(), 3), Noted(sgd(), 3)
    first.note = "a word"  # type: ignore[attr-defined]
    second.load_state_dict(first.state_dict())
    assert second.note == "a word"  # type: ignore[attr-defined]


# Who follows whom -------------------------------------------------------------------------------


def test_a_recursion_that_is_replaced_continues_from_its_rate() -> None:
    optimizer = sgd(0.1)
    scheduler: Any = gs.StepLR(optimizer, step_size=5, gamma=0.5)
    run(scheduler, 20)
    scheduler = gs.ExponentialLR(optimizer, gamma=0.9)
    assert run(scheduler, 3) == near([0.00625, 0.005625, 0.0050625])


RESTARTING: dict[str, tuple[Callable[[Any], Any], float]] = {
    "lambda": (lambda o: gs.LambdaLR(o, lambda t: 0.5**t), 0.1),
    "restarts": (lambda o: gs.CosineAnnealingWarmRestarts(o, 3), 0.1),
    "sequence": (lambda o: gs.SequentialLR(o, [gs.ConstantLR(o, 0.5), gs.StepLR(o, 1)], [2]), 0.05),
    "one cycle": (lambda o: gs.OneCycleLR(o, 1.0, 10), 0.04),
    "cyclic": (lambda o: gs.CyclicLR(o, 0.2, 1.0), 0.2),
    "noam": (lambda o: gs.NoamScheduler(o, 1, 1), 1.0),
}


@pytest.mark.parametrize("gone_before", [True, False])
@pytest.mark.parametrize(("make", "first"), RESTARTING.values(), ids=RESTARTING)
def test_a_closed_form_that_replaces_restarts_as_in_torch(
    make: Callable[[Any], Any], first: float, gone_before: bool
) -> None:
    optimizer = sgd(0.1)
    scheduler: Any = gs.CosineAnnealingLR(optimizer, 3)
    run(scheduler, 3)
    assert rate(optimizer) == 0.0  # and from 0 nothing could continue
    if gone_before:
        del scheduler
    scheduler = make(optimizer)
    assert rate(optimizer) == near(first)


# States -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", CLASSES.values(), ids=CLASSES)
def test_an_object_holds_what_torchs_holds(make: Make) -> None:
    ours, theirs = vars(make(gs, sgd())), vars(make(torchs, sgd()))
    assert ours.keys() <= theirs.keys() - {"anneal_func"}
    assert make(gs, sgd()).state_dict().keys() == make(torchs, sgd()).state_dict().keys()


@pytest.mark.parametrize("name", CLASSES)
def test_only_torchs_one_cycle_counts_total_steps(name: str) -> None:
    assert hasattr(CLASSES[name](gs, sgd()), "total_steps") == (name == "one cycle")


@pytest.mark.parametrize("make", CLASSES.values(), ids=CLASSES)
def test_a_state_is_plain_shares_nothing_and_is_not_changed(make: Make) -> None:
    scheduler = make(gs, sgd())
    state = scheduler.state_dict()
    assert through_a_file(state) == state
    before = copy.deepcopy(state)
    other = make(gs, sgd())
    other.load_state_dict(state)
    other.load_state_dict(state)
    args = (1.0,) if isinstance(other, gs.ReduceLROnPlateau) else ()
    other.step(*args)
    assert state == before


def test_states_of_older_torch_and_with_tensors_load() -> None:
    state = gs.StepLR(sgd(), 3).state_dict()
    del state["_is_initial"], state["_get_lr_called_within_step"]
    state |= {"verbose": False, "last_epoch": 4, "base_lrs": [torch.tensor(0.5)]}
    state["_last_lr"] = [torch.tensor(0.05)]
    optimizer = sgd()
    scheduler = gs.StepLR(optimizer, 3)
    scheduler.load_state_dict(state)
    assert run(scheduler, 3) == near([0.05, 0.05, 0.005])
    assert all(type(base) is float for base in scheduler.state_dict()["base_lrs"])


class Scale:
    def __init__(self, by: float) -> None:
        self.by = by

    def __call__(self, t: float) -> float:
        return self.by


class Slotted:
    __slots__ = ()

    def __call__(self, t: float) -> float:
        return 0.5


def test_callable_objects_keep_their_attributes_and_others_are_let_be() -> None:
    optimizer = sgd(1.0, 1.0, 1.0)
    saved = gs.LambdaLR(optimizer, [Scale(0.5), math.exp, Slotted()]).state_dict()
    assert saved["lr_lambdas"] == [{"by": 0.5}, None, None]
    functions = [Scale(9.0), math.exp, Slotted()]
    other = gs.LambdaLR(sgd(1.0, 1.0, 1.0), functions)
    other.load_state_dict(saved)
    assert functions[0].by == 0.5  # type: ignore[attr-defined]
    cyclic = gs.CyclicLR(sgd(), 0.1, 1.0, scale_fn=Scale(0.5))
    again = gs.CyclicLR(sgd(), 0.1, 1.0, scale_fn=Scale(0.1))
    again.load_state_dict(cyclic.state_dict())
    again.load_state_dict(cyclic.state_dict())
    assert again.scale_fn(3) == 0.5


@pytest.mark.parametrize(
    ("make", "state", "said"),
    [
        ("cosine", "step", "StepLR|lacks T_max, eta_min and has gamma, step_size"),
        ("exponential", "step", "has step_size"),
        ("plateau", "cosine", "lacks"),
        ("sequence", "chain", "lacks _milestones, last_epoch"),
    ],
)
def test_the_state_of_another_class_is_refused(make: str, state: str, said: str) -> None:
    scheduler = CLASSES[make](gs, sgd())
    before = copy.deepcopy(scheduler.state_dict())
    with pytest.raises(StateMismatch, match=said):
        scheduler.load_state_dict(CLASSES[state](gs, sgd()).state_dict())
    assert scheduler.state_dict() == before


def test_a_composite_with_other_members_is_refused() -> None:
    optimizer = sgd()
    three = gs.ChainedScheduler([gs.StepLR(optimizer, 2) for _ in range(3)])
    with pytest.raises(StateMismatch, match="it has 2 schedulers, not 3"):
        three.load_state_dict(CLASSES["chain"](gs, sgd()).state_dict())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@pytest.mark.parametrize("name", ["one cycle", "sequence", "chain", "plateau", "swa", "restarts"])
def test_a_copied_pair_continues_alike(name: str, copied: Callable[[Any], Any]) -> None:
    optimizer = sgd(0.8, 0.1)
    scheduler = CLASSES[name](gs, optimizer)
    args = (1.0,) if name == "plateau" else ()
    for _ in range(4):
        scheduler.step(*args)
    optimizer.param_groups[0]["lr"] *= 0.5
    optimizer2, scheduler2 = copied((optimizer, scheduler))
    assert scheduler2.optimizer is optimizer2
    for _ in range(6):
        scheduler.step(*args)
        scheduler2.step(*args)
        assert held(optimizer2) == [near(pair) for pair in held(optimizer)]


def test_nothing_is_kept_alive_and_nothing_needs_the_collector() -> None:
    def used() -> list[weakref.ref[Any]]:
        optimizer = sgd()
        schedulers = [make(gs, optimizer) for make in CLASSES.values()]
        kept = [weakref.ref(thing) for thing in (optimizer, *schedulers)]
        shared = [SharedKey.of(optimizer), SharedKey.of(optimizer, "momentum")]
        return kept + [weakref.ref(each) for each in shared]

    gc.disable()
    try:
        assert [thing() for thing in used()] == [None] * (len(CLASSES) + 3)
    finally:
        gc.enable()


# Plateau in company -----------------------------------------------------------------------------


def stuck(optimizer: Any) -> gs.ReduceLROnPlateau:
    return gs.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)


def test_a_plateau_in_a_chain_gets_the_metric() -> None:
    optimizer = sgd(1.0)
    chain = gs.ChainedScheduler([gs.ExponentialLR(optimizer, 0.9), stuck(optimizer)])
    rates = []
    for _ in range(3):
        chain.step(1.0)
        rates.append(rate(optimizer))
    assert rates == near([0.9, 0.81 * 0.5, 0.729 * 0.25])
    with pytest.raises(InvalidType, match="needs `metrics`"):
        chain.step()


def with_a_plateau_inside(optimizer: Any) -> gs.SequentialLR:
    inner = gs.ChainedScheduler([stuck(optimizer), gs.ExponentialLR(optimizer, 0.9)])
    members = [gs.ConstantLR(optimizer, 0.1, 9), inner, gs.ExponentialLR(optimizer, 0.8)]
    return gs.SequentialLR(optimizer, members, [2, 6])


def metered(scheduler: Any, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(rate(scheduler.optimizer))
        scheduler.step(1.0)
    return rates


def test_a_plateau_in_a_sequence_starts_when_its_time_comes_and_resumes() -> None:
    whole = [0.1, 0.1, 1.0, 0.9, 0.81 * 0.5, 0.729 * 0.25, 1.0, 0.8, 0.64]
    assert metered(with_a_plateau_inside(sgd(1.0)), 9) == near(whole)
    for stop in range(8):
        scheduler = with_a_plateau_inside(sgd(1.0))
        metered(scheduler, stop)
        other = with_a_plateau_inside(sgd(0.3))
        other.load_state_dict(scheduler.state_dict())
        assert metered(other, 9 - stop) == near(whole[stop:])


def test_torchs_own_plateau_is_refused_with_the_way_out() -> None:
    optimizer = sgd()
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(InvalidValue, match=r"use the one of `glideslope\.optim`"):
        gs.ChainedScheduler([plateau])


# Momentum ---------------------------------------------------------------------------------------


def test_the_momentum_is_cycled_for_betas_and_late_groups_too() -> None:
    optimizer = torch.optim.Adam([parameter()], lr=0.1)
    scheduler = gs.CyclicLR(optimizer, 0.1, 0.5, step_size_up=2)
    optimizer.add_param_group({"params": [parameter()], "lr": 0.1})
    seen = []
    for _ in range(3):
        seen.append([group["betas"] for group in optimizer.param_groups])
        scheduler.step()
    assert seen[0] == [(0.9, 0.999), (0.9, 0.999)]
    assert seen[1] == [(near(0.85), 0.999)] * 2
    assert seen[2] == [(near(0.8), 0.999)] * 2


def test_a_hand_edit_of_the_momentum_is_respected() -> None:
    optimizer = sgd()
    scheduler = gs.OneCycleLR(optimizer, 1.0, 20, base_momentum=0.8, max_momentum=0.9)
    optimizer.param_groups[0]["momentum"] = 0.45
    run(scheduler, 5)
    assert optimizer.param_groups[0]["momentum"] == near(0.4)


# What is refused, and what is not ---------------------------------------------------------------

REFUSED: dict[str, tuple[Make, bool]] = {  # whether torch refuses it at once too
    "step_size 0": (lambda lib, o: lib.StepLR(o, 0), False),
    "gamma nan": (lambda lib, o: lib.ExponentialLR(o, math.nan), False),
    "gamma negative": (lambda lib, o: lib.StepLR(o, 2, gamma=-0.1), False),
    "milestone nan": (lambda lib, o: lib.MultiStepLR(o, [math.nan]), False),
    "factor above 1": (lambda lib, o: lib.ConstantLR(o, 1.1), True),
    "factor below 0": (lambda lib, o: lib.ConstantLR(o, -0.1), True),
    "start_factor 0": (lambda lib, o: lib.LinearLR(o, 0.0), True),
    "end_factor above 1": (lambda lib, o: lib.LinearLR(o, 0.5, 1.5), True),
    "total_iters negative": (lambda lib, o: lib.LinearLR(o, total_iters=-1), False),
    "nowhere to go": (lambda lib, o: lib.PolynomialLR(o, 0), False),
    "power negative": (lambda lib, o: lib.PolynomialLR(o, 5, power=-1), False),
    "T_max 0": (lambda lib, o: lib.CosineAnnealingLR(o, 0), False),
    "eta_min inf": (lambda lib, o: lib.CosineAnnealingLR(o, 5, math.inf), False),
    "T_0 0": (lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 0), True),
    "T_0 a float": (lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 2.5), True),
    "T_mult 0": (lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 2, 0), True),
    "a mode": (lambda lib, o: lib.CyclicLR(o, 0.1, 1.0, mode="cats"), True),
    "max_lr for three groups": (lambda lib, o: lib.CyclicLR(o, 0.1, [1.0] * 3), True),
    "step_size_up negative": (lambda lib, o: lib.CyclicLR(o, 0.1, 1.0, -2, 4), False),
    "no total_steps": (lambda lib, o: lib.OneCycleLR(o, 1.0), True),
    "total_steps 0": (lambda lib, o: lib.OneCycleLR(o, 1.0, 0), True),
    "pct_start above 1": (lambda lib, o: lib.OneCycleLR(o, 1.0, 9, pct_start=1.1), True),
    "three phases, two thirds": (
        lambda lib, o: lib.OneCycleLR(o, 1.0, 99, pct_start=0.6, three_phase=True),
        False,
    ),
    "div_factor 0": (lambda lib, o: lib.OneCycleLR(o, 1.0, 9, div_factor=-1.0), False),
    "a strategy": (lambda lib, o: lib.SWALR(o, 0.1, anneal_strategy="cats"), True),
    "anneal_epochs a float": (lambda lib, o: lib.SWALR(o, 0.1, anneal_epochs=1.5), True),
    "plateau factor 1": (lambda lib, o: lib.ReduceLROnPlateau(o, factor=1.0), True),
    "plateau mode": (lambda lib, o: lib.ReduceLROnPlateau(o, mode="mean"), True),
    "plateau patience": (lambda lib, o: lib.ReduceLROnPlateau(o, patience=-1), False),
    "lambdas for three groups": (lambda lib, o: lib.LambdaLR(o, [abs] * 3), True),
    "no members": (lambda lib, o: lib.SequentialLR(o, [], []), True),
    "members of another optimizer": (
        lambda lib, o: lib.ChainedScheduler([lib.StepLR(o, 1), lib.StepLR(sgd(), 1)]),
        True,
    ),
    "one milestone too few": (
        lambda lib, o: lib.SequentialLR(o, [lib.StepLR(o, 1), lib.StepLR(o, 1)], []),
        True,
    ),
    "milestones out of order": (
        lambda lib, o: lib.SequentialLR(o, [lib.StepLR(o, 1) for _ in range(3)], [5, 2]),
        False,
    ),
}


@pytest.mark.parametrize(("make", "by_torch"), REFUSED.values(), ids=REFUSED)
def test_bad_arguments_are_refused_when_they_are_given(make: Make, by_torch: bool) -> None:
    with pytest.raises(InvalidValue):
        make(gs, sgd())
    if by_torch:
        with pytest.raises(ValueError):  # noqa: PT011 (the class is what is compared)
            make(torchs, sgd())
    else:
        make(torchs, sgd())


@pytest.mark.parametrize(
    "make",
    [
        lambda o: gs.LambdaLR(o, 0.5),
        lambda o: gs.MultiplicativeLR(o, [0.5]),
        lambda o: gs.MultiStepLR(o, 5),
        lambda o: gs.StepLR(o, "two"),
        lambda o: gs.ChainedScheduler([object()], o),
    ],
)
def test_arguments_of_another_kind_are_refused(make: Callable[[Any], Any]) -> None:
    with pytest.raises(InvalidType):
        make(sgd())


@pytest.mark.parametrize("step", [object(), "2", True, [1]])
def test_a_step_that_is_none_names_the_cure(step: Any) -> None:
    """An engine of events gives itself to its handlers."""
    for scheduler in (gs.StepLR(sgd(), 2), gs.Scheduler(sgd(), lr="cosine(9)")):
        with pytest.raises(InvalidType, match=r"handler of events: `lambda _: scheduler.step\(\)`"):
            scheduler.step(step)
        assert scheduler.last_epoch == 0


FINE: dict[str, tuple[Make, list[float]]] = {
    "no ramp": (lambda lib, o: lib.LinearLR(o, 0.5, 0.25, total_iters=0), [0.2, 0.2]),
    "no constant": (lambda lib, o: lib.ConstantLR(o, 0.5, total_iters=0), [0.8, 0.8]),
    "factor 0": (lambda lib, o: lib.ConstantLR(o, 0.0, 1), [0.0, 0.8, 0.8]),
    "gamma 0": (lambda lib, o: lib.ExponentialLR(o, 0.0), [0.8, 0.0, 0.0]),
    "no milestones": (lambda lib, o: lib.MultiStepLR(o, []), [0.8, 0.8]),
    "milestone 0": (lambda lib, o: lib.MultiStepLR(o, [0, 1], 0.5), [0.4, 0.2]),
    "milestone before the first": (lambda lib, o: lib.MultiStepLR(o, [-3, 1], 0.5), [0.8, 0.4]),
    "power 0": (lambda lib, o: lib.PolynomialLR(o, 2, power=0), [0.8] * 4),
    "T_max a fraction": (lambda lib, o: lib.CosineAnnealingLR(o, 0.5), [0.8, 0.8]),
    "anneal_epochs 0": (lambda lib, o: lib.SWALR(o, 0.1, 0), [0.1, 0.1]),
    "pct_start 0": (
        lambda lib, o: lib.OneCycleLR(o, 1.0, 2, pct_start=0, anneal_strategy="linear"),
        [0.500002, 4e-6],
    ),
    "one update": (lambda lib, o: lib.OneCycleLR(o, 1.0, 1), [4e-6]),
    "milestones at once": (
        lambda lib, o: lib.SequentialLR(
            o, [lib.ConstantLR(o, f, 9) for f in (0.1, 0.2, 0.5)], [1, 1]
        ),
        [0.08, 0.4, 0.4],
    ),
}


@pytest.mark.parametrize(("make", "rates"), FINE.values(), ids=FINE)
def test_the_edges_are_right(make: Make, rates: list[float]) -> None:
    assert run(make(gs, sgd()), len(rates)) == near(rates, rel=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1j, None, "fast"])
def test_what_is_no_rate_is_refused_by_name_and_step_and_nothing_is_written(bad: Any) -> None:
    def fading(t: int) -> Any:
        return bad if t == 2 else 1.0

    optimizer = sgd(0.8, 0.4)
    scheduler = gs.LambdaLR(optimizer, [lambda _: 0.5, fading])
    scheduler.step()
    with pytest.raises((InvalidValue, InvalidType), match="LambdaLR, step 2: "):
        scheduler.step()
    assert [rate(optimizer), rate(optimizer, 1)] == [0.4, 0.4]


def test_a_rate_beyond_all_floats_is_refused() -> None:
    scheduler = gs.ExponentialLR(sgd(), 1e200)
    scheduler.step()
    with pytest.raises(InvalidValue, match="ExponentialLR, step 2: the rate is beyond all"):
        scheduler.step()
    assert rate(scheduler.optimizer) == 0.8e200


# What is printed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "lines"),
    [
        (lambda o: gs.StepLR(o, 1, verbose=True), ["0: {} [0.8, 0.4]", "1: {} [0.08, 0.04]"]),
        (
            lambda o: gs.ChainedScheduler([gs.StepLR(o, 1)], verbose=True),
            ["0: {} [0.8, 0.4]", "1: {} [0.08, 0.04]"],
        ),
        (
            lambda o: gs.SequentialLR(o, [gs.StepLR(o, 1)], [], verbose=True),
            ["0: {} [0.8, 0.4]", "1: {} [0.08, 0.04]"],
        ),
        (lambda o: gs.ReduceLROnPlateau(o, verbose=True), ["1: {} [0.8, 0.4]"]),
    ],
)
def test_verbose(
    make: Callable[[Any], Any], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    scheduler = make(sgd(0.8, 0.4))
    scheduler.step(*([1.0] if isinstance(scheduler, gs.ReduceLROnPlateau) else []))
    expected = [f"Epoch {line.format('setting learning rate to')}." for line in lines]
    assert capsys.readouterr().out.splitlines() == expected


def test_the_last_rates_read_as_one_number() -> None:
    one, two = gs.LastLR([0.05]), gs.LastLR([0.1, 0.025])
    assert (f"{one:.3f}", f"{two:.2e}", f"{one}") == ("0.050", "[1.00e-01, 2.50e-02]", "[0.05]")
    assert (float(one), one == [0.05], list(two)) == (0.05, True, [0.1, 0.025])
    with pytest.raises(InvalidType, match="there are 2"):
        float(two)
