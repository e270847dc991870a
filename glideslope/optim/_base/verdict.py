"""Verdict on the gradients of a step: what they are multiplied by, and if they are used at all.

On a GPU it is made of tensors, which the host does not read.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from glideslope.rules import sqrt, where

from .common import CommonSettings

CLIP_EPS = 1e-6
"""The number that `torch.nn.utils.clip_grad_norm_` adds to the norm."""

Number = float | Tensor


class Verdict(NamedTuple):
    """Decision of a step on its gradients.

    Attributes:
        factor: they are multiplied by it.
        skip: the step leaves everything as it is.
        norm: of all of them; None if nothing needs it.
        counted: the step is one that `skip_nonfinite` skips.
    """

    factor: Number
    skip: bool | Tensor
    norm: Number | None = None
    counted: bool | Tensor = False


def unscaled_by(scale: Number | None, infinite: Number | None) -> Verdict:
    """The verdict of a loss scaler: its scale, and a number that is not 0 if it found any."""
    factor = 1.0 if scale is None else 1.0 / scale
    return Verdict(factor, False if infinite is None else infinite != 0)


def clipped(verdict: Verdict, norm: Number, settings: CommonSettings) -> Verdict:
    """The verdict with that of the norm of the gradients as they are."""
    norm, counted = norm * verdict.factor, verdict.counted
    if settings.skip_nonfinite:
        counted = ((norm != norm) | (norm == math.inf)) & (verdict.skip == 0)
    factor = verdict.factor
    if settings.max_grad_norm is not None:
        factor = factor * _at_most_1(settings.max_grad_norm / (norm + CLIP_EPS))
    return Verdict(factor, verdict.skip | counted, norm, counted)


def _at_most_1(ratio: Any) -> Any:
    """A ratio, or 1 if that is less or the ratio is not a number."""
    least = where(ratio < 1, ratio, 1.0)
    return least if isinstance(ratio, Tensor) else float(least)


def near(value: Any, device: torch.device | None) -> Any:
    """A number of a loss scaler on the device of a step, or on the host; None stays None."""
    if value is None:
        return None
    if device is None:
        return float(value)
    return torch.as_tensor(value, dtype=torch.float64).to(device).reshape(())


def root(squares: Number) -> Number:
    """The norm, of the sum of the squares."""
    number: Number = sqrt(squares)
    return number
