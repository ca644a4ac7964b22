"""How far a few rows may look back is found without reading the whole table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from barstack.core.times import DecidedAt
from barstack.datasets import history, recent_history
from barstack.features import FeatureTable
from barstack.testing import small_dataset


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    """Two symbols with a pause each, and some rows that are incomplete."""
    found = small_dataset("return", bars=300).features
    rng, values = np.random.default_rng(0), found.values.copy()
    values[rng.choice(len(values), 12, replace=False), 2] = np.nan
    late = np.where(np.arange(len(values)) % 300 > 140, np.timedelta64(30, "D"), 0)
    times = DecidedAt(found.decisions.decided_at + late.astype("timedelta64[us]"))
    return replace(found, values=values, decisions=replace(found.decisions, decided_at=times))


@pytest.mark.parametrize("lookback", [1, 2, 20])
@pytest.mark.parametrize("count", [1, 2, 30])
def test_it_says_what_the_whole_table_says(table: FeatureTable, count: int, lookback: int) -> None:
    """Up to the lookback asked for, for rows that lie close together and far apart."""
    rng, whole = np.random.default_rng(count), history(table)
    for _ in range(200):
        first = int(rng.integers(len(whole)))
        rows = rng.permutation(np.unique((first + rng.integers(0, 40, count)) % len(whole)))
        found = recent_history(table, rows, lookback)
        np.testing.assert_array_equal(
            np.minimum(found, lookback), np.minimum(whole[rows], lookback)
        )
        short = whole[rows] < lookback  # of those it says just where the history ends
        np.testing.assert_array_equal(found[short], whole[rows][short])


def test_of_no_rows_it_says_nothing(table: FeatureTable) -> None:
    assert len(recent_history(table, np.array([], np.int64), 5)) == 0
