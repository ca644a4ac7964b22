"""Joins of decisions, against a dict of tuples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barstack.core.decisions import Decisions, shared_rows
from barstack.core.errors import DataError
from barstack.core.times import DecidedAt

MONDAY = np.datetime64("2026-01-05T00:00", "us")
SYMBOLS = ("A", "B", "C", "D")


def decisions(*rows: tuple[str, int], symbols: tuple[str, ...] = SYMBOLS) -> Decisions:
    """Rows given as (symbol, hour)."""
    code = np.array([symbols.index(symbol) for symbol, _ in rows], np.int32)
    hours = np.array([hour for _, hour in rows], np.int64)
    return Decisions(symbols, code, DecidedAt(MONDAY + hours * np.timedelta64(1, "h")))


def keys(table: Decisions) -> list[tuple[str, np.datetime64]]:
    return list(zip(table.symbol, table.decided_at, strict=True))


@st.composite
def tables(draw: st.DrawFn) -> Decisions:
    """Distinct decisions of some symbols, by symbol, by time or in no order."""
    symbols = tuple(sorted(draw(st.sets(st.sampled_from(SYMBOLS), min_size=1))))
    row = st.tuples(st.sampled_from(symbols), st.integers(0, 8))
    rows = draw(st.lists(row, unique=True, max_size=20))
    order = draw(st.sampled_from(["by symbol", "by time", "none"]))
    if order != "none":
        rows.sort(key=lambda each: each if order == "by symbol" else each[::-1])
    return decisions(*rows, symbols=symbols)


@given(here=tables(), others=tables())
def test_match_is_that_of_a_dict(here: Decisions, others: Decisions) -> None:
    row_of = {key: row for row, key in enumerate(keys(here))}
    expected = [row_of.get(key, -1) for key in keys(others)]
    assert here.match(others).tolist() == expected
    if -1 not in expected:
        assert here.find(others).tolist() == expected
    else:
        symbol = others.symbol[expected.index(-1)]
        with pytest.raises(DataError, match=f"No row for {symbol} decided at 2026-01-05"):
            here.find(others)


@given(chosen=st.lists(tables(), min_size=1, max_size=4))
def test_shared_rows_are_those_of_a_set(chosen: list[Decisions]) -> None:
    shared = sorted(
        set.intersection(*(set(keys(table)) for table in chosen)), key=lambda key: key[::-1]
    )
    for table, rows in zip(chosen, shared_rows(chosen), strict=True):
        assert keys(table.take(rows)) == shared


def test_of_equal_rows_the_first_is_taken() -> None:
    here = decisions(("B", 1), ("A", 2), ("B", 1), ("A", 2))
    assert here.match(decisions(("A", 2), ("B", 1))).tolist() == [1, 0]


@given(rows=st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 8)), min_size=1))
def test_columns_in_any_order_become_sorted_decisions(rows: list[tuple[str, int]]) -> None:
    given_rows = decisions(*rows, symbols=("x", "y", "z"))
    made, order = Decisions.of(given_rows.decided_at, given_rows.symbol)
    assert keys(made) == sorted(keys(given_rows))
    assert keys(made) == keys(given_rows.take(order))
    assert set(made.symbols) == set(given_rows.symbol)
