"""No holding reaches across a hole: of every label, over every horizon, unless it is allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bars.filled import filled
from tests.labels.test_labels import RECIPES

from barstack.bars import Bars
from barstack.core.errors import ConfigError, DataError
from barstack.labels import LABELS, LabelTable
from barstack.testing._labels_and_splits import learned

HORIZONS: tuple[str | int, ...] = (1, 12, "1h", "5h", "1d", "1session", "2sessions")
WHOLE = {
    "XNYS": filled(minutes=30, days=60),
    "FX": filled("FX", minutes=60, days=40),
    "24/7": filled("24/7", minutes=30, days=40),
}


def with_hole(calendar: str, first: int, count: int) -> Bars:
    bars = WHOLE[calendar]
    return replace(bars, records=np.delete(bars.records, slice(first, first + count)))


def across(table: LabelTable, first: int) -> Any:
    """(n_rows, n_horizons) holdings that begin before the hole and end after it."""
    begins = table.decisions.decided_at[:, None] <= table.decisions.decided_at[first - 1]
    with np.errstate(invalid="ignore"):
        return begins & (table.known_at >= table.decisions.decided_at[first])


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
@pytest.mark.parametrize("calendar", WHOLE)
def test_no_label_across_a_hole(recipe: dict[str, Any], calendar: str) -> None:
    """What has no label for it is what reaches across; all else is labelled as before."""
    by_day = "overnight': False" in str(recipe)
    session = WHOLE[calendar].records["session"]
    first = int(np.flatnonzero(session == np.unique(session)[22])[0]) + 4
    bars = with_hole(calendar, first, 4 if by_day else 100)
    label = learned(LABELS.parse(recipe | {"horizons": HORIZONS}), bars)
    table = label.compute(bars)
    reaching = across(table, first)
    assert reaching.any() or "meta" in str(recipe)  # its rule may take no side there
    np.testing.assert_array_equal(table.missing, reaching)
    assert np.isnan(table.values[reaching]).all()
    assert np.isnan(table.returns[reaching]).all()
    assert np.isnat(table.all_known_at[reaching.any(axis=1)]).all()
    allowed = LABELS.parse(label.content() | {"max_gap": "90d"}).compute(bars)
    assert not allowed.missing.any()
    np.testing.assert_array_equal(allowed.known_at, table.known_at)
    np.testing.assert_array_equal(allowed.eligible, table.eligible)
    for name in ("values", "returns"):
        np.testing.assert_array_equal(
            getattr(allowed, name)[~reaching], getattr(table, name)[~reaching]
        )


@settings(max_examples=25, deadline=None)
@given(
    calendar=st.sampled_from(sorted(WHOLE)), first=st.integers(400, 500), count=st.integers(2, 250)
)
def test_whether_a_decision_counts_does_not_hang_on_the_hole_ahead(
    calendar: str, first: int, count: int
) -> None:
    """It is eligible and tested like any other, as nobody can know what lies ahead."""
    bars = with_hole(calendar, first, count)
    label = LABELS.parse({"label": "return", "horizons": [1, 12, "5h"]})
    table = label.compute(bars)
    assert table.eligible.all()
    before = label.compute(bars[:first])
    known = before.known_at <= bars.closed_at[first - 1]
    np.testing.assert_array_equal(table.values[:first][known], before.values[known])
    assert not table.missing[:first][known].any()
    np.testing.assert_array_equal(table.missing, across(table, first))


def test_barriers_touched_before_the_hole_keep_their_label() -> None:
    first = 400
    bars = with_hole("24/7", first, 300)
    table = LABELS.parse(
        {"label": "triple_barrier", "horizons": [24], "upper": 0.2, "lower": 0.2, "span": 20}
    ).compute(bars)
    just_before = table.known_at[first - 24 : first, 0] <= bars.closed_at[first - 1]
    assert just_before.sum() > 12
    assert not table.missing[first - 24 : first][just_before].any()


@pytest.mark.parametrize(("max_gap", "missing"), [(None, 12), ("1d", 12), ("3d", 12), ("4d", 0)])
def test_max_gap_is_how_far_neighbouring_bars_may_lie_apart(
    max_gap: str | None, missing: int
) -> None:
    bars = with_hole("24/7", 500, 3 * 48)  # three days and a half-hour from close to close
    label = LABELS.parse({"label": "return", "horizons": [12], "max_gap": max_gap})
    assert label.compute(bars).missing.sum() == missing


def test_a_gap_on_the_clock_counts_nights_too() -> None:
    """As between the bars of windows: with max_gap, the calendar excuses nothing."""
    label = LABELS.parse({"label": "return", "horizons": [1], "max_gap": "1h"})
    table = label.compute(WHOLE["XNYS"])
    assert table.missing.sum() == 59  # nights


def test_bars_left_out_where_nothing_traded_cost_few_labels() -> None:
    rng = np.random.default_rng(0)
    bars = filled(minutes=5, days=60)
    thin = replace(bars, records=bars.records[rng.random(len(bars)) > 0.08])
    table = LABELS.parse({"label": "return", "horizons": [12]}).compute(thin)
    assert table.missing.mean() < 0.04


def test_quiet_hours_before_the_open_do_not_take_the_labels_of_a_day() -> None:
    """An hour or two without a trade, every morning, is nothing to a holding of a day."""
    bars = filled("XNYS", minutes=5, days=60, hours="extended")
    since = bars.records["opened_at"] - bars.records["session_open"]
    quiet = (since < 5 * 3_600_000_000) & (np.random.default_rng(1).random(len(bars)) < 0.9)
    thin = replace(bars, records=bars.records[~quiet])
    label = LABELS.parse({"label": "return", "horizons": ["1h", "1d", "1session"]})
    by_hour, by_day, by_session = label.compute(thin).missing.mean(axis=0)
    assert max(by_day, by_session) < 0.15  # the first week knows no habit
    assert by_hour > 0.02  # of an hour there is nothing left


def test_where_every_holding_reaches_across_a_hole_the_way_out_is_said() -> None:
    bars = WHOLE["24/7"][:300]  # within the first week nothing passes for a habit
    shreds = replace(bars, records=bars.records[np.arange(len(bars)) % 40 < 5])
    label = LABELS.parse({"label": "return", "horizons": [12]})
    with pytest.raises(DataError, match=r"reaches across missing bars.*max_gap: 10d"):
        label.compute(shreds)


@pytest.mark.parametrize("max_gap", ["soon", "0d", ""])
def test_a_gap_is_a_duration(max_gap: str) -> None:
    with pytest.raises(ConfigError, match="max_gap"):
        LABELS.parse({"label": "return", "horizons": [1], "max_gap": max_gap})


def test_the_gap_of_a_meta_label_stands_beside_its_base() -> None:
    side = {"feature": "rsi", "above": 55, "below": 45}
    with pytest.raises(ConfigError, match=r"does nothing\. Write it beside base"):
        LABELS.parse({"label": "meta", "horizons": [3], "side": side,
                      "base": {"label": "return", "max_gap": "9d"}})  # fmt: skip


def test_what_is_learned_keeps_the_gap() -> None:
    for recipe in ({"label": "three_class_quantiles"},
                   {"label": "genetic_barriers", "span": [5, 30], "candidates": 80}):  # fmt: skip
        label = LABELS.parse(recipe | {"horizons": [5], "max_gap": "9d"})
        assert label.fit(WHOLE["24/7"], np.arange(800)).max_gap == "9d"
