"""Every curve and recipe against 50 digits."""

from __future__ import annotations

import pytest

from .references import Row, table

ROWS = table()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_curve_is_exact(row: Row) -> None:
    worst = max((row.error(row.schedule(t), t), t) for t in row.points())
    assert worst[0] <= row.tolerance, f"off by {worst[0]:.2e} at step {worst[1]}"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_ten_tolerances_would_be_noticed(row: Row) -> None:
    for t in row.points():
        value = row.schedule(t)
        if value != 0:
            assert row.error(value * (1 + 10 * row.tolerance), t) > row.tolerance
