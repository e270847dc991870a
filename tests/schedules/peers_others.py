"""Schedules of Keras, MLX, Paddle, Composer, Ignite, fvcore, OLMo-core and fastai.

As functions of the step t, from their formulas; see `peers_torch`. Composer's times are given in
batches ("30ba"), and fvcore's and fastai's share of the run is that of a run of 100 steps. Keras
3.15, Composer 0.32, Ignite 0.5.5, fvcore 0.1.5, OLMo-core 3.0 and fastai 2.8 were evaluated beside
these once.
"""
# ruff: noqa: N802  (the names are theirs)

from __future__ import annotations

import math
from bisect import bisect_right

from .peers_torch import Factor, mix, warmed, wave

RUN = 100

# -- Keras -----------------------------------------------------------------------------------------


def ExponentialDecay(
    rate: float, steps: int, decay_rate: float, *, staircase: bool = False
) -> Factor:
    return lambda t: rate * decay_rate ** (t // steps if staircase else t / steps)


def PiecewiseConstantDecay(boundaries: list[int], values: list[float]) -> Factor:
    return lambda t: values[sum(t > boundary for boundary in boundaries)]


def PolynomialDecay(
    rate: float, steps: int, end: float = 1e-4, power: float = 1.0, *, cycle: bool = False
) -> Factor:
    """Also Paddle's."""

    def value(t: int) -> float:
        whole = steps * max(1, math.ceil(t / steps)) if cycle else steps
        return (rate - end) * (1 - min(t, whole) / whole) ** power + end

    return value


def InverseTimeDecay(
    rate: float, steps: int, decay_rate: float, *, staircase: bool = False
) -> Factor:
    return lambda t: rate / (1 + decay_rate * (t // steps if staircase else t / steps))


def CosineDecay(
    rate: float,
    steps: int,
    alpha: float = 0.0,
    *,
    warmup_target: float = 1.0,
    warmup_steps: int = 0,
) -> Factor:
    def decay(t: int) -> float:
        return (1 - alpha) * wave(min(t / steps, 1.0)) + alpha

    def value(t: int) -> float:
        if t < warmup_steps:
            return rate + (warmup_target - rate) * t / warmup_steps
        return decay(t - warmup_steps)

    return value


def CosineDecayRestarts(
    rate: float, first: int, *, t_mul: float, m_mul: float, alpha: float
) -> Factor:
    def value(t: float) -> float:
        length, height = first, 1.0
        while t >= length:
            t, length, height = t - length, length * t_mul, height * m_mul
        return rate * ((1 - alpha) * height * wave(t / length) + alpha)

    return value


# -- MLX -------------------------------------------------------------------------------------------


def exponential_decay(init: float, decay_rate: float) -> Factor:
    return lambda t: init * decay_rate**t


def step_decay(init: float, decay_rate: float, step_size: int) -> Factor:
    return lambda t: init * decay_rate ** (t // step_size)


def cosine_decay(init: float, decay_steps: int, minimum: float = 0.0) -> Factor:
    return lambda t: max(init * wave(min(t / decay_steps, 1.0)), minimum)


def linear_schedule(init: float, end: float, steps: int) -> Factor:
    return lambda t: mix(t / steps, init, end)


def join_schedules(schedules: list[Factor], boundaries: list[int]) -> Factor:
    def value(t: int) -> float:
        k = bisect_right(boundaries, t)
        return schedules[k](t - (boundaries[k - 1] if k else 0))

    return value


# -- Paddle ----------------------------------------------------------------------------------------


def NoamDecay(d_model: int, warmup_steps: int) -> Factor:
    return lambda t: d_model**-0.5 * min(t**-0.5 if t else 1.0, t * warmup_steps**-1.5)


def PiecewiseDecay(boundaries: list[int], values: list[float]) -> Factor:
    return lambda t: values[bisect_right(boundaries, t)]


def NaturalExpDecay(rate: float, gamma: float) -> Factor:
    return lambda t: rate * math.exp(-gamma * t)


def LinearWarmup(then: Factor, warmup_steps: int, start_lr: float, end_lr: float) -> Factor:
    return lambda t: (
        start_lr + (end_lr - start_lr) * t / warmup_steps
        if t < warmup_steps
        else then(t - warmup_steps)
    )


def CosineAnnealingDecay(rate: float, T_max: int, eta_min: float = 0.0) -> Factor:
    return lambda t: wave(t / T_max, rate, eta_min)


def OneCycleLR(max_learning_rate: float, total_steps: int) -> Factor:
    """With the defaults: from 1/25 over 0.3 of the run up, then down to 1e-4, on cosines."""
    up = 0.3 * total_steps - 1
    down = total_steps - 1 - up
    low = max_learning_rate / 25
    return lambda t: (
        wave(t / up, low, max_learning_rate)
        if t <= up
        else wave((t - up) / down, max_learning_rate, 1e-4)
    )


# -- Composer --------------------------------------------------------------------------------------


def _batches(time: str) -> int:
    return int(time.removesuffix("ba"))


def StepScheduler(step_size: str, gamma: float = 0.1) -> Factor:
    return lambda t: gamma ** (t // _batches(step_size))


def MultiStepScheduler(milestones: list[str], gamma: float = 0.1) -> Factor:
    return lambda t: gamma ** sum(t >= _batches(milestone) for milestone in milestones)


def ConstantScheduler(alpha: float, t_max: str) -> Factor:
    return lambda t: alpha if t < _batches(t_max) else 1.0


def LinearScheduler(alpha_i: float, alpha_f: float, t_max: str) -> Factor:
    return lambda t: mix(t / _batches(t_max), alpha_i, alpha_f)


def ExponentialScheduler(gamma: float, decay_period: str) -> Factor:
    return lambda t: gamma ** (t / _batches(decay_period))


def CosineAnnealingScheduler(t_max: str, alpha_f: float = 0.0) -> Factor:
    return lambda t: wave(min(t / _batches(t_max), 1.0), 1.0, alpha_f)


def CosineAnnealingWarmRestartsScheduler(t_0: str, t_mult: float, alpha_f: float) -> Factor:
    def factor(t: float) -> float:
        length: float = _batches(t_0)
        while t >= length:
            t, length = t - length, length * t_mult
        return wave(t / length, 1.0, alpha_f)

    return factor


def PolynomialScheduler(power: float, t_max: str, alpha_f: float = 0.0) -> Factor:
    return lambda t: alpha_f + (1 - alpha_f) * (1 - min(t / _batches(t_max), 1.0)) ** power


def MultiStepWithWarmupScheduler(t_warmup: str, milestones: list[str], gamma: float) -> Factor:
    steps, warmup = MultiStepScheduler(milestones, gamma), _batches(t_warmup)
    return lambda t: t / warmup if t < warmup else steps(t)


def ConstantWithWarmupScheduler(t_warmup: str) -> Factor:
    return warmed(_batches(t_warmup), lambda _: 1.0)


def LinearWithWarmupScheduler(t_warmup: str, alpha_i: float, alpha_f: float, t_max: str) -> Factor:
    warmup, whole = _batches(t_warmup), _batches(t_max)
    return lambda t: (
        alpha_i * t / warmup
        if t < warmup
        else mix((t - warmup) / (whole - warmup), alpha_i, alpha_f)
    )


def CosineAnnealingWithWarmupScheduler(t_warmup: str, t_max: str, alpha_f: float) -> Factor:
    decay = _batches(t_max) - _batches(t_warmup)
    return warmed(_batches(t_warmup), lambda t: wave(min(t / decay, 1.0), 1.0, alpha_f))


def PolynomialWithWarmupScheduler(
    t_warmup: str, power: float, t_max: str, alpha_f: float
) -> Factor:
    decay = _batches(t_max) - _batches(t_warmup)
    return warmed(_batches(t_warmup), PolynomialScheduler(power, f"{decay}ba", alpha_f))


# -- Ignite ----------------------------------------------------------------------------------------


def LinearCyclicalScheduler(
    name: str, start: float, end: float, cycle_size: int, *, monotonic: bool = False
) -> Factor:
    assert name == "lr"

    def value(t: int) -> float:
        share = t % cycle_size / cycle_size
        if monotonic:
            return start + (end - start) * share
        return end + (start - end) * abs(share - 0.5) * 2

    return value


def CosineCyclicalScheduler(name: str, start: float, end: float, cycle_size: int) -> Factor:
    """Named `CosineAnnealingScheduler` there."""
    assert name == "lr"
    return lambda t: wave(t % cycle_size / cycle_size, start, end)


def PiecewiseLinear(name: str, milestones_values: list[tuple[int, float]]) -> Factor:
    assert name == "lr"

    def value(t: int) -> float:
        k = bisect_right([step for step, _ in milestones_values], t)
        if k in (0, len(milestones_values)):
            return milestones_values[min(k, len(milestones_values) - 1)][1]
        (t0, a), (t1, b) = milestones_values[k - 1], milestones_values[k]
        return a + (b - a) * (t - t0) / (t1 - t0)

    return value


# -- fvcore: functions of the share of the run -----------------------------------------------------


def LinearParamScheduler(start: float, end: float) -> Factor:
    return lambda t: start + (end - start) * t / RUN


def CosineParamScheduler(start: float, end: float) -> Factor:
    return lambda t: wave(t / RUN, start, end)


def ExponentialParamScheduler(start: float, decay: float) -> Factor:
    return lambda t: start * decay ** (t / RUN)


def PolynomialDecayParamScheduler(base: float, power: float) -> Factor:
    return lambda t: base * (1 - t / RUN) ** power


def StepParamScheduler(num_updates: int, values: list[float]) -> Factor:
    return lambda t: values[t * len(values) // num_updates]


def MultiStepParamScheduler(values: list[float], num_updates: int, milestones: list[int]) -> Factor:
    def value(t: int) -> float:
        if t > num_updates:
            raise ValueError(t)
        return values[bisect_right(milestones, t)]

    return value


def StepWithFixedGammaParamScheduler(
    base: float, decays: int, gamma: float, updates: int
) -> Factor:
    return StepParamScheduler(updates, [base * gamma**k for k in range(decays + 1)])


# -- OLMo-core: t_max is 100 -----------------------------------------------------------------------


def ConstantWithWarmup(*, warmup: int, warmup_min_lr: float = 0.0) -> Factor:
    return warmed(warmup, lambda _: 1.0, warmup_min_lr)


def WSD(*, warmup: int, decay: int, decay_min_lr: float = 0.0) -> Factor:
    return warmed(warmup, lambda t: mix((RUN - warmup - t) / decay, decay_min_lr, 1.0))


def LinearWithWarmup(*, warmup: int, alpha_f: float = 0.1) -> Factor:
    return warmed(warmup, lambda t: mix(t / (RUN - warmup), 1.0, alpha_f))


def CosWithWarmup(*, warmup: int, alpha_f: float = 0.1) -> Factor:
    return warmed(warmup, lambda t: wave(min(t / (RUN - warmup), 1.0), 1.0, alpha_f))


def HalfCosWithWarmup(*, warmup: int, alpha_f: float = 0.1) -> Factor:
    half = alpha_f + (1 - alpha_f) / 2
    decay = RUN - warmup

    def factor(t: int) -> float:
        if t < warmup:
            return half * t / warmup
        return wave((min(t - warmup, decay) + decay) / (2 * decay), 1.0, alpha_f)

    return factor


def CosWithWarmupAndLinearDecay(*, warmup: int, decay: int, alpha_f: float = 0.1) -> Factor:
    main = CosWithWarmup(warmup=warmup, alpha_f=alpha_f)
    leave = RUN - decay
    return lambda t: main(t) if t < leave else main(leave) * max(0, RUN - t) / decay


def InvSqrtWithWarmup(*, warmup: int, alpha_f: float = 0.1) -> Factor:
    return lambda t: t / warmup if t < warmup else alpha_f + (1 - alpha_f) * math.sqrt(warmup / t)


def PowerLR(*, b: float, warmup: int, decay: int) -> Factor:
    leave = RUN - decay

    def factor(t: int) -> float:
        if t <= warmup:
            return t / warmup
        if t < leave:
            return (t / warmup) ** b
        return (leave / warmup) ** b * max(0, RUN - t) / decay

    return factor


def WSDS(*, period_lengths: list[int], warmup: int, decay: int) -> Factor:
    """At the last step of a period the rate is at its lowest; the next begins a step later."""
    ends = [sum(period_lengths[: k + 1]) for k in range(len(period_lengths))]

    def factor(t: int) -> float:
        if t < warmup:
            return t / warmup
        end = next((end for end in ends if t <= end), None)
        return 0.0 if end is None else min(1.0, (end - t) / decay)

    return factor


def ExponentialLR(*, lr_min: float) -> Factor:
    """Named `ExponentialScheduler` there."""
    return lambda t: lr_min ** (1 - min(t / RUN, 1.0))


# -- fastai: functions of the share of the run -----------------------------------------------------


def SchedLin(start: float, end: float) -> Factor:
    return lambda t: start + t / RUN * (end - start)


def SchedCos(start: float, end: float) -> Factor:
    return lambda t: start + (1 + math.cos(math.pi * (1 - t / RUN))) * (end - start) / 2


def SchedNo(start: float, end: float) -> Factor:
    del end
    return lambda _: start


def SchedExp(start: float, end: float) -> Factor:
    return lambda t: start * (end / start) ** (t / RUN)


def SchedPoly(start: float, end: float, power: float) -> Factor:
    return lambda t: start + (end - start) * (t / RUN) ** power


def combine_scheds(pcts: list[float], scheds: list[Factor]) -> Factor:
    edges = [sum(pcts[:k]) for k in range(len(pcts) + 1)]

    def value(t: int) -> float:
        k = min(bisect_right(edges, t / RUN) - 1, len(scheds) - 1)
        share = (t / RUN - edges[k]) / (edges[k + 1] - edges[k])
        return scheds[k](share * RUN)  # type: ignore[arg-type]

    return value


def combined_cos(pct: float, start: float, middle: float, end: float) -> Factor:
    return combine_scheds([pct, 1 - pct], [SchedCos(start, middle), SchedCos(middle, end)])


def fit_one_cycle(
    lr_max: float, *, div: float = 25.0, div_final: float = 1e5, pct_start: float = 0.25
) -> Factor:
    return combined_cos(pct_start, lr_max / div, lr_max, lr_max / div_final)


def fit_flat_cos(lr: float, *, div_final: float = 1e5, pct_start: float = 0.75) -> Factor:
    return combined_cos(pct_start, lr, lr, lr / div_final)
