"""The pieces that kernels are made of, against pandas, over values chosen to be awkward."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.features import _rolling as pieces

# Runs up, runs down, repeats and jumps: what breaks queues and sums.
STEPS = st.lists(st.sampled_from([-3.0, -1.0, -1.0, 0.0, 1.0, 1.0, 250.0, -250.0]), min_size=40)
RUNS = st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.integers(1, 40)), min_size=3)
WINDOWS = st.integers(2, 9)


def series(values: list[float]) -> pd.Series:
    return pd.Series(1000.0 + np.cumsum(values))


def run(
    piece: Callable[..., Any], memory: int, values: pd.Series, window: int
) -> npt.NDArray[np.float64]:
    state = np.zeros(memory)
    return np.array([piece(state, value, window) for value in values])


@given(STEPS, WINDOWS)
@settings(max_examples=60, deadline=None)
def test_sum_mean_and_moments(steps: list[float], window: int) -> None:
    values = series(steps)
    rolling = values.rolling(window)
    np.testing.assert_allclose(
        run(pieces.rolling_sum, pieces.SUM + window, values, window), rolling.sum(), rtol=1e-12
    )
    moments = run(pieces.rolling_moments, pieces.MOMENTS + window, values, window)
    np.testing.assert_allclose(moments[:, 0], rolling.mean(), rtol=1e-12)
    exact = [values[max(0, i - window + 1) : i + 1].var() for i in range(len(values))]
    np.testing.assert_allclose(moments[window - 1 :, 1], exact[window - 1 :], rtol=1e-9, atol=1e-8)


@given(RUNS, WINDOWS)
@settings(max_examples=60, deadline=None)
def test_extremes_and_their_age(runs: list[tuple[float, int]], window: int) -> None:
    values = series([step for step, length in runs for _ in range(length)])
    got = run(pieces.rolling_max, pieces.EXTREME + 2 * window, values, window)
    np.testing.assert_array_equal(got[:, 0], values.rolling(window).max())
    age = values.rolling(window).apply(lambda part: np.argmax(part[::-1]), raw=True)
    np.testing.assert_array_equal(got[:, 1], age)
    lowest = run(pieces.rolling_min, pieces.EXTREME + 2 * window, values, window)
    np.testing.assert_array_equal(lowest[:, 0], values.rolling(window).min())


@given(STEPS, WINDOWS)
@settings(max_examples=30, deadline=None)
def test_exponential_mean_and_lag(steps: list[float], window: int) -> None:
    values = series(steps)
    ewm = values.ewm(span=window, adjust=False).mean().to_numpy().copy()
    ewm[: window - 1] = np.nan
    np.testing.assert_allclose(run(pieces.ema, pieces.EMA, values, window), ewm, rtol=1e-12)
    lagged = run(pieces.lag, pieces.LAG + window, values, window)
    np.testing.assert_array_equal(lagged, values.shift(window))


@pytest.mark.parametrize("window", [3, 14])
def test_wilder_begins_with_the_plain_mean(window: int) -> None:
    values = series([1.0, -2.0, 3.0] * 20)
    got = run(pieces.wilder, pieces.WILDER, values, window)
    expected = values[:window].mean()
    assert np.isnan(got[: window - 1]).all()
    for row in range(window - 1, len(values)):
        if row >= window:
            expected += (values[row] - expected) / window
        assert got[row] == pytest.approx(expected, rel=1e-12)
