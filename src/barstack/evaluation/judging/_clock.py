"""Which bars the times of a history name, by the bars' own clock and prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.errors import DataError
from barstack.core.text import printable
from barstack.core.times import DAY_US, iso

from ._times import Stamps

_HOUR_US = 3_600_000_000
_OFFSETS = tuple(sorted(range(-14, 15), key=abs))  # hours that a clock without a zone may be off
_FITS = 0.9  # of the rows: then a clock is taken to be right
_AT_OPEN = 1e-4
_NEAR = 0.002  # how far a fill may lie outside its bar's range, such as for slippage


@dataclass(frozen=True, eq=False)
class BarClock:
    """The bars of one symbol as a clock.

    Attributes
    ----------
    bars
        Of one symbol.
    stamp
        Which end of a bar the source's times name, "open" or "close".
    timezone
        Zone of times that carry none, "" for UTC.
    """

    bars: Bars
    stamp: str
    timezone: str

    @property
    def daily(self) -> bool:
        """Whether a bar is a day."""
        return self.bars.length_us == DAY_US

    @property
    def span_us(self) -> tuple[int, int]:
        """First opening and last close."""
        records = self.bars.records
        return int(records["opened_at"][0]), int(records["closed_at"][-1])

    def utc(self, moments: Stamps) -> Ints:
        """(n,) microseconds UTC; times without a zone are on the clock of the bars' file."""
        if moments.zoned or not self.timezone or self.timezone == "UTC":
            return moments.at_us
        import polars as pl  # noqa: PLC0415

        column = pl.Series(moments.at_us).cast(pl.Datetime("us"))
        local = column.dt.replace_time_zone(
            self.timezone, ambiguous="earliest", non_existent="null"
        )
        whole = local.dt.convert_time_zone("UTC").to_physical().fill_null(strategy="forward")
        return whole.to_numpy().astype(np.int64)

    def exact(self, moments: Stamps, shift_us: int = 0) -> Bools:
        """(n,) whether a time names a bar exactly, by the end of it that the source stamps."""
        records = self.bars.records
        if self.daily and moments.dates:
            return np.isin(moments.at_us // DAY_US, records["session"])
        column = records["closed_at" if self.stamp == "close" else "opened_at"]
        return np.isin(self.utc(moments) + shift_us, column)

    def named(self, moments: Stamps, shift_us: int = 0) -> Ints:
        """(n,) the bar that each time names or lies in; -1 before the first.

        A time at which one bar closes and the next one opens names the bar that the source would
        stamp with it.
        """
        records = self.bars.records
        at = self.utc(moments) + shift_us
        if self.daily and moments.dates:
            return np.searchsorted(records["session"], moments.at_us // DAY_US, side="right") - 1
        if self.stamp == "close":
            place = np.searchsorted(records["closed_at"], at, side="left")  # opened < t <= closed
            inside = place < len(records)
            holds = records["opened_at"][np.minimum(place, len(records) - 1)] < at
            return np.where(inside & holds, place, place - 1)
        return np.searchsorted(records["opened_at"], at, side="right") - 1

    def decided(self, moments: Stamps, shift_us: int = 0) -> Ints:
        """(n,) the bar at whose close a decision can first be followed; n_bars for none."""
        return np.searchsorted(
            self.bars.records["closed_at"], self.utc(moments) + shift_us, side="left"
        )


def shift_of(clock: BarClock, moments: Stamps, where: str) -> tuple[int, str]:
    """By how much times must be shifted to name bars, and a sentence where that is not nothing.

    Times without a zone are often on another clock than the bars, such as that of the exchange.
    """
    low, high = clock.span_us
    if clock.daily and moments.dates:
        days, session = moments.at_us // DAY_US, clock.bars.records["session"]
        inside = float(((days >= session[0]) & (days <= session[-1])).mean())
        _refuse_outside(clock, moments, inside, where)
        return 0, ""
    found = float(clock.exact(moments).mean())
    at = clock.utc(moments)
    inside = float(((at >= low) & (at <= high)).mean())
    if found >= _FITS or moments.zoned:
        _refuse_outside(clock, moments, inside, where)
        return 0, ""
    shares = {hours: float(clock.exact(moments, hours * _HOUR_US).mean()) for hours in _OFFSETS}
    best = max(_OFFSETS, key=lambda hours: (round(shares[hours], 3), -abs(hours)))
    if best and shares[best] >= _FITS and shares[best] > found + 0.05:
        return best * _HOUR_US, (
            f"Times carry no zone; {shares[best]:.0%} of them name a bar when {abs(best)} h are "
            f"{'added' if best > 0 else 'taken off'}, and {found:.0%} as they are, so they are "
            "read so."
        )
    _refuse_outside(clock, moments, inside, where)
    return 0, ""


def _refuse_outside(clock: BarClock, moments: Stamps, inside: float, where: str) -> None:
    if inside > 0.5:
        return
    low, high = clock.span_us
    own = moments.at_us
    raise DataError(
        f"{where} lies between {iso(np.int64(own.min()))} and {iso(np.int64(own.max()))}, and "
        f"the bars of {printable(clock.bars.symbol)} between {iso(np.int64(low))} and "
        f"{iso(np.int64(high))}: {inside:.0%} of its times lie within. Give the bars that it was "
        "made on."
    )


def fill_rows(
    clock: BarClock, moments: Stamps, price: Floats, where: str
) -> tuple[Ints, Bools, list[str]]:
    """The bar of each fill, whether its price is one at which that bar traded, and what was found.

    The clock is the one on which the most prices lie within their bars: tools stamp a fill with
    the opening of its bar, with its close, or with the moment itself, and many write no zone.
    """
    shift, note = 0, ""
    if not (clock.daily and moments.dates):
        shift, note = _best_shift(clock, moments, price)
    at = clock.utc(moments) + shift
    low, high = clock.span_us
    inside = float(((at >= low) & (at <= high)).mean()) if len(at) else 0.0
    if clock.daily and moments.dates:
        shift_of(clock, moments, where)
    else:
        _refuse_outside(clock, moments, inside, where)
    rows = np.clip(clock.named(moments, shift), 0, len(clock.bars) - 1)
    other = (
        np.maximum(rows - 1, 0)
        if clock.stamp != "close"
        else np.minimum(rows + 1, len(clock.bars) - 1)
    )
    good, shifted_good = within(clock.bars, rows, price), within(clock.bars, other, price)
    known = np.isfinite(price)
    notes = [note] if note else []
    if known.any() and shifted_good[known].mean() > good[known].mean() + 0.05:
        rows, good = other, shifted_good
        which = "before" if clock.stamp != "close" else "after"
        notes.append(
            f"By their prices, fills are of the bar {which} the one that their times name."
        )
    return rows, good, notes


def within(bars: Bars, rows: Ints, price: Floats) -> Bools:
    """(n,) whether a price lies in the range of its bar, up to a little slippage."""
    low, high = bars.records["low"][rows], bars.records["high"][rows]
    return np.asarray((price >= low * (1.0 - _NEAR)) & (price <= high * (1.0 + _NEAR)))


def _best_shift(clock: BarClock, moments: Stamps, price: Floats) -> tuple[int, str]:
    known = np.flatnonzero(np.isfinite(price))
    if moments.zoned:
        return 0, ""
    if not len(known):
        return shift_of(clock, moments, "the trades")
    few = known[np.linspace(0, len(known) - 1, min(len(known), 2_000)).astype(int)]

    def fit(hours: int) -> tuple[float, float]:
        own = moments.take(few)
        rows = np.clip(clock.named(own, hours * _HOUR_US), 0, len(clock.bars) - 1)
        # Where bars follow each other without a gap, an open lies within the bar before as well.
        at_open = np.abs(price[few] / clock.bars.records["open"][rows] - 1.0) < _AT_OPEN
        return float(within(clock.bars, rows, price[few]).mean()), float(at_open.mean())

    fits = {hours: fit(hours) for hours in _OFFSETS}
    shares = {hours: found[0] for hours, found in fits.items()}
    best = max(_OFFSETS, key=lambda hours: (*(round(x, 2) for x in fits[hours]), -abs(hours)))
    if best == 0 or shares[0] >= _FITS or shares[best] < shares[0] + 0.1:
        return 0, ""
    return best * _HOUR_US, (
        f"Times carry no zone; {shares[best]:.0%} of the prices lie within their bars "
        f"when {abs(best)} h are {'added' if best > 0 else 'taken off'}, and "
        f"{shares[0]:.0%} as they are, so they are read so."
    )
