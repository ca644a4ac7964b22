"""What callers hand in, bars or rows of features, in the form an artifact was trained on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from barstack.bars import BarFormat, Bars, Panel, resample
from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, DataError, did_you_mean
from barstack.core.times import format_duration, iso
from barstack.core.warn import warn

from ._artifact import TrainedEnsemble


def one_bar(bar: Bars | Mapping[str, Any], symbol: str, bar_format: BarFormat) -> Bars | None:
    """`Bars` of length one; None for a bar outside the sessions that were trained on.

    bar         `Bars`, or a mapping with timestamp (stamped as in training), open ... volume
    bar_format  how the study read its bars
    """
    if not isinstance(bar, (Bars, Mapping)):
        raise DataError(
            f"A {type(bar).__name__} is no bar of {symbol}. Give Bars of length one, or a mapping "
            "with timestamp, open, high, low, close and volume."
        )
    if not isinstance(bar, Bars) and str(bar.get("symbol", symbol)) != symbol:
        raise DataError(f"This stream is of {symbol}, the bar is of {bar['symbol']}.")
    bars = bar if isinstance(bar, Bars) else _from_mapping(bar, symbol, bar_format)
    if bars.outside and not len(bars):
        return None
    if len(bars) != 1:
        raise DataError(f"update takes one bar at a time, got {len(bars)}.")
    if bars.symbol != symbol:
        raise DataError(f"This stream is of {symbol}, the bars are of {bars.symbol}.")
    check_length({symbol: bars}, bar_format.length_us)
    if isinstance(bar, Bars):
        _check_values(bars)
    return bars


def _check_values(bars: Bars) -> None:
    """`DataError` unless one bar could have been traded; tables are checked as they are read."""
    _, _, _, _, _, opens, high, low, close, volume = bars.records[0].item()
    fine = 0 < low <= min(opens, close) and max(opens, close) <= high < math.inf
    if not (fine and 0 <= volume < math.inf):
        raise DataError(
            f"The bar of {bars.symbol} that closed at {iso(bars.closed_at[0])} cannot be: open "
            f"{opens:g}, high {high:g}, low {low:g}, close {close:g}, volume {volume:g}. Prices "
            "must be positive, finite, and between low and high."
        )


def outside(symbol: str, bar_format: BarFormat) -> str:
    """Why a bar outside the sessions has no forecast."""
    return (
        f"The bar of {symbol} lies outside the {bar_format.hours} sessions of calendar "
        f"{bar_format.calendar}: it is left out, as such bars were in training."
    )


def check_as_study(panel: Panel, trained: TrainedEnsemble) -> None:
    """`DataError` where a check refuses these bars, as the study's own would have been."""
    from barstack.bars.checks import find, levels_of, refuse  # noqa: PLC0415 (streams need none)

    levels = levels_of(trained.provenance.checks)
    only = {name: level if level == "refuse" else "ignore" for name, level in levels.items()}
    held = {symbol: bars for symbol, bars in panel.items() if len(bars) > 1}
    if held:
        refuse(find(held, calendar=trained.bars.calendar, hours=trained.bars.hours, levels=only))


def table_of(frame: Any, symbol: str, bar_format: BarFormat) -> Bars:
    """Bars of one symbol's table, read as the study read its own."""
    named = [name for name in getattr(frame, "columns", ()) if str(name).lower() == "symbol"]
    others = sorted({str(each) for name in named for each in frame[name]} - {symbol})
    if others:
        raise DataError(
            f"The table of {symbol} has rows of {', '.join(others[:5])} in {named[0]!r}. Give a "
            "mapping with a table for each symbol."
        )
    from barstack.bars.sources import check_plain_table  # noqa: PLC0415 (streams need none)

    check_plain_table(frame, symbol, read=map(str, named))
    length_us = None
    if hasattr(frame, "__len__") and len(frame) == 1 and not bar_format.resample:
        length_us = bar_format.length_us  # one bar does not show how long bars are
    return bar_format.read(frame, symbol, length_us=length_us, where=f"bars of {symbol}")


def resampled(bars: Bars, bar_format: BarFormat) -> Bars:
    """The bars at the training's length, made of shorter ones where the study made its own so."""
    if not bar_format.resample or bars.length_us == bar_format.length_us:
        return bars
    assert bar_format.length_us is not None  # bars were read to train it
    if bars.length_us > bar_format.length_us:
        return bars  # which `check_length` refuses
    higher = resample(bars, bar_format.length_us)[bars.symbol]
    if not len(higher):
        raise DataError(
            f"{bars!r} is too short for one whole bar of {bar_format.resample}. Give more bars."
        )
    return higher


def warn_of_strangers(symbols: Iterable[str], trained: Sequence[str]) -> None:
    """Say which symbols an artifact was not trained on."""
    strangers = [symbol for symbol in symbols if symbol not in trained]
    if strangers:
        warn(
            f"{', '.join(strangers)}: not among the symbols it was trained on "
            f"({', '.join(trained)}). How good its forecasts are there was not measured."
        )


def _from_mapping(bar: Mapping[str, Any], symbol: str, bar_format: BarFormat) -> Bars:
    import polars as pl  # noqa: PLC0415 (streams of Bars need no tables)

    return bar_format.read(
        pl.DataFrame([dict(bar)]),
        symbol,
        length_us=bar_format.length_us,
        mostly_inside=False,
        where=f"bars of {symbol}",
    )


def check_length(panel: Panel, length_us: int | None) -> None:
    """`ConfigError` for bars of another length than the training's."""
    assert length_us is not None  # bars were read to train it
    for bars in panel.values():
        if bars.length_us != length_us:
            raise ConfigError(
                f"Bars of {bars.symbol} are {format_duration(bars.length_us)} long; the artifact "
                f"was trained on {format_duration(length_us)}. Resample them."
            )


def feature_rows(given: Any, columns: Sequence[str], lookback_bars: int) -> Floats:
    """(lookback_bars, n_columns) the latest rows in the artifact's order of columns.

    given  one row: a mapping or pandas Series of name to value, or an array in the order of
           `columns`; or a table of rows, oldest first: a pandas or polars frame, a sequence of
           mappings, or an array (n_rows, n_columns)

    Raises `DataError` for columns that are missing, unknown or there twice, for what is no finite
    number, and for fewer rows than one forecast needs.

    >>> feature_rows({"body": 0.2, "rsi": 55}, ["rsi", "body"], 1)
    array([[55. ,  0.2]])
    """
    rows = _rows(given, columns)
    if len(rows) < lookback_bars:
        raise DataError(
            f"One forecast looks at the latest {lookback_bars} rows of features, and {len(rows)} "
            "is given. Give a table of them, oldest first, or let Predictor.stream keep them."
        )
    rows = rows[-lookback_bars:]
    if not np.isfinite(rows).all():
        row, column = (int(place) for place in np.argwhere(~np.isfinite(rows))[0])
        where = "" if len(rows) == 1 else f" in row {row - len(rows)} from the end"
        raise DataError(
            f"Feature {columns[column]!r}{where} is {rows[row, column]}. Forecast rows past the "
            "warm-up, in which every feature is a finite number."
        )
    return rows


def _rows(given: Any, columns: Sequence[str]) -> Floats:
    if hasattr(given, "columns"):  # a frame of pandas or polars
        _check_names([str(name) for name in given.columns], columns)
        return np.column_stack([_numbers(given[name], name) for name in columns])
    if isinstance(given, Mapping) or (hasattr(given, "index") and hasattr(given, "to_dict")):
        if not isinstance(given, Mapping):  # a pandas Series, whose names may repeat
            _check_names([str(name) for name in given.index], columns)
            given = given.to_dict()
        _check_names([str(name) for name in given], columns)
        return np.array([[_numbers(given[name], name)[0] for name in columns]])
    if isinstance(given, (list, tuple)) and given and isinstance(given[0], Mapping):
        return np.concatenate([_rows(each, columns) for each in given])
    values = np.atleast_2d(_numbers(given, "array", flat=False))
    if values.ndim != 2 or values.shape[1] != len(columns):
        raise DataError(
            f"An array of shape {np.shape(given)} does not hold rows of {len(columns)} features. "
            "Give them in the order of the artifact's columns, or by name."
        )
    return values


def _check_names(found: Sequence[str], columns: Sequence[str]) -> None:
    twice = [name for name, count in Counter(found).items() if count > 1]
    unknown = [name for name in found if name not in columns]
    missing = [name for name in columns if name not in found]
    if unknown:
        raise DataError(f"Unknown feature {unknown[0]!r}. {did_you_mean(unknown[0], columns)}")
    if missing:
        raise DataError(
            f"{len(missing)} of {len(columns)} features are missing, {missing[0]!r} first. Give "
            "each that the artifact was trained on."
        )
    if twice:
        raise DataError(f"Feature {twice[0]!r} is there twice. Give each once.")


def _numbers(given: Any, name: str, flat: bool = True) -> Floats:
    try:
        found = np.asarray(given, float)
    except (TypeError, ValueError):
        raise DataError(f"Feature {name!r} holds {given!r}, which is not a number.") from None
    return found.reshape(-1) if flat else found
