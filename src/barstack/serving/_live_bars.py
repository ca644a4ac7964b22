"""Live bars as they come, made into the bars that an artifact was trained on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from barstack.bars import Bars, Panel, bars_from_frame
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import format_duration, iso, parse_duration
from barstack.ensembles import TrainedEnsemble


def one_bar(bar: Bars | Mapping[str, Any], symbol: str, about: dict[str, Any]) -> Bars | None:
    """`Bars` of length one; None for a bar outside the sessions that were trained on.

    bar    `Bars`, or a mapping with timestamp (stamped as in training), open ... volume
    about  how the study read its bars
    """
    if not isinstance(bar, (Bars, Mapping)):
        raise DataError(
            f"A {type(bar).__name__} is no bar of {symbol}. Give Bars of length one, or a mapping "
            "with timestamp, open, high, low, close and volume."
        )
    if not isinstance(bar, Bars) and str(bar.get("symbol", symbol)) != symbol:
        raise DataError(f"This stream is of {symbol}, the bar is of {bar['symbol']}.")
    bars = bar if isinstance(bar, Bars) else _from_mapping(bar, symbol, about)
    if bars.outside and not len(bars):
        return None
    if len(bars) != 1:
        raise DataError(f"update takes one bar at a time, got {len(bars)}.")
    if bars.symbol != symbol:
        raise DataError(f"This stream is of {symbol}, the bars are of {bars.symbol}.")
    check_length({symbol: bars}, about["length_us"])
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


def outside(symbol: str, about: dict[str, Any]) -> str:
    """Why a bar is passed by."""
    return (
        f"The bar of {symbol} lies outside the {about['hours']} sessions of calendar "
        f"{about['calendar']}: it is passed by, as such bars were in training."
    )


def check_as_study(panel: Panel, trained: TrainedEnsemble) -> None:
    """`DataError` where a check refuses these bars, as the study's own would have been."""
    from barstack.bars.checks import find, levels_of, refuse  # noqa: PLC0415 (streams need none)

    about = trained.bars
    study = trained.about.get("study") or {}
    levels = levels_of((study.get("bars") or {}).get("checks"))
    only = {name: level if level == "refuse" else "ignore" for name, level in levels.items()}
    held = {symbol: bars for symbol, bars in panel.items() if len(bars) > 1}
    if held:
        refuse(find(held, calendar=about["calendar"], hours=about["hours"], levels=only))


def table_of(frame: Any, symbol: str, about: dict[str, Any]) -> Bars:
    """Bars of one symbol's table, read as the study read its own.

    about  how the study read its bars
    """
    named = [name for name in getattr(frame, "columns", ()) if str(name).lower() == "symbol"]
    others = sorted({str(each) for name in named for each in frame[name]} - {symbol})
    if others:
        raise DataError(
            f"The table of {symbol} has rows of {', '.join(others[:5])} in {named[0]!r}. Give a "
            "mapping with a table for each symbol."
        )
    length_us = parse_duration(about["bar"]) if about["bar"] else None
    if hasattr(frame, "__len__") and len(frame) == 1 and not about["resample"]:
        length_us = about["length_us"]  # one bar does not show how long bars are
    return _read(frame, symbol, about, length_us)


def warn_of_strangers(symbols: Iterable[str], trained: Sequence[str]) -> None:
    """Say which symbols an artifact was not trained on."""
    strangers = [symbol for symbol in symbols if symbol not in trained]
    if strangers:
        warnings.warn(
            f"{', '.join(strangers)}: not among the symbols it was trained on "
            f"({', '.join(trained)}). How good its forecasts are there was not measured.",
            stacklevel=3,
        )


def _read(
    frame: Any, symbol: str, about: dict[str, Any], length_us: int | None, whole: bool = True
) -> Bars:
    return bars_from_frame(
        frame,
        symbol,
        calendar=about["calendar"],
        hours=about["hours"],
        stamp=about["stamp"],
        timezone=about["timezone"],
        length_us=length_us,
        day_zone=about.get("day_zone"),
        mostly_inside=whole,
        where=f"bars of {symbol}",
    )


def _from_mapping(bar: Mapping[str, Any], symbol: str, about: dict[str, Any]) -> Bars:
    import polars as pl  # noqa: PLC0415 (streams of Bars need no tables)

    return _read(pl.DataFrame([dict(bar)]), symbol, about, about["length_us"], whole=False)


def check_length(panel: Panel, length_us: int) -> None:
    """`ConfigError` for bars of another length than the training's."""
    for bars in panel.values():
        if bars.length_us != length_us:
            raise ConfigError(
                f"Bars of {bars.symbol} are {format_duration(bars.length_us)} long; the artifact "
                f"was trained on {format_duration(length_us)}. Resample them."
            )
