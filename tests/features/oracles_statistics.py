"""Statistics written out window by window, moments from SciPy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy import stats
from tests.features.oracle import Oracle, over_windows
from tests.features.oracles_momentum import log_returns


def _mean(window: int, values: Any) -> Any:
    return over_windows(lambda x: x.mean(axis=1), window, values)


def _unless_equal(neutral: float, function: Any, window: int, values: Any) -> Any:
    """`function` of each window, `neutral` where all its values are equal."""
    spread = over_windows(lambda x: x.max(axis=1) - x.min(axis=1), window, values)
    return np.where(spread == 0, neutral, over_windows(function, window, values))


def _zscore(x: Any) -> Any:
    return (x[:, -1] - x.mean(axis=1)) / x.std(axis=1, ddof=1)


def _reversion_speed(f: Any) -> Any:
    def slope(x: Any, y: Any) -> Any:
        x, y = (each - each.mean(axis=1, keepdims=True) for each in (x, y))
        return (x * y).sum(axis=1) / (x * x).sum(axis=1)

    b = over_windows(slope, 50, f["close"].shift(), f["close"])
    return np.where(_still(f["close"].shift(), 50), 0.0, np.clip(1 - b, 0, 2))


def _still(values: Any, window: int) -> Any:
    return over_windows(lambda x: x.max(axis=1) - x.min(axis=1), window, values) == 0


def _autocorrelation(f: Any) -> Any:
    def pairs(x: Any, y: Any) -> Any:
        scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
        return np.where(scale == 0, 0.0, (x * y).sum(axis=1) / scale)

    return over_windows(pairs, 50, log_returns(f), log_returns(f).shift())


def _variance_ratio(f: Any) -> Any:
    moves = np.log(f["close"] / f["close"].shift(5)) ** 2
    ways = (log_returns(f) ** 2).rolling(5).apply(np.sum, raw=True)
    way = _mean(100, ways)
    return np.where(way == 0, 1.0, _mean(100, moves) / way)


def _hurst(f: Any) -> Any:
    size = [
        _mean(100, np.log(f["close"] / f["close"].shift(k)).iloc[8:] ** 2) for k in (1, 2, 4, 8)
    ]
    logs = np.log(np.vstack(size)).T
    slopes = np.full(len(logs), np.nan)
    known = np.isfinite(logs).all(axis=1)
    slopes[known] = np.polyfit(np.log([1, 2, 4, 8]), logs[known].T, 1)[0]
    ones, eights = size[0] == 0, size[3] == 0  # where there is no slope, as it is documented
    some = (np.vstack(size) == 0).any(axis=0)
    slopes = np.where(some, np.where(ones & eights, 1.0, np.where(ones, 2.0, 0.0)), slopes)
    return np.concatenate([np.full(8, np.nan), np.clip(slopes / 2, 0, 1)])


def _fractional_difference(f: Any) -> Any:
    weights = [1.0]
    for k in range(1, 64):
        weights.append(-weights[-1] * (0.4 - k + 1) / k)
    return over_windows(
        lambda x: (x[:, :0:-1] - x[:, :1]) @ np.array(weights), 65, np.log(f["close"])
    )


def _entropy(f: Any) -> Any:
    close = f["close"].to_numpy()
    orders = list(itertools.permutations(range(3)))
    triples = np.lib.stride_tricks.sliding_window_view(close, 3)
    found = [orders.index(tuple(np.argsort(each, kind="stable"))) for each in triples]
    out = np.full(len(close), np.nan)
    for row in range(101, len(close)):
        share = np.bincount(found[row - 101 : row - 1]) / 100
        share = share[share > 0]
        out[row] = -(share * np.log(share)).sum() / np.log(6)
    return out


def _rank(x: Any) -> Any:
    below = (x < x[:, -1:]).sum(axis=1) + 0.5 * ((x == x[:, -1:]).sum(axis=1) - 1)
    return below / (x.shape[1] - 1)


def _quantile(f: Any, share: float, window: int = 100) -> Any:
    return over_windows(lambda x: np.quantile(x, share, axis=1), window, f)


def _quantile_position(f: Any) -> Any:
    low, high = _quantile(f["close"], 0.1), _quantile(f["close"], 0.9)
    position = np.clip((f["close"] - low) / (high - low), -1, 2)
    return np.where(high == low, 0.5, position)


ORACLES = {
    "return_zscore": Oracle("numpy", lambda f: _unless_equal(0, _zscore, 50, log_returns(f))),
    "skewness": Oracle(
        "scipy.stats.skew",
        lambda f: _unless_equal(0, lambda x: stats.skew(x, axis=1), 50, log_returns(f)),
    ),
    "kurtosis": Oracle(
        "scipy.stats.kurtosis",
        lambda f: _unless_equal(0, lambda x: stats.kurtosis(x, axis=1), 50, log_returns(f)),
    ),
    "reversion_speed": Oracle("numpy", _reversion_speed),
    "autocorrelation": Oracle("numpy", _autocorrelation),
    "variance_ratio": Oracle("pandas", _variance_ratio),
    "hurst": Oracle("numpy.polyfit", _hurst),
    "fractional_difference": Oracle("numpy", _fractional_difference),
    "entropy": Oracle("numpy", _entropy),
    "return_rank": Oracle(
        "numpy", lambda f: over_windows(_rank, 100, log_returns(f).astype(np.float32))
    ),
    "median_distance": Oracle(
        "numpy.quantile", lambda f: f["close"] / _quantile(f["close"], 0.5, 50) - 1
    ),
    "quantile_position": Oracle("numpy.quantile", _quantile_position),
    "quantile_range": Oracle(
        "numpy.quantile",
        lambda f: (_quantile(log_returns(f), 0.75) - _quantile(log_returns(f), 0.25)) / 1.349,
    ),
}
