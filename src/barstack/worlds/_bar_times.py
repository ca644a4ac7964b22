"""When the bars of a world open and close, and how much each is expected to move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from barstack.bars import ALWAYS, BAR, sessions
from barstack.core.arrays import Array, Bools, Floats, Rows
from barstack.core.errors import ConfigError
from barstack.core.horizon import Horizon
from barstack.core.times import (
    DAY_US,
    ClosedAt,
    as_time,
    format_duration,
    microseconds,
)

from ._noise import Noise

_TYPICAL_SESSIONS = 250  # from the start, to find the usual length of a session
_LONG_SESSION_US = DAY_US // 2  # longer ones are busiest in the middle, not at the ends


@dataclass(frozen=True, eq=False)
class BarTimes:
    """Times of the bars of one length on one calendar.

    records    (n_bars,) BAR with times filled in, read-only
    bars       how many a world shows; the rest serve horizons that reach past its end
    length_us  nominal length of a bar
    usual      (n_usual, 2) start and end of each bar of a usual session, as fractions of it
    session_us length of a usual session
    """

    records: Array
    bars: int
    length_us: int
    usual: Floats
    session_us: int
    calendar: str

    @property
    def closed_at(self) -> ClosedAt:
        """(n_bars,) closes of all bars."""
        return ClosedAt(np.ascontiguousarray(self.records["closed_at"]).view("datetime64[us]"))

    @property
    def progress(self) -> Floats:
        """(n_bars,) fraction of its session at each bar's midpoint."""
        r = self.records
        middle = 0.5 * (r["opened_at"] + r["closed_at"]) - r["session_open"]
        return np.asarray(middle / (r["session_close"] - r["session_open"]))

    @property
    def first(self) -> Bools:
        """(n_bars,) whether each bar opens a session; never in a market that does not close."""
        if self.calendar == ALWAYS:
            return np.zeros(len(self.records), bool)
        return np.asarray(np.diff(self.records["session"], prepend=-1) != 0)

    def exits(self, horizon: Horizon) -> Rows:
        """(bars,) row at whose close a holding over the horizon ends, as in labels."""
        rows = np.arange(self.bars)
        if horizon.unit == "bars":
            return rows + horizon.count
        times = microseconds(self.closed_at)
        ends = times[: self.bars] + horizon.count
        return np.searchsorted(times, ends).astype(np.int64)

    def scale(self, noise: Noise) -> tuple[Floats, Floats, float]:
        """(standard deviation of each bar's move, share of its variance before the open, usual).

        `usual` is the root mean square of the first over a usual session. Half days have fewer
        bars, each as volatile as on any day.
        """
        overnight = noise.overnight if self.calendar != ALWAYS else 0.0
        variance, nights = noise.daily_volatility**2, overnight * noise.daily_volatility**2
        parts = self.usual[:, 1] - self.usual[:, 0]
        weights = parts * self._shape(self.usual.mean(axis=1), noise.seasonality) ** 2
        by_day = (variance - nights) / weights.sum() * max(self.usual[-1, 1], 1.0)
        length = (self.records["closed_at"] - self.records["opened_at"]) / self.session_us
        if self.calendar != ALWAYS and self.length_us >= DAY_US:
            length = np.ones(len(self.records))
        inside = by_day * length * self._shape(self.progress, noise.seasonality) ** 2
        first = self.first
        whole = inside + np.where(first, nights, 0.0)
        usual = (variance * max(self.usual[-1, 1], 1.0)) / len(self.usual)
        return np.sqrt(whole), np.where(first, nights / whole, 0.0), float(np.sqrt(usual))

    def volume_shape(self, strength: float) -> Floats:
        """(n_bars,) usual volume by time of day, 1 at its quietest."""
        if self.session_us > _LONG_SESSION_US:
            return 1.0 + strength * 2.0 * _bump(self.progress)
        u = self.progress
        return 1.0 + strength * (2.0 * np.exp(-u / 0.08) + 5.0 * np.exp((u - 1.0) / 0.02))

    def _shape(self, u: Floats, strength: float) -> Floats:
        """Volatility by elapsed fraction of the session, 1 at its quietest."""
        if self.session_us > _LONG_SESSION_US:
            return 1.0 + strength * 0.9 * _bump(u)
        return 1.0 + strength * (1.9 * np.exp(-u / 0.08) + 0.5 * np.exp((u - 1.0) / 0.04))


def _bump(u: Floats) -> Floats:
    """A bump in New York's morning, for markets that never close."""
    return np.exp(-0.5 * ((u - 0.64) / 0.09) ** 2)


@lru_cache(maxsize=32)
def bar_times(calendar: str, length_us: int, start: str, bars: int, reach_bars: int) -> BarTimes:
    """Times of `bars` bars from the first session that opens at or after `start`.

    reach_bars  how far the longest horizon may reach past the end

    Raises `ConfigError` if the calendar ends before the bars do.
    """
    if calendar != ALWAYS and length_us > DAY_US:
        raise ConfigError(
            f"A bar of {format_duration(length_us)} is longer than a session of {calendar}. "
            f"Make 1d bars and resample them, or use calendar {ALWAYS}."
        )
    start_us = int(microseconds(np.atleast_1d(as_time(start)))[0])
    if calendar == ALWAYS:
        return _always(length_us, start_us, bars, reach_bars)
    found = sessions(calendar)
    begin = int(np.searchsorted(found.open, start_us))
    opens, closes, day = found.open[begin:], found.close[begin:], found.day[begin:]
    whole = length_us >= DAY_US
    counts = np.ones(len(day), np.int64) if whole else -(-(closes - opens) // length_us)
    have = np.cumsum(counts)
    needed = bars + reach_bars
    if not len(day) or have[-1] < needed:
        raise ConfigError(
            f"From {start} on, calendar {calendar} has {int(have[-1]) if len(day) else 0:,} bars "
            f"of {format_duration(length_us)}; {needed:,} are needed, horizons included. Start "
            "earlier, make fewer bars or longer ones."
        )
    last = int(np.searchsorted(have, needed)) + 1
    session = np.repeat(np.arange(last), counts[:last])[:needed]
    place = np.arange(needed) - (have - counts)[session]
    records = np.zeros(needed, BAR)
    records["session"], records["session_open"] = day[session], opens[session]
    records["session_close"] = closes[session]
    records["opened_at"] = opens[session] + place * (0 if whole else length_us)
    ends = closes[session] if whole else records["opened_at"] + length_us
    records["closed_at"] = np.minimum(ends, closes[session])
    records.flags.writeable = False
    session_us = int(np.median((closes - opens)[:_TYPICAL_SESSIONS]))
    usual = _usual(length_us, session_us)
    return BarTimes(records, bars, length_us, usual, session_us, calendar)


def _always(length_us: int, start_us: int, bars: int, reach_bars: int) -> BarTimes:
    records = np.zeros(bars + reach_bars, BAR)
    opened_at = start_us - start_us % DAY_US + np.arange(bars + reach_bars) * length_us
    records["opened_at"], records["closed_at"] = opened_at, opened_at + length_us
    records["session"] = opened_at // DAY_US
    records["session_open"] = records["session"] * DAY_US
    records["session_close"] = records["session_open"] + DAY_US
    records.flags.writeable = False
    usual = _usual(length_us, DAY_US)
    if length_us > DAY_US:
        usual = np.array([[0.0, length_us / DAY_US]])
    return BarTimes(records, bars, length_us, usual, DAY_US, ALWAYS)


def _usual(length_us: int, session_us: int) -> Floats:
    starts = np.arange(0, session_us, length_us)
    return np.column_stack([starts, np.minimum(starts + length_us, session_us)]) / session_us
