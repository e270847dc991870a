"""Where torch 2.13 is wrong: its output, ours, and the right answer with its reason.

Each case runs torch's own class too, so a release of torch that mends one fails here and says so.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from glideslope.errors import InvalidType, InvalidValue, StateMismatch
from glideslope.optim import lr_scheduler as ours

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PendingDeprecationWarning")

torchs = SimpleNamespace(**vars(torch.optim.lr_scheduler) | {"SWALR": torch.optim.swa_utils.SWALR})
Library = Any
Make = Callable[[Library, Any], Any]


def sgd(lr: float = 1.0, momentum: float = 0.9) -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=lr, momentum=momentum)


def rate(optimizer: Any, group: int = 0) -> float:
    return float(optimizer.param_groups[group]["lr"])


def run(optimizer: Any, scheduler: Any, steps: int) -> list[float]:
    """The rates of that many updates, from the present one."""
    rates = []
    for _ in range(steps):
        rates.append(rate(optimizer))
        optimizer.step()
        scheduler.step()
    return rates


def trajectory(library: Library, make: Make, steps: int, lr: float = 1.0) -> list[float]:
    optimizer = sgd(lr)
    return run(optimizer, make(library, optimizer), steps)


def outcome(work: Callable[[], Any]) -> Any:
    """Its result, or the class of its error."""
    try:
        return work()
    except Exception as error:
        return type(error)


near = pytest.approx


# V1: composites do not nest ---------------------------------------------------------------------


def chained_second(library: Library, optimizer: Any) -> Any:
    constant = library.ConstantLR(optimizer, 0.5, 10)
    chained = library.ChainedScheduler(
        [library.LinearLR(optimizer, 0.1, 1.0, 5), library.ExponentialLR(optimizer, 0.9)]
    )
    return library.SequentialLR(optimizer, [constant, chained], [3])


def test_v1_a_chain_second_in_a_sequence_begins_at_its_own_start() -> None:
    right = [0.5, 0.5, 0.5, *((0.1 + 0.18 * k) * 0.9**k for k in range(5))]
    assert outcome(lambda: trajectory(torchs, chained_second, 8)) is NotImplementedError
    assert trajectory(ours, chained_second, 8) == near(right, rel=1e-14)


def wrapped(library: Library, optimizer: Any) -> Any:
    halves = [library.ConstantLR(optimizer, 0.5, 2), library.ConstantLR(optimizer, 0.2, 9)]
    inner = library.SequentialLR(optimizer, halves, [2])
    return library.SequentialLR(optimizer, [inner], [])


def test_v1_a_sequence_of_one_sequence_is_that_sequence() -> None:
    right = [0.05, 0.05, 0.02, 0.02, 0.02, 0.02]
    assert trajectory(torchs, wrapped, 6, lr=0.1) == near([0.05, 0.02, 0.02, 0.02, 0.02, 0.02])
    assert trajectory(ours, wrapped, 6, lr=0.1) == near(right, rel=1e-14)


# V2: a sequence cannot resume -------------------------------------------------------------------


def then_exponential(library: Library, optimizer: Any, last_epoch: int = -1) -> Any:
    members = [library.ConstantLR(optimizer, 0.1, 100), library.ExponentialLR(optimizer, 0.9)]
    return library.SequentialLR(optimizer, members, [3], last_epoch=last_epoch)


def resumed_sequence(library: Library) -> list[float]:
    optimizer = sgd()
    optimizer.param_groups[0]["initial_lr"] = 1.0
    return run(optimizer, then_exponential(library, optimizer, last_epoch=4), 2)


def test_v2_a_sequence_resumes_after_the_step_that_is_named() -> None:
    whole = [0.1, 0.1, 0.1, 1.0, 0.9, 0.81, 0.729]
    assert trajectory(ours, then_exponential, 7) == near(whole, rel=1e-14)
    assert resumed_sequence(torchs) == near([0.1, 0.09])
    assert resumed_sequence(ours) == near(whole[5:], rel=1e-14)  # last_epoch is the last one done


# V3: the order of loading -----------------------------------------------------------------------


def optimizer_loaded_first(library: Library) -> tuple[list[float], list[float]]:
    def make(optimizer: Any) -> Any:
        return library.LambdaLR(optimizer, lambda epoch: 0.9**epoch)

    optimizer = sgd()
    scheduler = make(optimizer)
    run(optimizer, scheduler, 2)
    saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    truth = run(optimizer, scheduler, 3)
    optimizer = sgd()
    optimizer.load_state_dict(saved[0])
    scheduler = make(optimizer)
    scheduler.load_state_dict(saved[1])
    return truth, run(optimizer, scheduler, 3)


def test_v3_loading_the_optimizer_before_the_scheduler_is_built() -> None:
    truth, theirs = optimizer_loaded_first(torchs)
    assert theirs != near(truth)
    truth, mine = optimizer_loaded_first(ours)
    assert truth == near([0.81, 0.729, 0.6561], rel=1e-14)
    assert mine == near(truth, rel=1e-14)


# V4: recursions and overwriting inside a sequence -----------------------------------------------


def then_multiplicative(library: Library, optimizer: Any) -> Any:
    halving = library.MultiplicativeLR(optimizer, lambda _: 0.5)
    return library.SequentialLR(optimizer, [library.LinearLR(optimizer, 0.25, 1, 3), halving], [3])


def then_one_cycle(library: Library, optimizer: Any) -> Any:
    linear = library.LinearLR(optimizer, 0.25, 1, 3)
    cycle = library.OneCycleLR(optimizer, 1.0, 10)
    return library.SequentialLR(optimizer, [linear, cycle], [3])


def test_v4_each_member_starts_from_its_own_base() -> None:
    assert trajectory(torchs, then_multiplicative, 5) == near([0.25, 0.5, 0.75, 0.375, 0.1875])
    assert trajectory(ours, then_multiplicative, 5) == near([0.25, 0.5, 0.75, 1.0, 0.5])
    assert trajectory(torchs, then_one_cycle, 4) == near([0.01, 0.02, 0.03, 0.04])
    assert trajectory(ours, then_one_cycle, 4) == near([0.25, 0.5, 0.75, 0.04])


# V5: a checkpoint of the scheduler alone --------------------------------------------------------

ALONE: dict[str, tuple[Make, float]] = {
    "cosine": (lambda lib, o: lib.CosineAnnealingLR(o, 10), (1 + math.cos(0.6 * math.pi)) / 2),
    "step": (lambda lib, o: lib.StepLR(o, 2), 1e-3),
    "multistep": (lambda lib, o: lib.MultiStepLR(o, [2, 4]), 1e-2),
    "exponential": (lambda lib, o: lib.ExponentialLR(o, 0.9), 0.9**6),
    "polynomial": (lambda lib, o: lib.PolynomialLR(o, 10), 0.4),
    "linear": (lambda lib, o: lib.LinearLR(o, 0.1, 1.0, 10), 0.64),
}


def scheduler_alone(library: Library, make: Make) -> list[float]:
    optimizer = sgd()
    scheduler = make(library, optimizer)
    run(optimizer, scheduler, 5)
    state = copy.deepcopy(scheduler.state_dict())
    optimizer = sgd()
    scheduler = make(library, optimizer)
    scheduler.load_state_dict(state)
    return [*scheduler.get_last_lr(), *run(optimizer, scheduler, 2)]


@pytest.mark.parametrize(("make", "sixth"), ALONE.values(), ids=ALONE)
def test_v5_the_scheduler_alone_is_enough(make: Make, sixth: float) -> None:
    said, fifth, then = scheduler_alone(torchs, make)
    assert fifth != near(said)
    assert then != near(sixth)
    said, fifth, then = scheduler_alone(ours, make)
    assert fifth == said
    assert then == near(sixth, rel=1e-14)


# V6: resuming by last_epoch ---------------------------------------------------------------------

BY_LAST_EPOCH: dict[str, Callable[[Library, Any, int], Any]] = {
    "step": lambda lib, o, last: lib.StepLR(o, 3, last_epoch=last),
    "multistep": lambda lib, o, last: lib.MultiStepLR(o, [3, 6], last_epoch=last),
    "constant": lambda lib, o, last: lib.ConstantLR(o, 0.5, 3, last_epoch=last),
    "linear": lambda lib, o, last: lib.LinearLR(o, 0.5, 1.0, 3, last_epoch=last),
    "cosine": lambda lib, o, last: lib.CosineAnnealingLR(o, 9, last_epoch=last),
}


def by_last_epoch(library: Library, make: Any, stop: int) -> tuple[list[float], list[float]]:
    optimizer = sgd()
    scheduler = make(library, optimizer, -1)
    run(optimizer, scheduler, stop)
    state, last = copy.deepcopy(optimizer.state_dict()), scheduler.last_epoch - 1
    truth = run(optimizer, scheduler, 6)
    optimizer = sgd()
    optimizer.load_state_dict(state)
    return truth, run(optimizer, make(library, optimizer, last), 6)


@pytest.mark.parametrize("stop", range(1, 8))
@pytest.mark.parametrize("make", BY_LAST_EPOCH.values(), ids=BY_LAST_EPOCH)
def test_v6_last_epoch_names_the_last_step_done_on_boundaries_too(make: Any, stop: int) -> None:
    truth, mine = by_last_epoch(ours, make, stop)
    assert mine == near(truth, rel=1e-14)


@pytest.mark.parametrize("name", ["step", "multistep", "constant"])
def test_v6_torch_is_wrong_on_a_boundary(name: str) -> None:
    truth, theirs = by_last_epoch(torchs, BY_LAST_EPOCH[name], 3)
    assert theirs != near(truth)


# V7: cycles counted by a logarithm --------------------------------------------------------------


@pytest.mark.parametrize(("first", "growth", "step"), [(1, 3, 121), (10, 3, 1210), (5, 3, 605)])
def test_v7_a_jump_to_a_restart_is_at_the_peak(first: int, growth: int, step: int) -> None:
    for library, right in ((torchs, 0.0), (ours, 1.0)):
        optimizer = sgd()
        library.CosineAnnealingWarmRestarts(optimizer, first, growth).step(step)
        assert rate(optimizer) == near(right, abs=1e-9)


# V8: one cycle's edges --------------------------------------------------------------------------


def test_v8_a_cycle_that_peaks_at_once_comes_down_from_the_peak() -> None:
    def make(library: Library, optimizer: Any) -> Any:
        return library.OneCycleLR(optimizer, 1.0, total_steps=10, pct_start=0.1)

    assert outcome(lambda: trajectory(torchs, make, 9)) is ZeroDivisionError
    end = 1 / 25 / 1e4
    right = [end + (1 - end) * (1 + math.cos(math.pi * t / 9)) / 2 for t in range(9)]
    assert trajectory(ours, make, 9) == near(right, rel=1e-12)


def test_v8_a_step_past_the_end_is_refused_and_nothing_is_written() -> None:
    optimizer = sgd()
    scheduler = ours.OneCycleLR(optimizer, 1.0, total_steps=5)
    run(optimizer, scheduler, 4)
    before = rate(optimizer)
    with pytest.raises(ValueError, match="Tried to step"):
        run(optimizer, scheduler, 2)
    assert rate(optimizer) == before == near(4e-6)


# V9: the state of another class -----------------------------------------------------------------


def test_v9_a_state_of_another_class_is_refused() -> None:
    for library, right in ((torchs, None), (ours, StateMismatch)):
        state = library.StepLR(sgd(), 3).state_dict()
        cosine = library.CosineAnnealingLR(sgd(), 9)
        assert outcome(lambda s=state, c=cosine: c.load_state_dict(s)) is right


def test_v9_settings_that_give_way_are_named() -> None:
    state = ours.CosineAnnealingLR(sgd(), 10).state_dict()
    with pytest.warns(UserWarning, match=r"T_max=10 \(was 100\)"):
        ours.CosineAnnealingLR(sgd(), 100).load_state_dict(state)


def test_v9_a_state_shares_nothing_with_the_scheduler() -> None:
    for library, shared in ((torchs, True), (ours, False)):
        scheduler = library.StepLR(sgd(), 3)
        assert (scheduler.state_dict()["base_lrs"] is scheduler.base_lrs) is shared


# V10: a stale initial_lr ------------------------------------------------------------------------


def test_v10_a_new_scheduler_starts_from_the_rate_that_is_there() -> None:
    for library, right in ((torchs, 1.0), (ours, 0.01)):
        optimizer = sgd()
        scheduler = library.ExponentialLR(optimizer, 0.9)
        optimizer.param_groups[0]["lr"] = 0.01
        scheduler = library.LambdaLR(optimizer, lambda _: 1.0)
        assert rate(optimizer) == near(right), scheduler


# V11: groups added later ------------------------------------------------------------------------

LATE: dict[str, tuple[Make, Any]] = {
    "lambda": (lambda lib, o: lib.LambdaLR(o, lambda t: 0.9**t), ValueError),
    "multiplicative": (lambda lib, o: lib.MultiplicativeLR(o, lambda _: 0.9), ValueError),
    "restarts": (lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 20), ValueError),
    "sequence": (
        lambda lib, o: lib.SequentialLR(
            o, [lib.LambdaLR(o, lambda _: 0.9), lib.ExponentialLR(o, 0.9)], [9]
        ),
        ValueError,
    ),
    "cyclic": (lambda lib, o: lib.CyclicLR(o, 0.1, 1.0, 4), ValueError),
    "one cycle": (lambda lib, o: lib.OneCycleLR(o, 1.0, 20), KeyError),
    "swa": (lambda lib, o: lib.SWALR(o, 0.05, 4), KeyError),
}


def with_a_late_group(library: Library, make: Make, lr: float = 0.5) -> list[float]:
    """The rates of a group of ``lr`` added at step 2, at the steps that follow."""
    optimizer = sgd()
    scheduler = make(library, optimizer)
    run(optimizer, scheduler, 2)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": lr})
    rates = []
    for _ in range(4):
        optimizer.step()
        scheduler.step()
        rates.append(rate(optimizer, group=1))
    return rates


@pytest.mark.parametrize(("make", "theirs"), LATE.values(), ids=LATE)
def test_v11_a_group_added_later_breaks_torch_and_joins_here(make: Make, theirs: Any) -> None:
    assert outcome(lambda: with_a_late_group(torchs, make)) is theirs
    rates = with_a_late_group(ours, make)
    assert all(math.isfinite(value) and 0 < value <= 1 for value in rates)


@pytest.mark.parametrize(
    ("make", "factor"),
    [
        (lambda lib, o: lib.LinearLR(o, 0.1, 1.0, 10), lambda t: 0.1 + 0.09 * t),
        (lambda lib, o: lib.ConstantLR(o, 0.5, 4), lambda t: 0.5 if t < 4 else 1.0),
        (lambda lib, o: lib.LambdaLR(o, lambda t: 0.9**t), lambda t: 0.9**t),
        (lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 20), lambda t: _cosine(t / 20)),
        (lambda lib, o: lib.CosineAnnealingLR(o, 20), lambda t: _cosine(t / 20)),
    ],
    ids=["linear", "constant", "lambda", "restarts", "cosine"],
)
def test_v11_a_late_group_has_its_own_rate_for_its_base(
    make: Make, factor: Callable[[int], float]
) -> None:
    """torch drives the group under LinearLR from 0.5 to 1.79, and under ConstantLR to twice it."""
    assert with_a_late_group(ours, make) == near([0.5 * factor(t) for t in (3, 4, 5, 6)], rel=1e-12)


def _cosine(x: float) -> float:
    return (1 + math.cos(math.pi * x)) / 2


@pytest.mark.parametrize(
    "make",
    [
        lambda lib, o: lib.StepLR(o, 3),
        lambda lib, o: lib.MultiStepLR(o, [3, 5]),
        lambda lib, o: lib.ExponentialLR(o, 0.9),
        lambda lib, o: lib.PolynomialLR(o, 10),
    ],
    ids=["step", "multistep", "exponential", "polynomial"],
)
def test_v11_where_torch_continues_from_the_groups_rate_so_do_we(make: Make) -> None:
    """Trainers that unfreeze layers add groups at the rate of the moment and count on this."""
    assert with_a_late_group(ours, make) == near(with_a_late_group(torchs, make), rel=1e-12)


# A function that gives no number ---------------------------------------------------------------


def test_a_rate_that_is_complex_is_torchs_and_refused_here() -> None:
    theirs, mine = sgd(), sgd()
    theirs.param_groups[0]["params"][0].grad = torch.ones(1)
    for library, optimizer in ((torchs, theirs), (ours, mine)):
        scheduler = library.LambdaLR(optimizer, lambda t: (1 - t / 2) ** 0.9)
        run(optimizer, scheduler, 2)
        refused = outcome(scheduler.step)
    assert isinstance(theirs.param_groups[0]["lr"], complex)
    assert outcome(theirs.step) is RuntimeError
    assert (refused, rate(mine), scheduler.last_epoch) == (InvalidType, 0.0, 2)


# V12: a chain whose members overwrite each other ------------------------------------------------


def chain(*makes: Make) -> Make:
    return lambda library, o: library.ChainedScheduler([make(library, o) for make in makes])


def linear(library: Library, optimizer: Any) -> Any:
    return library.LinearLR(optimizer, 0.1, 1.0, 5)


def power(library: Library, optimizer: Any) -> Any:
    return library.LambdaLR(optimizer, lambda t: 0.9**t)


def test_v12_a_chain_is_the_product_in_either_order() -> None:
    right = [(0.1 + 0.18 * t) * 0.9**t for t in range(5)]
    assert trajectory(torchs, chain(linear, power), 3) == near([1.0, 0.9, 0.81])
    for make in (chain(linear, power), chain(power, linear)):
        assert trajectory(ours, make, 5) == near(right, rel=1e-14)


# V13: the plateau -------------------------------------------------------------------------------


def after_metrics(library: Library, metrics: list[float], **options: Any) -> float:
    optimizer = sgd()
    scheduler = library.ReduceLROnPlateau(optimizer, patience=2, **options)
    for metric in metrics:
        scheduler.step(metric)
    return rate(optimizer)


def test_v13_a_metric_that_stands_still_is_no_improvement_when_negative() -> None:
    assert after_metrics(torchs, [-1.0] * 5) == 1.0  # the threshold moves the wrong way below 0
    assert after_metrics(ours, [-1.0] * 5) == near(0.1)


def test_v13_a_metric_that_worsens_slowly_is_no_improvement() -> None:
    worsening = [-1.0 + 5e-5 * k for k in range(5)]
    assert after_metrics(torchs, worsening) == 1.0
    assert after_metrics(ours, worsening) == near(0.1)


def test_v13_no_number_is_no_verdict() -> None:
    assert after_metrics(torchs, [math.nan] * 7) == near(0.01)
    assert after_metrics(ours, [math.nan] * 7) == 1.0


def test_v13_a_factor_that_would_flip_the_sign_is_refused() -> None:
    assert after_metrics(torchs, [1.0] * 5, factor=-0.5) == near(-0.5, abs=1)
    with pytest.raises(InvalidValue, match="factor"):
        ours.ReduceLROnPlateau(sgd(), factor=-0.5)


# The call-order warning (a false alarm of torch's) ----------------------------------------------


def test_a_first_step_skipped_by_a_loss_scaler_raises_no_alarm() -> None:
    for library, alarms in ((torchs, 1), (ours, 0)):
        optimizer = sgd()
        scheduler = library.StepLR(optimizer, 3)
        optimizer.param_groups[0]["params"][0].grad = torch.full((1,), math.inf)  # so it is skipped
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scheduler.step()
        assert len(caught) == alarms


# Without a number: a state of more groups, and a reduction at 0 ---------------------------------


def load_state_of_two_groups(library: Library) -> None:
    optimizer = sgd()
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))]})
    state = library.StepLR(optimizer, 3).state_dict()
    library.StepLR(sgd(), 3).load_state_dict(state)


def test_a_state_of_more_groups_is_refused() -> None:
    assert outcome(lambda: load_state_of_two_groups(torchs)) is None
    assert outcome(lambda: load_state_of_two_groups(ours)) is StateMismatch


def reduced_at_zero(library: Library) -> list[float]:
    optimizer = sgd()
    warmup = library.LambdaLR(optimizer, lambda t: min(1.0, t / 4))
    plateau = library.ReduceLROnPlateau(optimizer, factor=0.1, patience=0)
    for loss in (1.0, 1.0):
        plateau.step(loss)
    return run(optimizer, warmup, 5)


def test_a_reduction_counts_while_another_factor_is_0() -> None:
    assert reduced_at_zero(torchs) == near([0.0, 0.25, 0.5, 0.75, 1.0])
    assert reduced_at_zero(ours) == near([0.0, 0.025, 0.05, 0.075, 0.1], rel=1e-14)


# Without a number: edges ------------------------------------------------------------------------


def twice_loaded(library: Library) -> str:
    scheduler = library.CyclicLR(sgd(), 0.1, 1.0)
    state = scheduler.state_dict()
    scheduler.load_state_dict(state)
    scheduler.load_state_dict(state)
    return "loaded"


def anneal_resumed(library: Library) -> list[float]:
    optimizer = sgd()
    run(optimizer, library.SWALR(optimizer, 0.0, 4, "linear"), 2)
    optimizer.param_groups[0]["initial_lr"] = 1.0
    return run(optimizer, library.SWALR(optimizer, 0.0, 4, "linear", last_epoch=1), 3)


def past_the_last_update(library: Library) -> list[float]:
    optimizer = sgd()
    rates = run(optimizer, library.OneCycleLR(optimizer, 1.0, 5), 5)
    return [rates[-1], rate(optimizer)]


def copies_alarms(library: Library) -> int:
    optimizer = sgd()
    optimizer, scheduler = copy.deepcopy((optimizer, library.StepLR(optimizer, 9)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(optimizer, scheduler, 2)
    return len(caught)


EDGES: dict[str, tuple[Callable[[Library], Any], Any, Any]] = {  # what is done, torch's, right
    "a ramp of no steps": (
        lambda lib: trajectory(lib, lambda lib, o: lib.LinearLR(o, 0.5, total_iters=0), 3),
        [0.5] * 3,
        [1.0] * 3,
    ),
    "a constant of no steps": (
        lambda lib: trajectory(lib, lambda lib, o: lib.ConstantLR(o, 0.5, total_iters=0), 3),
        [0.5] * 3,
        [1.0] * 3,
    ),
    "a constant of 0": (
        lambda lib: trajectory(lib, lambda lib, o: lib.ConstantLR(o, 0.0, total_iters=2), 4),
        ZeroDivisionError,
        [0.0, 0.0, 1.0, 1.0],
    ),
    "a cycle past its last update": (past_the_last_update, [4e-6, 0.18826], [4e-6, 4e-6]),
    "a state that is loaded twice": (twice_loaded, KeyError, "loaded"),
    "a builtin function's state": (
        lambda lib: lib.LambdaLR(sgd(), math.exp).state_dict()["lr_lambdas"],
        AttributeError,
        [None],
    ),
    "an anneal that is resumed": (anneal_resumed, [0.5, 0.375, 0.25], [0.5, 0.25, 0.0]),
    "a copied pair's alarms": (copies_alarms, 1, 0),
}


@pytest.mark.parametrize(("work", "theirs", "right"), EDGES.values(), ids=EDGES)
def test_edges(work: Callable[[Library], Any], theirs: Any, right: Any) -> None:
    def compared(result: Any) -> Any:
        is_rates = isinstance(result, list) and None not in result
        return near(result, rel=1e-3) if is_rates else result

    assert outcome(lambda: work(torchs)) == compared(theirs)
    assert outcome(lambda: work(ours)) == compared(right)
