"""Labels against plain pandas, and the contract for every registered one."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from barstack.bars import resample
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DAY_US
from barstack.labels import LABELS, Label
from barstack.testing import BoundCheck, parametrize_with_checks, walk
from barstack.testing._labels_and_splits import learned

BARS = walk(400, missing=0.05)
RULE = {"feature": "rsi", "above": 55, "below": 45, "against": True}
# Settings under which labels have something to say on few bars; the others are as they come.
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "direction": [{}, {"overnight": False}],
    "genetic_barriers": [
        {"span": [5, 30], "candidates": 80, "objective": "sharpe"},
        {"span": [5, 30], "candidates": 80, "overnight": False},
    ],
    "meta": [
        {"side": RULE},
        {"side": RULE, "base": {"label": "triple_barrier", "span": 20, "overnight": False}},
    ],
    "three_class_volatility": [{"span": 20}, {"span": 20, "overnight": False}],
    "triple_barrier": [
        {"span": 20},
        {"unit": "bps", "upper": 40, "lower": 60, "overnight": False},
        {"span": 10, "limit_bars": 4},
    ],
}
RECIPES = [
    {"label": name, **settings} for name in LABELS.names() for settings in SETTINGS.get(name, [{}])
]
HORIZONS = [(1, 7), ("30min", "2h", "1d"), ("1session", 12)]


@parametrize_with_checks(
    LABELS.parse(recipe | {"horizons": horizons}) for recipe in RECIPES for horizons in HORIZONS
)
def test_label(part: Label, check: BoundCheck) -> None:
    check(part)


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_symbols_are_labelled_as_if_alone(recipe: dict[str, Any]) -> None:
    panel = {name: walk(300, seed=seed, symbol=name) for seed, name in enumerate("AB")}
    label = learned(LABELS.parse(recipe | {"horizons": ["2h", 5]}), BARS)
    together = label.compute(panel)
    apart = [label.compute(bars) for bars in panel.values()]
    for name in ("values", "returns", "known_at", "eligible"):
        np.testing.assert_array_equal(
            getattr(together, name), np.concatenate([getattr(each, name) for each in apart])
        )


def test_bars_ahead_is_a_shift() -> None:
    table = LABELS.parse({"label": "return", "horizons": [5], "max_gap": "9d"}).compute(BARS)
    close = pd.Series(BARS.close)
    np.testing.assert_allclose(table.values[:, 0], close.shift(-5) / close - 1)


def test_clock_ahead_is_the_first_close_that_late_or_later() -> None:
    table = LABELS.parse({"label": "return", "horizons": ["2h"], "max_gap": "9d"}).compute(BARS)
    closed_at = pd.Series(BARS.closed_at)
    for row in range(0, 380, 13):
        later = closed_at[closed_at >= closed_at[row] + pd.Timedelta("2h")]
        assert table.known_at[row, 0] == later.iloc[0]
        assert table.values[row, 0] == BARS.close[later.index[0]] / BARS.close[row] - 1


def test_classes_follow_the_return() -> None:
    returns = LABELS.parse({"label": "return", "horizons": [3]}).compute(BARS).values
    up = LABELS.parse({"label": "direction", "horizons": [3]}).compute(BARS).values
    spec = {"label": "three_class", "horizons": [3], "threshold_bps": 30.0}
    three = LABELS.parse(spec).compute(BARS).values
    known = ~np.isnan(returns)
    np.testing.assert_array_equal(up[known], returns[known] > 0)
    expected = np.select([returns > 0.003, returns < -0.003], [2.0, 0.0], 1.0)
    np.testing.assert_array_equal(three[known], expected[known])
    assert set(np.unique(three[known])) == {0.0, 1.0, 2.0}


def test_horizon_shorter_than_a_bar_is_refused() -> None:
    with pytest.raises(ConfigError, match="5min is shorter than a bar of WALK"):
        LABELS.parse({"label": "return", "horizons": ["5min"]}).compute(BARS)


@pytest.mark.parametrize(("horizon", "ways"), [("45min", "30min or 1h"), ("100min", "90min or 2h")])
def test_a_horizon_is_a_whole_number_of_bars(horizon: str, ways: str) -> None:
    with pytest.raises(ConfigError, match=rf"no whole number of bars of WALK, .*Ask for {ways}"):
        LABELS.parse({"label": "return", "horizons": [horizon]}).compute(BARS)


def test_bars_too_few_for_the_horizon_are_refused() -> None:
    with pytest.raises(DataError, match="too short for horizon 500"):
        LABELS.parse({"label": "return", "horizons": [500]}).compute(BARS)


@pytest.mark.parametrize(
    "horizon", [10**18, "1000000000sessions", "999999999999999999sessions", "999999w"]
)
def test_no_horizon_is_too_long_to_be_refused_at_once(horizon: str | int) -> None:
    with pytest.raises(DataError, match=f"too short for horizon {horizon}"):
        LABELS.parse({"label": "return", "horizons": [horizon]}).compute(BARS)


def test_more_sessions_than_can_be_counted_are_no_horizon() -> None:
    for digits in (20, 5000):
        with pytest.raises(ConfigError, match="is not a duration"):
            LABELS.parse({"label": "return", "horizons": ["9" * digits + "sessions"]})


@pytest.mark.parametrize(
    "label", ["return", "three_class_volatility", "triple_barrier", "three_class_quantiles"]
)
def test_bars_of_a_whole_session_hold_nothing_by_day(label: str) -> None:
    (daily,) = resample(BARS, DAY_US).values()
    with pytest.raises(DataError, match="overnight: false leaves nothing to hold"):
        LABELS.parse({"label": label, "horizons": [1], "overnight": False}).latest_known_at(daily)


def test_horizon_behind_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not lie ahead"):
        LABELS.parse({"label": "return", "horizons": [0]})


@pytest.mark.parametrize("horizons", [[4, 4], ["60min", "1h"]])
def test_a_horizon_given_twice_is_refused(horizons: list[str | int]) -> None:
    with pytest.raises(ConfigError, match="would count its trials twice"):
        LABELS.parse({"label": "return", "horizons": horizons})


def test_truth_is_no_horizon() -> None:
    with pytest.raises(ConfigError, match="True is not a horizon"):
        LABELS.parse({"label": "return", "horizons": [True]})


@pytest.mark.parametrize(
    ("written", "column"),
    [("60min", "1h"), ("24h", "1d"), ("7d", "1w"), ("1sessions", "1session"), (12, "12bars")],
)
def test_a_horizon_has_one_name_however_it_is_written(written: str | int, column: str) -> None:
    label = LABELS.parse({"label": "return", "horizons": [written]})
    assert label.target.columns == (f"return_{column}",)
    assert label.id == LABELS.parse({"label": "return", "horizons": [column]}).id
