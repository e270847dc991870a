"""Fits of a law to the losses of a run: all exponents and memories of a grid, by likelihood.

A law is linear in ``L0``, ``A`` and ``B`` once its exponent and its memory are given. So least
squares give the best three at each point of a grid, and no start can miss the best fit. The
likelihood of a point is its weight. The spread of the predictions over the points is the
uncertainty of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .laws import TINY, Array, Law, Rates

EXPONENTS = np.linspace(0.05, 1.5, 20)
MEMORIES = np.geomspace(1 / 300, 1, 20)
"""In the clock's value at the end of the run."""
STEP = float(EXPONENTS[1] - EXPONENTS[0])
RATIO = float(MEMORIES[1] / MEMORIES[0])
FINE = 14
"""The points of the second grid in each direction, around the likely points of the first."""
BEYOND = 0.5
"""The standard deviation of what a longer run gains by progress alone, in that gain."""
LEAST_WEIGHT = 1e-3
"""Points of a smaller likelihood, in that of the best one, are left out."""
LAGS = 10
OUTLIER = 2.0
"""Residuals of more than so many standard deviations have less weight (Huber's function)."""
PARAMETERS = 5
LEAST_PROGRESS = 1e-3
"""In the progress of the run: the power law has no value at 0; earlier updates count as here."""


@dataclass(frozen=True)
class Fit:
    """A law fitted to the losses of a run: the likely points of the grid.

    Args:
        law: the law.
        exponents, memories: of each point.
        scale: the progress at the end of the run: S counts in units of it.
        coefficients: ``L0``, ``A`` and ``B`` of each point, shape (points, 3).
        covariances: theirs, shape (points, 3, 3).
        weights: the likelihood of each point; their sum is 1.
        residuals: the losses less the law at the best point.
        noise: the variance of a loss, as far as neighbours are independent.
    """

    law: Law
    exponents: Array
    memories: Array
    scale: float
    coefficients: Array
    covariances: Array
    weights: Array
    residuals: Array
    noise: float

    @property
    def cost(self) -> float:
        """The sum of squares of the residuals."""
        return float(self.residuals @ self.residuals)

    def predict(self, rates: Rates) -> tuple[Array, Array]:
        """The loss at each knot of some rates, and its standard deviation."""
        terms = design(self.law, rates, self.exponents, self.memories, self.scale)
        losses = np.einsum("pkt,pt->pk", terms, self.coefficients)
        variances = np.einsum("pkt,ptu,pku->pk", terms, self.covariances, terms)
        mean = self.weights @ losses
        spread = self.weights @ (variances + (losses - mean) ** 2)
        gained = self.coefficients[:, 1, None] * np.maximum(0, 1 - terms[:, :, 1])
        return mean, np.sqrt(np.maximum(spread, 0) + (BEYOND * (self.weights @ gained)) ** 2)


def fit(law: Law, rates: Rates, places: Array, losses: Array) -> Fit | None:
    """Fit a law to losses that were measured after so many updates; None if none fits."""
    memories = MEMORIES * law.clock(rates)[-1]
    coarse = fit_on_grid(law, rates, places, losses, EXPONENTS, memories)
    if coarse is None:
        return None
    e, m = coarse.exponents, coarse.memories
    exponents = np.linspace(max(e.min() - STEP, STEP), e.max() + STEP, FINE)
    memories = np.geomspace(m.min() / RATIO, m.max() * RATIO, FINE)
    return fit_on_grid(law, rates, places, losses, exponents, memories)


def fit_on_grid(
    law: Law, rates: Rates, places: Array, losses: Array, exponents: Array, memories: Array
) -> Fit | None:
    """The fit whose exponent and memory are on a grid."""
    exponents, memories = map(np.ravel, np.meshgrid(exponents, memories))
    scale = float(rates.progress[-1])
    terms = design(law, rates, exponents, memories, scale)[:, rates.index(places)]
    trust = np.ones_like(losses)
    for _ in range(4):
        coefficients, inverses, costs = solve(terms, losses, trust)
        best = int(np.argmin(costs))
        if costs[best] == np.inf:
            return None
        residuals = losses - terms[best] @ coefficients[best]
        trust = trust_in(residuals)
    noise = costs[best] / max(1, trust.sum() - PARAMETERS) * persistence(residuals)
    weights = np.exp((costs[best] - costs) / (2 * max(noise, TINY)))
    kept = weights >= LEAST_WEIGHT
    return Fit(
        law,
        exponents[kept],
        memories[kept],
        scale,
        coefficients[kept],
        inverses[kept] * noise,
        weights[kept] / weights[kept].sum(),
        residuals,
        noise,
    )


def design(law: Law, rates: Rates, exponents: Array, memories: Array, scale: float) -> Array:
    """The factors of ``L0``, ``A`` and ``B`` at each point and knot: shape (points, knots, 3)."""
    progress = np.maximum(rates.progress / scale, LEAST_PROGRESS)
    power = progress ** -exponents[:, None]
    different, which = np.unique(memories, return_inverse=True)
    removed = law.removed(rates, different)[which]
    return np.stack([np.ones_like(power), power, -removed], axis=-1)


def solve(terms: Array, losses: Array, trust: Array) -> tuple[Array, Array, Array]:
    """Weighted least squares at every point: coefficients, inverse normal matrices and costs.

    Where a coefficient is negative the cost is infinite.
    """
    weighted = terms * trust[:, None]
    normal: Array = np.swapaxes(weighted, 1, 2) @ terms
    inverses = np.linalg.pinv(normal, hermitian=True).astype(np.float64)
    moments = np.einsum("pkt,k->pt", weighted, losses)
    coefficients = np.einsum("ptu,pu->pt", inverses, moments)
    errors = losses - np.einsum("pkt,pt->pk", terms, coefficients)
    costs: Array = np.where((coefficients >= 0).all(axis=1), errors**2 @ trust, np.inf)
    return coefficients, inverses, costs


def trust_in(residuals: Array) -> Array:
    """The weight of each loss: 1, less for an outlier."""
    typical = 1.4826 * np.median(np.abs(residuals))
    trust: Array = np.minimum(1, OUTLIER * typical / np.maximum(np.abs(residuals), TINY))
    return trust


def persistence(residuals: Array) -> float:
    """The number of residuals that tell as much as one independent one, at least 1."""
    total = max(float(residuals @ residuals), TINY)
    lags = range(1, min(LAGS, len(residuals) - 1))
    correlations = [float(residuals[:-lag] @ residuals[lag:]) / total for lag in lags]
    return 1 + 2 * sum(value for value in correlations if value > 0)
