"""Newton and Schulz's iteration on matrices: odd polynomials of their singular values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, baddbmm

from glideslope.errors import require

Polynomial = tuple[float, float, float]
"""The coefficients a, b and c of a x + b x³ + c x⁵."""

Coefficients = Polynomial | Sequence[Polynomial] | str
Adjustment = Literal["original", "match_rms_adamw", "unit_rms_norm"]

MAX_STEPS = 100
WORKING = torch.bfloat16
"""The dtype of the iteration, which needs few digits."""

QUINTIC: Polynomial = (3.4445, -4.7750, 2.0315)
"""The coefficients of Jordan's iteration, of greatest slope at 0."""

SAFETY = 1.01
"""Factor by which Polar Express shrinks singular values, which bfloat16 may round above 1."""


def _shrinking(polynomial: Polynomial, by: float) -> Polynomial:
    """The polynomial of x / by."""
    a, b, c = polynomial
    return a / by, b / by**3, c / by**5


_OPTIMAL: list[Polynomial] = [
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
]
"""Polar Express before its factors of safety: Amsel et al., 2025, algorithm 1."""

_FIRST, *_NEXT = (_shrinking(each, SAFETY) for each in _OPTIMAL)

SEQUENCES: dict[str, tuple[Polynomial, ...]] = {
    "jordan": (QUINTIC,),
    "you": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
    # The paper divides by 1.01 times the norm: that is in the first polynomial here.
    "polar_express": (_shrinking(_FIRST, SAFETY), *_NEXT, (1.875, -1.25, 0.375)),
}
"""The polynomials of the first iterations, by name; the last one repeats."""

ADJUSTMENTS: dict[str | None, Callable[[int, int], float]] = {
    None: lambda rows, columns: math.sqrt(max(1.0, rows / columns)),
    "original": lambda rows, columns: math.sqrt(max(1.0, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
    "unit_rms_norm": lambda rows, columns: math.sqrt(rows / columns),
}
"""The length of a step for the shape of its matrix, by the name in a group."""


def orthogonalised(
    matrix: Tensor, coefficients: Coefficients = QUINTIC, steps: int = 5, eps: float = 1e-7
) -> Tensor:
    """The matrix, or each of a stack, with its singular values near 1."""
    is_tall = matrix.size(-2) > matrix.size(-1)
    x = matrix.to(WORKING).reshape(-1, *matrix.shape[-2:])
    x = x.mT.contiguous() if is_tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=eps)
    for a, b, c in polynomials(coefficients, steps):
        gram = x @ x.mT
        x = baddbmm(x, baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if is_tall else x).to(matrix.dtype).view(matrix.shape)


def polynomials(coefficients: Coefficients, steps: int) -> list[Polynomial]:
    """The polynomial of each iteration."""
    if isinstance(coefficients, str):
        named = SEQUENCES[coefficients][:steps]
        return [*named, *[named[-1]] * (steps - len(named))] if steps else []
    if _is_polynomial(coefficients):
        return [coefficients] * steps  # type: ignore[list-item]
    return list(coefficients)  # type: ignore[arg-type]


def check_iteration(group: Any) -> None:
    """Refuse a number of steps, coefficients or an adjustment that there are not."""
    steps, given = group["ns_steps"], group["ns_coefficients"]
    require(0 <= steps < MAX_STEPS, "ns_steps", f"be from 0 to {MAX_STEPS - 1}", steps)
    require(
        _are_coefficients(given, steps),
        "ns_coefficients",
        f"be three numbers, as many times three as `ns_steps`, or one of {(*SEQUENCES,)}",
        given,
    )
    chosen, known = group["adjust_lr_fn"], (*ADJUSTMENTS,)
    require(chosen in known, "adjust_lr_fn", f"be one of {known}", chosen)


def _are_coefficients(given: Any, steps: int) -> bool:
    if isinstance(given, str):
        return given in SEQUENCES
    if _is_polynomial(given):
        return True
    return (
        isinstance(given, tuple | list) and len(given) == steps and all(map(_is_polynomial, given))
    )


def _is_polynomial(given: Any) -> bool:
    is_triple = isinstance(given, tuple | list) and len(given) == 3
    return is_triple and all(isinstance(each, int | float) for each in given)
