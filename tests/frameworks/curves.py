"""The kinds of schedule that the tests give to a framework, and the factors that are expected."""

from __future__ import annotations

import glideslope as gs

STEPS = 40
CURVES: dict[str, gs.Schedule] = {
    "constant": gs.constant(0.5),
    "linear": gs.linear(20, end=0.1),
    "sequence": gs.warmup(5) >> gs.hold(5) >> gs.cosine(20, end=0.1),
    "polynomial": gs.polynomial(20, power=2, end=0.05),
    "exponential": gs.exponential(0.9),
    "inverse square root": gs.inverse_sqrt(8),
    "restarts": gs.cosine(6).repeat(decay=0.5, stretch=2),
    "piecewise": gs.piecewise({0: 1.0, 7: 0.5, 20: 0.1}),
    "stairs": gs.step(7, 0.5),
    "one cycle": gs.one_cycle(30),
    "product": gs.saturation(4) * gs.linear(30),
    "branch": gs.inverse_sqrt(4).branch(20, gs.linear(8)),
}
KINDS = (
    "chebyshev(8)",
    "constant(1).branch(9, linear(9))",
    "cosine(20, k_decay=2)",
    "cosine(20, power=2)",
    "cosine(9).repeat(3, stretch=2)",
    "cosine(9).repeat(stretch=1.5)",
    "cosine(9).stretch(30)",
    "cosine_waves(20, 1.5)",
    "exp_hyperbolic(20, 30)",
    "fractal_chebyshev(8)",
    "geometric(20)",
    "growing_polynomial(8)",
    "half_life(20)",
    "hyperbolic(20, 30)",
    "linear(5).take(3)",
    "linear(9).clip(0.2, 0.7)",
    "linear(9).reverse()",
    "linear(9).shift(3)",
    "logarithmic(20)",
    "multistep([3, 5])",
    "noam(512, 10)",
    "piecewise([(0, 1), (5, 0.5), (9, 0)], 'cosine')",
    "piecewise([(0, 1), (5, 0.5), (9, 0)], 'linear')",
    "polynomial(20, power=0.5, mirrored=True)",
    "power_law(5)",
    "rectifier(0.99)",
    "relaxation(20)",
    "rex(20)",
    "tanh(20)",
    "warmup(4, 'log')",
    "wsd(3, 5, 6, 'sqrt')",
)
"""Texts of every other kind of curve and of transformation."""
