"""From what a source answered to the one form that is stored, with a count of what was mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from barstack.core.arrays import Bools, Ints
from barstack.core.errors import BarstackError, DataError, SourceError
from barstack.core.times import DAY_US, format_duration, iso

from .._columns import as_polars, match_columns, numbers, utc_microseconds
from .._frames import table_from_frame
from .._validation import COLUMNS
from ._http import masked, unreadable
from ._paged import Stretch
from ._retry import Asker, Tries

if TYPE_CHECKING:
    from ._paged import Page, PagedProvider


@dataclass(frozen=True)
class Answer:
    """One page in the form that is stored.

    table       bars that start within `stretch`, as `table_from_frame` gives them
    stretch     for which the source has now been asked
    disordered  whether rows were out of order
    repeats     rows that said again what another had said
    """

    table: pl.DataFrame
    stretch: Stretch
    disordered: bool = False
    repeats: int = 0


def no_bars() -> pl.DataFrame:
    """A table of no bars, in the form that is stored."""
    columns = {name: pl.Float64() for name in COLUMNS}
    return pl.DataFrame(schema={"timestamp": pl.Datetime("us", "UTC"), **columns})


def answers(
    remote: PagedProvider, client: Any, asker: Asker, symbol: str, stretch: Stretch, tries: Tries
) -> Iterator[Answer]:
    """Page after page of the bars that start within `stretch`.

    Raises `SourceError` where the source fails or makes no progress, `DataError` for bars that
    cannot be.
    """
    at, end = stretch
    shift_us, where = remote.shift_us, f"{symbol} from {remote.name}"
    while at < end:
        request = partial(remote.page, client, symbol, at + shift_us, end + shift_us)
        page = asker.ask(request, where, tries)
        through = min(page.through_us - shift_us, end)
        if through <= at:
            raise SourceError(
                f"{where}: asked for bars from {iso(np.datetime64(at, 'us'))} on, the source "
                "answers with nothing new. Fetch again later, or choose another start."
            )
        yield read_answer(remote, page, symbol, (at, through))
        at = through


def read_answer(remote: PagedProvider, page: Page, symbol: str, asked: Stretch) -> Answer:
    """The bars of a page that start within `asked`.

    Rows are put in order, rows said twice are counted and dropped. Raises `DataError` where two
    rows contradict each other, or where a row cannot be a bar.
    """
    where = f"{symbol} from {remote.name}"
    try:
        return _bars_of(remote, page, symbol, asked, where)
    except BarstackError as error:
        raise type(error)(masked(str(error), remote.secrets())) from None
    except Exception as error:  # noqa: BLE001 (a table of any form; the sentence names it)
        told = masked(unreadable(error), remote.secrets())
        raise SourceError(f"{where}: {told}.") from None


def _bars_of(remote: PagedProvider, page: Page, symbol: str, asked: Stretch, where: str) -> Answer:
    frame = as_polars(page.table, where)
    if not len(frame):
        return Answer(no_bars(), asked)
    named = match_columns(frame, where)
    stamps = utc_microseconds(frame[named["time"]], remote.timezone, where)
    inside = (stamps >= asked[0] + remote.shift_us) & (stamps < asked[1] + remote.shift_us)
    frame, stamps = frame.filter(inside), stamps[inside]
    if not len(frame):
        return Answer(no_bars(), asked)
    if remote.on_grid:
        _refuse_off_grid(stamps, remote.length_us, where)
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
        calendar=remote.calendar,
        stamp=remote.stamp,
        timezone=remote.timezone,
        length_us=remote.length_us,
        where=where,
    )
    return Answer(table, asked, disordered, int(repeated.sum()))


# Sessions open at quarters of an hour, and bars are counted from there or from the whole hour.
_QUARTER_US = 15 * 60_000_000


def _refuse_off_grid(stamps: Ints, length_us: int, where: str) -> None:
    """Bars shorter than a day begin at multiples of what their length and a quarter hour share."""
    if length_us >= DAY_US:
        return
    grid_us = gcd(length_us, _QUARTER_US)
    off = stamps % grid_us != 0
    if off.any():
        at = np.datetime_as_string(np.datetime64(int(stamps[np.argmax(off)]), "us"), unit="s")
        raise DataError(
            f"{where}: {int(off.sum()):,} of {len(off):,} bars are off the grid of "
            f"{format_duration(length_us)} bars, the first at {at.replace('T', ' ')} UTC. The "
            "source mixes bars of other lengths, or single trades, into them; ask it, or fetch "
            "bars of another length."
        )


def _refuse_contradictions(
    frame: pl.DataFrame,
    named: dict[str, str],
    stamps: Ints,
    repeated: Bools,
    where: str,
) -> None:
    rows = np.flatnonzero(repeated)
    for name in COLUMNS:
        values = numbers(frame[named[name]], where)
        one, other = values[rows - 1], values[rows]
        differ = one != other
        if differ.any():
            row = int(np.argmax(differ))
            at = iso(np.datetime64(int(stamps[rows[row]]), "us"))
            raise DataError(
                f"{where}: one answer holds two bars of {at}, with {name} {one[row]:g} and "
                f"{other[row]:g}. Fetch again later; if it stays so, ask the source which is right."
            )
