"""Names of other libraries and their equivalents here, for the message about an unknown name.

Each is a function from the other library's arguments, as texts, to an expression in this notation.
The optimizer is left out, as in `docs/names.md`, which holds the same translations, tested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from ._codec import value_text
from ._length import Length

FOREIGN: Mapping[str, Callable[..., str]] = {
    # torch
    "StepLR": lambda step_size, gamma=0.1: f"step({step_size}, {gamma})",
    "MultiStepLR": lambda milestones, gamma=0.1: f"multistep({milestones}, {gamma})",
    "ConstantLR": lambda factor, total_iters: f"hold({total_iters}, {factor}) >> constant(1)",
    "LinearLR": lambda start_factor, end_factor, total_iters: (
        f"linear({total_iters}, start={start_factor}, end={end_factor})"
    ),
    "ExponentialLR": lambda gamma: f"exponential({gamma})",
    "PolynomialLR": lambda total_iters, power=1: f"polynomial({total_iters}, power={power})",
    "CosineAnnealingLR": lambda T_max, eta_min=0: f"cosine({T_max}, end={eta_min})",
    "CosineAnnealingWarmRestarts": lambda T_0, T_mult=1, eta_min=0: (
        f"cosine({T_0}, end={eta_min}).repeat(stretch={T_mult})"
    ),
    "CyclicLR": lambda base_lr, max_lr, step_size_up, step_size_down=None: (
        f"{base_lr} + ({max_lr} - {base_lr})"
        f" * triangular({step_size_up}, {step_size_down}).repeat()"
    ),
    "OneCycleLR": lambda max_lr, total_steps: f"one_cycle({total_steps}) * {max_lr}",
    "SWALR": lambda swa_lr, anneal_epochs: f"cosine({anneal_epochs}, end={swa_lr})",
    "SequentialLR": lambda *_: "a >> b",
    "ChainedScheduler": lambda *_: "a * b",
    # transformers
    "get_constant_schedule": lambda: "constant(1)",
    "get_constant_schedule_with_warmup": lambda num_warmup_steps: (
        f"warmup({num_warmup_steps}) >> constant(1)"
    ),
    "get_linear_schedule_with_warmup": lambda num_warmup_steps, num_training_steps: (
        f"warmup({num_warmup_steps}) >> linear({num_training_steps} - {num_warmup_steps})"
    ),
    "get_cosine_schedule_with_warmup": lambda num_warmup_steps, num_training_steps: (
        f"warmup({num_warmup_steps}) >> cosine({num_training_steps} - {num_warmup_steps})"
    ),
    "get_cosine_with_hard_restarts_schedule_with_warmup": (
        lambda num_warmup_steps, num_training_steps, num_cycles=1: (
            f"warmup({num_warmup_steps}) >> cosine(({num_training_steps} - {num_warmup_steps})"
            f" / {num_cycles}).repeat({num_cycles})"
        )
    ),
    "get_cosine_with_min_lr_schedule_with_warmup": (
        lambda num_warmup_steps, num_training_steps, min_lr_rate: (
            f"warmup({num_warmup_steps}) >> "
            f"cosine({num_training_steps} - {num_warmup_steps}, end={min_lr_rate})"
        )
    ),
    "get_polynomial_decay_schedule_with_warmup": (
        lambda num_warmup_steps, num_training_steps, lr_end, power=1: (
            f"warmup({num_warmup_steps}) >> "
            f"polynomial({num_training_steps} - {num_warmup_steps}, end={lr_end}, power={power})"
        )
    ),
    "get_inverse_sqrt_schedule": lambda num_warmup_steps: f"inverse_sqrt({num_warmup_steps})",
    "get_wsd_schedule": lambda num_warmup_steps, num_decay_steps, num_stable_steps: (
        f"wsd({num_warmup_steps}, {num_stable_steps}, {num_decay_steps}, 'cosine')"
    ),
    # timm
    "CosineLRScheduler": lambda t_initial, lr_min=0: f"cosine({t_initial}, end={lr_min})",
    "TanhLRScheduler": lambda t_initial: f"tanh({t_initial}) >> constant(0)",
    "PolyLRScheduler": lambda t_initial, power, lr_min=0: (
        f"polynomial({t_initial}, power={power}, end={lr_min})"
    ),
    "StepLRScheduler": lambda decay_t, decay_rate: f"step({decay_t}, {decay_rate})",
    # Keras
    "ExponentialDecay": lambda initial_learning_rate, decay_steps, decay_rate: (
        f"exponential({decay_rate}, every={decay_steps}) * {initial_learning_rate}"
    ),
    "PolynomialDecay": lambda initial_learning_rate, decay_steps, end_learning_rate, power=1: (
        f"polynomial({decay_steps}, start={initial_learning_rate}, "
        f"end={end_learning_rate}, power={power})"
    ),
    "InverseTimeDecay": lambda initial_learning_rate, decay_steps, decay_rate: (
        f"inverse_time({decay_rate}, every={decay_steps}) * {initial_learning_rate}"
    ),
    "CosineDecay": lambda initial_learning_rate, decay_steps, alpha=0: (
        f"cosine({decay_steps}, end={alpha}) * {initial_learning_rate}"
    ),
    "CosineDecayRestarts": (
        lambda initial_learning_rate, first_decay_steps, t_mul=2, m_mul=1, alpha=0: (
            f"({alpha} + (1 - {alpha}) * cosine({first_decay_steps})"
            f".repeat(decay={m_mul}, stretch={t_mul})) * {initial_learning_rate}"
        )
    ),
    # optax
    "constant_schedule": lambda value: f"constant({value})",
    "linear_schedule": lambda init_value, end_value, transition_steps: (
        f"linear({transition_steps}, start={init_value}, end={end_value})"
    ),
    "polynomial_schedule": lambda init_value, end_value, power, transition_steps: (
        f"polynomial({transition_steps}, start={init_value}, end={end_value}, power={power})"
    ),
    "cosine_decay_schedule": lambda init_value, decay_steps, alpha=0, exponent=1: (
        f"cosine({decay_steps}, end={alpha}, power={exponent}) * {init_value}"
    ),
    "exponential_decay": lambda init_value, transition_steps, decay_rate: (
        f"exponential({decay_rate}, every={transition_steps}) * {init_value}"
    ),
    "warmup_constant_schedule": lambda init_value, peak_value, warmup_steps: (
        f"linear({warmup_steps}, start={init_value}, end={peak_value}) >> constant({peak_value})"
    ),
    "warmup_cosine_decay_schedule": (
        lambda init_value, peak_value, warmup_steps, decay_steps, end_value=0: (
            f"linear({warmup_steps}, start={init_value}, end={peak_value}) >> "
            f"cosine({decay_steps} - {warmup_steps}, start={peak_value}, end={end_value})"
        )
    ),
    "join_schedules": lambda *_: "a >> b",
    # Paddle and AllenNLP
    "NaturalExpDecay": lambda learning_rate, gamma: (
        f"natural_exponential({gamma}) * {learning_rate}"
    ),
    "StepDecay": lambda learning_rate, step_size, gamma=0.1: (
        f"step({step_size}, {gamma}) * {learning_rate}"
    ),
    "MultiStepDecay": lambda learning_rate, milestones, gamma=0.1: (
        f"multistep({milestones}, {gamma}) * {learning_rate}"
    ),
    "CosineAnnealingDecay": lambda learning_rate, T_max, eta_min=0: (
        f"cosine({T_max}, start={learning_rate}, end={eta_min})"
    ),
    "NoamDecay": lambda d_model, warmup_steps: f"noam({d_model}, {warmup_steps})",
    "NoamLR": lambda model_size, warmup_steps, factor=1: (
        f"noam_clamped({model_size}, {warmup_steps}, {factor})"
    ),
}


def translated(name: str, *positional: Any, **named: Any) -> str:
    """A call of another library with its arguments as an expression; `TypeError` if they differ."""
    texts = {keyword: plain_text(value) for keyword, value in named.items()}
    return FOREIGN[name](*map(plain_text, positional), **texts)


def general_form(name: str) -> str:
    """The expression with the names that the arguments have in the other library."""
    build = FOREIGN[name]
    return build(*signature(build).parameters)


def plain_text(value: Any) -> str:
    """A number, a length or a list of them in the notation."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(plain_text, value))}]"
    if not isinstance(value, int | float | Length):
        raise TypeError("not a plain argument")
    return value_text(value)
