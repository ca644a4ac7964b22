"""What features of other packages answered on the bars at hand, held to what they promise."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.parts import broken, built_in

from ._feature import Feature
from ._feature_set import FeatureSet, FeatureTable

_MOST_MISSING = 0.5  # share of rows past the warm-up; rows that lack any feature are not used
_ENOUGH = 50  # rows past the warm-up, to judge by
_ROUNDING = 1e-9


def check_answers(features: FeatureSet, table: FeatureTable) -> None:
    """`PluginError` where a feature of another package breaks what it declares.

    That is: infinite or outside its bounds anywhere, or missing in most rows past its warm-up.
    """
    for place, feature in enumerate(features.features):
        if built_in(feature.kernel):
            continue
        values = table.values[:, place]
        _check_bounds(feature, values)
        for code, symbol in enumerate(table.decisions.symbols):
            _check_missing(feature, symbol, values[table.decisions.symbol_code == code])


def _check_bounds(feature: Feature, values: Floats) -> None:
    kernel = feature.kernel
    least, most = kernel.low - _ROUNDING, kernel.high + _ROUNDING
    outside = np.isinf(values) | (values < least) | (values > most)  # False where it is NaN
    if outside.any():
        row = int(np.argmax(outside))
        raise broken(
            kernel,
            f"{feature.name} is {values[row]:g} in row {row:,} and {outside.sum() - 1:,} more, "
            f"and must be finite, from {kernel.low:g} to {kernel.high:g}. Say in its step what it "
            "is there, or declare other bounds.",
        )


def _check_missing(feature: Feature, symbol: str, values: Floats) -> None:
    missing = np.isnan(values)
    begins = int(np.argmin(missing))  # 0 where all are missing
    if feature.timeframe is None and not feature.kernel.sessions_for(feature.values):
        begins = min(begins, feature.warmup) if not missing.all() else feature.warmup
    past = missing[begins:]
    if len(past) >= _ENOUGH and past.mean() > _MOST_MISSING:
        raise broken(
            feature.kernel,
            f"{feature.name} of {symbol} is missing in {past.sum():,} of {len(past):,} rows past "
            f"its warm-up of {feature.warmup:,} bars. Let its step return a number there, or "
            "declare a longer warm-up.",
        )
