"""Resampling of real bars, against pandas' own resample and against the bars themselves."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from barstack.bars import PROVIDERS, Bars, resample
from barstack.core.times import parse_duration

HALF_DAYS = ("2025-07-03", "2025-11-28", "2025-12-24")
PRICES = ["open", "high", "low", "close"]


@cache
def load(folder: Path, symbol: str, calendar: str, hours: str = "regular") -> Bars:
    source = {"provider": "files", "path": str(folder), "symbols": [symbol]}
    return PROVIDERS.parse(source | {"calendar": calendar, "hours": hours}).load()[symbol]


def higher(bars: Bars, length: str) -> Bars:
    return resample(bars, parse_duration(length))[bars.symbol]


def pandas_resample(bars: Bars, length: str) -> pd.DataFrame:
    """Each session by itself through pandas, its bins counted from the session's open."""
    records = pd.DataFrame({name: bars.records[name] for name in bars.records.dtype.names or ()})
    records.index = pd.to_datetime(records["opened_at"], unit="us")
    parts = []
    for _, session in records.groupby("session"):
        opens = pd.Timestamp(session["session_open"].iloc[0], unit="us")
        rule = "365D" if length == "1d" else length
        bins = session.resample(rule, origin=opens)
        made = bins.agg(
            {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum",
             "closed_at": "max", "session_close": "last", "session_open": "last"}
        )  # fmt: skip
        parts.append(made[bins.size() > 0])
    return pd.concat(parts)


CASES = [
    ("us_equities_5m", "SPY", "XNYS", "regular", "30min"),
    ("us_equities_5m", "MELI", "XNYS", "regular", "1h"),
    ("us_equities_5m", "SPY", "XNYS", "regular", "1d"),
    ("us_equities_5m_2y", "COST", "XNYS", "extended", "1h"),
    ("us_equities_5m_2y", "UNH", "XNYS", "extended", "1d"),
    ("us_equities_1h_long", "SPY", "XNYS", "regular", "4h"),
    ("crypto_1m", "BTC-PERP", "24/7", "regular", "1h"),
    ("futures_5m", "ES", "CMES", "regular", "1h"),
    ("futures_5m", "NQ", "CMES", "regular", "1d"),
]


@pytest.mark.parametrize(("folder", "symbol", "calendar", "hours", "length"), CASES)
def test_equals_pandas_session_by_session(
    shared_data: Path, folder: str, symbol: str, calendar: str, hours: str, length: str
) -> None:
    bars = load(shared_data / folder, symbol, calendar, hours)[-4_000:]
    bars = bars[-400:] if length == "4h" else bars  # pandas takes its time
    made, expected = higher(bars, length), pandas_resample(bars, length)
    opened = expected.index.to_numpy("datetime64[us]").astype(np.int64)
    assert len(expected) - 2 <= len(made) <= len(expected)
    by_start = {at: row for row, at in enumerate(opened.tolist())}
    rows = [by_start[at] for at in made.records["opened_at"].tolist()]
    assert rows == list(range(rows[0], rows[0] + len(rows)))  # only the first and last may lack
    for name in PRICES:
        np.testing.assert_array_equal(made.records[name], expected[name].to_numpy()[rows], name)
    np.testing.assert_allclose(made.records["volume"], expected["volume"].to_numpy()[rows])


def test_volume_is_conserved_over_whole_bars(shared_data: Path) -> None:
    bars = load(shared_data / "us_equities_5m", "SPY", "XNYS")
    for length in ("30min", "1h", "1d"):
        made = higher(bars, length)
        assert made.records["volume"].sum() == pytest.approx(bars.records["volume"].sum())
    weeks = higher(bars, "1w").records
    inside = (bars.records["opened_at"] >= weeks["opened_at"][0]) & (
        bars.records["opened_at"] < weeks["opened_at"][-1] + parse_duration("1w")
    )
    assert weeks["volume"].sum() == pytest.approx(bars.records["volume"][inside].sum())


@pytest.mark.parametrize("day", HALF_DAYS)
def test_half_days_end_at_one(shared_data: Path, day: str) -> None:
    bars = load(shared_data / "us_equities_5m", "SPY", "XNYS")
    for length, count in (("30min", 7), ("1h", 4), ("1d", 1)):
        made = higher(bars, length)
        closes = pd.to_datetime(made.closed_at).tz_localize("UTC").tz_convert("America/New_York")
        of_day = [each for each in closes if str(each.date()) == day]
        assert len(of_day) == count
        assert of_day[-1].strftime("%H:%M") == "13:00"


def test_hours_of_twenty_years_make_the_days_of_another_file(shared_data: Path) -> None:
    """SPY's hourly closes equal its daily closes: two files of one source, made apart.

    On half days before 2009 the source goes on for an hour after the close; those bars lie outside
    the session, so the closes differ there and nowhere else.
    """
    folder = shared_data / "us_equities_1h_long"
    made = higher(load(folder, "SPY", "XNYS"), "1d")
    daily = load(shared_data / "us_equities_1d_long", "SPY", "XNYS")
    assert (made.closed_at == daily.closed_at).all()
    stamps = pl.read_parquet(folder / "SPY.parquet")["timestamp"].to_numpy()
    row = np.searchsorted(stamps, daily.closed_at)
    later = stamps[np.minimum(row, len(stamps) - 1)]
    goes_on = later - np.asarray(daily.closed_at) < np.timedelta64(2, "h")
    assert goes_on.sum() < 100
    assert (made.close == daily.close)[~goes_on].all()


def test_a_futures_day_runs_from_evening_to_evening(shared_data: Path) -> None:
    bars = load(shared_data / "futures_5m", "ES", "CMES")
    days = higher(bars, "1d")
    opened = pd.to_datetime(days.opened_at).tz_localize("UTC").tz_convert("America/New_York")
    assert {each.strftime("%H:%M") for each in opened} == {"18:00"}
    # The file begins at midnight New York, six hours into a session.
    assert days.opened_at[0] > bars.opened_at[0]


@pytest.mark.parametrize(
    ("folder", "symbol", "calendar", "hours", "lengths"),
    [
        ("us_equities_5m", "SPY", "XNYS", "regular", ("10min", "30min", "1d", "1w")),
        ("us_equities_5m_2y", "COST", "XNYS", "extended", ("15min", "1h", "1d", "2w")),
        ("crypto_1m", "BTC-PERP", "24/7", "regular", ("5min", "15min", "1h", "4h", "1d")),
        ("futures_5m", "ES", "CMES", "regular", ("15min", "1h", "1d", "1w")),
        ("fx_1h_long", "EURUSD", "FX", "regular", ("2h", "4h", "1d", "1w")),
    ],
)
def test_two_steps_are_as_good_as_one(
    shared_data: Path, folder: str, symbol: str, calendar: str, hours: str, lengths: tuple[str, ...]
) -> None:
    """5 min to 10 min to 30 min is 5 min to 30 min, wherever the history begins."""
    whole = load(shared_data / folder, symbol, calendar, hours)
    for start in (0, 7, 131):
        bars = whole[start : start + 15_000]
        for step, length in pairwise(lengths):
            twice, once = higher(higher(bars, step), length), higher(bars, length)
            # The very last may need a base bar after it, which in two steps comes later.
            assert len(once) - 1 <= len(twice) <= len(once)
            for name in (*PRICES, "opened_at", "closed_at"):
                np.testing.assert_array_equal(
                    twice.records[name], once.records[name][: len(twice)], f"{step} {length} {name}"
                )


def test_extended_hours_are_kept_or_dropped(shared_data: Path) -> None:
    folder = shared_data / "us_equities_5m_2y"
    regular = higher(load(folder, "COST", "XNYS"), "1d")
    extended = higher(load(folder, "COST", "XNYS", "extended"), "1d")
    assert len(regular) == len(extended)
    assert (extended.records["volume"] > regular.records["volume"]).any()
    table = pl.read_parquet(folder / "COST.parquet")
    assert extended.records["volume"].sum() == pytest.approx(table["volume"].sum(), rel=0.01)
