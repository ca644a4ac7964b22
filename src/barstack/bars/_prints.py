"""Opens, highs and lows so far off that hardly anybody traded them."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Array, Bools

LEAST = float(np.log(1.2))  # beyond the closes on either side
_RANGES = 10.0  # times the usual range of a bar
_BEFORE, _FEWEST = 50, 5  # bars before that tell the usual range


def far_prints(records: Array) -> Bools:
    """(n_bars,) bars whose open, high or low lies far beyond both their close and the one before.

    Beyond by a sixth of the price and ten times the median range of the fifty bars before: like
    all that labels go by, it follows from the bar and those before it.
    """
    import polars as pl  # noqa: PLC0415 (its rolling medians are quick, and it is loaded anyway)

    logs = {name: np.log(records[name]) for name in ("open", "high", "low", "close")}
    before = np.concatenate([logs["close"][:1], logs["close"][:-1]])
    top, bottom = np.maximum(before, logs["close"]), np.minimum(before, logs["close"])
    beyond = np.maximum(logs["high"] - top, bottom - logs["low"])
    ranges = pl.Series(logs["high"] - logs["low"])
    usual = ranges.rolling_median(_BEFORE, min_samples=_FEWEST).shift(1)
    limit = np.maximum(LEAST, _RANGES * usual.fill_null(np.inf).to_numpy())
    return np.asarray(beyond > limit)
