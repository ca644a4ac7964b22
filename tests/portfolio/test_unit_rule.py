"""The unit rule bar by bar is that of the batch, to the bit, and what it holds is worked out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barstack.core.forecast import Target, signal_of
from barstack.core.times import DecidedAt, KnownAt
from barstack.portfolio import Holdings, UnitPosition, holdings_of, side_of, unit_positions

CLOSES = np.arange(1, 7).astype("datetime64[h]").astype("datetime64[us]")


at_any_speed = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)


@at_any_speed
@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 6), st.floats(-1.0, 1.0)),
        min_size=1,
        max_size=30,
    ),
)
def test_bar_by_bar_equals_the_batch(decided: list[tuple[int, int, float]]) -> None:
    decided.sort(key=lambda each: each[0])
    entry, length, side = (np.array(column) for column in zip(*decided, strict=True))
    holdings = Holdings(entry, entry + length)
    position, found = UnitPosition(), []
    for bar in range(entry.min(), holdings.exit.max()):
        entered = {row: float(side[row]) for row in np.flatnonzero(entry == bar)}
        found.append(position.update(entered, np.flatnonzero(holdings.exit == bar)))
    np.testing.assert_array_equal(found, unit_positions(holdings, side))
    # At the last exit nothing stays open.
    bar = holdings.exit.max()
    entered = {row: float(side[row]) for row in np.flatnonzero(entry == bar)}
    assert position.update(entered, np.flatnonzero(holdings.exit == bar)) == 0.0


@at_any_speed
@given(st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=30), st.data())
def test_sides_row_by_row_equal_the_batch(signal: list[float], data: st.DataObject) -> None:
    signals = np.array(signal)[:, None]
    rule = np.array(data.draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=len(signal))))
    rule = rule[: len(signal)]
    np.testing.assert_array_equal([side_of(row) for row in signals], side_of(signals))
    rows = [side_of(row, each) for row, each in zip(signals, rule, strict=True)]
    np.testing.assert_array_equal(rows, side_of(signals, rule))


def test_of_three_classes_a_tie_takes_no_side() -> None:
    shares = np.array([[0.4, 0.2, 0.4], [1 / 3] * 3, [0.3, 0.3, 0.4], [0.5, 0.3, 0.2]])[:, None]
    side = side_of(signal_of(shares, Target("three_class", ("1h",))))
    np.testing.assert_array_equal(side[:, 0], [0.0, 0.0, 1.0, -1.0])


def test_a_position_is_held_from_the_next_close_to_the_last_that_is_known_in_time() -> None:
    half = np.timedelta64(30, "m")
    decided_at = DecidedAt(np.array([CLOSES[0], CLOSES[1] - half, CLOSES[2], CLOSES[5] + half]))
    known_at = KnownAt(np.array([CLOSES[2], CLOSES[3] + half, "NaT", "NaT"], "datetime64[us]"))
    found = holdings_of(CLOSES, decided_at, known_at)
    np.testing.assert_array_equal(found.entry, [0, 1, 2, 5])
    np.testing.assert_array_equal(found.exit, [2, 3, 5, 5])
    positions = unit_positions(found, np.array([1.0, -1.0, 0.5, 1.0]))
    np.testing.assert_array_equal(positions, [1.0, 0.0, -0.25, 0.5, 0.5])


def test_a_label_known_before_the_next_close_is_never_held() -> None:
    minute = np.timedelta64(1, "m")
    decided_at = DecidedAt(np.array([CLOSES[0], CLOSES[0] + minute]))
    known_at = KnownAt(np.array([CLOSES[3], CLOSES[0] + 2 * minute]))
    found = holdings_of(CLOSES, decided_at, known_at)
    np.testing.assert_array_equal(unit_positions(found, np.array([1.0, -1.0])), [1.0, 1.0, 1.0])


def test_what_is_not_open_cannot_be_left() -> None:
    with pytest.raises(KeyError, match="'a'"):
        UnitPosition().update({}, ["a"])
