"""Schedules of transformers, timm, fairseq and Megatron-LM, as functions of the update t.

From their formulas. Signatures are theirs, less the optimizer; the learning rate they are built on
is 1. The libraries themselves, transformers 5.23 and timm 1.0.31, were stepped beside these once.
"""
# ruff: noqa: N802  (the names are theirs)

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable

Factor = Callable[[int], float]


def mix(share: float, start: float, end: float) -> float:
    return start + (end - start) * min(max(share, 0.0), 1.0)


def wave(share: float, start: float = 1.0, end: float = 0.0) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def warmed(steps: int, then: Factor, start: float = 0.0) -> Factor:
    """``steps`` steps up to 1, then ``then`` on its own clock."""
    return lambda t: mix(t / steps, start, 1.0) if t < steps else then(t - steps)


# -- transformers ----------------------------------------------------------------------------------


def get_constant_schedule() -> Factor:
    return lambda _: 1.0


def get_constant_schedule_with_warmup(num_warmup_steps: int) -> Factor:
    return warmed(num_warmup_steps, lambda _: 1.0)


def get_linear_schedule_with_warmup(num_warmup_steps: int, num_training_steps: int) -> Factor:
    decay = num_training_steps - num_warmup_steps
    return warmed(num_warmup_steps, lambda t: max(0.0, (decay - t) / decay))


def get_cosine_schedule_with_warmup(
    num_warmup_steps: int, num_training_steps: int, num_cycles: float = 0.5
) -> Factor:
    decay = num_training_steps - num_warmup_steps
    return warmed(num_warmup_steps, lambda t: max(0.0, wave(2 * num_cycles * t / decay)))


def get_cosine_with_hard_restarts_schedule_with_warmup(
    num_warmup_steps: int, num_training_steps: int, num_cycles: int = 1
) -> Factor:
    decay = num_training_steps - num_warmup_steps
    return warmed(
        num_warmup_steps, lambda t: wave(num_cycles * t / decay % 1) if t < decay else 0.0
    )


def get_polynomial_decay_schedule_with_warmup(
    num_warmup_steps: int, num_training_steps: int, lr_end: float = 1e-7, power: float = 1.0
) -> Factor:
    decay = num_training_steps - num_warmup_steps
    return warmed(
        num_warmup_steps,
        lambda t: (1 - lr_end) * (1 - t / decay) ** power + lr_end if t <= decay else lr_end,
    )


def get_inverse_sqrt_schedule(num_warmup_steps: int, timescale: int | None = None) -> Factor:
    scale = timescale or num_warmup_steps
    return warmed(num_warmup_steps, lambda t: 1 / math.sqrt((t + scale) / scale))


def get_cosine_with_min_lr_schedule_with_warmup(
    num_warmup_steps: int, num_training_steps: int, *, min_lr_rate: float
) -> Factor:
    decay = num_training_steps - num_warmup_steps
    return warmed(num_warmup_steps, lambda t: wave(t / decay, 1.0, min_lr_rate))


def get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
    num_warmup_steps: int,
    num_training_steps: int,
    *,
    min_lr_rate: float,
    warmup_lr_rate: float | None = None,
) -> Factor:
    decay = num_training_steps - num_warmup_steps

    def factor(t: int) -> float:
        if t >= num_warmup_steps:
            return wave((t - num_warmup_steps + 1) / decay, 1.0, min_lr_rate)
        if warmup_lr_rate is None:
            return (t + 1) / num_warmup_steps
        return warmup_lr_rate + (1 - warmup_lr_rate) * t / (num_warmup_steps - 1)

    return factor


def get_wsd_schedule(
    num_warmup_steps: int,
    num_decay_steps: int,
    *,
    num_stable_steps: int,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: float = 0.0,
) -> Factor:
    rise = {
        "linear": lambda x: x,
        "cosine": lambda x: 1 - wave(x),
        "1-sqrt": lambda x: 1 - math.sqrt(1 - x),
    }[warmup_type]
    fall = {
        "linear": lambda x: 1 - x,
        "cosine": wave,
        "1-sqrt": lambda x: 1 - math.sqrt(x),
    }[decay_type]

    def factor(t: int) -> float:
        if t < num_warmup_steps:
            share = rise(t / num_warmup_steps)
        else:
            x = (t - num_warmup_steps - num_stable_steps) / num_decay_steps
            share = fall(min(max(x, 0.0), 1.0))
        return share * (1 - min_lr_ratio) + min_lr_ratio

    return factor


# -- timm ------------------------------------------------------------------------------------------


def _cycles(
    shape: Callable[[float], float],
    t_initial: int,
    lr_min: float,
    cycle_mul: int,
    cycle_decay: float,
    cycle_limit: int,
) -> Factor:
    def factor(t: int) -> float:
        length, k = t_initial, 0
        while t >= length and k < cycle_limit:
            t, length, k = t - length, length * cycle_mul, k + 1
        if k >= cycle_limit:
            return lr_min
        return lr_min + (cycle_decay**k - lr_min) * shape(t / length)

    return factor


def _with_warmup(then: Factor, warmup_t: int, warmup_lr_init: float, prefix: bool) -> Factor:
    if not warmup_t:
        return then
    after = then if prefix else lambda t: then(t + warmup_t)
    return warmed(warmup_t, after, warmup_lr_init)


def CosineLRScheduler(
    *,
    t_initial: int,
    lr_min: float = 0.0,
    cycle_mul: int = 1,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    k_decay: float = 1.0,
) -> Factor:
    cycles = _cycles(
        lambda x: wave(x**k_decay), t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit
    )
    return _with_warmup(cycles, warmup_t, warmup_lr_init, warmup_prefix)


def TanhLRScheduler(
    *, t_initial: int, lb: float = -7.0, ub: float = 3.0, lr_min: float = 0.0
) -> Factor:
    return _cycles(lambda x: (1 - math.tanh(lb * (1 - x) + ub * x)) / 2, t_initial, lr_min, 1, 1, 1)


def PolyLRScheduler(
    *, t_initial: int, power: float = 0.5, lr_min: float = 0.0, k_decay: float = 1.0
) -> Factor:
    return _cycles(lambda x: (1 - x**k_decay) ** power, t_initial, lr_min, 1, 1, 1)


def StepLRScheduler(
    *, decay_t: int, decay_rate: float, warmup_t: int = 0, warmup_lr_init: float = 0.0
) -> Factor:
    return _with_warmup(lambda t: decay_rate ** (t // decay_t), warmup_t, warmup_lr_init, True)


def MultiStepLRScheduler(*, decay_t: list[int], decay_rate: float) -> Factor:
    return lambda t: decay_rate ** bisect_right(decay_t, t + 1)


def WSDLRScheduler(
    *,
    t_initial: int,
    decay_t: int,
    warmup_t: int,
    stable_fn: str = "constant",
    decay_fn: str = "1-sqrt",
    decay_power: float = 0.5,
    decay_ratio: float = 0.1,
    lr_min: float = 0.0,
) -> Factor:
    fall = {
        "linear": lambda x: 1 - x,
        "1-sqrt": lambda x: 1 - math.sqrt(x),
        "cosine": wave,
        "power": lambda x: 1 - x**decay_power,
        "exp": lambda x: (decay_ratio**x - decay_ratio) / (1 - decay_ratio),
    }[decay_fn]

    def then(t: int) -> float:
        stable = 1.0 if stable_fn == "constant" else (1 + t / warmup_t) ** -0.5
        share = min(max((t - t_initial + decay_t) / decay_t, 0.0), 1.0)
        return lr_min + (max(stable, lr_min) - lr_min) * fall(share)

    return warmed(warmup_t, then)


# -- fairseq: the names and settings of --lr-scheduler ---------------------------------------------


def cosine(
    *, warmup_updates: int, lr_period_updates: int, t_mult: int = 1, lr_shrink: float = 1.0
) -> Factor:
    return warmed(warmup_updates, _cycles(wave, lr_period_updates, 0.0, t_mult, lr_shrink, 99))


def inverse_sqrt(*, warmup_updates: int) -> Factor:
    return lambda t: t / warmup_updates if t < warmup_updates else math.sqrt(warmup_updates / t)


def polynomial_decay(
    *, warmup_updates: int, total_num_update: int, end_learning_rate: float, power: float
) -> Factor:
    return get_polynomial_decay_schedule_with_warmup(
        warmup_updates, total_num_update, end_learning_rate, power
    )


def step(*, warmup_updates: int, lr_decay_period: int, lr_decay: float, min_lr: float) -> Factor:
    return warmed(
        warmup_updates, lambda t: max(lr_decay ** (t // lr_decay_period), min_lr), start=min_lr
    )


def tri_stage(
    *,
    warmup_steps: int,
    hold_steps: int,
    decay_steps: int,
    init_lr_scale: float,
    final_lr_scale: float,
) -> Factor:
    def then(t: int) -> float:
        after = min(max(t - hold_steps, 0), decay_steps)
        return math.exp(math.log(final_lr_scale) * after / decay_steps)

    return warmed(warmup_steps, then, init_lr_scale)


def triangular(
    *, lr: float, max_lr: float, lr_period_updates: int, lr_shrink: float, shrink_min: bool = False
) -> Factor:
    def factor(t: int) -> float:
        cycle, half = t // lr_period_updates, lr_period_updates / 2
        height = 1 - abs(t / half - 2 * cycle - 1)
        low = lr * lr_shrink**cycle if shrink_min else lr
        return low + (max_lr * lr_shrink**cycle - low) * height

    return factor


# -- Megatron-LM -----------------------------------------------------------------------------------


def OptimizerParamScheduler(
    *,
    lr_decay_style: str,
    lr_warmup_steps: int,
    lr_decay_steps: int,
    min_lr: float = 0.0,
    wsd_decay_steps: int = 0,
    lr_wsd_decay_style: str = "exponential",
) -> Factor:
    tails = {
        "linear": lambda x: 1 - x,
        "cosine": wave,
        "exponential": lambda x: 2 * 0.5**x - 1,
        "minus_sqrt": lambda x: 1 - math.sqrt(x),
    }

    def then(t: int) -> float:
        if lr_decay_style == "constant":
            return 1.0
        if t + lr_warmup_steps > lr_decay_steps:
            return min_lr
        if lr_decay_style == "inverse-square-root":
            return max(min_lr, math.sqrt(lr_warmup_steps / (t + lr_warmup_steps)))
        share = t / (lr_decay_steps - lr_warmup_steps)
        if lr_decay_style == "WSD":
            begun = t + lr_warmup_steps - lr_decay_steps + wsd_decay_steps
            coefficient = tails[lr_wsd_decay_style](max(begun / wsd_decay_steps, 0.0))
        else:
            coefficient = tails[lr_decay_style](share)
        return min_lr + coefficient * (1 - min_lr)

    return warmed(lr_warmup_steps, then)


def weight_decay(
    *, start_wd: float, end_wd: float, wd_incr_steps: int, wd_incr_style: str
) -> Factor:
    shapes = {"linear": lambda x: x, "cosine": lambda x: 1 - wave(x)}

    def value(t: int) -> float:
        share = shapes[wd_incr_style](min(t / wd_incr_steps, 1.0))
        return start_wd + share * (end_wd - start_wd)

    return value
