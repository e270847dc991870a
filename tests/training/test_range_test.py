"""The range test: its rates, its end, its suggestions, its refusals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue
from glideslope.training import LRFinder, RangeTestResult, lr_range_test
from glideslope.training._suggestions import falling_lengths, slide, valley

LossAt = Callable[[float], float]


class Scripted:
    """A model whose loss is a function of the learning rate alone."""

    def __init__(self, loss_at: LossAt, rates: Sequence[float] = (0.1,)) -> None:
        self.loss_at = loss_at
        self.model = nn.ParameterList([nn.Parameter(torch.ones(1)) for _ in rates])
        groups = [{"params": [p], "lr": lr} for p, lr in zip(self.model, rates, strict=True)]
        self.optimizer = torch.optim.SGD(groups, lr=1.0)
        self.used: list[list[float]] = []

    def step(self, model: nn.Module, batch: Any) -> float:
        self.used.append([group["lr"] for group in self.optimizer.param_groups])
        self.optimizer.step()
        return self.loss_at(max(self.used[-1]))

    def test(self, *arguments: Any, **options: Any) -> RangeTestResult:
        options = {"train_step": self.step, "batches": [None], "smoothing": 0.0, **options}
        return lr_range_test(self.model, self.optimizer, *arguments, **options)


def falling(lr: float) -> float:
    return 1 / (1 + lr)


# -- the rates -----------------------------------------------------------------------------------


def test_the_rates_are_the_seeds_own_range_whatever_the_optimizer_has() -> None:
    run = Scripted(falling, rates=[0.3])
    lrs, losses = run.test()
    assert (len(lrs), lrs[0], lrs[-1]) == (100, 1e-7, 10.0)
    ratios = [b / a for a, b in pairwise(lrs)]
    assert ratios == pytest.approx([1e8 ** (1 / 99)] * 99, rel=1e-12)
    assert [used for (used,) in run.used] == list(lrs)
    assert list(losses) == [falling(lr) for lr in lrs]
    assert run.optimizer.param_groups[0]["lr"] == 0.3


def test_linear_steps_are_equal() -> None:
    result = Scripted(falling).test(0.1, 0.5, 5, mode="linear")
    assert result.lrs == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5], rel=1e-15)


def test_without_a_start_it_is_the_optimizers_own_rates() -> None:
    run = Scripted(falling, rates=[0.01, 0.04])
    run.test(None, 4.0, 3)
    assert run.used[0] == [0.01, 0.04]
    assert run.used[1:] == [pytest.approx([0.1, 0.4]), pytest.approx([1.0, 4.0])]


def test_groups_keep_their_ratio_to_the_highest() -> None:
    run = Scripted(falling, rates=[0.0, 0.1, 0.4])
    result = run.test(1e-3, 1.0, 4)
    assert run.used[-1] == [0.0, 0.25, 1.0]
    assert list(result.group_lrs) == ["0", "1", "2"]
    assert result.lrs == result.group_lrs["2"]


def test_each_group_can_have_its_own_range() -> None:
    run = Scripted(falling, rates=[0.1, 0.1])
    run.optimizer.param_groups[1]["name"] = "head"
    result = run.test([1e-4, 1e-2], [1e-2, 1.0], 3)
    assert run.used[1] == pytest.approx([1e-3, 1e-1])
    assert list(result.group_lrs) == ["0", "head"]
    run.test(1e-4, [1e-2, 1.0], 3)
    assert run.used[-1] == [1e-2, 1.0]
    run.test([1e-4, 1e-3], 1.0, 3)
    assert run.used[-1] == [1.0, 1.0]


def test_rates_of_zero_are_swept_together() -> None:
    run = Scripted(falling, rates=[0.0, 0.0])
    run.test(0.1, 1.0, 2)
    assert run.used == [[0.1, 0.1], [1.0, 1.0]]


def test_a_finder_sweeps_any_schedule() -> None:
    run = Scripted(falling)
    finder = LRFinder(run.model, run.optimizer, run.step)
    result = finder.run([None], gs.linear(4, start=0.0, end=1.0) >> gs.constant(2.0, steps=2))
    assert result.lrs == (0.0, 0.25, 0.5, 0.75, 2.0, 2.0)


def test_an_optimizer_that_has_a_plain_rate_is_driven() -> None:
    class Plain:
        lr = 0.5

        def step(self) -> None:
            rates.append(self.lr)

    rates: list[float] = []
    optimizer = Plain()

    def train_step(model: nn.Module, batch: Any) -> float:
        optimizer.step()
        return 1.0

    finder = LRFinder(nn.Linear(1, 1), optimizer, train_step)
    finder.run([None], gs.linear(2, start=1.0, end=3.0))
    assert rates == [1.0, 2.0]
    assert optimizer.lr == 0.5


# -- the end -------------------------------------------------------------------------------------

ENDS: dict[str, tuple[LossAt, dict[str, Any], int, str]] = {
    "over": (falling, {}, 100, "the sweep is over"),
    "nan": (
        lambda lr: math.nan if lr > 1e-3 else 1.0,
        {},
        50,
        "the loss was nan at a learning rate of 0.0011",
    ),
    "infinite": (
        lambda lr: -math.inf if lr > 1e-3 else 1.0,
        {},
        50,
        "the loss was -inf at a learning rate of 0.0011",
    ),
    "diverged": (
        lambda lr: 4.1 if lr > 1e-3 else 1.0,
        {},
        51,
        "diverged at a learning rate of 0.0011: the loss averaged 4.1, after 1 at best",
    ),
    "not yet": (lambda lr: 4.0 if lr > 1e-3 else 1.0, {}, 100, "the sweep is over"),
    "sooner": (
        lambda lr: 1.2 if lr > 1e-3 else 1.0,
        {"divergence": 1.1},
        51,
        "diverged at a learning rate of 0.0011: the loss averaged 1.2, after 1 at best",
    ),
    "negative": (
        lambda lr: 4.1 if lr > 1e-3 else -2.0,
        {},
        51,
        "diverged at a learning rate of 0.0011: the loss averaged 4.1, after -2 at best",
    ),
    "negative, not yet": (lambda lr: 3.9 if lr > 1e-3 else -2.0, {}, 100, "the sweep is over"),
    "smoothed": (  # half of the jump in each step: 1 + (8 - 1) / 2 = 4.5 > 4 at the first
        lambda lr: 8.0 if lr > 1e-3 else 1.0,
        {"smoothing": 0.5},
        51,
        "diverged at a learning rate of 0.0011: the loss averaged 4.5, after 1 at best",
    ),
    "used up": (falling, {"batches": iter([None] * 7)}, 7, "the batches are used up"),
}


@pytest.mark.parametrize(("loss_at", "options", "updates", "reason"), ENDS.values(), ids=ENDS)
def test_the_test_ends(loss_at: LossAt, options: dict[str, Any], updates: int, reason: str) -> None:
    result = Scripted(loss_at).test(**options)
    assert (len(result.losses), result.reason) == (updates, reason)


def test_a_loader_is_gone_through_again_and_begins_where_it_would_have() -> None:
    torch.manual_seed(0)
    loader = DataLoader(torch.arange(8), batch_size=3, shuffle=True)
    run = Scripted(falling)
    seen: list[Tensor] = []

    def train_step(model: nn.Module, batch: Tensor) -> float:
        seen.append(batch)
        return run.step(model, batch)

    state = torch.get_rng_state()
    wanted = list(loader)
    torch.set_rng_state(state)
    run.test(num_it=7, train_step=train_step, batches=loader)
    assert len(seen) == 7
    assert sorted(torch.cat(seen[:3]).tolist()) == list(range(8))
    assert all(map(torch.equal, loader, wanted))


# -- refusals ------------------------------------------------------------------------------------


def no_updates(model: nn.Module, batch: Any) -> float:
    return 1.0


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "start": ({"start_lr": 0.0}, InvalidValue, "`start` must be more than 0, got 0.0"),
    "steps": ({"num_it": 1}, InvalidValue, "`steps` must be at least 2"),
    "mode": ({"mode": "log"}, InvalidValue, "`shape` must be linear or geometric, got 'log'"),
    "smoothing": (
        {"smoothing": 1.0},
        InvalidValue,
        r"`smoothing` must be at least 0 and less than 1, got 1.0",
    ),
    "divergence": ({"divergence": 1.0}, InvalidValue, "`divergence` must be more than 1, got 1.0"),
    "no batches": ({"batches": []}, InvalidValue, r"`len\(batches\)` must be at least 1, got 0"),
    "no step": ({"train_step": no_updates}, InvalidValue, r"must call optimizer.step\(\)"),
    "no function": ({"train_step": 3}, InvalidType, "`train_step` must be a function, got 3"),
    "groups": (
        {"end_lr": [1.0, 2.0]},
        InvalidValue,
        r"`len\(sweeps\)` must be 1, or as many as the groups, 1, got 2",
    ),
    "lengths": (
        {"start_lr": [0.1], "end_lr": [1.0, 2.0]},
        InvalidValue,
        "`end_lr` must be as many as the start_lr, 1",
    ),
    "others": ({"also_restore": [3]}, InvalidType, "must have `state_dict`"),
}


@pytest.mark.parametrize(("options", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_arguments_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Scripted(falling).test(**options)


def test_an_endless_sweep_is_refused() -> None:
    run = Scripted(falling)
    with pytest.raises(InvalidValue, match="`sweeps` must have an end"):
        LRFinder(run.model, run.optimizer, run.step).run([None], gs.exponential(1.1))


def test_an_optimizer_with_a_schedule_steps_at_the_rates_of_the_sweep() -> None:
    weight = nn.Linear(1, 1, bias=False)
    optimizer = gs.optim.SGD(weight.parameters(), lr=gs.linear(10) * 0.1)
    used = []

    def train_step(model: nn.Module, batch: Any) -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = model(torch.ones(1, 1)).sum()
        loss.backward()
        before = weight.weight.item()
        optimizer.step()
        used.append(before - weight.weight.item())
        return loss

    sweep = {"start_lr": 0.01, "end_lr": 1.0, "num_it": 5, "mode": "linear", "divergence": 1e9}
    result = lr_range_test(weight, optimizer, train_step=train_step, batches=[None], **sweep)
    assert used == pytest.approx(list(result.lrs), rel=1e-5)
    for t in range(10):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * (1 - t / 10), rel=1e-12)
        optimizer.step()


def test_rates_that_are_set_inside_the_step_are_refused() -> None:
    weight = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(weight.parameters(), lr=0.1)

    def train_step(model: nn.Module, batch: Any) -> Tensor:
        optimizer.param_groups[0]["lr"] = 0.5
        optimizer.step()
        return torch.zeros(())

    with pytest.raises(InvalidValue, match=r"steps at learning rates of \[0\.5\], not"):
        lr_range_test(weight, optimizer, train_step=train_step, batches=[None])


# -- suggestions ---------------------------------------------------------------------------------


def result_of(losses: Sequence[float], smoothing: float = 0.0) -> RangeTestResult:
    return RangeTestResult(("0",), (gs.range_test(100),), tuple(losses), smoothing)


def bowl(t: float) -> float:
    """Flat to step 30, then down a wave with its steepest place at 50, up again from 70."""
    down = 0.5 + 0.5 * math.cos(math.pi * (min(max(t, 30), 70) - 30) / 40)
    return 0.2 + down + max(t - 70, 0) ** 2 / 20


BOWL = result_of([bowl(t) - 1e-6 * max(30 - t, 0) for t in range(90)])
"""It rises ever so little before step 30, so that the valley begins there."""

KNOWN = {
    "steep": [49, 50],  # the wave's steepest place
    "minimum": [70],  # its lowest
    "valley": [29 + 41 // 3 + 41 // 6],  # 41 falling losses, counted from one before
}


@pytest.mark.parametrize("method", KNOWN)
def test_a_curve_with_a_known_answer(method: str) -> None:
    share = 0.1 if method == "minimum" else 1.0
    wanted = [BOWL.lrs[index] * share for index in KNOWN[method]]
    assert BOWL.suggest(method) in wanted


def test_slide_finds_the_place_before_the_divergence() -> None:
    """Slopes of 0 up to step 60, growing after it: they part by 0.005 when the right one has."""
    losses = [1.0 - 1e-6 * t + max(t - 60, 0) ** 2 / 100 for t in range(100)]
    slopes = np.gradient(losses[10:95])
    agree = max(r for r in range(15, 85) if abs(slopes[r] - slopes[r - 15]) <= 0.005)
    assert slide([], losses[10:95]) == agree + 1 - 15
    assert 10 + agree in (60, 61)


def transcribed_slide(losses: Sequence[float]) -> int:
    """fastai's loop, as published; its indices count from the end."""
    gradient = np.gradient(losses)
    right, left = -1, -16
    found = left
    while left >= -len(losses) and abs(gradient[right] - gradient[left]) > 0.005:
        found, right, left = left, right - 1, left - 1
    return found + len(losses)


@given(st.lists(st.integers(-9, 9), min_size=31, max_size=60), st.sampled_from([1e-3, 8e-4, 1e-2]))
def test_slide_is_fastais(changes: list[int], size: float) -> None:
    """Slopes that differ by about the threshold, so that its exact value counts."""
    losses = np.cumsum(np.array(changes) * size).tolist()
    assert slide([], losses) == transcribed_slide(losses)


@pytest.mark.parametrize(("parted", "found"), [(0.0049, 64), (0.0051, 56), (0.0059, 56)])
def test_slide_stops_where_slopes_agree_to_a_two_hundredth(parted: float, found: int) -> None:
    """Slopes of 0 before step 70, of half a size at it, and of one size after it, to 80."""
    losses = [parted * max(t - 70, 0) for t in range(80)]
    assert slide([], losses) == found


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=40))
def test_falling_subsequences_are_the_longest(losses: list[int]) -> None:
    lengths = [1] * len(losses)
    for i, loss in enumerate(losses):
        lengths[i] += max((lengths[j] for j in range(i) if losses[j] > loss), default=0)
    assert falling_lengths(losses) == lengths


def transcribed_valley(losses: Sequence[float]) -> int:
    """fastai's loop, as published."""
    lengths, start, stop = [1] * len(losses), 0, 0
    for i in range(1, len(losses)):
        for j in range(i):
            if losses[i] < losses[j] and lengths[i] < lengths[j] + 1:
                lengths[i] = lengths[j] + 1
            if lengths[stop] < lengths[i]:
                stop, start = i, i - lengths[i]
    sections = (stop - start) / 3
    return start + int(sections) + int(sections / 2)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=40))
def test_the_valley_is_fastais(losses: list[int]) -> None:
    assert valley([], losses) == transcribed_valley(losses)


def test_a_suggestion_for_each_group() -> None:
    sweep = gs.range_test(100)
    result = RangeTestResult(("slow", "fast"), (sweep * 0.1, sweep), BOWL.losses, 0.0)
    assert result.suggest_by_group("minimum") == {
        "slow": pytest.approx(BOWL.lrs[70] * 0.01),
        "fast": BOWL.lrs[70] * 0.1,
    }
    assert result.suggest("minimum") == BOWL.lrs[70] * 0.1


@pytest.mark.parametrize(
    ("losses", "method", "message"),
    [
        (BOWL.losses, "best", "`method` must be one of valley, steep, minimum, slide, got 'best'"),
        ([1.0] * 10, "valley", r"`len\(losses\)` must be at least 17 for valley, got 10"),
        ([9.0 - t for t in range(8)], "minimum", "at least 17 for minimum"),
        ([9.0 - t for t in range(30)], "slide", "at least 31 for slide, got 30"),
        ([1.0 + t for t in range(50)], "steep", "the losses never fall"),
    ],
)
def test_losses_without_a_minimum_give_no_suggestion(
    losses: Sequence[float], method: str, message: str
) -> None:
    with pytest.raises(InvalidValue, match=message):
        result_of(losses).suggest(method)


# -- the result as a value -----------------------------------------------------------------------


def test_the_average_weighs_newer_losses_more() -> None:
    losses = (3.0, 1.0, 2.0)
    first, second, third = result_of(losses, 0.5).smoothed
    assert first == 3
    assert second == pytest.approx((0.5 * 3 + 1) / 1.5, rel=1e-15)
    assert third == pytest.approx((0.25 * 3 + 0.5 * 1 + 2) / 1.75, rel=1e-15)


def test_a_result_is_a_value() -> None:
    again = result_of(BOWL.losses)
    assert again == BOWL
    assert hash(again) == hash(BOWL)
    assert RangeTestResult.from_json(BOWL.to_json()) == BOWL
    with pytest.raises(AttributeError):
        BOWL.losses = ()  # type: ignore[misc]


def test_json_has_the_curves_written_out() -> None:
    data = json.loads(BOWL.to_json())
    assert data["lrs"] == list(BOWL.lrs)
    assert data["smoothed"] == list(BOWL.smoothed)
    assert data["suggestions"]["minimum"] == BOWL.suggest("minimum")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "3", '{"groups": [{}]}'])
def test_text_that_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="not the result of a range test"):
        RangeTestResult.from_json(text)


def test_a_result_of_another_format_is_refused() -> None:
    text = json.dumps({**json.loads(BOWL.to_json()), "format": 2})
    with pytest.raises(InvalidValue, match="`format` must be 1, got 2"):
        RangeTestResult.from_json(text)


def test_a_table_without_suggestions() -> None:
    assert str(result_of([1.0, 0.5])) == "2 updates: the sweep is over\nno suggestion"
    lines = str(BOWL).splitlines()
    assert lines[0] == "90 updates: the sweep is over"
    assert [line.split()[0] for line in lines[1:]] == [
        *("suggestion", "valley", "steep", "minimum", "slide")
    ]
