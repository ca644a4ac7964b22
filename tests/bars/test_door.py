"""The door for tables: clean bars come in whole, anything else gets a sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.bars import Bars, bars_from_frame
from barstack.core.errors import ConfigError, DataError
from barstack.testing import walk

HALF_HOURS = pd.date_range("2026-01-05 14:30", periods=6, freq="30min", tz="UTC")
DAYS = pd.DatetimeIndex(["2025-11-25", "2025-11-26", "2025-11-28", "2025-12-01"])


def frame(times: Any = HALF_HOURS, **columns: Any) -> pd.DataFrame:
    """Flat bars but for what is given."""
    flat = {"open": 2.0, "high": 3.0, "low": 1.0, "close": 2.0, "volume": 9.0}
    return pd.DataFrame({"timestamp": times} | flat | columns)


def read(table: Any, **options: Any) -> Bars:
    return bars_from_frame(table, "SPY", where="file", **options)


def with_value(column: str, value: float) -> pd.DataFrame:
    """Row 3 holds one wrong value."""
    table = frame()
    table.loc[3, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (frame().rename(columns={"close": "closee"}), r"no column 'close'\. Did you mean 'closee'"),
        (frame().drop(columns="volume"), r"no column 'volume'.*Add one of zeros"),
        (frame().drop(columns="timestamp"), r"no time column\. Name it timestamp or"),
        (frame(Close=2.0), r"2 columns called 'close'\. Keep one"),
        (frame(HALF_HOURS[::-1]), r"row 1 of SPY .*goes back in time; 5 such.*Sort the rows"),
        (frame(HALF_HOURS[[0, 1, 1, 2, 3, 4]]), r"row 2 of SPY .*repeats the time.*duplicates"),
        (with_value("close", np.nan), r"row 3 of SPY .*no finite close: .*close nan.*Repair"),
        (with_value("high", np.inf), r"no finite high"),
        (with_value("volume", np.nan), r"no finite volume"),
        (with_value("low", 0.0), r"row 3 .*low that is not positive: .*low 0,"),
        (with_value("open", -2.0), r"an? open that is not positive"),
        (with_value("high", 0.5), r"row 3 .*a high below its low"),
        (with_value("close", 3.5), r"row 3 .*a close outside its low and high"),
        (with_value("open", 0.5), r"row 3 .*a open outside its low and high"),
        (with_value("volume", -1.0), r"row 3 .*a negative volume"),
        (frame(close="2.0"), r"'close' holds String \('2\.0' in row 0\), not numbers"),
        (frame(range(6)), r"'timestamp' holds Int64, not times"),
        (frame([*HALF_HOURS[:5], pd.NaT]), r"row 5 of 'timestamp' has no time"),
        (frame(HALF_HOURS.tz_localize(None)), r"carry no timezone.*timezone: America/New_York"),
        (frame(["01/05/2026"] * 6), r"cannot read '01/05/2026' in row 0 .*Use ISO 8601"),
        (frame([*HALF_HOURS[:5].astype(str), "soon"]), r"cannot read 'soon' in row 5"),
        (frame(["2026-13-05"] * 6), r"cannot read '2026-13-05' in row 0"),
        (frame()[:0], r"holds no bars"),
        (frame()[:1], r"one bar, too few to see how long"),
        (frame(HALF_HOURS[[0, 1, 2, 3, 4, 5]] + pd.to_timedelta([0, 0, 0, 0, 0, -600], "s")),
         r"row 5 .*begins before the bar before it ends, 30min after"),
        ([1, 2], r"is a list; give a pandas or polars DataFrame"),
        (frame().to_dict(), r"is a dict; give"),
        (None, r"is a NoneType; give"),
    ],
)  # fmt: skip
def test_what_is_not_clean_is_refused(table: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(table)


def test_irregular_spacing_is_refused_unless_the_length_is_said() -> None:
    times = HALF_HOURS[0] + pd.to_timedelta([0, 5, 12, 21, 33, 50, 71], "min")
    with pytest.raises(DataError, match=r"no regular spacing.*bar: 5min"):
        read(frame(times))
    assert len(read(frame(times), length_us=300_000_000)) == 7


def test_a_length_longer_than_the_spacing_is_refused() -> None:
    with pytest.raises(DataError, match=r"begins before the bar before it ends, 1h after"):
        read(frame(), length_us=3_600_000_000)


ZONED = [
    frame(HALF_HOURS.tz_convert("America/New_York")),
    frame(HALF_HOURS).set_index("timestamp"),
    frame(HALF_HOURS).set_index("timestamp").rename_axis(None),
    frame(HALF_HOURS).set_index("timestamp").rename_axis("Date"),
    frame(HALF_HOURS).rename(columns=str.upper),
    frame(HALF_HOURS)[["volume", "low", "timestamp", "close", "high", "open"]],
    frame(HALF_HOURS).set_index("timestamp", drop=False),
    frame(HALF_HOURS.astype(str)),
    frame(HALF_HOURS.tz_convert("America/New_York").map(datetime.isoformat)),
    frame([time.strftime("%Y-%m-%dT%H:%MZ") for time in HALF_HOURS]),
    frame([time.to_pydatetime() for time in HALF_HOURS]),
    pl.DataFrame(frame(HALF_HOURS.to_list()).to_dict("list")),
]


@pytest.mark.parametrize("table", ZONED, ids=range(len(ZONED)))
def test_the_same_bars_in_any_form_are_equal(table: Any) -> None:
    assert read(table).fingerprint == read(frame()).fingerprint


@pytest.mark.parametrize("as_text", [False, True])
def test_times_without_a_zone_are_mended_by_naming_it(as_text: bool) -> None:
    local = HALF_HOURS.tz_convert("America/New_York").tz_localize(None)
    table = frame(local.astype(str) if as_text else local)
    assert read(table, timezone="America/New_York").fingerprint == read(frame()).fingerprint


@pytest.mark.parametrize(
    ("start", "timezone", "said"),
    [
        ("2025-11-02 00:30", "America/New_York", "ambiguous"),  # clocks go back
        ("2026-03-08 01:30", "America/New_York", "non-existent"),  # clocks go forward
        ("2026-01-05 09:30", "America/NewYork", "America/NewYork"),
    ],
)
def test_times_that_a_zone_cannot_tell(start: str, timezone: str, said: str) -> None:
    with pytest.raises(DataError, match=rf"cannot read the times as {timezone}.*{said}"):
        read(frame(pd.date_range(start, periods=6, freq="30min")), timezone=timezone)


def test_stamps_of_the_close_give_the_same_bars() -> None:
    ends = frame(HALF_HOURS + pd.Timedelta("30min"))
    assert read(ends, stamp="close").fingerprint == read(frame()).fingerprint


def closes(table: Any, **options: Any) -> list[str]:
    bars = read(table, calendar="XNYS", **options)
    return [str(time)[:16] for time in bars.closed_at]


SESSION_CLOSES = ["2025-11-25T21:00", "2025-11-26T21:00", "2025-11-28T18:00", "2025-12-01T21:00"]


@pytest.mark.parametrize(
    ("times", "stamp"),
    [
        (DAYS, "open"),
        (DAYS, "close"),
        (DAYS.tz_localize("UTC"), "open"),
        (DAYS.tz_localize("America/New_York"), "open"),  # as Yahoo gives them
        (DAYS.strftime("%Y-%m-%d"), "open"),
        (list(DAYS.date), "open"),
        ((DAYS + pd.Timedelta("9.5h")).tz_localize("America/New_York"), "open"),
        (pd.to_datetime(SESSION_CLOSES, utc=True), "close"),
    ],
    ids=["naive", "naive close", "utc", "new york", "text", "dates", "at open", "at close"],
)
def test_a_daily_bar_is_known_at_its_session_close(times: Any, stamp: str) -> None:
    """A date is a label: nothing of the day is known at its midnight, half days close at 13:00."""
    assert closes(frame(times), stamp=stamp, length_us=86_400_000_000) == SESSION_CLOSES


def test_half_days_of_july() -> None:
    days = pd.DatetimeIndex(["2025-07-02", "2025-07-03", "2025-07-07"])
    known = ["2025-07-02T20:00", "2025-07-03T17:00", "2025-07-07T20:00"]
    assert closes(frame(days), length_us=86_400_000_000) == known


def test_midnights_in_tokyo_name_tokyo_sessions() -> None:
    days = pd.DatetimeIndex(["2026-01-06", "2026-01-07", "2026-01-08"]).tz_localize("Asia/Tokyo")
    bars = read(frame(days), calendar="XTKS")
    assert [str(time)[:16] for time in bars.closed_at] == [
        "2026-01-06T06:30", "2026-01-07T06:30", "2026-01-08T06:30",
    ]  # fmt: skip


@pytest.mark.parametrize("extra", ["2025-11-27", "2025-11-29"])  # Thanksgiving, a Saturday
def test_a_day_without_a_session_is_refused(extra: str) -> None:
    with pytest.raises(DataError, match=r"XNYS"):
        read(frame(DAYS.append(pd.DatetimeIndex([extra])).sort_values()), calendar="XNYS")


def test_two_bars_of_one_session_are_refused() -> None:
    times = DAYS.tz_localize("UTC").insert(1, DAYS[0].tz_localize("UTC") + pd.Timedelta("5h"))
    with pytest.raises(DataError, match=r"same session of XNYS as the one before"):
        read(frame(times), calendar="XNYS", length_us=86_400_000_000)


def test_weekly_bars_are_not_known_on_monday() -> None:
    mondays = pd.date_range("2026-01-05", periods=6, freq="W-MON", tz="UTC")
    with pytest.raises(DataError, match=r"1w long, longer than a session of XNYS\. Give daily"):
        read(frame(mondays), calendar="XNYS")
    bars = read(frame(mondays))
    assert (bars.closed_at == bars.opened_at + np.timedelta64(7, "D")).all()


def test_the_last_hourly_stub_closes_with_the_session() -> None:
    times = pd.date_range("2026-01-05 09:30", periods=7, freq="1h", tz="America/New_York")
    assert closes(frame(times))[-2:] == ["2026-01-05T20:30", "2026-01-05T21:00"]


def test_a_bar_that_begins_before_the_open_is_cut_to_it() -> None:
    times = pd.date_range("2026-01-05 09:00", periods=7, freq="1h", tz="America/New_York")
    bars = read(frame(times), calendar="XNYS")
    assert str(bars.opened_at[0])[:16] == "2026-01-05T14:30"
    assert str(bars.closed_at[0])[:16] == "2026-01-05T15:00"


def test_where_sessions_meet_a_bar_belongs_to_the_one_that_begins() -> None:
    times = pd.date_range("2026-01-05 22:00", periods=4, freq="1h", tz="UTC")
    days = read(frame(times), calendar="24/5").records["session"]
    assert (days - days[0]).tolist() == [0, 0, 1, 1]


def test_extended_hours() -> None:
    times = pd.date_range("2026-01-05 04:00", periods=32, freq="30min", tz="America/New_York")
    whole = read(frame(times), calendar="XNYS", hours="extended")
    regular = read(frame(times), calendar="XNYS")
    assert (len(whole), len(regular)) == (32, 13)
    assert str(whole.closed_at[-1])[:16] == "2026-01-06T01:00"
    with pytest.raises(ConfigError, match=r"CMES .* no extended hours"):
        read(frame(times), calendar="CMES", hours="extended")


@pytest.mark.parametrize("option", [{"stamp": "clsoe"}, {"hours": "extnded"}])
def test_a_mistyped_option_is_no_default(option: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="Did you mean"):
        read(frame(), **option)


def test_bars_outside_sessions_are_counted() -> None:
    times = pd.date_range("2026-01-05 04:00", periods=32, freq="30min", tz="America/New_York")
    assert read(frame(times), calendar="XNYS").outside == 19


def test_a_market_on_another_calendar_is_refused() -> None:
    day_and_night = pd.date_range("2026-01-05", periods=480, freq="1h", tz="UTC")
    with pytest.raises(DataError, match=r"of 480 bars of SPY lie outside .*XNYS.*24/7"):
        read(frame(day_and_night), calendar="XNYS")


def test_an_unknown_calendar() -> None:
    with pytest.raises(ConfigError, match=r"Unknown calendar 'XNYSE'\. Did you mean 'XNYS'"):
        read(frame(), calendar="XNYSE")


@settings(max_examples=25, deadline=None)
@given(
    row=st.integers(0, 39),
    column=st.sampled_from(["open", "high", "low", "close", "volume", "opened_at", "session"]),
)
def test_any_change_changes_the_fingerprint(row: int, column: str) -> None:
    bars = walk(40)
    records = bars.records.copy()
    records[column][row] += 1
    assert Bars(bars.symbol, bars.length_us, records).fingerprint != bars.fingerprint


def test_symbol_and_length_are_part_of_the_fingerprint() -> None:
    bars = walk(40)
    prints = {
        bars.fingerprint,
        Bars("OTHER", bars.length_us, bars.records).fingerprint,
        Bars(bars.symbol, 60_000_000, bars.records).fingerprint,
        bars[:-1].fingerprint,
    }
    assert len(prints) == 4


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), length=st.integers(3, 60))
def test_pandas_and_polars_agree(
    table: Callable[[Bars], pl.DataFrame], seed: int, length: int
) -> None:
    polars = table(walk(length, seed=seed))
    pandas = pd.DataFrame({name: polars[name].to_list() for name in polars.columns})
    assert read(polars).fingerprint == read(pandas).fingerprint


def test_dates_of_polars() -> None:
    days = [date(2025, 11, 25), date(2025, 11, 26), date(2025, 11, 28), date(2025, 12, 1)]
    table = pl.DataFrame({"date": days}).with_columns(
        [pl.lit(2.0).alias(name) for name in ("open", "high", "low", "close", "volume")]
    )
    assert closes(table, length_us=86_400_000_000) == SESSION_CLOSES
