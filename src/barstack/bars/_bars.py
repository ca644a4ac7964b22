"""Bars of one symbol, as the columns that compiled code reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from barstack.core.arrays import Array, Bools, Floats, Ints
from barstack.core.errors import DataError
from barstack.core.notebook import card, remark, table
from barstack.core.times import ClosedAt, Times, format_duration, iso

from ._anomalies import far_prints, holes_before, missing_before

if TYPE_CHECKING:
    import pandas as pd

# One bar as kernels see it. Times are microseconds UTC, `session` counts days since 1970.
# `session_open` and `session_close` are known in advance from the calendar, so a kernel may use
# them. Rows rather than columns: a live bar is one row, and history walks through them in order.
BAR = np.dtype(
    [
        ("opened_at", "i8"),
        ("closed_at", "i8"),
        ("session", "i8"),
        ("session_open", "i8"),
        ("session_close", "i8"),
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "f8"),
    ],
    align=True,
)
PRICES = ("open", "high", "low", "close")
COLUMNS = (*PRICES, "volume")

_SHOWN = 5  # first bars, and as many of the last, in a notebook
Columns = dict[str, Floats]  # by the names in COLUMNS, each (n_rows,)


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars of one symbol in time order, each stamped with the moment it could first be known.

    Attributes
    ----------
    symbol
        Name.
    length_us
        Nominal length of a bar, microseconds; session ends may cut single bars short.
    records
        (n_bars,) of dtype `BAR`, read-only.
    outside
        Number of the source's bars that lay outside all sessions and were left out.
    calendar
        The calendar whose sessions the bars should fill, such as XNYS or 24/7; empty if unknown.
    hours
        "regular" or "extended" hours of the calendar.

    >>> from barstack.testing import walk
    >>> bars = walk(3)
    >>> bars
    Bars(WALK, 3 x 30min, 2026-01-05 14:30 UTC .. 2026-01-05 16:00 UTC)
    >>> str(bars.closed_at[0])
    '2026-01-05T15:00:00.000000'
    >>> list(bars.to_frame())
    ['timestamp', 'open', 'high', 'low', 'close', 'volume']
    """

    symbol: str
    length_us: int
    records: Array
    outside: int = 0
    calendar: str = ""
    hours: str = "regular"

    def __post_init__(self) -> None:
        self.records.flags.writeable = False

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, rows: slice) -> Bars:
        """The bars in `rows`, still in time order; data is shared, not copied."""
        return replace(self, records=self.records[rows], outside=0)

    def __repr__(self) -> str:
        if not len(self):
            return f"Bars({self.symbol}, no bars)"
        first, last = self.opened_at[0], self.closed_at[-1]
        length = format_duration(self.length_us)
        return f"Bars({self.symbol}, {len(self):,} x {length}, {iso(first)} .. {iso(last)})"

    def _repr_html_(self) -> str:
        """The first and the last bars, as notebooks show them."""
        head = ("opened, UTC", "closed, UTC", *COLUMNS)
        ends = range(len(self))[:_SHOWN], range(len(self))[max(_SHOWN, len(self) - _SHOWN) :]
        rows = [
            (
                *(iso(each[row]).removesuffix(" UTC") for each in (self.opened_at, self.closed_at)),
                *(float(self.records[name][row]) for name in COLUMNS),
            )
            for part in ends
            for row in part
        ]
        calendar = f", {self.calendar} {self.hours}" if self.calendar else ""
        between = len(self) - len(rows)
        return card(
            f"{len(self):,} bars of {self.symbol}",
            table(head, rows, digits=6),
            remark(*([f"And {between:,} between; to_frame() has all."] if between else [])),
            note=f"{format_duration(self.length_us)}{calendar}",
        )

    @property
    def opened_at(self) -> Times:
        return self._times("opened_at")

    @property
    def closed_at(self) -> ClosedAt:
        """(n_bars,) first moment at which each bar could be known."""
        return ClosedAt(self._times("closed_at"))

    @property
    def close(self) -> Floats:
        return np.ascontiguousarray(self.records["close"])

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame: `timestamp`, the opening in UTC, prices and volume, as `bs.run` takes it.

        Stamped so, the frame is read with `stamp="open"`. Closing times are left out, as a
        calendar gives them; those of `bars_from_frame` with the same calendar are the same.
        """
        import pandas as pd  # noqa: PLC0415 (only for the caller's convenience)

        start = pd.DatetimeIndex(self.opened_at).tz_localize("UTC")
        return pd.DataFrame({"timestamp": start, **{name: self.records[name] for name in COLUMNS}})

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of symbol, length, calendar and every value; changes when any of them does."""
        calendar = f"{self.calendar}|{self.hours}|"
        digest = hashlib.sha256(f"{self.symbol}|{self.length_us}|{calendar}".encode())
        digest.update(np.ascontiguousarray(self.records).tobytes())
        return digest.hexdigest()

    @cached_property
    def missing(self) -> Ints:
        """(n_bars,) bars missing before each, beyond what calendar and usual gaps explain."""
        return missing_before(self.records, self.length_us, self.calendar, self.hours)

    @cached_property
    def prints(self) -> Bools:
        """(n_bars,) bars with an open, high or low too far off to have been traded in size."""
        return far_prints(self.records)

    def holes(self, most: int) -> Bools:
        """(n_bars,) whether bars are missing before each bar; see `holes_before`."""
        return holes_before(self.missing, most)

    def _times(self, column: str) -> Times:
        return np.ascontiguousarray(self.records[column]).view("datetime64[us]")


# Every stage works on one or many symbols, always in the order of their names.
Panel = Mapping[str, Bars]


def as_panel(bars: Bars | Panel) -> dict[str, Bars]:
    """One symbol or several, as a mapping sorted by symbol.

    >>> from barstack.bars import as_panel
    >>> from barstack.testing import walk
    >>> list(as_panel(walk(bars=3)))
    ['WALK']
    """
    if isinstance(bars, Bars):
        return {bars.symbol: bars}
    if not bars:
        raise DataError("There are no bars. Give those of at least one symbol.")
    for symbol, each in bars.items():
        if not isinstance(each, Bars) or each.symbol != symbol:
            what = (
                f"bars of {each.symbol}" if isinstance(each, Bars) else f"a {type(each).__name__}"
            )
            raise DataError(f"{symbol!r} maps to {what}. Give Bars of that symbol.")
    return {symbol: bars[symbol] for symbol in sorted(bars)}


def panel_fingerprint(panel: Panel) -> str:
    """SHA-256 over the fingerprints of all symbols.

    >>> from barstack.bars import panel_fingerprint
    >>> from barstack.testing import walk
    >>> panel_fingerprint({"WALK": walk(bars=3)})[:8]
    '937fd33a'
    """
    joined = "".join(bars.fingerprint for bars in as_panel(panel).values())
    return hashlib.sha256(joined.encode()).hexdigest()
