"""The arithmetic of bases and factors: what is multiplied can be undone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.groups import blended, compounded, scaled
from glideslope.groups._numbers import undone

from .driven import near

sizes = st.floats(1e-100, 1e100)
numbers = sizes | sizes.map(lambda value: -value)
lists = st.lists(numbers, min_size=1, max_size=4)


@given(base=numbers, factor=numbers)
def test_a_base_without_edits_comes_back_exactly(base: float, factor: float) -> None:
    assert undone(base * factor, factor, base) == base


@given(value=numbers, factor=numbers, near_to=numbers)
def test_the_base_of_any_value_gives_that_value(
    value: float, factor: float, near_to: float
) -> None:
    """Base times factor is what the group holds, whatever was guessed."""
    assert undone(value, factor, near_to) * factor == near(value, 2e-12)


@given(base=numbers, factor=numbers, share=st.sampled_from([0.5, 0.999, 1.001, 1 + 1e-9, -1.0]))
def test_an_edit_by_a_share_moves_the_base_by_that_share(
    base: float, factor: float, share: float
) -> None:
    assert undone(base * factor * share, factor, base) == near(base * share)


@pytest.mark.parametrize("factor", [0.0, -0.0, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("value", [0.0, 0.3])
def test_a_factor_that_tells_nothing_leaves_the_guess(factor: float, value: float) -> None:
    assert undone(value, factor, 0.7) == 0.7


@given(bases=lists, factor=numbers)
def test_scaled_is_each_base_times_the_factor(bases: list[float], factor: float) -> None:
    for each in (bases, bases[:1] * 3):
        assert scaled(each, factor) == [base * factor for base in each]


@given(pairs=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4), share=st.floats(0, 1))
def test_blended_goes_from_the_bottoms_to_the_tops(
    pairs: list[tuple[float, float]], share: float
) -> None:
    for each in (pairs, pairs[:1] * 3):
        tops, bottoms = [top for top, _ in each], [bottom for _, bottom in each]
        expected = [top * share + bottom * (1 - share) for top, bottom in each]
        assert blended(tops, bottoms, share) == expected
        assert blended(tops, bottoms, 1.0) == tops
        assert blended(tops, bottoms, 0.0) == bottoms


COMPOUNDED: dict[str, tuple[list[float], list[float], list[float], list[float]]] = {
    "its own reference": ([0.3], [0.1], [0.3], [0.1]),  # 0.3 * (0.1 / 0.3) would round
    "another reference": ([0.5], [0.25], [2.0], [0.0625]),
    "a reference of 0 has no factor": ([0.5], [0.25], [0.0], [0.5]),
    "a base of 0 takes the value": ([0.0], [0.25], [0.0], [0.25]),
    "a base of 0 under another reference": ([0.0], [0.25], [2.0], [0.0]),
    "a group its source does not know": ([0.5, 0.25], [0.125], [0.5], [0.125, 0.25]),
}


@pytest.mark.parametrize(
    ("bases", "values", "references", "expected"), COMPOUNDED.values(), ids=COMPOUNDED
)
def test_compounded(
    bases: list[float], values: list[float], references: list[float], expected: list[float]
) -> None:
    assert compounded(bases, values, references) == expected


@given(base=sizes, factors=st.lists(st.floats(0.01, 100), min_size=1, max_size=4))
def test_factors_compound_to_their_product_and_are_undone(
    base: float, factors: list[float]
) -> None:
    held = [base]
    for factor in factors:
        held = compounded(held, [base * factor], [base])
    assert held == [near(base * math.prod(factors))]
    assert undone(held[0], math.prod(factors), base) == base
