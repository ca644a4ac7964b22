"""One bar set off and back again never reaches a study unnoticed; holes are no splits or jumps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bars.filled import filled
from tests.bars.test_checks_real import CALENDARS, panel

from barstack.bars import Bars
from barstack.bars.checks import find
from barstack.labels import LABELS

PRICES = ("open", "high", "low", "close")
GRIDS: list[dict[str, Any]] = [
    {"calendar": "24/7", "minutes": 60, "days": 40},
    {"calendar": "XNYS", "minutes": 5, "days": 20},
    {"calendar": "XNYS", "minutes": 1440, "days": 400},
    {"calendar": "FX", "minutes": 60, "days": 40},
]


def set_off(bars: Bars, row: int, factor: float, names: tuple[str, ...], count: int = 1) -> Bars:
    records = bars.records.copy()
    for name in names:
        records[name][row : row + count] *= factor
    records["high"] = np.max([records[name] for name in PRICES], axis=0)
    records["low"] = np.min([records[name] for name in PRICES], axis=0)
    return replace(bars, records=records)


def findings(bars: Bars) -> dict[str, Any]:
    return {each.check: each for each in find(bars, calendar=bars.calendar, hours=bars.hours)}


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("names", [PRICES, ("close",)], ids=str)
@settings(max_examples=8, deadline=None)
@given(
    row=st.integers(60, 330), factor=st.sampled_from([1.5, 5.0, 100.0, 0.66, 0.01]),
    count=st.integers(1, 3), seed=st.integers(0, 20),
)  # fmt: skip
def test_closes_that_come_back_refuse(
    grid: dict[str, Any], names: tuple[str, ...], row: int, factor: float, count: int, seed: int
) -> None:
    bars = set_off(filled(**grid, seed=seed), row, factor, names, count)
    finding = findings(bars)["spikes"]
    assert finding.level == "refuse"
    assert finding.at.tolist() == bars.records["opened_at"][row : row + count].tolist()
    assert f"close {bars.close[row]:g} between {bars.close[row - 1]:g}" in finding.what
    assert "checks: {spikes: warn}" in finding.advice


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@settings(max_examples=8, deadline=None)
@given(
    row=st.integers(60, 330),
    change=st.sampled_from(
        [("open", 1.5), ("open", 0.66), ("open", 5.0), ("open", 0.01), ("high", 1.5),
         ("high", 5.0), ("high", 100.0), ("low", 0.66), ("low", 0.01)]
    ),
    seed=st.integers(0, 20),
)  # fmt: skip
def test_other_prices_are_named_and_left_out_of_labels(
    grid: dict[str, Any], row: int, change: tuple[str, float], seed: int
) -> None:
    name, factor = change
    bars = set_off(filled(**grid, seed=seed), row, factor, (name,))
    assert np.flatnonzero(bars.prints).tolist() == [row]
    found = findings(bars)
    assert found.keys() == {"bad_prints"}
    assert bars.records["opened_at"][row] in found["bad_prints"].at
    for label in ({"label": "return"}, {"label": "triple_barrier", "span": 20, "upper": 9.0,
                  "lower": 9.0}, {"label": "direction"}):  # fmt: skip
        table = LABELS.parse(label | {"horizons": [1, 5]}).compute(bars)
        missing = table.missing
        assert missing[row - 1].all()
        assert missing[row - 5 : row, 1].sum() >= 4  # a barrier may be touched before
        assert not np.delete(missing, slice(row - 5, row), axis=0).any()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 50), now=st.integers(30, 400))
def test_prints_are_told_by_what_lies_before(seed: int, now: int) -> None:
    bars = set_off(filled(days=40, seed=seed), 200, 1.5, ("high",))
    np.testing.assert_array_equal(bars[:now].prints, bars.prints[:now])


@pytest.mark.parametrize("seed", range(3))
def test_what_stays_or_comes_back_slowly_is_no_spike(seed: int) -> None:
    bars = filled(minutes=60, days=120, seed=seed)
    for count in (10, len(bars)):
        assert "spikes" not in findings(set_off(bars, 300, 1.37, PRICES, count))


def test_wild_markets_have_no_spikes() -> None:
    """A close half as high again is nothing much where closes move by a fifth."""
    rng = np.random.default_rng(0)
    bars = filled("24/7", minutes=1440, days=400)
    records, scale = bars.records.copy(), np.exp(np.cumsum(0.2 * rng.standard_t(4, len(bars))))
    for name in PRICES:
        records[name] *= scale
    assert "spikes" not in findings(replace(bars, records=records))


@pytest.mark.parametrize("name", CALENDARS)
def test_real_bars_have_no_spike_that_refuses(shared_data: Path, name: str) -> None:
    calendar, hours = CALENDARS[name]
    for bars in list(panel(shared_data / name).values())[:8]:
        assert not [e for e in find(bars, calendar=calendar, hours=hours) if e.check == "spikes"]


@pytest.mark.parametrize("name", ["crypto_5m", "crypto_1h_2017", "us_equities_1d_88"])
def test_a_move_across_a_hole_is_no_split_and_no_jump(shared_data: Path, name: str) -> None:
    """Whatever the price did meanwhile, a ratio of 3:2 or 2:1 included."""
    rng = np.random.default_rng(0)
    bars = next(iter(panel(shared_data / name).values()))
    for ratio in (1.0, 1.5, 2 / 3):
        first = int(rng.integers(100, len(bars) // 2))
        days = 40 * 86_400_000_000
        count = int(np.searchsorted(bars.records["opened_at"][first:],
                                    bars.records["opened_at"][first] + days))  # fmt: skip
        records = bars.records.copy()
        for price in PRICES:
            records[price][first + count :] *= ratio
        holed = replace(bars, records=np.delete(records, slice(first, first + count)))
        at = holed.records["opened_at"][first]
        for each in find(holed, calendar=bars.calendar, hours=bars.hours):
            assert each.check not in {"unadjusted_split", "jumps"} or at not in each.at


def test_a_split_beside_a_single_missing_bar_is_one() -> None:
    bars = filled(minutes=30, days=60)
    row = int(np.flatnonzero(np.diff(bars.records["session"]))[30]) + 1
    halved = set_off(bars, 0, 2.0, PRICES, row)
    for gone in (row - 1, row):
        holed = replace(halved, records=np.delete(halved.records, gone))
        assert "unadjusted_split" in findings(holed)


def test_volume_that_comes_back_is_no_break() -> None:
    """A month at five times the volume, between twenty and a hundred days of the usual."""
    for days, first in ((160, 60), (140, 100)):
        bars = filled(days=days)
        records, session = bars.records.copy(), bars.records["session"]
        month = np.isin(session, np.unique(session)[first : first + 25])
        records["volume"][month] *= 5
        assert "volume_break" not in findings(replace(bars, records=records))
