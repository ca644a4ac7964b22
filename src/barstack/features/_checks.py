"""Checks of a feature table: values of other packages' features, and series without a value."""

from __future__ import annotations

import numpy as np

from barstack.bars import Panel
from barstack.core.arrays import Floats
from barstack.core.errors import DataError
from barstack.core.parts import broken, built_in
from barstack.core.times import iso

from ._feature import Feature
from ._feature_set import FeatureSet, FeatureTable
from ._series import SeriesSpecs, SeriesTables

_MOST_MISSING = 0.5  # share of rows past the warm-up; rows that lack any feature are not used
_ENOUGH = 50  # rows past the warm-up to judge by
_ROUNDING = 1e-9


def check_values(features: FeatureSet, table: FeatureTable) -> None:
    """`PluginError` if a feature of another package breaks its contract.

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
            f"and must be finite, from {kernel.low:g} to {kernel.high:g}. Let its step "
            "return such a number, or declare other bounds.",
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


def check_known(specs: SeriesSpecs, tables: SeriesTables, panel: Panel) -> None:
    """`DataError` if a series has no value at any bar of some symbol.

    No row of that symbol could be used, which is rarely intended: symbols are spelt otherwise, or
    the series covers another time.
    """
    for name, table in tables.items():
        for symbol, bars in panel.items():
            own = table.about(symbol)
            known_at = table.began_at if specs[name].fill is not None else own.known_at[:1]
            if len(bars) and not np.any(known_at <= bars.closed_at[-1]):
                begins = f", before its first at {iso(own.known_at[0])}" if len(own) else ""
                raise DataError(
                    f"Series {name} has no value for {symbol}, whose bars end at "
                    f"{iso(bars.closed_at[-1])}{begins}. It is {table!r}. Check the spelling of "
                    "symbols and the time it covers. With fill: 0 a symbol may have no rows."
                )
