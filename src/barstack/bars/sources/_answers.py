"""Answers of a source brought into the stored form, with counts of what was corrected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import gcd
from typing import Any

import numpy as np
import polars as pl

from barstack.core.arrays import Bools, Ints
from barstack.core.errors import BarstackError, DataError, SourceError
from barstack.core.times import DAY_US, format_duration, iso

from .._bars import COLUMNS
from .._columns import as_polars, match_columns, numbers, utc_microseconds
from .._frames import table_from_frame
from ..catalog import TimeRange
from ._http import masked, unreadable
from ._paged import Page, PagedProvider
from ._retry import RequestCounts, Requester

# Sessions open at quarters of an hour, and bars are counted from there or from the whole hour.
_QUARTER_US = 15 * 60_000_000


@dataclass(frozen=True)
class Answer:
    """One page in the stored form.

    table       bars that start within `queried`, as `table_from_frame` gives them
    queried     the range for which the source has now been queried
    disordered  whether rows were out of order
    repeats     rows that equal another row of the same time
    """

    table: pl.DataFrame
    queried: TimeRange
    disordered: bool = False
    repeats: int = 0


def no_bars() -> pl.DataFrame:
    """A table of no bars in the stored form."""
    columns = {name: pl.Float64() for name in COLUMNS}
    return pl.DataFrame(schema={"timestamp": pl.Datetime("us", "UTC"), **columns})


def answers(
    provider: PagedProvider,
    client: Any,
    requester: Requester,
    symbol: str,
    wanted: TimeRange,
    counts: RequestCounts,
) -> Iterator[Answer]:
    """Page after page of the bars that start within `wanted`.

    Raises `SourceError` where the source fails or makes no progress, `DataError` for invalid bars.
    """
    at, end = wanted
    shift_us, where = provider.shift_us, f"{symbol} from {provider.name}"
    while at < end:
        call = partial(provider.page, client, symbol, at + shift_us, end + shift_us)
        page = requester.request(call, where, counts)
        through = min(page.through_us - shift_us, end)
        if through <= at:
            raise SourceError(
                f"{where}: asked for bars from {iso(at)} on, the source answers with nothing new. "
                "Fetch again later, or choose another start."
            )
        try:
            answer = _stored_form(provider, page, symbol, (at, through), where)
        except BarstackError as error:
            raise type(error)(masked(str(error), provider.secrets())) from None
        except Exception as error:  # noqa: BLE001 (a table of any form; the sentence names it)
            why = masked(unreadable(error), provider.secrets())
            raise SourceError(f"{where}: {why}.") from None
        yield answer
        at = through


def _stored_form(
    provider: PagedProvider, page: Page, symbol: str, queried: TimeRange, where: str
) -> Answer:
    """The bars of a page that start within `queried`, in order, repeated rows once.

    Raises `DataError` where two rows of one time differ, or where a row cannot be a bar.
    """
    frame = as_polars(page.table, where)
    if not len(frame):
        return Answer(no_bars(), queried)
    named = match_columns(frame, where)
    stamps = utc_microseconds(frame[named["time"]], provider.timezone, where)
    begin, end = (moment + provider.shift_us for moment in queried)
    inside = (stamps >= begin) & (stamps < end)
    frame, stamps = frame.filter(inside), stamps[inside]
    if not len(frame):
        return Answer(no_bars(), queried)
    if provider.on_grid:
        _refuse_off_grid(stamps, provider.length_us, where)
    order = np.argsort(stamps, kind="stable")
    disordered = bool((np.diff(stamps) < 0).any())
    frame, stamps = frame[order], stamps[order]
    repeated = np.append(False, np.diff(stamps) == 0)
    if repeated.any():
        _refuse_contradictions(frame, named, stamps, repeated, where)
        frame = frame.filter(~repeated)
    table, _ = table_from_frame(
        frame,
        symbol,
        calendar=provider.calendar,
        stamp=provider.stamp,
        timezone=provider.timezone,
        length_us=provider.length_us,
        where=where,
    )
    return Answer(table, queried, disordered, int(repeated.sum()))


def _refuse_off_grid(stamps: Ints, length_us: int, where: str) -> None:
    """`DataError` for intraday bars that begin off the grid of their length and quarter hours."""
    if length_us >= DAY_US:
        return
    off = stamps % gcd(length_us, _QUARTER_US) != 0
    if off.any():
        at = np.datetime_as_string(np.datetime64(int(stamps[np.argmax(off)]), "us"), unit="s")
        raise DataError(
            f"{where}: {int(off.sum()):,} of {len(off):,} bars are off the grid of "
            f"{format_duration(length_us)} bars, the first at {at.replace('T', ' ')} UTC. The "
            "source mixes bars of other lengths, or single trades, into them; ask it, or fetch "
            "bars of another length."
        )


def _refuse_contradictions(
    frame: pl.DataFrame, named: dict[str, str], stamps: Ints, repeated: Bools, where: str
) -> None:
    rows = np.flatnonzero(repeated)
    for name in COLUMNS:
        values = numbers(frame[named[name]], where)
        one, other = values[rows - 1], values[rows]
        differ = one != other
        if differ.any():
            row = int(np.argmax(differ))
            raise DataError(
                f"{where}: one answer holds two bars of {iso(stamps[rows[row]])}, with {name} "
                f"{one[row]:g} and {other[row]:g}. Fetch again later; if it stays so, ask the "
                "source which is right."
            )
