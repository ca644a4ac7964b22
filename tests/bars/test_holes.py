"""Holes: none where the calendar or the bars' own week explains it; nothing hangs on the future."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.bars.filled import filled, filled_table, to_bars

from barstack.bars import Bars
from barstack.core.times import DAY_US

GRIDS: list[dict[str, Any]] = [
    {"calendar": "XNYS", "minutes": 5, "days": 25},
    {"calendar": "XNYS", "minutes": 60, "days": 90, "first": "2025-10-01"},  # clocks, half days
    {"calendar": "XNYS", "minutes": 60, "days": 60, "phase_minutes": 30},
    {"calendar": "XNYS", "minutes": 15, "days": 40, "hours": "extended"},
    {"calendar": "XNYS", "minutes": 1440, "days": 500},
    {"calendar": "CMES", "minutes": 15, "days": 40, "first": "2025-10-20"},
    {"calendar": "FX", "minutes": 60, "days": 60, "first": "2025-10-20"},
    {"calendar": "FX", "minutes": 240, "days": 60, "first": "2025-10-20"},
    {"calendar": "24/7", "minutes": 15, "days": 40},
    {"calendar": "24/7", "minutes": 1440, "days": 400},
]


def without(bars: Bars, first: int, count: int) -> Bars:
    """Bars of which some are gone."""
    return replace(bars, records=np.delete(bars.records, slice(first, first + count)))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_nights_weekends_holidays_and_stubs_are_no_holes(grid: dict[str, Any]) -> None:
    assert not filled(**grid).missing.any()


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_what_was_taken_out_is_missing_before_the_next_bar(grid: dict[str, Any], data: Any) -> None:
    """The hole may reach over nights and weekends: bars are counted, not hours."""
    bars = filled(**grid)
    first = data.draw(st.integers(1, len(bars) - 60))
    count = data.draw(st.integers(1, 50))
    cut = without(bars, first, count)
    # Stubs count for less than a bar, and early on a week that is mostly hole passes for a habit.
    least = 0.5 * count - data_stubs(bars, first, count) - 1 if first > 2 * count else -1
    assert least < cut.missing[first] <= count
    assert not np.delete(cut.missing, first).any()
    if cut.missing[first]:  # a single stub of half a bar may count for none
        for most in (1, 12, 10**6):
            assert np.flatnonzero(cut.holes(most)).tolist() == [first]
    else:
        assert count == data_stubs(bars, first, count) == 1


def data_stubs(bars: Bars, first: int, count: int) -> int:
    """How many of the bars taken out are shorter than the others."""
    gone = bars.records[first : first + count]
    lengths = gone["closed_at"] - gone["opened_at"]
    return int((lengths != np.median(bars.records["closed_at"] - bars.records["opened_at"])).sum())


@pytest.mark.parametrize(
    ("calendar", "minutes", "days"),
    [("XNYS", 5, 40), ("XNYS", 60, 250), ("XNYS", 1440, 500), ("FX", 60, 250), ("FX", 15, 60)],
)
def test_without_a_calendar_the_bars_own_week_explains_nights_and_weekends(
    calendar: str, minutes: int, days: int
) -> None:
    """From the second week on, changes of clocks included; a holiday is a hole."""
    table = filled_table(calendar, minutes=minutes, days=days, first="2025-02-03")
    bars = to_bars(table, "24/7", minutes=minutes)
    later = bars.records["opened_at"] >= bars.records["opened_at"][0] + 8 * DAY_US
    weekday = (bars.records["opened_at"] // DAY_US + 3) % 7
    apart = np.diff(bars.records["opened_at"], prepend=bars.records["opened_at"][:1])
    holes = np.flatnonzero(bars.holes(12) & later)
    # A holiday keeps the market shut for a day more than the night or weekend it lengthens.
    usual = {0: 3 * DAY_US + 2 * 3_600_000_000} if calendar == "XNYS" else {}
    for row in holes:
        assert apart[row] > usual.get(int(weekday[row]), DAY_US + 2 * 3_600_000_000)
    assert len(holes) <= 10
    middle = (
        int(np.flatnonzero(later & (weekday == 2) & (apart == bars.length_us))[20])
        if (minutes < 1440)
        else len(bars) // 2
    )
    assert without(bars, middle, 20).holes(12)[middle]


def test_bars_around_the_clock_have_no_habit_to_be_away() -> None:
    bars = without(filled("24/7", minutes=60, days=40), 500, 1)
    assert np.flatnonzero(bars.holes(1)).tolist() == [500]


def test_the_daily_break_of_futures_is_a_habit_after_a_week() -> None:
    table = filled_table("CMES", minutes=15, days=40, first="2025-10-15")
    hour = table["timestamp"].dt.convert_time_zone("America/Chicago").dt.hour()
    bars = to_bars(table.filter(hour != 16), "CMES", minutes=15)
    rows = np.flatnonzero(bars.missing)
    assert len(rows)
    assert (bars.records["opened_at"][rows] < bars.records["opened_at"][0] + 8 * DAY_US).all()


def test_bars_without_a_trade_are_no_holes_where_they_are_the_habit() -> None:
    """One bar in twenty is left out. Stretches of one or two are usual; one of forty never is."""
    table = filled_table(minutes=5, days=60)
    quiet = np.random.default_rng(1).random(len(table)) < 0.05
    quiet[[0, -1]] = False
    bars = to_bars(table.filter(~pl.Series(quiet)), "XNYS", minutes=5)
    assert (bars.missing > 0).sum() > 150
    assert bars.holes(12).sum() <= 8
    assert bars.holes(12)[np.flatnonzero(bars.missing)[0]]  # at first nothing is a habit
    assert without(bars, 3000, 40).holes(12)[3000]


def test_long_stretches_without_a_trade_are_no_holes_in_what_is_held_for_a_day() -> None:
    """Of the bars before nine one in ten is traded, so that an hour or two without one is usual."""
    table = filled_table("XNYS", minutes=5, days=60, hours="extended")
    early = table["timestamp"].dt.convert_time_zone("America/New_York").dt.hour() < 9
    quiet = early.to_numpy() & (np.random.default_rng(1).random(len(table)) < 0.9)
    bars = to_bars(table.filter(~pl.Series(quiet)), "XNYS", minutes=5, hours="extended")
    assert (bars.missing > 12).sum() > 50
    assert (bars.holes(12) >= (bars.missing > 12)).all()  # an hour's holding knows no such habit
    assert bars.holes(192).sum() <= 10


def test_quarterly_holes_are_holes_however_often_they_come() -> None:
    bars = filled("24/7", minutes=60, days=720)
    kept = bars.records["opened_at"] // DAY_US % 90 < 45
    rare = replace(bars, records=bars.records[kept])
    assert rare.holes(12).sum() == rare.holes(1).sum() == (rare.missing > 0).sum() >= 7


@settings(max_examples=15, deadline=None)
@example(seed=1, now=729, share=0.3, calendar="24/7")  # ends an hour before hours that are free
@given(
    seed=st.integers(0, 99), now=st.integers(50, 1800), share=st.sampled_from([0.02, 0.3]),
    calendar=st.sampled_from(["XNYS", "24/7", "FX", ""]),
)  # fmt: skip
def test_what_comes_later_changes_nothing(seed: int, now: int, share: float, calendar: str) -> None:
    rng = np.random.default_rng(seed)
    bars = filled("XNYS" if calendar != "FX" else "FX", minutes=30, days=150, seed=seed)
    records = bars.records[rng.random(len(bars)) > share]
    records = np.delete(records, slice(700, 700 + int(rng.integers(1, 400))))
    bars = replace(bars, records=records, calendar=calendar)
    now = min(now, len(bars))
    np.testing.assert_array_equal(bars[:now].missing, bars.missing[:now])
    np.testing.assert_array_equal(bars[:now].holes(12), bars.holes(12)[:now])


def test_bars_made_by_hand_are_judged_by_the_sessions_they_name() -> None:
    bars = replace(filled(minutes=30, days=60), calendar="")
    assert not bars.missing.any()
    assert np.flatnonzero(without(bars, 200, 4).missing).tolist() == [200]
    assert np.flatnonzero(without(bars, 200, 13 * 8).missing).tolist() == [200]  # eight sessions


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_bars(count: int) -> None:
    bars = filled()[:count]
    assert len(bars.missing) == len(bars.holes(1)) == count
