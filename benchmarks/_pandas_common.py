"""What the pandas side of `features.py` is made of: columns, means, sessions.

Rules of the comparison. Every column starts from the frame of bars and shares nothing with the
others, as a function that a user calls would. What pandas has a method for is that method: its
rolling and grouped sums hold rounding errors down as ours do. The rest is numpy in whole columns;
where that is quicker than pandas (ranks, counts, what is one number a session) numpy takes over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = Any  # arrays of float64; to the types of numpy, half of what is done here is Any
Column = Callable[..., Floats]

PANDAS: dict[str, Column] = {}
MINUTE_US = 60_000_000


def column(function: Column) -> Column:
    """Let `function(frame, **params)` stand for the feature of its name."""
    PANDAS[function.__name__] = function
    return function


def values(series: pd.Series[Any]) -> Floats:
    """The array inside."""
    return series.to_numpy(np.float64)


def rolling(x: Any, window: int) -> Any:
    """pandas' windows over an array or a series."""
    return pd.Series(x).rolling(window)


def rolling_sum(x: Any, window: int) -> Floats:
    return values(rolling(x, window).sum())


def rolling_mean(x: Any, window: int) -> Floats:
    return values(rolling(x, window).mean())


def ema(x: Any, span: int) -> Floats:
    """Exponential mean begun at the first value that is not NaN; NaN for `span - 1` values."""
    return values(pd.Series(x).ewm(span=span, adjust=False, min_periods=span).mean())


def wilder(x: Floats, window: int) -> Floats:
    """Wilder's mean: an exponential mean begun at the plain mean of the first values."""
    first = int(np.isnan(x[0]))  # true ranges and changes begin in the second bar
    fed = x[first + window - 1 :].copy()
    fed[0] = x[first : first + window].mean()
    out = np.full(len(x), np.nan)
    out[first + window - 1 :] = pd.Series(fed).ewm(alpha=1 / window, adjust=False).mean()
    return out


def shift(x: Floats, by: int = 1) -> Floats:
    """The value `by` bars ago."""
    out = np.empty_like(x)
    out[:by] = np.nan
    out[by:] = x[:-by]
    return out


def weighted_sum(x: Floats, weights: Floats) -> Floats:
    """Sum of the last values times `weights`, the newest value's first; NaN before."""
    out = np.full(len(x), np.nan)
    out[len(weights) - 1 :] = np.convolve(x, weights, "valid")
    return out


def count(flags: npt.NDArray[Any], window: int) -> npt.NDArray[np.int64]:
    """Sum of whole numbers over windows, exact; those before the first window are cut short."""
    total = np.cumsum(flags, dtype=np.int64)
    total[window:] -= total[:-window].copy()
    return total


def share(part: Any, whole: Any, empty: float) -> Floats:
    """part / whole; `empty` where the whole is 0."""
    return np.where(whole == 0, empty, part / whole)


def log_ratio(part: Any, whole: Any) -> Floats:
    """ln(part / whole) between -5 and 5; 0 where both are 0."""
    ratio: Floats = np.clip(part / whole, np.exp(-5), np.exp(5))
    return np.where((whole == 0) & (part == 0), 0.0, np.log(ratio))


def log_returns(frame: pd.DataFrame, window: int = 1) -> Floats:
    close = values(frame["close"])
    out = np.full(len(close), np.nan)
    out[window:] = np.log(close[window:] / close[:-window])
    return out


def changes(frame: pd.DataFrame) -> Floats:
    return values(frame["close"].diff())


def true_range(frame: pd.DataFrame) -> Floats:
    before = shift(values(frame["close"]))
    return np.maximum(values(frame["high"]), before) - np.minimum(values(frame["low"]), before)


def typical(frame: pd.DataFrame) -> Floats:
    return (values(frame["high"]) + values(frame["low"]) + values(frame["close"])) / 3


def first_rows(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    """The row at which each session begins."""
    session = frame["session"].to_numpy()
    return np.concatenate([[0], np.flatnonzero(session[1:] != session[:-1]) + 1])


def through_session(frame: pd.DataFrame, first: npt.NDArray[np.int64], of_each: Any) -> Floats:
    """One value of each session, in all its bars."""
    return np.repeat(np.asarray(of_each, float), np.diff(first, append=len(frame)))


def before(of_each: Floats) -> Floats:
    """The value of the session before; NaN in the first."""
    return np.concatenate([[np.nan], of_each[:-1]])
