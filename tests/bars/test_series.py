"""Series: what was known when, against two slow oracles, and a sentence for every bad table."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.bars import Series, SeriesFile, SeriesTable
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DecidedAt, as_time

MOOD = Series(columns=("mood",))
START = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
SYMBOLS = ("AAA", "BBB", "CCC")

# Few moments, so that rows of one symbol, rows of several and decisions often share one.
MINUTES = st.integers(0, 12)
ROWS = st.dictionaries(
    st.tuples(st.sampled_from(SYMBOLS[:2]), MINUTES), st.sampled_from([-1.0, 0.5, 2.0, None])
)
DECISIONS = st.lists(MINUTES, min_size=1, max_size=8)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def moments(minutes: list[int]) -> DecidedAt:
    return DecidedAt(np.array([at(m).replace(tzinfo=None) for m in minutes], "datetime64[us]"))


def table_of(rows: dict[tuple[str, int], float | None], symbols: bool = True) -> pl.DataFrame:
    table = pl.DataFrame(
        {
            "known_at": [at(minutes) for _, minutes in rows],
            "symbol": [symbol for symbol, _ in rows],
            "mood": list(rows.values()),
        },
        schema={"known_at": pl.Datetime("us", "UTC"), "symbol": pl.String, "mood": pl.Float64},
    )
    return table if symbols else table.drop("symbol")


def mood_as_of(table: SeriesTable, symbol: str, minutes: list[int]) -> list[float]:
    values, _ = table.as_of(symbol, moments(minutes))
    found: list[float] = values[:, 0].tolist()
    return found


def same(one: list[float], other: list[float]) -> bool:
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(one, other, strict=True))


@given(ROWS, DECISIONS, st.randoms())
@settings(max_examples=200, deadline=None)
def test_as_of_is_the_latest_row_known_by_then(
    rows: dict[tuple[str, int], float | None], decisions: list[int], random: Any
) -> None:
    """Looking through every row for every decision, whatever order the rows came in."""
    shuffled = list(rows.items())
    random.shuffle(shuffled)
    table = MOOD.read(table_of(dict(shuffled)))
    for symbol in SYMBOLS:
        expected = []
        for now in decisions:
            known = [when for whom, when in rows if whom == symbol and when <= now]
            value = rows[symbol, max(known)] if known else None
            expected.append(math.nan if value is None else value)
        assert same(mood_as_of(table, symbol, decisions), expected)


@given(ROWS, DECISIONS)
@settings(max_examples=100, deadline=None)
def test_as_of_is_what_pandas_says(
    rows: dict[tuple[str, int], float | None], decisions: list[int]
) -> None:
    right = table_of(rows).to_pandas().sort_values("known_at")
    left = pd.DataFrame(
        [(at(now), symbol) for now in sorted(decisions) for symbol in SYMBOLS],
        columns=["decided_at", "symbol"],
    )
    for frame, name in ((left, "decided_at"), (right, "known_at")):
        frame[name] = frame[name].astype("datetime64[us, UTC]")
        frame["symbol"] = frame["symbol"].astype(object)
    right["mood"] = right["mood"].astype(float)
    joined = pd.merge_asof(left, right, left_on="decided_at", right_on="known_at", by="symbol")
    table = MOOD.read(table_of(rows))
    for symbol, part in joined.groupby("symbol"):
        assert same(mood_as_of(table, str(symbol), sorted(decisions)), part["mood"].tolist())


@given(ROWS, DECISIONS, MINUTES)
@settings(max_examples=100, deadline=None)
def test_what_is_known_later_changes_nothing_before(
    rows: dict[tuple[str, int], float | None], decisions: list[int], now: int
) -> None:
    spec = Series(columns=("mood",), max_age="5min", fill=0.25, age=True)
    before = DecidedAt(moments([each for each in decisions if each <= now]))
    then = {key: value for key, value in rows.items() if key[1] <= now}
    whole, cut, typed = (
        spec.read(table_of(rows)),
        spec.read(table_of(rows)).known_by(moments([now])[0]),
        spec.read(table_of(then)),
    )
    assert len(cut) == len(typed)
    np.testing.assert_array_equal(cut.began_at, typed.began_at)
    for symbol in SYMBOLS:
        expected = spec.join(typed, symbol, before)
        np.testing.assert_array_equal(spec.join(whole, symbol, before), expected)
        np.testing.assert_array_equal(spec.join(cut, symbol, before), expected)


@given(ROWS, st.lists(MINUTES, min_size=1, max_size=6, unique=True).map(sorted))
@settings(max_examples=100, deadline=None)
def test_dropping_what_is_no_longer_in_force_changes_nothing_after(
    rows: dict[tuple[str, int], float | None], decisions: list[int]
) -> None:
    spec = Series(columns=("mood",), max_age="5min", fill=0.25, age=True)
    own = spec.read(table_of(rows)).about("AAA")
    rest, after = own.since(moments(decisions)[0]), moments(decisions)
    np.testing.assert_array_equal(spec.join(rest, "AAA", after), spec.join(own, "AAA", after))
    assert (rest.known_at[1:] > after[0]).all()


def test_a_value_known_at_the_very_moment_counts() -> None:
    table = MOOD.read(table_of({("AAA", 5): 0.5}))
    assert same(mood_as_of(table, "AAA", [4, 5, 6]), [math.nan, 0.5, 0.5])


def test_a_correction_leaves_the_past_as_it_was_known() -> None:
    table = MOOD.read(table_of({("AAA", 2): 1.0, ("AAA", 6): -1.0}))
    assert mood_as_of(table, "AAA", [2, 5, 6]) == [1.0, 1.0, -1.0]


def test_a_later_row_takes_the_place_of_the_one_before_as_a_whole() -> None:
    two = Series(columns=("mood", "count"))
    frame = table_of({("AAA", 2): 1.0, ("AAA", 6): None}).with_columns(count=pl.Series([3, 4]))
    values, known_at = two.read(frame).as_of("AAA", moments([2, 6]))
    np.testing.assert_array_equal(values, [[1.0, 3.0], [math.nan, 4.0]])
    np.testing.assert_array_equal(known_at, moments([2, 6]))


def test_rows_about_every_symbol() -> None:
    macro = Series(columns=("mood",), per_symbol=False)
    table = macro.read(table_of({("AAA", 2): 1.0, ("AAA", 6): -1.0}, symbols=False))
    for symbol in SYMBOLS:
        assert mood_as_of(table, symbol, [3, 7]) == [1.0, -1.0]


def test_the_same_row_twice_counts_once() -> None:
    once = table_of({("AAA", 2): 1.0, ("BBB", 2): None})
    assert len(MOOD.read(pl.concat([once, once]))) == 2


JOINS: list[tuple[dict[str, Any], list[list[float]]]] = [
    # Decisions 0, 2, 4, 5, 9 minutes on; AAA has 1.0 from 2 and nothing from 4 on.
    ({}, [[math.nan], [1.0], [math.nan], [math.nan], [math.nan]]),
    ({"fill": 0.0}, [[math.nan], [1.0], [0.0], [0.0], [0.0]]),
    ({"age": True}, [[math.nan, math.nan], [1.0, 0.0], [math.nan, 0.0], [math.nan, 1 / 60],
                     [math.nan, 5 / 60]]),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "expected"), JOINS)
def test_what_is_unknown(settings: dict[str, Any], expected: list[list[float]]) -> None:
    spec = Series(columns=("mood",), **settings)
    table = spec.read(table_of({("AAA", 2): 1.0, ("AAA", 4): None}))
    np.testing.assert_array_equal(spec.join(table, "AAA", moments([0, 2, 4, 5, 9])), expected)


def test_a_row_holds_until_its_greatest_age_and_no_longer() -> None:
    spec = Series(columns=("mood",), max_age="3min")
    table = spec.read(table_of({("AAA", 2): 1.0}))
    values = spec.join(table, "AAA", moments([2, 5, 6]))
    np.testing.assert_array_equal(values[:, 0], [1.0, 1.0, math.nan])


def test_a_symbol_nobody_speaks_of_is_filled_once_the_series_has_begun() -> None:
    spec = Series(columns=("mood",), fill=-0.5, age=True)
    table = spec.read(table_of({("AAA", 2): 1.0}))
    expected = [[math.nan, math.nan], [-0.5, 0.0], [-0.5, 1 / 60]]
    np.testing.assert_array_equal(spec.join(table, "BBB", moments([1, 2, 3])), expected)


def test_a_table_of_no_rows_knows_nothing() -> None:
    for frame in (table_of({}), pl.DataFrame({"known_at": [], "symbol": [], "mood": []})):
        table = MOOD.read(frame)
        assert repr(table) == "SeriesTable(mood; no rows)"
        assert same(mood_as_of(table, "AAA", [1]), [math.nan])


def test_pandas_and_polars_are_read_alike(tmp_path: Path) -> None:
    polars = table_of({("BBB", 7): -1.0, ("AAA", 2): 1.0, ("AAA", 4): None})
    pandas = polars.to_pandas()
    polars.write_csv(tmp_path / "mood.csv")
    polars.write_parquet(tmp_path / "mood.parquet")
    pandas.to_csv(tmp_path / "pandas.csv", index=False)
    local = polars.with_columns(pl.col("known_at").dt.convert_time_zone("America/New_York"))
    ways = [pandas, pandas.set_index("known_at"), local, polars.with_columns(more=pl.lit("x"))]
    read = [MOOD.read(way) for way in ways]
    for file in ("mood.csv", "mood.parquet", "pandas.csv"):
        read.append(SeriesFile(columns=("mood",), path=file).load(tmp_path))
    naive = polars.with_columns(local["known_at"].dt.replace_time_zone(None))
    read.append(Series(columns=("mood",), timezone="America/New_York").read(naive))
    assert {table.fingerprint for table in read} == {MOOD.read(polars).fingerprint}


def test_the_fingerprint_tells_any_change() -> None:
    rows = {("AAA", 2): 1.0, ("AAA", 4): None, ("BBB", 4): 2.0}
    changes: list[dict[tuple[str, int], float | None]] = [
        {},
        {("AAA", 2): 1.5},
        {("AAA", 4): 0.0},
        {("AAA", 5): 2.0},
        {("CCC", 4): 2.0},
    ]
    tables = [MOOD.read(table_of(rows | change)) for change in changes]
    tables.append(Series(columns=("other",)).read(table_of(rows).rename({"mood": "other"})))
    tables.append(MOOD.read(table_of(rows).with_columns(pl.col("known_at").dt.offset_by("1us"))))
    assert len({table.fingerprint for table in tables}) == len(tables)


NEW_YORK = "America/New_York"
# The clocks go forward on 8 March: four in the afternoon is 21:00 UTC before, 20:00 from then on.
DATES = ["2026-03-06", "2026-03-08"]


@pytest.mark.parametrize(
    "column", [DATES, [date.fromisoformat(each) for each in DATES],
               [datetime.fromisoformat(each) for each in DATES]],
)  # fmt: skip
def test_dates_with_the_time_they_were_known_at(column: list[Any]) -> None:
    spec = Series(columns=("mood",), known_at="day", known_after="16h", timezone=NEW_YORK)
    frame = pl.DataFrame({"day": column, "symbol": ["AAA"] * 2, "mood": [1.0, 2.0]})
    expected = ["2026-03-06T21:00", "2026-03-08T20:00"]
    np.testing.assert_array_equal(spec.read(frame).known_at, np.array(expected, "datetime64[us]"))
    # A row alone, as it comes live, is read as among others.
    for row in range(2):
        assert spec.read(frame[row : row + 1]).known_at[0] == as_time(expected[row])


def test_moments_known_some_time_after_they_name() -> None:
    spec = Series(columns=("mood",), known_after="5min")
    plain, later = (each.read(table_of({("AAA", 2): 1.0})) for each in (MOOD, spec))
    assert later.known_at[0] - plain.known_at[0] == np.timedelta64(5, "m")


def test_midnights_count_as_moments_when_that_is_said() -> None:
    days = [datetime(2026, 3, day, tzinfo=UTC) for day in (6, 7)]
    frame = pl.DataFrame({"known_at": days, "symbol": ["AAA"] * 2, "mood": [1.0, 2.0]})
    table = Series(columns=("mood",), known_after="0s").read(frame)
    assert table.known_at[0] == as_time("2026-03-06T00:00")
    # One row at midnight may be chance: so may a live one.
    assert len(MOOD.read(frame[:1])) == 1


def frame_with(**columns: Any) -> pl.DataFrame:
    good = {"known_at": [at(0), at(1)], "symbol": ["AAA", "AAA"], "mood": [0.5, 1.0]}
    return pl.DataFrame({name: v for name, v in (good | columns).items() if v is not None})


BY_DATE = r"holds calendar dates such as 2026-01-05.*known_after: 16h and timezone"
BAD: list[tuple[Any, dict[str, Any], str]] = [
    (frame_with(known_at=None, published=[at(0), at(1)]), {},
     r"no column 'known_at', but symbol, mood, published\. The date of which.*known_at: COLUMN"),
    (frame_with(known_at=None, date=DATES), {}, r"no column 'known_at', but symbol, mood, date"),
    (frame_with(known_at=["2026-01-05", "2026-01-06"]), {}, BY_DATE),
    (frame_with(known_at=["2026-01-05", "2026-01-06"]), {"timezone": NEW_YORK}, BY_DATE),
    (frame_with(known_at=["2026-01-05T00:00Z", "2026-01-06T00:00Z"]), {}, BY_DATE),
    (frame_with(known_at=[date(2026, 1, 5), date(2026, 1, 6)]), {}, BY_DATE),
    (frame_with(known_at=[date(2026, 1, 5), date(2026, 1, 6)])[:1], {"timezone": "UTC"}, BY_DATE),
    (frame_with(known_at=[datetime(2026, 1, 5), datetime(2026, 1, 6)]), {}, BY_DATE),
    (frame_with(known_at=[datetime(2026, 1, 5), datetime(2026, 1, 6)])[:1], {}, BY_DATE),
    (frame_with(known_at=[datetime(2026, 1, d, tzinfo=UTC) for d in (5, 6)]), {}, BY_DATE),
    (frame_with(known_at=[datetime(2026, 1, d, tzinfo=ZoneInfo(NEW_YORK)) for d in (5, 6)]), {},
     BY_DATE),
    (frame_with(known_at=["2026-01-05T10:00Z", "2026-01-06"]), {},
     r"row 1 of 'known_at' is a date, '2026-01-06', among moments"),
    (frame_with(known_at=DATES), {"known_after": "16h"}, r"carry no timezone.*timezone: America"),
    (frame_with(known_at=DATES), {"known_after": "1d"}, r"carry no timezone.*timezone: America"),
    (frame_with(known_at=[datetime(2026, 1, 5, 10), datetime(2026, 1, 5, 11)]), {},
     r"carry no timezone, for instance 2026-01-05 10:00:00\. Say which with timezone"),
    (frame_with(known_at=["01/05/2026 10:00"] * 2), {}, r"cannot read .* as a time"),
    (frame_with(known_at=[at(0), None]), {}, r"row 1 of 'known_at' has no time"),
    (frame_with(known_at=[1, 2]), {}, r"'known_at' holds Int64, not times"),
    (frame_with(known_at=[datetime(2026, 3, 8, 2, 30)] * 2), {"timezone": NEW_YORK},
     r"cannot read the times as America/New_York"),
    (frame_with(known_at=[at(0), at(0)]), {},
     r"two rows about AAA known at 2026-01-05 14:30 UTC that differ: \{'mood': 0\.5\} and "
     r"\{'mood': 1\.0\}; 1 such pair.*later moment"),
    (frame_with(symbol=None), {}, r"no column 'symbol', but known_at, mood\. .*per_symbol: false"),
    (frame_with(), {"per_symbol": False}, r"has a column 'symbol', while per_symbol: false"),
    (frame_with(symbol=["AAA", None]), {}, r"row 1 has no symbol; 1 such row\(s\)"),
    (frame_with(symbol=["AAA", " "]), {}, r"row 1 has no symbol"),
    (frame_with(symbol=[1, 2]), {}, r"'symbol' holds Int64 \(1 in row 0\), not names"),
    (frame_with(mood=None, mod=[1.0, 2.0]), {}, r"no column 'mood'\. Did you mean 'mod'"),
    (frame_with(mood=["up", "down"]), {}, r"'mood' holds String \('up' in row 0\), not numbers"),
    (frame_with(mood=[0.1, math.inf]), {}, r"'mood' is inf in row 1\. Leave it empty"),
    (pd.DataFrame([[at(0), 1.0, 2.0]], columns=["known_at", "mood", "mood"]), {},
     r"has 2 columns 'mood'\. Keep one"),
    (pd.DataFrame({"known_at": [None, "2026-01-05T10:00Z"], "symbol": "AAA", "mood": 1.0}), {},
     r"row 0 of 'known_at' has no time"),
    (pd.DataFrame({"known_at": [None, None], "symbol": "AAA", "mood": 1.0}), {},
     r"row 0 of 'known_at' has no time"),
    (pd.DataFrame({"known_at": [1, "2026-01-05T10:00Z"], "symbol": "AAA", "mood": 1.0}), {},
     r"column 'known_at' holds values of several kinds, int and str\. Store one kind"),
    (pd.DataFrame(), {}, r"no column 'known_at', but none at all\."),
    ([1, 2], {}, r"is a list; give a pandas or polars"),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "settings", "said"), BAD)
def test_a_table_that_cannot_be_told_for_certain(
    frame: Any, settings: dict[str, Any], said: str
) -> None:
    spec = Series(columns=("mood",), **settings)
    with pytest.raises(DataError, match=f"^series news.*{said}"):
        spec.read(frame, where="series news")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"columns": []}, "at least one column"),
        ({"columns": ["a", "a"]}, "'a' is there twice"),
        ({"columns": ["symbol"]}, "'symbol' is there twice or is none of the numbers"),
        ({"columns": ["a"], "known_at": "a"}, "none of the numbers"),
        ({"columns": ["a"], "known_at": ""}, "known_at is empty"),
        ({"columns": ["age_hours"], "age": True}, "none of the numbers"),
        ({"columns": ["a"], "max_age": "0s"}, "max_age: '0s' is not a duration"),
        ({"columns": ["a"], "max_age": "a day"}, "not a duration"),
        ({"columns": ["a"], "known_after": "later"}, "not a duration"),
        ({"columns": ["a"], "fill": math.nan}, "finite"),
        ({"columns": ["a"], "maxage": "1d"}, "Did you mean 'max_age'"),
        ({}, "columns is missing"),
    ],
)
def test_settings_that_say_nothing(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Series(**settings)


@pytest.mark.parametrize("damage", ["absent", "folder", "text", "broken", "empty"])
def test_files_that_cannot_be_read(tmp_path: Path, damage: str) -> None:
    name = "mood.txt" if damage == "text" else "mood.parquet"
    if damage == "folder":
        (tmp_path / name).mkdir()
    elif damage != "absent":
        (tmp_path / name).write_bytes(b"" if damage == "empty" else b"PAR1 and no more")
    said = "cannot be read as parquet" if damage in ("broken", "empty") else "not a .parquet or"
    with pytest.raises(DataError, match=said):
        SeriesFile(columns=("mood",), path=name).load(tmp_path, "news")


def test_fixed_offsets_are_zones() -> None:
    two = timezone(timedelta(hours=2))
    table = MOOD.read(pl.DataFrame([{"known_at": at(0).astimezone(two), "symbol": "A", "mood": 1}]))
    assert table.known_at[0] == moments([0])[0]


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Tokyo"])
def test_midnights_of_any_zone_are_dates(zone: str, tmp_path: Path) -> None:
    """However they are written: pandas with a zone, text with an offset, the same in UTC."""
    days = pd.bdate_range("2024-01-02", "2024-09-30").tz_localize(zone)
    frame = pd.DataFrame({"known_at": days, "mood": 1.0})
    written = frame.assign(known_at=[day.isoformat() for day in days])
    fixed = frame.iloc[:9].assign(known_at=days[:9].tz_convert(days[0].strftime("UTC%z")))
    forms = [frame, written, fixed]
    if zone != "Asia/Tokyo":  # its clocks never change, so that in UTC any moment may be meant
        forms.append(frame.assign(known_at=days.tz_convert("UTC")))
    for form in forms:
        with pytest.raises(DataError, match="holds calendar dates"):
            Series(columns=("mood",), per_symbol=False).read(form)
    at_noon = frame.assign(known_at=days + pd.Timedelta("12h"))
    assert len(Series(columns=("mood",), per_symbol=False).read(at_noon)) == len(days)


@pytest.mark.parametrize("fill", [None, 0.0])
@pytest.mark.parametrize("max_age", [None, "2h"])
def test_a_table_says_as_of_any_moment_what_the_join_says(
    fill: float | None, max_age: str | None
) -> None:
    series = Series(columns=["mood"], max_age=max_age, fill=fill)
    times = ["2026-01-05T10:00Z", "2026-01-05T15:00Z"]
    rows = {"known_at": times, "symbol": ["A", "A"], "mood": [1.0, None]}
    table = series.read(pl.DataFrame(rows))
    moments = DecidedAt(
        np.datetime64("2026-01-05T09", "us") + np.arange(9) * np.timedelta64(1, "h")
    )
    for symbol in ("A", "B"):
        np.testing.assert_array_equal(
            table.as_of(symbol, moments)[0], series.join(table, symbol, moments)
        )
    filled = np.isfinite(table.as_of("B", moments)[0]).ravel()
    assert filled.tolist() == [False] + [fill is not None] * 8
    own = table.as_of("A", moments)[0].ravel().tolist()
    gone = np.nan if fill is None else fill
    stale = gone if max_age else 1.0
    np.testing.assert_array_equal(own, [np.nan, 1, 1, 1, stale, stale, gone, gone, gone])


@pytest.mark.parametrize("symbol", [pl.Int64, pl.Float64, pl.String, pl.Null])
def test_a_table_without_rows_is_read_whatever_its_types(symbol: type[pl.DataType]) -> None:
    types: Any = {"known_at": pl.Float64, "symbol": symbol, "mood": pl.Int64}
    empty = Series(columns=["mood"]).read(pl.DataFrame(schema=types))
    assert repr(empty) == "SeriesTable(mood; no rows)"
    assert np.isnan(
        empty.as_of("A", DecidedAt(np.array(["2026-01-05"], "datetime64[us]")))[0]
    ).all()
