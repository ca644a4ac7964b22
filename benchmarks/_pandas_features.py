"""The features of core107 in pandas and numpy, each from the frame of bars: the other side of
`features.py`."""

from __future__ import annotations

import warnings
from typing import Any

import _pandas_levels  # noqa: F401  each registers its columns
import _pandas_prices  # noqa: F401
import _pandas_returns  # noqa: F401
import _pandas_volume  # noqa: F401
import numpy as np
import pandas as pd
from _pandas_common import PANDAS, Column, Floats

# Left out of the ratio: each bar depends on the result of the bar before in a way that no
# cumulative or exponential sum of pandas has.
ONLY_BY_LOOP = {
    "kama_distance": "the weight of the exponential mean changes with every bar",
    "parabolic_sar_distance": "the stop turns where price crosses the stop itself",
    "volume_peak_distance": "bins of the fading profile follow the range of bars as it changes",
    "volume_above": "bins of the fading profile follow the range of bars as it changes",
}
# A window of volatilities is ranked in single precision, so that rounding cannot tell equals
# apart; two ways of adding up may round to neighbours and change the rank by half a place.
PLACES = {"volatility_state": 1 / 249}


def frame_of(bars: Any) -> pd.DataFrame:
    """Bars as pandas users hold them."""
    names = ("open", "high", "low", "close", "volume", "session", "opened_at", "closed_at",
             "session_open", "session_close")  # fmt: skip
    return pd.DataFrame({name: np.ascontiguousarray(bars.records[name]) for name in names})


def call(feature: Any) -> tuple[Column, dict[str, Any]]:
    """pandas' function for a feature, and its parameters."""
    return PANDAS[feature.feature], dict(zip(feature.kernel.params, feature.values, strict=True))


def compute(feature: Any, frame: pd.DataFrame) -> Floats:
    """The column of a feature as pandas computes it."""
    function, params = call(feature)
    with warnings.catch_warnings():  # 0 / 0, where a neutral value follows
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(frame, **params)


def differing(features: Any, bars: Any) -> list[str]:
    """Columns that are not the same to a millionth, or whose warm-up is not."""
    ours, frame, found = features.compute(bars).values, frame_of(bars), []
    for feature, column in zip(features.features, ours.T, strict=True):
        theirs, known = compute(feature, frame), ~np.isnan(column)
        size = np.abs(column[known]).mean() if known.any() else 0.0
        limit = 1e-6 * (np.abs(column[known]) + size) + PLACES.get(feature.feature, 0.0)
        near = np.abs(column[known] - theirs[known]) <= limit
        if not near.all() or not np.isnan(theirs[~known]).all():
            found.append(feature.name)
    return found


__all__ = ["ONLY_BY_LOOP", "PANDAS", "call", "compute", "differing", "frame_of"]
