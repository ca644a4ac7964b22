"""How well bars fit the hours in which a market trades: evidence on zones and stamps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from barstack.core.arrays import Bools, Ints
from barstack.core.errors import DataError
from barstack.core.times import DAY_US, iso

from .._clocks import METATRADER, to_utc
from .._sessions import ALWAYS, FX, Sessions, sessions
from ._layout import Reading

_HOUR_US = 3_600_000_000
_SATURDAY = 2  # days since 1970
_HALF_HOUR_US = _HOUR_US // 2

# Zones in which vendors write times that carry none; New York's without summer time among them.
ZONES = (
    *("UTC", "America/New_York", "America/Chicago", "Etc/GMT+5", "Europe/London", "Europe/Berlin"),
    *(METATRADER, "Europe/Athens", "Asia/Tokyo", "Asia/Kolkata", "Australia/Sydney"),
)


@dataclass(frozen=True)
class MarketHours:
    """A calendar with the hours its bars lie in; `pause_us` of each session's end has no trade."""

    calendar: str
    hours: str
    trades: str
    pause_us: int = 0
    busy: bool = False  # whether there are bars all through the hours, once they have begun
    around: bool = False  # whether there are bars all through every day, CME's pause included


# The shortest hours first: shares by day would fit those of futures as well.
MARKETS = (
    MarketHours("XNYS", "regular", "09:30 to 16:00 New York", busy=True),
    MarketHours("XLON", "regular", "08:00 to 16:30 London", busy=True),
    MarketHours("XETR", "regular", "09:00 to 17:30 Berlin", busy=True),
    MarketHours("XNYS", "extended", "04:00 to 20:00 New York"),
    MarketHours("CMES", "regular", "18:00 to 17:00 New York", pause_us=_HOUR_US),
    MarketHours(FX, "regular", "Sunday 17:00 to Friday 17:00 New York", around=True),
)


@lru_cache(maxsize=16)
def trading(market: MarketHours) -> Sessions:
    """The market's sessions, without the pause at the end of each."""
    found = sessions(market.calendar, market.hours)
    return Sessions(found.day, found.open, found.close - market.pause_us, found.zone)


@dataclass(frozen=True)
class HoursFit:
    """How bars fit a market's hours when their times are read in one way.

    stray   days with a bar outside the hours, of `days` in all
    begins  share of sessions after a pause whose first bar begins with them
    ends    share of sessions before a pause whose last bar ends with them
    odd_weeks  weeks in which bars lie outside at half of the pauses or more: as under another clock
    absent  sessions within the bars' time that have none, of `sessions`
    rests   whether some time between has bars in hardly any session, such as lunch
    filled  share of the hours in which there are bars on some days
    """

    market: MarketHours
    zone: str | None
    stamp: str
    stray: int
    days: int
    begins: float
    ends: float
    odd_weeks: int
    absent: int
    sessions: int
    rests: bool
    filled: float
    moments: bytes  # equal when the same moments are meant

    @property
    def fits(self) -> bool:
        """Whether stray bars are as rare as on holidays that a calendar does not know."""
        holiday = 1 if self.days >= 10 else 0
        return self.days > 0 and self.stray <= max(0.05 * self.days, holiday) and not self.rests

    @property
    def edged(self) -> bool:
        """Whether bars fill the hours from end to end, so that no shift would fit."""
        return self.begins >= 0.5 and self.ends >= 0.5 and self.sessions >= 3

    def contradicts(self, other: HoursFit) -> bool:
        """Whether the other leaves far more bars outside, and has no better edges."""
        if not self.edged or other.begins + other.ends > self.begins + self.ends:
            return False  # a calendar that is not quite the market's leaves some outside, too
        return other.stray >= max(3, 0.01 * other.days) and other.stray >= 5 * self.stray


def fit_hours(
    starts: list[Ints], length_us: int, market: MarketHours, zone: str | None, stamp: str
) -> HoursFit:
    """How bars that start at these moments, UTC, fit a market's hours.

    zone, stamp  how their times were read, for the record
    """
    found = trading(market)
    spaced = np.r_[True, found.open[1:] > found.close[:-1]]
    before_pause = np.r_[spaced[1:], True]
    stray = days = absent = counted = odd_weeks = 0
    slots: list[Ints] = []
    begins: list[Bools] = []
    ends: list[Bools] = []
    for each in starts:
        if not len(each):
            continue
        row = np.minimum(np.searchsorted(found.close, each, side="right"), len(found.day) - 1)
        inside = (each < found.close[row]) & (each + length_us > found.open[row])
        days += _n_days(each)
        stray += _n_days(each[~inside])
        odd_weeks += _n_odd_weeks(each[~inside], found.open[spaced])
        row, at = row[inside], each[inside]
        if not len(row):
            continue
        turn = np.flatnonzero(np.diff(row))
        first, last = turn + 1, turn  # the ends of the series itself may be cut anywhere
        begins.append((at[first] <= found.open[row[first]])[spaced[row[first]]])
        ends.append((at[last] + length_us >= found.close[row[last]])[before_pause[row[last]]])
        absent += int(row[-1] - row[0] - len(turn))
        counted += len(turn) + 1
        since = np.maximum(at - found.open[row], 0)
        slots.append(since // max(length_us, _HALF_HOUR_US) + (row << 8))
    counts = _counts(slots)
    span_us = int(np.median(found.close - found.open))
    n_slots = max(1, span_us // max(length_us, _HALF_HOUR_US))
    return HoursFit(
        market, zone, stamp, stray, days, _share(begins), _share(ends), odd_weeks, absent, counted,
        rests=(market.busy or market.around) and _rests(counts, whole=market.around),
        filled=float((counts > 0.05 * counts.max()).sum() / n_slots) if len(counts) else 0.0,
        moments=b"".join(each.tobytes() for each in starts),
    )  # fmt: skip


def _n_days(moments: Ints) -> int:
    return int(np.count_nonzero(np.diff(moments // DAY_US)) + 1) if len(moments) else 0


def _n_odd_weeks(outside: Ints, opens: Ints) -> int:
    """Weeks, from Saturday on, with as many days outside as half of their openings, or more."""
    days = np.unique(outside // DAY_US)
    weeks, counts = np.unique((days - _SATURDAY) // 7, return_counts=True)
    edges = [(weeks * 7 + _SATURDAY) * DAY_US, ((weeks + 1) * 7 + _SATURDAY) * DAY_US]
    first, after = (np.searchsorted(opens, edge) for edge in edges)
    return int((2 * counts >= after - first).sum())


def _counts(slots: list[Ints]) -> Ints:
    """In how many sessions each half hour has bars."""
    if not slots:
        return np.empty(0, np.int64)
    distinct = [each[np.r_[True, np.diff(each) != 0]] for each in slots]
    return np.bincount(np.concatenate(distinct) & 255)


def _share(flags: list[Bools]) -> float:
    joined = np.concatenate(flags) if flags else np.empty(0, bool)
    return float(joined.mean()) if len(joined) else 0.0


def _rests(counts: Ints, *, whole: bool) -> bool:
    """Whether some half hour, of the day or between the first and the last, has bars in hardly
    any session."""
    if not len(counts) or counts.max() < 3:
        return False
    busy = np.flatnonzero(counts > 0.5 * counts.max())
    between = counts[(0 if whole else busy[0]) : busy[-1] + 1]
    return bool(between.min() < 0.2 * counts.max())


def utc(stamps: Ints, zone: str | None) -> Ints:
    """UTC of times on a zone's clock; times that it skips are dropped."""
    return stamps if zone is None else to_utc(stamps, zone, skipped=False)


def never_closes(series: list[Ints], length_us: int) -> tuple[int, int]:
    """Number of Saturdays as full as other days, and of all Saturdays."""
    full = n_saturdays = 0
    for stamps in series:
        day, count = np.unique(stamps // DAY_US, return_counts=True)
        if len(day) < 3:
            continue
        every = np.arange(day[0] + 1, day[-1])  # the first and the last may be cut
        saturdays = every[(every + 4) % 7 == 6]
        counts = dict(zip(day.tolist(), count.tolist(), strict=True))
        n_saturdays += len(saturdays)
        full += sum(counts.get(int(each), 0) >= 0.5 * np.median(count) for each in saturdays)
    return full, n_saturdays


def check_agrees(
    stamps: np.ndarray, symbol: str, length_us: int, reading: Reading, where: str
) -> None:
    """`DataError` when bars lie outside the hours of those from which the clock was guessed.

    stamps  starts of the bars, microseconds UTC
    """
    if reading.calendar == ALWAYS or length_us >= DAY_US or not len(stamps):
        return
    fits = [
        fit_hours([stamps], length_us, market, None, "open")
        for market in MARKETS
        if (market.calendar, market.hours) == (reading.calendar, reading.hours)
    ]
    for each in fits:
        another_clock = reading.timezone is not None and each.odd_weeks > 1
        if each.stray > max(2, 0.1 * each.days) or another_clock:
            first = iso(stamps[0])
            raise DataError(
                f"{where}: on {each.stray:,} of {each.days:,} days from {first} bars of {symbol} "
                f"lie outside {each.market.trades}, unlike those from which calendar, timezone and "
                "stamps were guessed. Say --calendar, --hours, --timezone and --stamp, or bring "
                "this file in by itself."
            )
