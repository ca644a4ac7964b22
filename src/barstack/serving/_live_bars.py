"""Live bars as they come, made into the bars that an artifact was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barstack.bars import Bars, Panel, bars_from_frame
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import format_duration


def one_bar(bar: Bars | Mapping[str, Any], symbol: str, about: dict[str, Any]) -> Bars | None:
    """`Bars` of length one; None for a bar outside the sessions that were trained on.

    bar    `Bars`, or a mapping with timestamp (stamped as in training), open ... volume
    about  how the study read its bars
    """
    bars = bar if isinstance(bar, Bars) else _from_mapping(bar, symbol, about)
    if bars.outside and not len(bars):
        return None
    if len(bars) != 1:
        raise DataError(f"update takes one bar at a time, got {len(bars)}.")
    if bars.symbol != symbol:
        raise DataError(f"This stream is of {symbol}, the bars are of {bars.symbol}.")
    check_length({symbol: bars}, about["length_us"])
    return bars


def from_table(
    frame: Any,
    symbol: str,
    about: dict[str, Any],
    length_us: int | None,
    mostly_inside: bool = True,
) -> Bars:
    """Bars of a table, read as the study read its own."""
    return bars_from_frame(
        frame,
        symbol,
        calendar=about["calendar"],
        hours=about["hours"],
        stamp=about["stamp"],
        timezone=about["timezone"],
        length_us=length_us,
        mostly_inside=mostly_inside,
        where=f"bars of {symbol}",
    )


def _from_mapping(bar: Mapping[str, Any], symbol: str, about: dict[str, Any]) -> Bars:
    import polars as pl  # noqa: PLC0415 (streams of Bars need no tables)

    return from_table(
        pl.DataFrame([dict(bar)]), symbol, about, about["length_us"], mostly_inside=False
    )


def check_length(panel: Panel, length_us: int) -> None:
    """`ConfigError` for bars of another length than the training's."""
    for bars in panel.values():
        if bars.length_us != length_us:
            raise ConfigError(
                f"Bars of {bars.symbol} are {format_duration(bars.length_us)} long; the artifact "
                f"was trained on {format_duration(length_us)}. Resample them."
            )
