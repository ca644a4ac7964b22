"""The subject of checks: the bars of one symbol, and the calendar they should fill."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.times import DAY_US

from .._bars import Bars
from .._sessions import ALWAYS, Sessions, sessions
from ._finding import NO_TIMES

_NEVER = 0.95  # share of days: a time of day that is empty on so many is not covered
_HARDLY = 0.9  # share of the bars due: a session that lacks so many counts as missing
_FEW_SESSIONS = 5
_SHORT_US = 15 * 60_000_000
_EXPLAINED = 8.0  # deviations of the bars that are missing before a bar
_CLIPPED = 10.0  # times the median: the most that one move adds to the usual deviation


@dataclass(frozen=True, eq=False)
class Gaps:
    """Bars that the calendar expects between the first and the last bar, and that are missing.

    at       (n_missing,) when each would start, microseconds UTC
    session  (n_missing,) its session, days since 1970
    stretch  (n_missing,) number of the unbroken stretch it lies in
    whole    (n_missing,) whether its session is missing, but for a tenth at most
    never    (n_missing,) whether it lies at a time of day that the source hardly ever covers
    """

    at: Ints
    session: Ints
    stretch: Ints
    whole: Bools
    never: Bools


@dataclass(frozen=True, eq=False)
class Subject:
    """Bars of one symbol with calendar and hours; what several checks need is computed once.

    >>> from barstack.testing import sound_bars
    >>> len(Subject(sound_bars(), "XNYS"))
    400
    """

    bars: Bars
    calendar: str = ALWAYS
    hours: str = "regular"
    outside_at: Ints = field(default_factory=NO_TIMES.copy)  # of bars left out, if known

    def __len__(self) -> int:
        return len(self.bars)

    @cached_property
    def opened_at(self) -> Ints:
        """(n_bars,) microseconds UTC."""
        return np.ascontiguousarray(self.bars.records["opened_at"])

    @cached_property
    def closed_at(self) -> Ints:
        """(n_bars,) microseconds UTC."""
        return np.ascontiguousarray(self.bars.records["closed_at"])

    @cached_property
    def session(self) -> Ints:
        """(n_bars,) days since 1970."""
        return np.ascontiguousarray(self.bars.records["session"])

    @cached_property
    def volume(self) -> Floats:
        """(n_bars,)"""
        return np.ascontiguousarray(self.bars.records["volume"])

    @cached_property
    def logs(self) -> dict[str, Floats]:
        """Natural logarithms of open, high, low and close, each (n_bars,)."""
        names = ("open", "high", "low", "close")
        return {name: np.log(np.ascontiguousarray(self.bars.records[name])) for name in names}

    @cached_property
    def starts(self) -> Ints:
        """(n_sessions,) row of the first bar of each session that has bars."""
        return np.flatnonzero(np.diff(self.session, prepend=self.session[:1] - 1))

    @cached_property
    def zone(self) -> ZoneInfo:
        """Zone of the market's clock."""
        return ZoneInfo(self._calendar.zone)

    @property
    def has_volume(self) -> bool:
        """Whether any bar has a volume."""
        return bool(self.volume.any())

    @cached_property
    def expected(self) -> Sessions:
        """Sessions from that of the first bar to that of the last; with 24/7, UTC days."""
        first, last = self.session[0], self.session[-1]
        found = self._calendar
        if self.calendar == ALWAYS:
            day = np.arange(first, last + 1)
            return Sessions(day, day * DAY_US, (day + 1) * DAY_US)
        rows = slice(*np.searchsorted(found.day, [first, last + 1]))
        return Sessions(found.day[rows], found.open[rows], found.close[rows], found.zone)

    def clock(self, at_us: int) -> str:
        """The time of day as the market's own clock shows it."""
        moment = datetime.fromtimestamp(int(at_us) / 1e6, UTC)
        return f"{moment.astimezone(self.zone):%H:%M}"

    def offset_us(self, at_us: int) -> int:
        """How far the market's clock is ahead of UTC at a moment, microseconds."""
        ahead = datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(self.zone).utcoffset()
        return 0 if ahead is None else int(ahead.total_seconds()) * 1_000_000

    def mostly_at(self, at: Ints) -> str:
        """A phrase when most of these times share one time of day, else nothing."""
        if len(at) < _FEW_SESSIONS:
            return ""
        row = np.searchsorted(self.expected.day, self.session[np.searchsorted(self.opened_at, at)])
        after_open = at - self.expected.open[row]
        times, first, counts = np.unique(after_open, return_index=True, return_counts=True)
        most = int(np.argmax(counts))
        if counts[most] < len(at) / 2 or len(times) > len(at) / 2 or self.bars.length_us >= DAY_US:
            return ""
        return f"{counts[most]:,} of them at {self.clock(at[first[most]])} {self.zone.key}"

    @property
    def _calendar(self) -> Sessions:
        return sessions(self.calendar, self.hours)

    @cached_property
    def explained(self) -> Floats:
        """(n_bars,) log move since the bar before that missing bars between them may explain.

        Eight deviations of as many bars as are missing; zero where none is. Prices move on while
        bars are missing, and the difference is no single move.
        """
        missing = replace(self.bars, calendar=self.calendar, hours=self.hours).missing
        sizes = np.abs(np.diff(self.logs["close"], prepend=self.logs["close"][:1]))
        some = sizes[sizes > 0]
        most = _CLIPPED * float(np.median(some)) if len(some) else 0.0
        deviation = np.sqrt(np.mean(np.minimum(sizes, most) ** 2)) if len(sizes) else 0.0
        return np.where(missing > 0, _EXPLAINED * deviation * np.sqrt(missing + 1.0), 0.0)

    @cached_property
    def gaps(self) -> Gaps:
        """The missing bars. Bars longer than a day have no grid, so none are missing."""
        if self.bars.length_us > DAY_US or len(self) < 2:
            nothing = np.empty(0, np.int64)
            return Gaps(nothing, nothing, nothing, nothing > 0, nothing > 0)
        row, begin, end, whole, head = self._empty_stretches()
        counts = -(-(end - begin) // self.bars.length_us)
        if self.bars.length_us == DAY_US and self.calendar != ALWAYS:
            counts = whole.astype(np.int64)  # one bar a session, however long it is
        counts = np.maximum(counts, 0)
        stretch = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(len(stretch)) - np.repeat(np.cumsum(counts) - counts, counts)
        at = begin[stretch] + place * self.bars.length_us
        # Only the first bar of a session may be a stub: what is missing before one that is there
        # ends with it.
        back = end[stretch] - (counts[stretch] - place) * self.bars.length_us
        at = np.where(head[stretch], np.maximum(back, begin[stretch]), at)
        row, whole = row[stretch], whole[stretch]
        never = self._never_covered(at, row, whole)
        whole |= self._hardly_there(row, whole | never)
        return Gaps(at, self.expected.day[row], stretch, whole, never)

    def _empty_stretches(self) -> tuple[Ints, Ints, Ints, Bools, Bools]:
        """(session row, begin, end, whole session, its head) of time in sessions without a bar.

        Found by what bars leave uncovered rather than by a grid, so that bars may start at any
        minute: the first of a session may be a stub, and so may the last.
        """
        due = self.expected
        opens, closes = due.open.copy(), due.close.copy()
        opens[0], closes[-1] = self.opened_at[0], self.closed_at[-1]  # nothing is due beyond them
        first = self.starts
        last = np.append(first[1:], len(self)) - 1
        row = np.searchsorted(due.day, self.session[first])
        # Where sessions are contiguous, a bar may extend over from the one before.
        reach = np.append(self.opened_at[:1], self.opened_at[last[:-1]] + self.bars.length_us)
        within = np.flatnonzero(self.closed_at[:-1] < self.opened_at[1:])
        within = within[self.session[within] == self.session[within + 1]]
        absent = np.setdiff1d(np.arange(len(due.day)), row)
        rows = (row, np.searchsorted(due.day, self.session[within]), row, absent)
        begins = (
            np.maximum(opens[row], reach),
            self.closed_at[within],
            np.maximum(self.closed_at[last], opens[row]),
            opens[absent],
        )
        ends = (
            self.opened_at[first],
            self.opened_at[within + 1],
            closes[row],
            closes[absent],
        )
        row_of, begin, end = (np.concatenate(parts) for parts in (rows, begins, ends))
        whole = np.zeros(len(row_of), bool)
        whole[len(whole) - len(absent) :] = True
        head = np.arange(len(row_of)) < len(row)
        order = np.lexsort((begin, row_of))
        order = order[(end > begin)[order]]
        return row_of[order], begin[order], end[order], whole[order], head[order]

    def _never_covered(self, at: Ints, row: Ints, whole: Bools) -> Bools:
        due = self.expected
        slot = (at - due.open[row]) // self.bars.length_us
        there = np.isin(due.day, self.session[self.starts])
        there[[0, -1]] = False  # they may begin late and end early
        lengths = np.sort((due.close - due.open)[there])
        if len(lengths) < _FEW_SESSIONS or not len(at):
            return np.zeros(len(at), bool)
        n_slots = int(-(-lengths[-1] // self.bars.length_us))
        inner = there[row] & ~whole & (slot < n_slots)
        missing = np.bincount(slot[inner], minlength=n_slots)
        open_us = np.arange(n_slots) * self.bars.length_us
        due_days = len(lengths) - np.searchsorted(lengths, open_us, side="right")
        empty = (missing >= _NEVER * due_days) & (due_days >= _FEW_SESSIONS)
        empty = _long_enough(empty, max(1, _SHORT_US // self.bars.length_us))
        never = ~whole & (slot < n_slots) & empty[np.minimum(slot, n_slots - 1)]
        return np.asarray(never, bool)

    def _hardly_there(self, row: Ints, known: Bools) -> Bools:
        """Missing bars of sessions that lack nine of ten bars, such as all but an hour at night."""
        n_sessions = len(self.expected.day)
        lost = np.bincount(row[~known], minlength=n_sessions)
        there = np.bincount(np.searchsorted(self.expected.day, self.session), minlength=n_sessions)
        hardly = lost >= _HARDLY * (lost + there)
        hardly[[0, -1]] = False  # they may begin late and end early
        return np.asarray(hardly[row] & (lost[row] > 0), bool)


def _long_enough(flags: Bools, least: int) -> Bools:
    """Only the runs of at least so many that are true."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    kept = np.zeros(len(flags), bool)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        kept[begin:end] = end - begin >= least
    return kept
