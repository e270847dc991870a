"""Rules that use only the sign of the gradient."""

# mypy: allow-untyped-defs, allow-untyped-calls
# A formula carries no types: it runs on floats, arrays and tensors alike. Its signature is laid
# out in lines: numbers of one element, then scalars, then options.

from __future__ import annotations

from ._maths import agreeing, clip, sign, where
from ._rule import rule

__all__ = ["rprop"]


def _named(etas, step_sizes):
    """The factors and the bounds of the step size, each by its own name."""
    names = ("etaminus", "etaplus", "smallest", "largest")
    return dict(zip(names, (*etas, *step_sizes), strict=True))


@rule(
    derive=_named,
    counters=["step"],
    start={"step_size": "lr"},
    non_negative=["step_size"],
    exact={"step_size": "a product of factors"},
)
def rprop(
    p, g, prev, step_size, /,
    etaminus, etaplus, smallest, largest,
    *, cautious,
):  # fmt: skip
    """Rprop: each element's own step grows while its gradient keeps its sign, and shrinks after."""
    agreement = g * prev
    shrunk = where(agreement < 0, etaminus * step_size, step_size)
    step_size = clip(where(agreement > 0, etaplus * step_size, shrunk), smallest, largest)
    g = where(agreement < 0, 0, g)
    update = step_size * sign(g)
    if cautious:
        update = agreeing(update, g)
    return p - update, g, step_size
