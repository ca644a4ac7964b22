"""What a page about bars is drawn from: gathered symbol by symbol, small however many bars."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from barstack.bars import ALWAYS, Bars
from barstack.bars.checks import Finding, Subject
from barstack.core.arrays import Floats, Ints
from barstack.core.times import DAY_US, format_duration, iso

NO_TIMES = np.empty(0, np.int64)


PICTURES = 12  # symbols with a picture of their own
_POINTS = 1500  # of a price line
_MARKS = 300  # of one check in one picture
_PARTS = 96  # of a day: quarters of an hour


@dataclass(frozen=True, eq=False)
class BarCoverage:
    """Of one symbol: bars present and missing by session, and when on the day they are missing.

    day      (n_sessions,) days since 1970
    present  (n_sessions,) bars there
    missing  (n_sessions,) bars missing at times of day that other days cover
    absent_at, due_at  (96,) by quarter of an hour of the market's clock: bars missing, bars due
    """

    day: Ints
    present: Ints
    missing: Ints
    absent_at: Ints
    due_at: Ints


@dataclass(frozen=True, eq=False)
class Portrait:
    """Price, volume and marks of one symbol, thinned for a picture.

    at, price      microseconds UTC and closes, extremes kept; NaN where sessions are missing
    day, volume    days since 1970 and their volume, NaN where nothing traded
    marks          by check: microseconds UTC and prices of its findings
    """

    at: Ints
    price: Floats
    day: Ints
    volume: Floats
    marks: dict[str, tuple[Ints, Floats]]


@dataclass(eq=False)
class Survey:
    """All that is known of a collection or of some files, for the page and the terminal.

    symbols  rows, first and last microseconds UTC (None without bars) by symbol
    """

    title: str
    calendar: str = ALWAYS
    hours: str = "regular"
    length_us: int = 0
    findings: list[Finding] = field(default_factory=list)
    symbols: dict[str, tuple[int, int | None, int | None]] = field(default_factory=dict)
    coverage: dict[str, BarCoverage] = field(default_factory=dict)
    portraits: dict[str, Portrait] = field(default_factory=dict)

    def add(self, symbol: str, rows: int, bars: Bars | None, findings: list[Finding]) -> None:
        """One symbol more; its bars are not kept."""
        self.findings += findings
        if bars is None or not len(bars):
            self.symbols[symbol] = (rows, None, None)
            return
        subject = Subject(bars, self.calendar, self.hours)
        ends = int(subject.opened_at[0]), int(subject.closed_at[-1])
        self.symbols[symbol] = (rows, *ends)
        self.length_us = bars.length_us
        self.coverage[symbol] = coverage_of(subject)
        self._portray(symbol, subject, findings)

    @property
    def refused(self) -> bool:
        """Whether any finding refuses."""
        return any(each.level == "refuse" for each in self.findings)

    def in_order(self) -> list[Finding]:
        """Findings that refuse first, then by symbol and check."""
        return sorted(
            self.findings, key=lambda each: (each.level != "refuse", each.symbol, each.check)
        )

    def to_json(self) -> dict[str, Any]:
        """What the command line prints with --json."""
        return {
            "title": self.title,
            "calendar": self.calendar,
            "hours": self.hours,
            "length_us": self.length_us,
            "refused": self.refused,
            "symbols": [
                {"symbol": symbol, "rows": rows, "first_us": first, "last_us": last}
                for symbol, (rows, first, last) in self.symbols.items()
            ],
            "findings": [each.to_json() for each in self.in_order()],
        }

    def _portray(self, symbol: str, subject: Subject, findings: list[Finding]) -> None:
        """Keep the pictures of those symbols that have the most to show."""
        if not any(len(each.at) for each in findings):
            return
        self.portraits[symbol] = portrait_of(subject, findings)
        if len(self.portraits) > PICTURES:
            least = min(reversed(self.portraits), key=self._weight)
            del self.portraits[least]

    def _weight(self, symbol: str) -> tuple[int, int]:
        own = [each for each in self.findings if each.symbol == symbol]
        return sum(each.level == "refuse" for each in own), sum(len(each.at) > 0 for each in own)


def coverage_of(subject: Subject) -> BarCoverage:
    """How much of what the calendar expects is there."""
    gaps, due = subject.gaps, subject.expected
    n_days = len(due.day)
    present = np.bincount(np.searchsorted(due.day, subject.session), minlength=n_days)
    countable = ~gaps.never
    missing = np.bincount(np.searchsorted(due.day, gaps.session[countable]), minlength=n_days)
    absent_at = np.bincount(_part_of_day(subject, gaps.at), minlength=_PARTS)
    present_at = np.bincount(_part_of_day(subject, subject.opened_at), minlength=_PARTS)
    return BarCoverage(due.day, present, missing, absent_at, absent_at + present_at)


def _part_of_day(subject: Subject, at: Ints) -> Ints:
    """Quarter of an hour by the market's clock; its offset is looked up once a session."""
    if not len(at):
        return at
    due = subject.expected
    row = np.clip(np.searchsorted(due.open, at, side="right") - 1, 0, len(due.day) - 1)
    local = np.array([subject.offset_us(int(moment)) for moment in due.open[np.unique(row)]])
    offset = local[np.searchsorted(np.unique(row), row)]
    return np.asarray((at + offset) % DAY_US * _PARTS // DAY_US, np.int64)


def portrait_of(subject: Subject, findings: list[Finding]) -> Portrait:
    """The picture of one symbol."""
    close = np.ascontiguousarray(subject.bars.records["close"])
    rows = _thinned(close)
    volume = np.add.reduceat(subject.volume, subject.starts)
    marks = {}
    for each in findings:
        if len(each.at):
            at = each.at[_spread(len(each.at), _MARKS)]
            row = np.clip(np.searchsorted(subject.opened_at, at), 0, len(close) - 1)
            marks[each.check] = (at, close[row])
    # A line that goes on over missing sessions would tell of prices that nobody has.
    holes = marks.get("missing_sessions", (NO_TIMES, close[:0]))[0]
    at = np.concatenate([subject.opened_at[rows], holes])
    order = np.argsort(at, kind="stable")
    return Portrait(
        at[order],
        np.append(close[rows], np.full(len(holes), np.nan))[order],
        subject.session[subject.starts],
        np.where(volume > 0, volume, np.nan),
        marks,
    )


def _thinned(values: Floats) -> Ints:
    """Rows that keep the shape of a line: lowest and highest of each of many short stretches."""
    if len(values) <= _POINTS:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), _POINTS // 2 + 1).astype(np.int64)
    parts = [(a, values[a:b]) for a, b in pairwise(edges)]
    extremes = [(a + int(part.argmin()), a + int(part.argmax())) for a, part in parts]
    return np.unique(np.array(extremes))


def _spread(count: int, most: int) -> Ints:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def facts(survey: Survey) -> list[tuple[str, str]]:
    """(label, value) of what was looked at."""
    known = [ends for ends in survey.symbols.values() if ends[1] is not None]
    found = [
        ("symbols", f"{len(survey.symbols):,}"),
        ("bars", f"{sum(rows for rows, *_ in survey.symbols.values()):,}"),
    ]
    if known:
        first = min(first for _, first, _ in known if first is not None)
        last = max(last for *_, last in known if last is not None)
        found += [
            ("length", format_duration(survey.length_us)),
            ("from, to", f"{_date(first)}, {_date(last)}"),
        ]
    return [*found, ("calendar", survey.calendar), ("hours", survey.hours)]


def sentence(survey: Survey) -> str:
    """What the checks come to."""
    total = len(survey.symbols)
    if not survey.findings:
        return f"Nothing to report on {_symbols(total)}."
    touched = len({each.symbol for each in survey.findings})
    refused = len({each.symbol for each in survey.findings if each.level == "refuse"})
    if total == 1:
        end = "A study would refuse it." if refused else "None stops a study."
        return f"The checks found something. {end}"
    end = f"A study would refuse {refused:,} of them." if refused else "None stops a study."
    return f"{touched:,} of {_symbols(total)} with findings. {end}"


def _symbols(count: int) -> str:
    return "1 symbol" if count == 1 else f"{count:,} symbols"


def _date(at_us: int) -> str:
    return iso(np.datetime64(at_us, "us"))[:10]
