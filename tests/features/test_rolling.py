"""The pieces that kernels are made of, against pandas, over values chosen to be awkward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.features.kernels.regime import _deepest_fall
from barstack.features.pieces import extremes, moments, rolling

# Runs up, runs down, repeats and jumps: what breaks windows and sums.
STEPS = st.lists(st.sampled_from([-3.0, -1.0, -1.0, 0.0, 1.0, 1.0, 250.0, -250.0]), min_size=40)
RUNS = st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.integers(1, 40)), min_size=3)
WINDOWS = st.integers(2, 9)


def series(values: list[float]) -> pd.Series:
    return pd.Series(1000.0 + np.cumsum(values))


def run(
    piece: Callable[..., Any], memory: int, values: Any, window: int, *others: Any
) -> npt.NDArray[np.float64]:
    state = np.zeros(memory)
    return np.array([piece(state, *each, window) for each in zip(values, *others, strict=True)])


def fresh(values: Any, window: int, function: Callable[..., Any]) -> Any:
    """`function` of each whole window, NaN before."""
    values = np.asarray(values)
    rows = [function(values[row + 1 - window : row + 1]) for row in range(window - 1, len(values))]
    return np.concatenate([np.full((window - 1, *np.shape(rows[0])), np.nan), rows])


@given(STEPS, WINDOWS)
@settings(max_examples=30, deadline=None)
def test_sums_means_and_lag(steps: list[float], window: int) -> None:
    values = series(steps)
    total = run(rolling.rolling_sum, rolling.SUM + window, values, window)
    np.testing.assert_allclose(total, fresh(values, window, np.sum), rtol=1e-14)
    weights = np.arange(1.0, window + 1)
    mean = run(rolling.weighted_mean, rolling.WEIGHTED + window, values, window)
    expected = fresh(values, window, lambda x: np.average(x, weights=weights))
    np.testing.assert_allclose(mean, expected, rtol=1e-14)
    lagged = run(rolling.lag, rolling.LAG + window, values, window)
    np.testing.assert_array_equal(lagged, values.shift(window))


def test_a_window_of_zeros_sums_to_zero() -> None:
    values = np.array([1e9, -3e-7, 0.1] * 7 + [0.0] * 12)
    total = run(rolling.rolling_sum, rolling.SUM + 10, values, 10)
    assert total[-1] == 0.0 == total[-3]
    shifted = run(moments.rolling_moments, moments.MOMENTS + 20, values + 0.3, 10)
    assert shifted[-1, 1] == 0.0 == shifted[-3, 1]


@given(STEPS, WINDOWS)
@settings(max_examples=30, deadline=None)
def test_moments(steps: list[float], window: int) -> None:
    values = series(steps)
    got = run(moments.rolling_moments, moments.MOMENTS + 2 * window, values, window)
    np.testing.assert_allclose(got[:, 0], fresh(values, window, np.mean), rtol=1e-13)
    variance = fresh(values, window, lambda x: x.var(ddof=1))
    np.testing.assert_allclose(got[:, 1], variance, rtol=1e-12, atol=1e-12)
    powers = run(moments.rolling_powers, moments.POWERS + 4 * window, values, window)
    for column, power in enumerate((2, 3, 4)):
        expected = fresh(values, window, lambda x, p=power: ((x - x.mean()) ** p).mean())
        limit = 1e-12 * np.nanmax(np.abs(powers[:, 0])) ** (power / 2)
        np.testing.assert_allclose(powers[:, column], expected, rtol=1e-10, atol=limit)


@given(STEPS, STEPS, WINDOWS)
@settings(max_examples=20, deadline=None)
def test_covariance_and_line(steps: list[float], more: list[float], window: int) -> None:
    length = min(len(steps), len(more))
    x, y = series(steps[:length]).to_numpy(), series(more[:length]).to_numpy()
    memory = moments.COVARIANCE + 5 * window
    got = run(moments.rolling_covariance, memory, x, window, y)
    expected = fresh(np.column_stack([x, y]), window, lambda p: np.cov(p.T, ddof=0))
    for column, (i, j) in enumerate(((0, 0), (1, 1), (0, 1))):
        np.testing.assert_allclose(got[:, column], expected[:, i, j], rtol=1e-10, atol=1e-9)
    line = run(moments.rolling_line, moments.LINE + 3 * window, x, window)
    slope = fresh(x, window, lambda p: np.polyfit(np.arange(window), p - p[0], 1)[0])
    np.testing.assert_allclose(line[:, 0], slope, rtol=1e-9, atol=1e-9)
    moved = fresh(x, window, np.ptp) > 0
    r2 = fresh(x, window, _r2)
    np.testing.assert_allclose(line[moved, 1], r2[moved], atol=1e-9)
    assert (line[window - 1 :, 1][~moved[window - 1 :]] == 0).all()


def _r2(values: Any) -> float:
    time = np.arange(len(values)) - (len(values) - 1) / 2
    values = values - values.mean()
    spread = (time @ time) * (values @ values)
    return float((time @ values) ** 2 / spread) if spread else 0.0


@given(RUNS, WINDOWS)
@settings(max_examples=30, deadline=None)
def test_extremes_and_their_age(runs: list[tuple[float, int]], window: int) -> None:
    values = series([step for step, length in runs for _ in range(length)])
    one, both, aged = (
        extremes.EXTREME + window,
        extremes.RANGE + 2 * window,
        extremes.NEWEST_EXTREME + 2 * window,
    )
    highest, lowest = values.rolling(window).max(), values.rolling(window).min()
    np.testing.assert_array_equal(run(extremes.rolling_max, one, values, window), highest)
    np.testing.assert_array_equal(run(extremes.rolling_min, one, values, window), lowest)
    got = run(extremes.rolling_range, both, values, window, values - 0.5)
    np.testing.assert_array_equal(got, np.column_stack([highest, lowest - 0.5]))
    got = run(extremes.newest_max, aged, values, window)
    np.testing.assert_array_equal(got[:, 0], highest)
    np.testing.assert_array_equal(got[:, 1], fresh(values, window, lambda x: np.argmax(x[::-1])))
    got = run(extremes.newest_min, aged, values, window)
    np.testing.assert_array_equal(got[:, 0], lowest)
    np.testing.assert_array_equal(got[:, 1], fresh(values, window, lambda x: np.argmin(x[::-1])))
    falls = run(_deepest_fall, 5 + 2 * window, values, window)
    expected = fresh(values, window, lambda x: (x / np.maximum.accumulate(x)).min())
    np.testing.assert_allclose(falls, expected, rtol=1e-14)


@given(STEPS, WINDOWS)
@settings(max_examples=30, deadline=None)
def test_exponential_mean(steps: list[float], window: int) -> None:
    values = series(steps)
    ewm = values.ewm(span=window, adjust=False).mean().to_numpy().copy()
    ewm[: window - 1] = np.nan
    np.testing.assert_allclose(run(rolling.ema, rolling.EMA, values, window), ewm, rtol=1e-12)


@pytest.mark.parametrize("window", [3, 14])
def test_wilder_begins_with_the_plain_mean(window: int) -> None:
    values = series([1.0, -2.0, 3.0] * 20)
    got = run(rolling.wilder, rolling.WILDER, values, window)
    expected = values[:window].mean()
    assert np.isnan(got[: window - 1]).all()
    for row in range(window - 1, len(values)):
        if row >= window:
            expected += (values[row] - expected) / window
        assert got[row] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("window", [1, 2])
def test_shortest_windows(window: int) -> None:
    values = series([1.0, -2.0, 3.0] * 5)
    total = run(rolling.rolling_sum, rolling.SUM + window, values, window)
    np.testing.assert_allclose(total, values.rolling(window).sum())
    highest = run(extremes.rolling_max, extremes.EXTREME + window, values, window)
    np.testing.assert_array_equal(highest, values.rolling(window).max())
