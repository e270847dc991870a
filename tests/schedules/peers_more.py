"""Schedules of NeMo, DeepSpeed, mmengine, pytorch-optimizer, pytorch-scheduler, pytorch-warmup.

As functions of the update t, from their formulas; see `peers_torch`. mmengine 0.10.7,
pytorch-optimizer 4.1, pytorch-scheduler 0.2.2 and pytorch-warmup 0.2 were stepped beside these.
"""
# ruff: noqa: N802  (the names are theirs)

from __future__ import annotations

import math

from .peers_torch import Factor, mix, warmed, wave

# -- NeMo ------------------------------------------------------------------------------------------


def _nemo(then: Factor, warmup_steps: int, max_steps: int, min_lr: float) -> Factor:
    def factor(t: int) -> float:
        if t <= warmup_steps:
            return (t + 1) / (warmup_steps + 1)
        return min_lr if t > max_steps else then(t)

    return factor


def CosineAnnealing(*, warmup_steps: int, max_steps: int, min_lr: float = 0.0) -> Factor:
    decay = max_steps - warmup_steps
    return _nemo(
        lambda t: wave((t - warmup_steps) / decay, 1.0, min_lr), warmup_steps, max_steps, min_lr
    )


def SquareAnnealing(*, warmup_steps: int, max_steps: int, min_lr: float) -> Factor:
    decay = max_steps - warmup_steps
    return _nemo(
        lambda t: max(((max_steps - t) / decay) ** 2, min_lr), warmup_steps, max_steps, min_lr
    )


def SquareRootAnnealing(*, warmup_steps: int, max_steps: int, min_lr: float) -> Factor:
    return _nemo(
        lambda t: max(math.sqrt((max_steps - t) / max_steps), min_lr),
        warmup_steps,
        max_steps,
        min_lr,
    )


def PolynomialDecayAnnealing(
    *, warmup_steps: int, max_steps: int, min_lr: float, power: float
) -> Factor:
    decay = max_steps - warmup_steps
    return _nemo(
        lambda t: (1 - min_lr) * ((max_steps - t) / decay) ** power + min_lr,
        warmup_steps,
        max_steps,
        min_lr,
    )


def PolynomialHoldDecayAnnealing(
    *, warmup_steps: int, hold_steps: int, max_steps: int, min_lr: float, power: float
) -> Factor:
    begin = warmup_steps + hold_steps
    decay = PolynomialDecayAnnealing(
        warmup_steps=begin, max_steps=max_steps, min_lr=min_lr, power=power
    )
    return _nemo(lambda t: 1.0 if t <= begin else decay(t), warmup_steps, max_steps, min_lr)


def WarmupAnnealing(*, warmup_steps: int, max_steps: int) -> Factor:
    decay = max_steps - warmup_steps
    return _nemo(lambda t: (max_steps - t) / decay, warmup_steps, max_steps, 0.0)


def InverseSquareRootAnnealing(*, warmup_steps: int, max_steps: int) -> Factor:
    return _nemo(lambda t: math.sqrt((warmup_steps + 1) / (t + 1)), warmup_steps, max_steps, 0.0)


def NoamAnnealing(*, d_model: int, warmup_steps: int, max_steps: int) -> Factor:
    def factor(t: int) -> float:
        t = max(t, 1)
        return d_model**-0.5 * min(t**-0.5, t * warmup_steps**-1.5) if t <= max_steps else 0.0

    return factor


# -- DeepSpeed -------------------------------------------------------------------------------------


def _deepspeed_warmup(steps: int, kind: str, then: Factor, start: float = 0.0) -> Factor:
    def factor(t: int) -> float:
        if t >= steps:
            return then(t - steps)
        share = math.log(t + 1) / math.log(steps) if kind == "log" else t / steps
        return start + (1 - start) * share

    return factor


def WarmupLR(warmup_num_steps: int, warmup_min_lr: float = 0.0, warmup_type: str = "log") -> Factor:
    return _deepspeed_warmup(warmup_num_steps, warmup_type, lambda _: 1.0, warmup_min_lr)


def WarmupDecayLR(total_num_steps: int, warmup_num_steps: int, warmup_type: str = "log") -> Factor:
    decay = total_num_steps - warmup_num_steps
    return _deepspeed_warmup(warmup_num_steps, warmup_type, lambda t: max(0.0, 1 - t / decay))


def WarmupCosineLR(
    total_num_steps: int, warmup_num_steps: int, cos_min_ratio: float, warmup_type: str = "log"
) -> Factor:
    decay = total_num_steps - warmup_num_steps
    return _deepspeed_warmup(
        warmup_num_steps, warmup_type, lambda t: wave(min((t + 1) / decay, 1.0), 1.0, cos_min_ratio)
    )


def LRRangeTest(
    lr_range_test_min_lr: float,
    lr_range_test_step_size: int,
    lr_range_test_step_rate: float = 1.0,
    lr_range_test_staircase: bool = False,
) -> Factor:
    def value(t: int) -> float:
        interval = t / lr_range_test_step_size
        interval = math.floor(interval) if lr_range_test_staircase else interval
        return lr_range_test_min_lr * (1 + lr_range_test_step_rate * interval)

    return value


def OneCycle(cycle_min_lr: float, cycle_max_lr: float, cycle_first_step_size: int) -> Factor:
    def value(t: int) -> float:
        height = 1 - abs(t / cycle_first_step_size - 1)
        return cycle_min_lr + (cycle_max_lr - cycle_min_lr) * height

    return value


# -- mmengine --------------------------------------------------------------------------------------


def ConstantLR(*, factor: float, end: int) -> Factor:
    return lambda t: factor if t < end - 1 else 1.0


def LinearLR(*, start_factor: float, end_factor: float = 1.0, end: int) -> Factor:
    return lambda t: mix(t / (end - 1), start_factor, end_factor)


def PolyLR(*, power: float, eta_min: float, end: int) -> Factor:
    return lambda t: (1 - eta_min) * (1 - min(t / (end - 1), 1.0)) ** power + eta_min


def CosineAnnealingLR(*, T_max: int, eta_min: float) -> Factor:
    return lambda t: wave(t / T_max, 1.0, eta_min)


def CosineRestartLR(*, periods: list[int], restart_weights: list[float], eta_min: float) -> Factor:
    def factor(t: int) -> float:
        for period, weight in zip(periods, restart_weights, strict=True):
            if t < period:
                return wave(t / period, weight, eta_min)
            t -= period
        raise IndexError

    return factor


# -- pytorch-optimizer -----------------------------------------------------------------------------


def REXScheduler(total_steps: int) -> Factor:
    def factor(t: int) -> float:
        x = min(t / total_steps, 1.0)
        return (1 - x) / (1 - x / 2)

    return factor


def LinearScheduler(t_max: int, *, warmup_steps: int, min_lr: float = 0.0) -> Factor:
    return warmed(warmup_steps, lambda t: 1 + (min_lr - 1) * t / (t_max - warmup_steps))


def CosineScheduler(t_max: int, *, warmup_steps: int, min_lr: float = 0.0) -> Factor:
    return warmed(warmup_steps, lambda t: wave(t / (t_max - warmup_steps), 1.0, min_lr))


def CosineAnnealingWarmupRestarts(
    first_cycle_steps: int, warmup_steps: int, *, min_lr: float, gamma: float
) -> Factor:
    """Here and in pytorch-scheduler, equal cycles."""

    def factor(t: int) -> float:
        cycle, inside = divmod(t, first_cycle_steps)
        peak = gamma**cycle
        if inside < warmup_steps:
            return min_lr + (peak - min_lr) * inside / warmup_steps
        return wave((inside - warmup_steps) / (first_cycle_steps - warmup_steps), peak, min_lr)

    return factor


# -- pytorch-scheduler -----------------------------------------------------------------------------


def ChebyshevScheduler(total_steps: int) -> Factor:
    return lambda t: (
        (1 + math.cos(math.pi * (2 * min(t, total_steps - 1) + 1) / total_steps / 2)) / 2
    )


def LinearDecayScheduler(total_steps: int, *, warmup_steps: int, min_lr: float) -> Factor:
    return warmed(warmup_steps, lambda t: mix(t / (total_steps - warmup_steps), 1.0, min_lr))


def FlatCosineScheduler(total_steps: int, flat_fraction: float) -> Factor:
    flat = math.floor(total_steps * flat_fraction)
    return lambda t: wave(min(max((t - flat) / (total_steps - flat), 0.0), 1.0))


def _hyperbola(t: int, n: int, u: int) -> float:
    t = min(t, n)
    return math.sqrt((n - t) / u * (2 - (n + t) / u))


def HyperbolicLRScheduler(total_steps: int, upper_bound: int, min_lr: float) -> Factor:
    first = _hyperbola(0, total_steps, upper_bound)
    return lambda t: 1 + (1 - min_lr) * (_hyperbola(t, total_steps, upper_bound) - first)


def ExpHyperbolicLRScheduler(total_steps: int, upper_bound: int, min_lr: float) -> Factor:
    first = _hyperbola(0, total_steps, upper_bound)
    return lambda t: (1 / min_lr) ** (_hyperbola(t, total_steps, upper_bound) - first)


def KDecayScheduler(total_steps: int, k: float) -> Factor:
    return lambda t: wave(min(t / total_steps, 1.0) ** k)


def PolynomialScheduler(total_steps: int, power: float, *, cycle: bool) -> Factor:
    def factor(t: int) -> float:
        t = t % total_steps if cycle else min(t, total_steps)
        return (1 - t / total_steps) ** power

    return factor


def PowerDecayScheduler(warmup_steps: int, alpha: float) -> Factor:
    return lambda t: t / warmup_steps if t < warmup_steps else (t / warmup_steps) ** -alpha


def SlantedTriangularScheduler(
    total_steps: int, cut_frac: float = 0.1, ratio: float = 32
) -> Factor:
    cut = math.floor(total_steps * cut_frac)

    def factor(t: int) -> float:
        t = min(t, total_steps)
        share = t / cut if t < cut else 1 - (t - cut) / (total_steps - cut)
        return (1 + share * (ratio - 1)) / ratio

    return factor


def TanhDecayScheduler(total_steps: int, steepness: float) -> Factor:
    def factor(t: int) -> float:
        if t >= total_steps:
            return 0.0
        return (1 - math.tanh(steepness * (2 * t / total_steps - 1))) / 2

    return factor


def TrapezoidalScheduler(total_steps: int, warmup_steps: int, decay_steps: int) -> Factor:
    return warmed(
        warmup_steps, lambda t: min(1.0, max(0.0, (total_steps - warmup_steps - t) / decay_steps))
    )


def WarmupHoldCosineScheduler(total_steps: int, warmup_steps: int, hold_steps: int) -> Factor:
    decay = total_steps - warmup_steps - hold_steps
    return warmed(warmup_steps, lambda t: wave(min(max((t - hold_steps) / decay, 0.0), 1.0)))


# -- pytorch-warmup: factors to multiply another schedule with -------------------------------------


def LinearWarmup(warmup_period: int) -> Factor:
    return lambda t: min(1.0, (t + 1) / warmup_period)


def UntunedLinearWarmup(beta2: float) -> Factor:
    return LinearWarmup(int(2 / (1 - beta2)))


def ExponentialWarmup(warmup_period: int) -> Factor:
    return lambda t: 1 - math.exp(-(t + 1) / warmup_period)


def UntunedExponentialWarmup(beta2: float) -> Factor:
    return ExponentialWarmup(int(1 / (1 - beta2)))


def RAdamWarmup(beta2: float) -> Factor:
    limit = 2 / (1 - beta2) - 1

    def rho(k: int) -> float:
        return limit - 2 * k * beta2**k / (1 - beta2**k)

    first = next(k for k in range(1, 1000) if rho(k) > 4)

    def factor(t: int) -> float:
        r = rho(t + first)
        return math.sqrt((r - 4) * (r - 2) * limit / ((limit - 4) * (limit - 2) * r))

    return factor
