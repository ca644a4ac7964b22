"""Three classes: thresholds by volatility and by quantiles, against plain pandas."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from barstack.bars import Bars
from barstack.core.errors import ConfigError, DataError
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS
from barstack.labels._volatility import trailing_volatility
from barstack.testing import walk

BARS = walk(600, missing=0.05)
CLOSE = pd.Series(BARS.close)


def parse(name: str, **settings: Any) -> Any:
    return LABELS.parse({"label": name, "max_gap": "9d", **settings})


def test_volatility_is_pandas_and_the_feature_of_that_name() -> None:
    ours = trailing_volatility(BARS, 20)
    squares = pd.Series(np.log(CLOSE / CLOSE.shift()) ** 2)
    plain = np.sqrt(squares.iloc[1:].ewm(span=20, adjust=False, min_periods=20).mean())
    np.testing.assert_allclose(ours[1:], plain, rtol=1e-12)
    feature = Feature(feature="ewma_volatility", params={"span": 20})
    same = FeatureSet(features=(feature,)).compute(BARS).values[:, 0]
    np.testing.assert_allclose(ours, same, rtol=1e-14)


def test_threshold_follows_volatility() -> None:
    table = parse("three_class_volatility", horizons=[6], threshold=0.4, span=20).compute(BARS)
    threshold = 0.4 * trailing_volatility(BARS, 20) * np.sqrt(6)
    returns = (CLOSE.shift(-6) / CLOSE - 1).to_numpy()
    expected = np.select([returns > threshold, returns < -threshold], [2.0, 0.0], 1.0)
    expected[np.isnan(threshold) | np.isnan(returns)] = np.nan
    np.testing.assert_array_equal(table.values[:, 0], expected)
    np.testing.assert_array_equal(table.eligible, ~np.isnan(threshold))
    assert set(expected[~np.isnan(expected)]) == {0.0, 1.0, 2.0}


def test_horizon_on_the_clock_is_scaled_by_the_bars_it_has_taken() -> None:
    """Of holdings that have ended by the decision, and of no others."""
    label = parse("three_class_volatility", horizons=["3h"], threshold=0.4, span=20)
    returns = parse("return", horizons=["3h"]).compute(BARS)
    known_at = returns.known_at[:, 0]
    taken = np.searchsorted(BARS.closed_at, known_at) - np.arange(len(BARS))
    table = label.compute(BARS)
    for row in range(30, 560, 37):
        so_far = taken[known_at <= BARS.closed_at[row]].mean()
        threshold = 0.4 * trailing_volatility(BARS, 20)[row] * np.sqrt(so_far)
        moved = returns.values[row, 0]
        assert table.values[row, 0] == 1 + (moved > threshold) - (moved < -threshold)


def test_where_nothing_moves_there_is_no_threshold() -> None:
    records = BARS.records.copy()
    for price in ("open", "high", "low", "close"):
        records[price][:100] = 50.0
    flat = Bars("FLAT", BARS.length_us, records)
    eligible = parse("three_class_volatility", horizons=[3], span=10).compute(flat).eligible
    assert not eligible[:100].any()
    assert eligible[100:].all()


def test_a_pair_of_thresholds_for_each_horizon() -> None:
    label = parse("three_class", horizons=[2, 5], threshold_bps=[[-10, 30], [-50, 20]])
    table = label.compute(BARS)
    for column, (ahead, lower, upper) in enumerate([(2, -1e-3, 3e-3), (5, -5e-3, 2e-3)]):
        returns = CLOSE.shift(-ahead) / CLOSE - 1
        expected = np.select([returns > upper, returns < lower], [2.0, 0.0], 1.0)[: -ahead or None]
        np.testing.assert_array_equal(table.values[: len(expected), column], expected)


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        (0, "above 0, got 0"),
        (True, "Write a number, or a pair"),
        ([], "Write a number, or a pair"),
        ([[2, 1]], r"\[2, 1\] is no pair"),
        ([["a", 1]], r"\['a', 1\] is no pair"),
        ([[False, True]], r"\[False, True\] is no pair"),
        ([[-1, 1], [-2, 2]], "2 pairs for 1 horizons"),
    ],
    ids=str,
)
def test_thresholds_that_make_no_sense_are_refused(threshold: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse("three_class", horizons=[3], threshold_bps=threshold)


def test_quantiles_are_those_of_training_rows() -> None:
    label = parse("three_class_quantiles", horizons=[3, "1d"], lower=0.2, upper=0.9)
    rows = np.arange(50, 300)
    fitted = label.fit(BARS, rows)
    returns = parse("return", horizons=[3, "1d"]).compute(BARS).values[rows]
    expected = np.quantile(returns, [0.2, 0.9], axis=0).T * 1e4
    np.testing.assert_allclose(fitted.threshold_bps, expected, rtol=1e-12)
    classes = fitted.compute(BARS).values[rows]
    np.testing.assert_allclose((classes == 0).mean(axis=0), 0.2, atol=0.005)
    np.testing.assert_allclose((classes == 2).mean(axis=0), 0.1, atol=0.005)


def test_quantiles_of_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="Only 12 of 12 training rows have a known return over 3"):
        parse("three_class_quantiles", horizons=[3]).fit(BARS, np.arange(12))


def test_quantiles_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"a share above lower, 0.6; got 0.4"):
        parse("three_class_quantiles", horizons=[3], lower=0.6, upper=0.4)


@pytest.mark.parametrize("name", ["three_class_quantiles", "genetic_barriers"])
def test_what_has_learned_nothing_says_so(name: str) -> None:
    label = parse(name, horizons=[3])
    with pytest.raises(ConfigError, match=f"Label {name} has learned nothing yet. Fit it on"):
        label.compute(BARS)
    assert np.isnat(label.latest_known_at(BARS)).sum() == 3
