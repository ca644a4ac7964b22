"""Higher bars against an independent, obvious oracle in pandas."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.bars import BAR, Bars, aggregate, bars_from_frame, no_bar_forming, resample
from barstack.core.errors import ConfigError
from barstack.core.times import parse_duration
from barstack.testing import walk

FIVE_MIN = 300_000_000


def oracle(bars: Bars, length: str) -> pd.DataFrame:
    """Group base bars by session and distance from its open; drop the group still forming, and the
    first where it began before the first base bar."""
    length_us = parse_duration(length)
    base = pd.DataFrame({name: bars.records[name] for name in bars.records.dtype.names or ()})
    if length_us < 86_400_000_000:
        base["part"] = (base["opened_at"] - base["session_open"]) // length_us
    else:
        base["part"] = 0
    if length_us > 86_400_000_000:
        base["session"] = (base["session"] - 4) // (length_us // 86_400_000_000)
    groups = base.groupby(["session", "part"], sort=False)
    higher = groups.agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", "sum"),
        last_known=("closed_at", "max"),
        session_close=("session_close", "last"),
        session_open=("session_open", "first"),
    ).reset_index()
    days = length_us // 86_400_000_000
    if days > 1:
        end = ((higher["session"] + 1) * days + 4) * 86_400_000_000
    elif days == 1:
        end = higher["session_close"]
    else:
        end = higher["session_open"] + (higher["part"] + 1) * length_us
        end = end.clip(upper=higher["session_close"])
    higher["closed_at"] = np.maximum(end, higher["last_known"])
    forming = higher["last_known"].iloc[-1] < end.iloc[-1]
    first = base.iloc[0]
    begins = (
        first["session_open"] + first["part"] * length_us if days < 1 else first["session_open"]
    )
    late = first["opened_at"] > begins
    if days > 1:
        late |= (bars.records["session"][0] - 4) % days != 0  # not the first Monday
    return higher.iloc[int(late) : len(higher) - int(forming)]


def assert_equals_oracle(bars: Bars, length: str) -> None:
    made = resample(bars, parse_duration(length))[bars.symbol]
    expected = oracle(bars, length)
    assert len(made) == len(expected)
    for column in ("open", "high", "low", "close", "closed_at"):
        np.testing.assert_array_equal(made.records[column], expected[column], column)
    np.testing.assert_allclose(made.records["volume"], expected["volume"], rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_bars=st.integers(20, 800),
    missing=st.sampled_from([0.0, 0.1, 0.6]),
    length=st.sampled_from(["10min", "30min", "35min", "1h", "2h", "4h", "1d", "1w", "2w"]),
    start=st.integers(0, 200),
)
def test_equals_the_oracle(seed: int, n_bars: int, missing: float, length: str, start: int) -> None:
    """Half days, bars missing anywhere, sessions of odd length, a history that begins anywhere and
    ends in a bar still forming."""
    bars = walk(n_bars, seed=seed, length_us=FIVE_MIN, missing=missing)
    if len(bars) > start:
        assert_equals_oracle(bars[start:], length)


def test_a_half_day_of_the_new_york_stock_exchange() -> None:
    times = pd.date_range(
        "2025-11-28 09:30", "2025-11-28 12:55", freq="5min", tz="America/New_York"
    )
    flat = dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0)
    bars = bars_from_frame(pd.DataFrame({"timestamp": times} | flat), "SPY", calendar="XNYS")
    made = resample(bars, parse_duration("1h"))["SPY"]
    assert [str(time)[11:16] for time in made.closed_at] == ["15:30", "16:30", "17:30", "18:00"]
    assert made.records["volume"].tolist() == [12, 12, 12, 6]
    assert len(resample(bars, parse_duration("1d"))["SPY"]) == 1


def test_a_bar_that_is_still_forming_is_left_out() -> None:
    bars = walk(13, length_us=1_800_000_000)
    assert len(resample(bars[:12], parse_duration("1h"))["WALK"]) == 6
    assert len(resample(bars[:11], parse_duration("1h"))["WALK"]) == 5
    assert len(resample(bars[:12], parse_duration("1d"))["WALK"]) == 0
    assert len(resample(bars, parse_duration("1d"))["WALK"]) == 1


def test_a_bar_that_was_forming_before_the_history_begins_is_left_out() -> None:
    bars = walk(60, length_us=FIVE_MIN)
    hours = resample(bars, parse_duration("1h"))["WALK"]
    for first in range(1, 12):
        assert (
            resample(bars[first:], parse_duration("1h"))["WALK"].records == hours[1:].records
        ).all()
    assert (resample(bars[12:], parse_duration("1h"))["WALK"].records == hours[1:].records).all()


def test_a_week_that_began_before_the_history_is_left_out() -> None:
    """Days from a Wednesday on: the first week is that of the next Monday."""
    days = resample(walk(13 * 30), parse_duration("1d"))["WALK"]
    weeks = resample(days, parse_duration("1w"))["WALK"]
    later = resample(days[2:], parse_duration("1w"))["WALK"]
    assert days.opened_at[2].astype("datetime64[D]").item().isoweekday() == 3
    assert (later.records == weeks[1:].records).all()


def test_a_stub_at_the_open_begins_its_session() -> None:
    """The hour stamped 09:00 holds 09:30 to 10:00: nothing of the day came before it."""
    assert len(resample(hourly_with_a_stub(), parse_duration("1d"))["SPY"]) == 1
    assert len(resample(hourly_with_a_stub()[1:], parse_duration("1d"))["SPY"]) == 0


def hourly_with_a_stub() -> Bars:
    """Hours on the clock in a session that opens at half past: 09:30-10:00, 10:00-11:00, ..."""
    times = pd.date_range("2026-01-05 09:00", periods=7, freq="1h", tz="America/New_York")
    prices = np.arange(1.0, 8.0)
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
    return bars_from_frame(pd.DataFrame({"timestamp": times} | columns), "SPY", calendar="XNYS")


@pytest.mark.parametrize("length", ["2h", "3h", "1d"])
def test_no_higher_bar_is_known_before_what_it_is_made_of(length: str) -> None:
    bars = hourly_with_a_stub()
    for each in resample(bars, parse_duration(length))["SPY"].records:
        made_of = bars.records[bars.records["close"] == each["close"]]
        assert (made_of["closed_at"] <= each["closed_at"]).all()


def test_a_futures_week_begins_on_sunday_evening() -> None:
    times = pd.date_range("2026-02-15 23:00", "2026-03-06 00:00", freq="1h", tz="UTC")
    prices = np.arange(1.0, len(times) + 1)
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
    bars = bars_from_frame(pd.DataFrame({"timestamp": times} | columns), "ES", calendar="CMES")
    week = resample(bars, parse_duration("1w"))["ES"].records[1]
    sunday_evening = bars.records[bars.opened_at == np.datetime64("2026-02-22T23:00")]
    assert week["open"] == sunday_evening["open"][0]


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 300), max_size=6),
    length=st.sampled_from(["30min", "2h", "1d", "1w"]),
    missing=st.sampled_from([0.0, 0.3]),
)
def test_in_any_pieces_it_is_the_same(cuts: list[int], length: str, missing: float) -> None:
    """All at once, bar by bar, or anything between: the same higher bars at the same moments."""
    bars = walk(300, length_us=FIVE_MIN, missing=missing)

    def fed(edges: list[int]) -> tuple[list[Any], list[int]]:
        forming, made, rows = no_bar_forming(), [], []
        for start, end in pairwise(edges):
            piece = bars.records[start:end]
            closed, at = np.zeros(2 * len(piece), BAR), np.empty(2 * len(piece), np.int64)
            count = aggregate(forming, piece, parse_duration(length), closed, at)
            made += closed[:count].tolist()
            rows += (at[:count] + start).tolist()
        return made, rows

    whole = fed([0, len(bars)])
    assert fed(sorted({0, len(bars), *(min(cut, len(bars)) for cut in cuts)})) == whole
    assert fed(list(range(len(bars) + 1))) == whole


@pytest.mark.parametrize("length", ["5min", "7min", "3d", "10d", "1s"])
def test_lengths_that_cannot_be_made(length: str) -> None:
    with pytest.raises(ConfigError, match=r"Cannot make .* bars from 5min bars"):
        resample(walk(10, length_us=FIVE_MIN), parse_duration(length))
