"""Each check finds what was planted, with its time and figures, and nothing in clean bars."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bars.filled import MINUTE_US, filled, filled_table, to_bars

from barstack.bars import Bars, bars_from_frame
from barstack.bars.checks import (
    CHECKS,
    STRUCTURAL,
    Defect,
    Finding,
    Subject,
    check,
    examine,
    find,
    in_short,
    levels_of,
    refuse,
    structural,
)
from barstack.bars.checks.prices import usual_size
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DAY_US
from barstack.testing import walk

GRIDS: list[dict[str, Any]] = [
    {"calendar": "XNYS", "minutes": 5, "days": 25},
    {"calendar": "XNYS", "minutes": 60, "days": 60},
    {"calendar": "XNYS", "minutes": 60, "days": 60, "phase_minutes": 30},  # 09:00 holds 09:30 on
    {"calendar": "XNYS", "minutes": 15, "days": 40, "hours": "extended"},
    {"calendar": "XNYS", "minutes": 1440, "days": 500},
    {"calendar": "XNYS", "minutes": 30, "days": 60, "first": "2025-10-20"},  # clocks, half days
    {"calendar": "CMES", "minutes": 15, "days": 40, "first": "2025-10-20"},
    {"calendar": "FX", "minutes": 60, "days": 60, "first": "2025-10-20"},
    {"calendar": "FX", "minutes": 240, "days": 60, "first": "2025-10-20"},
    {"calendar": "24/7", "minutes": 15, "days": 40},
    {"calendar": "24/7", "minutes": 1440, "days": 400},
]


def on(grid: dict[str, Any], **more: Any) -> list[Finding]:
    """Findings in a whole walk on this grid."""
    return check_table(filled_table(**(grid | more)), grid)


def check_table(table: pl.DataFrame, grid: dict[str, Any]) -> list[Finding]:
    place = {"calendar": grid["calendar"], "hours": grid.get("hours", "regular")}
    bars = to_bars(table, place["calendar"], minutes=grid["minutes"], hours=place["hours"])
    return find(bars, **place)


def check_bars(bars: Bars, **levels: str) -> dict[str, Finding]:
    return {each.check: each for each in find(bars, calendar="XNYS", levels=levels)}


def changed(bars: Bars, **columns: Any) -> Bars:
    """Bars with other values in some rows: `close=(rows, values)`."""
    records = bars.records.copy()
    for name, (rows, values) in columns.items():
        records[name][rows] = values
    records["high"] = np.max([records[name] for name in ("open", "high", "close")], axis=0)
    records["low"] = np.min([records[name] for name in ("open", "low", "close")], axis=0)
    return Bars(bars.symbol, bars.length_us, records)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_whole_walks_give_no_finding(grid: dict[str, Any], seed: int) -> None:
    assert on(grid, seed=seed) == []


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_bars_taken_out_are_missing_and_no_others(grid: dict[str, Any], data: Any) -> None:
    """Whatever the calendar, the stamps and the clocks: what was taken out is what is missing."""
    table = filled_table(**grid)
    inner = st.integers(1, len(table) - 2)
    rows = sorted(data.draw(st.sets(inner, min_size=1, max_size=30)))
    kept = pl.Series(np.isin(np.arange(len(table)), rows, invert=True))
    found = check_table(table.filter(kept), grid)
    assert {each.check for each in found} <= {"missing_bars", "missing_sessions"}
    whole = to_bars(table, grid["calendar"], minutes=grid["minutes"],
                    hours=grid.get("hours", "regular")).records["opened_at"]  # fmt: skip
    if grid["minutes"] == 1440:
        (finding,) = found
        assert finding.check == "missing_sessions"
        assert finding.at.tolist() == whole[rows].tolist()
        return
    missing = [each for each in found if each.check == "missing_bars"]
    assert missing[0].at.tolist() == whole[rows].tolist()
    assert f"{len(rows):,} of {len(table):,}" in missing[0].values


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_a_day_taken_out_is_named(grid: dict[str, Any]) -> None:
    table = filled_table(**grid)
    bars = to_bars(table, grid["calendar"], minutes=grid["minutes"],
                   hours=grid.get("hours", "regular"))  # fmt: skip
    session = np.unique(bars.records["session"])[7]
    (finding,) = check_table(table.filter(pl.Series(bars.records["session"] != session)), grid)
    assert finding.check == "missing_sessions"
    assert finding.count == 1
    assert str(np.datetime64(int(session), "D")) in finding.what
    assert grid["calendar"] in finding.what or "days" in finding.what


def test_a_day_of_which_one_bar_is_left_is_missing_too() -> None:
    bars = filled(minutes=5, days=25)
    session = np.unique(bars.records["session"])[7]
    rows = np.flatnonzero(bars.records["session"] == session)
    left = Bars("WALK", bars.length_us, np.delete(bars.records, rows[:-1]))
    (finding,) = find(left, calendar="XNYS")
    assert finding.check == "missing_sessions"
    assert "but for a few bars on 1 of them" in finding.what


def test_hours_that_are_never_there_are_one_finding_with_their_clock() -> None:
    """The hour from 12:00 New York, before and after the clocks change."""
    table = filled_table(minutes=15, days=40, first="2025-10-15")
    hour = table["timestamp"].dt.convert_time_zone("America/New_York").dt.hour()
    (finding,) = find(to_bars(table.filter(hour != 12), "XNYS", minutes=15), calendar="XNYS")
    assert finding.check == "missing_hours"
    assert finding.values == "12:00-13:00 America/New_York"
    assert finding.count == (hour == 12).sum()


def test_the_daily_break_of_futures_is_told_apart_from_missing_bars() -> None:
    table = filled_table("CMES", minutes=15, days=40, first="2025-10-15")
    hour = table["timestamp"].dt.convert_time_zone("America/Chicago").dt.hour()
    kept = table.filter((hour != 16).to_numpy() & (np.arange(len(table)) != 100))
    found = {each.check: each for each in find(to_bars(kept, "CMES", minutes=15), calendar="CMES")}
    assert found.keys() == {"missing_hours", "missing_bars"}
    assert found["missing_hours"].values == "16:00-17:00 America/Chicago"
    assert found["missing_bars"].count == 1


@pytest.mark.parametrize("lost", ["without a trade", "at random", "the busiest"])
def test_bars_without_a_trade_are_told_from_bars_that_got_lost(lost: str) -> None:
    """By what lies beside them: volume comes in waves, and nothing trades in their troughs."""
    table = filled_table(minutes=5, days=25)
    rng = np.random.default_rng(1)
    wave = np.convolve(rng.normal(size=len(table) + 11), np.ones(12) / np.sqrt(12), "valid")
    volume = np.exp(8 + wave + 0.3 * rng.normal(size=len(table))).round()
    order = {"without a trade": volume, "at random": rng.random(len(volume)),
             "the busiest": -volume}[lost]  # fmt: skip
    gone = order <= np.quantile(order, 0.03)
    gone[[0, -1]] = False
    table = table.with_columns(volume=volume).filter(~pl.Series(gone))
    (finding,) = find(to_bars(table, "XNYS", minutes=5), calendar="XNYS", levels=NO_BREAKS)
    assert (finding.check, finding.count) == ("missing_bars", gone.sum())
    assert ("leaves out bars without a trade" in finding.advice) == (lost == "without a trade")


NO_BREAKS = {"volume_break": "ignore"}


@pytest.mark.parametrize(
    ("every", "lasts", "said"),
    [
        (90 * 24, 45 * 24, "8 holes of 44 days, quarterly."),
        (7 * 24, 1, "103 holes of 1h, weekly."),
        (5 * 24, 3, "144 holes of 3h, every 5d."),
        (10**6, 12, "1 hole of 12h."),
    ],
)
def test_the_shape_of_holes_is_told(every: int, lasts: int, said: str) -> None:
    bars = filled("24/7", minutes=60, days=720)
    hour = np.arange(len(bars)) - 30
    kept = (hour < 0) | (hour % every >= lasts) | (hour > len(bars) - 60)
    records = bars.records[kept]
    found = find(replace(bars, records=records), levels=NO_BREAKS)
    assert any(said in each.what for each in found)


def test_shares_on_a_clock_that_never_stops() -> None:
    found = {each.check: each for each in find(filled(minutes=30, days=40))}
    assert "name the calendar" in found["missing_sessions"].advice
    assert found["missing_hours"].values.endswith("UTC")


@pytest.mark.parametrize(("calendar", "minutes"), [("FX", 240), ("CMES", 120), ("24/7", 1440)])
def test_bars_on_a_grid_of_their_own_reach_into_the_next_session(
    calendar: str, minutes: int
) -> None:
    """Hours of UTC, days from 05:00: what began in one session need not begin in the next."""
    grid = filled_table("24/7", days=60, minutes=minutes, first="2025-10-01")
    shifted = grid.with_columns(pl.col("timestamp").dt.offset_by("5h" if minutes == 1440 else "0h"))
    bars = bars_from_frame(shifted, "WALK", calendar=calendar, length_us=minutes * MINUTE_US)
    assert {each.check for each in find(bars, calendar=calendar)} <= {"outside_sessions"}


@settings(max_examples=15, deadline=None)
@given(rows=st.sets(st.integers(1, 700), min_size=1, max_size=50))
def test_zero_volume(rows: set[int]) -> None:
    bars = changed(filled(days=60), volume=(sorted(rows), 0.0))
    finding = check_bars(bars)["zero_volume"]
    assert finding.count == len(rows)
    assert finding.at.tolist() == bars.records["opened_at"][sorted(rows)].tolist()
    assert f"{len(rows):,} of {len(bars):,}" in finding.values


def test_zero_volume_at_the_same_time_each_day_says_so() -> None:
    bars = filled(days=40)
    first = bars.records["opened_at"] == bars.records["session_open"]
    finding = check_bars(changed(bars, volume=(first, 0.0)))["zero_volume"]
    assert "40 of them at 09:30 America/New_York" in finding.what


def test_no_volume_at_all_is_one_finding_of_its_own() -> None:
    found = check_bars(changed(filled(), volume=(slice(None), 0.0)))
    assert found.keys() == {"no_volume"}
    assert found["no_volume"].first_at_us is None


@settings(max_examples=15, deadline=None)
@given(begin=st.integers(1, 600), length=st.integers(5, 60), seed=st.integers(0, 50))
def test_stale_prices(begin: int, length: int, seed: int) -> None:
    bars = filled(days=60, seed=seed)
    price = bars.records["close"][begin - 1]
    records = bars.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name][begin : begin + length] = price
    found = check_bars(Bars("WALK", bars.length_us, records))
    finding = found["stale_prices"]
    assert finding.at.tolist() == records["opened_at"][begin : begin + length].tolist()
    assert f"{price:.6g}" in finding.values


def test_a_series_that_often_stands_still_may_do_so() -> None:
    """Prices of coarse ticks repeat themselves; only a run far beyond their habit is told."""
    rng = np.random.default_rng(3)
    bars = filled(days=60, minutes=5)
    close = 10.0 + 0.01 * np.cumsum(rng.choice([-1, 0, 0, 0, 1], len(bars)))
    records = bars.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name] = close
    assert "stale_prices" not in check_bars(Bars("WALK", bars.length_us, records))
    frozen = records.copy()
    for name in ("open", "high", "low", "close"):
        frozen[name][2000:2100] = close[1999]
    assert check_bars(Bars("WALK", bars.length_us, frozen))["stale_prices"].count >= 100


@settings(max_examples=20, deadline=None)
@given(row=st.integers(2, 700), up=st.booleans(), seed=st.integers(0, 50))
@pytest.mark.parametrize("column", ["close", "open", "high", "low"])
def test_bad_prints(column: str, row: int, up: bool, seed: int) -> None:
    bars = filled(days=60, seed=seed)
    factor = 1.3 if (up or column == "high") and column != "low" else 0.7
    planted = changed(bars, **{column: (row, bars.records[column][row] * factor)})
    found = check_bars(planted)
    assert found.keys() - {"spikes"} == {"bad_prints"}
    assert ("spikes" in found) == (column == "close")
    finding = found["bad_prints"]
    assert finding.at.tolist() == [bars.records["opened_at"][row]]
    assert f"{planted.records[column][row]:g}" in finding.values


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("column", "times", "minutes", "told"),
    [
        ("close", 13.5, 30, False),
        ("close", 13.5, 60, True),
        ("close", 13.5, 1440, True),
        ("high", 45, 60, False),
        ("high", 45, 1440, True),
    ],
)
def test_longer_bars_have_fewer_true_ones_so_far_out(
    column: str, times: float, minutes: int, told: bool, seed: int
) -> None:
    bars = filled(days=300 if minutes == 1440 else 150, minutes=minutes, seed=seed)
    logs = {name: np.log(bars.records[name]) for name in ("open", "high", "close")}
    move = np.diff(logs["close"], prepend=logs["close"][:1])
    row = 61 + int(np.argmin(np.abs(move[61:200] + move[62:201])))  # as good as back by itself
    top = np.maximum(logs["close"], logs["open"])
    if column == "close":
        size, base = usual_size(Subject(bars, "XNYS"), move), logs["close"][row - 1]
    else:
        size, base = usual_size(Subject(bars, "XNYS"), logs["high"] - top), top[row]
    found = check_bars(changed(bars, **{column: (row, np.exp(base + times * size[row]))}))
    assert ("bad_prints" in found) == told


@settings(max_examples=15, deadline=None)
@given(row=st.integers(60, 650), seed=st.integers(0, 50))
def test_a_jump_that_stays_is_no_bad_print(row: int, seed: int) -> None:
    bars = filled(days=60, seed=seed)
    records = bars.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name][row:] *= 1.22  # far from any split's ratio
    found = check_bars(Bars("WALK", bars.length_us, records))
    assert found.keys() == {"jumps"}
    assert found["jumps"].at.tolist() == [records["opened_at"][row]]


def test_wild_days_are_no_outliers() -> None:
    """A week ten times as lively as the rest: moves belong to their days."""
    rng = np.random.default_rng(5)
    bars = filled(minutes=5, days=60)
    records = bars.records.copy()
    wild = slice(2000, 2000 + 5 * 78)
    scale = np.cumsum(0.02 * rng.standard_t(4, 5 * 78))
    for name in ("open", "high", "low", "close"):
        records[name][wild] *= np.exp(scale)
        records[name][wild.stop :] *= np.exp(scale[-1])
    assert check_bars(Bars("WALK", bars.length_us, records)).keys() <= {"stale_prices"}


@settings(max_examples=30, deadline=None)
@given(
    session=st.integers(3, 50),
    ratio=st.sampled_from([1.5, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0]),
    reverse=st.booleans(),
    seed=st.integers(0, 50),
)
@pytest.mark.parametrize("minutes", [30, 1440])
def test_unadjusted_splits(
    minutes: int, session: int, ratio: float, reverse: bool, seed: int
) -> None:
    bars = filled(minutes=minutes, days=60, seed=seed)
    row = int(np.flatnonzero(np.diff(bars.records["session"]))[session]) + 1
    by = 1 / ratio if reverse else ratio
    finding = check_bars(unadjusted(bars, row, by))["unadjusted_split"]
    name = "3:2" if ratio == 1.5 else f"{ratio:g}:1"
    name = ":".join(reversed(name.split(":"))) if reverse else name
    assert finding.level == "refuse"
    assert finding.at.tolist() == [bars.records["opened_at"][row]]
    assert f"For {name}: {'multiply' if reverse else 'divide'} all prices" in finding.advice
    assert f"by {ratio:g}" in finding.advice


@pytest.mark.parametrize("carried", [False, True])
def test_a_split_is_told_with_prices_of_its_ratio(carried: bool) -> None:
    """Also where an exporter gave the split's first bar the last price before it as its open."""
    records = unadjusted(filled(minutes=1440, days=60), 30, 2.0).records.copy()
    if carried:
        records["open"][30] = records["high"][30] = records["close"][29]
    said = check_bars(Bars("WALK", DAY_US, records))["unadjusted_split"].what
    prices = re.search(r"goes from (\S+) to (\S+) at .* a ratio of ([0-9.]+),", said)
    assert prices
    before, after, ratio = map(float, prices.groups())
    assert before / after == pytest.approx(ratio, rel=1e-3)


def unadjusted(bars: Bars, row: int, ratio: float) -> Bars:
    """Bars as they were traded before a split at `row`."""
    records = bars.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name][:row] *= ratio
    records["volume"][:row] /= ratio
    return Bars(bars.symbol, bars.length_us, records)


@pytest.mark.parametrize("seed", range(5))
def test_a_crash_by_half_is_no_split(seed: int) -> None:
    """After it the market is wild, and ten times the money changes hands."""
    bars = filled(minutes=1440, days=200, seed=seed)
    records = bars.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name][100:] *= 0.503
    middle = (records["high"] + records["low"])[100:110] / 2
    records["high"][100:110], records["low"][100:110] = 1.08 * middle, 0.92 * middle
    records["volume"][100:105] *= 20
    assert "unadjusted_split" not in check_bars(Bars("WALK", bars.length_us, records))


def test_a_price_that_comes_back_is_no_split() -> None:
    bars = filled(minutes=1440, days=200)
    records = bars.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name][100:103] *= 0.5
    assert "unadjusted_split" not in check_bars(Bars("WALK", bars.length_us, records))


@settings(max_examples=15, deadline=None)
@given(day=st.integers(25, 65), factor=st.sampled_from([0.02, 0.2, 6.0, 50.0]))
def test_volume_breaks(day: int, factor: float) -> None:
    bars = filled(days=90)
    row = int(np.flatnonzero(np.diff(bars.records["session"]))[day]) + 1
    later = slice(row, None)
    finding = check_bars(changed(bars, volume=(later, bars.records["volume"][later] * factor)))[
        "volume_break"
    ]
    assert finding.count == 1
    assert abs(int(finding.at[0]) - int(bars.records["opened_at"][row])) <= 3 * DAY_US
    before, after = (
        float(text.replace(",", "")) for text in finding.values.split(" on ")[0].split(" to ")
    )
    assert 0.5 < after / before / factor < 2.0


def test_busy_weeks_and_slow_growth_are_no_break_of_volume() -> None:
    bars = filled(days=120)
    growth = np.exp(np.linspace(0, 3, len(bars)))
    assert "volume_break" not in check_bars(
        changed(bars, volume=(slice(None), bars.records["volume"] * growth))
    )
    ramp = np.exp(np.log(6) * np.clip((np.arange(len(bars)) - 700) / (24 * 13), 0, 1))
    assert "volume_break" not in check_bars(
        changed(bars, volume=(slice(None), bars.records["volume"] * ramp))
    )
    week = slice(500, 565)
    busy = changed(bars, volume=(week, bars.records["volume"][week] * 10))
    assert "volume_break" not in check_bars(busy)


def test_bars_outside_sessions() -> None:
    night = filled_table(hours="extended", days=20)
    found = {each.check: each for each in examine(night, "WALK", calendar="XNYS").findings}
    assert found.keys() == {"outside_sessions"}
    finding = found["outside_sessions"]
    assert finding.count == 20 * (32 - 13)
    assert len(finding.at) == finding.count
    assert finding.first_at_us == int(night["timestamp"].to_physical()[0])


def test_all_structural_faults_are_listed_at_once_and_the_rest_is_still_checked() -> None:
    table = filled_table(days=40)
    rows = np.arange(len(table))
    zero, wrong = rows == 77, rows == 60
    table = table.with_columns(
        pl.when(pl.Series(rows == 50)).then(float("nan")).otherwise("low").alias("low"),
        pl.when(pl.Series(rows == 55)).then(-1.0).otherwise("open").alias("open"),
        pl.when(pl.Series(wrong)).then(pl.col("high") * 2).otherwise("close").alias("close"),
        pl.when(pl.Series(rows == 70)).then(-5.0).when(pl.Series(zero)).then(0.0)
        .otherwise("volume").alias("volume"),
    )  # fmt: skip
    other = table[20:22].with_columns(pl.col("close") * 1.0001, pl.col("high") * 1.01)
    mixed = pl.concat([table[:30], table[10:15], other, table[30:]])
    found = {each.check: each for each in examine(mixed, "WALK", calendar="XNYS").findings}
    counts = {name: found[name].count for name in found}
    assert counts == {
        "time_order": 1, "duplicates": 5, "contradictions": 2, "not_a_number": 1,
        "not_positive": 1, "price_order": 2, "negative_volume": 1,
        "missing_bars": 4, "zero_volume": 1,
    }  # fmt: skip
    assert all(found[name].level == "refuse" for name in found if name in STRUCTURAL)
    assert found["not_a_number"].at.tolist() == [int(table["timestamp"].to_physical()[50])]


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [
        ("close", float("nan"), "not_a_number"),
        ("open", float("inf"), "not_a_number"),
        ("volume", float("nan"), "not_a_number"),
        ("low", 0.0, "not_positive"),
        ("volume", -1.0, "negative_volume"),
        ("high", 1.0, "price_order"),
        ("low", 1e6, "price_order"),
    ],
)
def test_what_the_door_refuses_is_listed_with_its_row(column: str, value: float, name: str) -> None:
    table = filled_table(days=5)
    wrong = np.arange(len(table)) == 30
    table = table.with_columns(
        pl.when(pl.Series(wrong)).then(value).otherwise(column).alias(column)
    )
    found = {each.check: each for each in examine(table, "WALK").findings}
    assert found[name].at.tolist() == [int(table["timestamp"].to_physical()[30])]


def test_overlapping_and_irregular_bars() -> None:
    stamps = np.arange(50) * 30 * MINUTE_US
    stamps[20] += 10 * MINUTE_US
    flat = {name: np.full(50, 2.0) for name in ("open", "high", "low", "close", "volume")}
    (finding,) = structural(stamps, flat, "WALK")
    assert (finding.check, finding.at.tolist()) == ("overlaps", [stamps[21]])
    ragged = np.cumsum(np.arange(1, 51)) * MINUTE_US
    (finding,) = structural(ragged, flat, "WALK")
    assert finding.check == "irregular_spacing"
    assert "bar: 5min" in finding.advice


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ({"unadjusted_splt": "warn"}, r"Unknown check 'unadjusted_splt'.*Did you mean 'unadj"),
        ({"jumps": "wran"}, r"checks.jumps: unknown level 'wran'.*Did you mean 'warn'"),
        ({"duplicates": "ignore"}, r"duplicates: always refuses .*Correct the source"),
    ],
)
def test_levels_that_cannot_be(levels: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        levels_of(levels)


def test_levels_decide() -> None:
    bars = changed(filled(), volume=([3, 4], 0.0))
    assert check_bars(bars)["zero_volume"].level == "warn"
    assert check_bars(bars, zero_volume="refuse")["zero_volume"].level == "refuse"
    assert check_bars(bars, zero_volume="ignore", duplicates="refuse") == {}


def test_refusing_lists_the_first_few_and_the_way_out() -> None:
    panel = {
        name: Bars(name, each.length_us, each.records)
        for name, each in zip("ABCDEFG", [unadjusted(filled(), 260, 2.0)] * 7, strict=True)
    }
    found = find(panel, calendar="XNYS")
    with pytest.raises(DataError, match=r"(?s)these bars, 7 finding.*A: The price.*2 more") as said:
        refuse(found)
    assert "checks: {unadjusted_split: warn}" in str(said.value)
    refuse([each for each in found if each.level == "warn"])
    assert in_short(found).count("7 symbols") == len({each.check for each in found})


def test_a_finding_survives_json() -> None:
    (finding,) = find(changed(filled(), volume=([3, 4], 0.0)), calendar="XNYS")
    again = Finding.from_json(finding.to_json())
    assert again.to_json() == finding.to_json()


def test_a_check_of_ones_own() -> None:
    @check("refuse", "prices above a thousand")
    def too_dear(subject: Any) -> Defect | None:
        rows = subject.bars.records["close"] > 1000
        if not rows.any():
            return None
        at = subject.opened_at[rows]
        return Defect(int(rows.sum()), "", "It costs too much.", "Wait.", at)

    try:
        bars = changed(filled(), close=(9, 2000.0))
        assert check_bars(bars)["too_dear"].sentence == "WALK: It costs too much. Wait."
        assert "too_dear" not in check_bars(bars, too_dear="ignore")
        assert all(CHECKS.get(name).about for name in CHECKS.names())
    finally:
        del CHECKS._entries["too_dear"]


@pytest.mark.parametrize("bars", [walk(1), walk(2), walk(3), walk(9)[:0]], ids=len)
def test_hardly_any_bars(bars: Bars) -> None:
    assert find(bars) == []
