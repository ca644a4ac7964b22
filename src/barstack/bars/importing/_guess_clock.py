"""Bar length, calendar, hours, timezone and stamp, from the times of the bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.times import DAY_US, format_duration, parse_duration

from .._clocks import METATRADER, clock_of, on_clock
from .._sessions import ALWAYS, FX, Sessions, sessions
from ._layout import Clue, Given, as_given
from ._markets import MARKETS, ZONES, HoursFit, MarketHours, fit_hours, never_closes, trading, utc

_FEWEST_WEEKS = 3  # that show the zone of a market which closes at weekends only
_MOST_ODD = 0.03  # share of strays and absences with which a calendar still fits


@dataclass(frozen=True)
class WrittenTimes:
    """The times of a table as they are written.

    series  (n_bars,) of each symbol, microseconds; UTC where `zoned`
    zoned   whether the times carry a zone
    end     the end of the bar that the column's name tells, "open" or "close", if any
    own     whether the table has the form in which barstack itself writes bars
    dates   whether the column holds dates without a time of day
    """

    series: list[Ints]
    zoned: bool
    end: str | None
    own: bool
    dates: bool

    def unknown_stamp(self, because: str) -> Clue:
        """The stamp where the times do not show it."""
        if self.end:
            return Clue("stamp", self.end, "The column's name says so.", "sure")
        if self.own:
            form = "The table has barstack's own form, where timestamp is the start of a bar."
            return Clue("stamp", "open", form, "likely")
        return Clue("stamp", None, because, "unsure", ("open", "close"))


def guess_length(series: list[Ints], given: Given) -> tuple[Clue, int | None]:
    """The length of a bar, as a clue and in microseconds."""
    if "bar" in given:
        return as_given("bar", given["bar"]), parse_duration(given["bar"])
    steps = np.concatenate([np.diff(stamps) for stamps in series] or [np.empty(0, np.int64)])
    if not len(steps):
        return Clue("bar", None, "There is one bar only.", "unsure"), None
    spacings, counts = np.unique(steps.astype(np.int64), return_counts=True)
    length_us = int(spacings[counts.argmax()])
    share = counts.max() / counts.sum()
    length = format_duration(length_us)
    because = f"{share:.1%} of bars follow {length} after the one before."
    odd = spacings[(spacings % length_us != 0) & (counts > 0.001 * counts.sum())]
    # Sessions begin at any minute, so longer steps need not be multiples; shorter ones must not be.
    if share < 0.2 or (len(odd) and odd.min() < length_us and length_us < DAY_US):
        return Clue("bar", length, because, "unsure", (length,)), length_us
    return Clue("bar", length, because, "sure" if share > 0.6 else "likely"), length_us


def guess_clock(times: WrittenTimes, length_us: int, given: Given) -> list[Clue]:
    """Calendar, hours, day zone, timezone, and which end of a bar is stamped."""
    guessed = (_guess_intraday if length_us < DAY_US else _guess_days)(times, length_us, given)
    return [
        as_given(each.setting, given[each.setting]) if each.setting in given else each
        for each in guessed
    ]


def _guess_intraday(times: WrittenTimes, length_us: int, given: Given) -> list[Clue]:
    full, n_saturdays = never_closes(times.series, length_us)
    if given.get("calendar") == ALWAYS or ("calendar" not in given and full > 0.5 * n_saturdays):
        because = f"{full} of {n_saturdays} Saturday(s) are as full as other days."
        calendar = Clue("calendar", ALWAYS, because, "sure" if full > 1 else "likely")
        zone = _day_zone(times, length_us, ALWAYS, given)
        because = "Nothing closes, so no session shows it."
        return [calendar, *zone, *_unknown(times, given, because)]
    fitting = _fitting(times, length_us, given)
    if not fitting:
        because = "Bars fit the hours of no market known here."
        choices = tuple(dict.fromkeys([*(each.calendar for each in MARKETS), ALWAYS]))
        calendar = Clue("calendar", None, because, "unsure", choices)
        return [calendar, *_unknown(times, given, because)]
    tightest = fitting[0].market
    same = [each for each in fitting if each.market == tightest]
    # The zone of the market itself comes first, and is preferred among zones that mean the same.
    best = min(same, key=lambda each: (not each.edged, each.stray))
    rivals = [
        each
        for each in same
        if each.moments != best.moments
        and not best.contradicts(each)
        and not (best.edged and not each.edged)
    ]
    hours = Clue("hours", best.market.hours, f"Bars lie in {best.market.trades}.", "sure")
    zone = [] if times.zoned else [_zone(best, rivals)]
    return [_calendar(best, fitting), hours, *zone, _stamp(best, rivals, times)]


def _unknown(times: WrittenTimes, given: Given, because: str) -> list[Clue]:
    """Hours, timezone and stamp where no session shows them."""
    found = [as_given("hours", given["hours"])] if "hours" in given else []
    if not times.zoned:
        found.append(Clue("timezone", None, because, "unsure", ("UTC", "America/New_York")))
    return [*found, times.unknown_stamp(because)]


def _fitting(times: WrittenTimes, length_us: int, given: Given) -> list[HoursFit]:
    """All interpretations under which bars lie in the shortest hours that they fit."""
    end = times.end or given.get("stamp")
    stamps = (end,) if end else ("open", "close")
    starts: dict[tuple[str | None, str], list[Ints]] = {}
    fitting: list[HoursFit] = []
    for market in _markets(given):
        if fitting and _length_of(market) != _length_of(fitting[0].market):
            break
        zones = list(dict.fromkeys([trading(market).zone, *ZONES]))
        zones = [given["timezone"]] if "timezone" in given else zones
        for zone in (None,) if times.zoned else zones:
            for stamp in stamps:
                if (zone, stamp) not in starts:
                    shift = length_us if stamp == "close" else 0
                    starts[zone, stamp] = [utc(each, zone) - shift for each in times.series]
                found = fit_hours(starts[zone, stamp], length_us, market, zone, stamp)
                fitting += [found] if found.fits else []
    return fitting


def _markets(given: Given) -> list[MarketHours]:
    if "calendar" not in given:
        return list(MARKETS)
    wanted = [each for each in MARKETS if each.calendar == given["calendar"]]
    if "hours" in given:
        wanted = [each for each in wanted if each.hours == given["hours"]]
    hours = given.get("hours", "regular")
    return wanted or [MarketHours(given["calendar"], hours, f"hours of {given['calendar']}")]


def _length_of(market: MarketHours) -> int:
    found = trading(market)
    return int(np.median(found.close - found.open))


def _calendar(best: HoursFit, fitting: list[HoursFit]) -> Clue:
    market = best.market
    twins = [
        each.market.calendar
        for each in fitting
        if each.market != market
        and _length_of(each.market) == _length_of(market)
        and each.stray + each.absent <= best.stray + best.absent
    ]
    if twins:
        names = tuple(dict.fromkeys([market.calendar, *twins]))
        because = f"Bars fit the hours of {' and '.join(names)} alike."
        return Clue("calendar", None, because, "unsure", names)
    strays = f", but for {best.stray} day(s)" if best.stray else ""
    because = f"On {best.days} day(s) bars lie in {market.trades}{strays}."
    odd = best.stray + best.absent
    if (
        market.pause_us == 0
        and market.calendar != FX
        and odd > max(3, _MOST_ODD * best.sessions)  # Toronto has New York's hours, other holidays
    ):
        because += f" {best.absent} of its sessions have none."
        return Clue("calendar", None, because, "unsure", (market.calendar, ALWAYS))
    if best.edged and best.sessions >= 10:
        return Clue("calendar", market.calendar, because, "sure")
    if best.edged or (best.days >= 5 and best.filled >= 0.6):
        return Clue("calendar", market.calendar, because, "likely")
    return Clue("calendar", market.calendar, because, "unsure", (market.calendar, ALWAYS))


def _zone(best: HoursFit, rivals: list[HoursFit]) -> Clue:
    others = [each for each in rivals if each.zone != best.zone]
    if others or not best.edged:
        names = tuple(dict.fromkeys(str(each.zone) for each in (best, *others)))
        because = f"Times carry none, and bars fit {best.market.trades} in several."
        if not others:
            because = f"Times carry none, and bars do not fill {best.market.trades}."
        return Clue("timezone", None, because, "unsure", names)
    if best.market.calendar == FX and best.sessions < _FEWEST_WEEKS * 5:
        # It closes at weekends alone: over one of them, at which clocks changed or the source began
        # late, another zone fits as well.
        because = f"Times carry none, and {best.sessions} session(s) show too few weekends."
        return Clue("timezone", None, because, "unsure", (str(best.zone), "UTC"))
    because = f"So read, sessions begin and end as they do in {best.market.trades}."
    if best.odd_weeks == 0:
        certainty = "sure" if best.sessions >= 10 else "likely"
        return Clue("timezone", best.zone, because, certainty)
    # A clock that changes on other days than the zone's: right for most of a year.
    because = f"Times carry none; read as {best.zone}, {best.odd_weeks} week(s) lie outside."
    if best.odd_weeks == 1 and best.sessions > 250:  # a source's odd week in a year or more
        return Clue("timezone", best.zone, because, "likely")
    return Clue("timezone", None, because, "unsure", (str(best.zone), METATRADER, "UTC"))


def _stamp(best: HoursFit, rivals: list[HoursFit], times: WrittenTimes) -> Clue:
    if not best.edged:
        # A few strays in years are a source's habit, not its clock, and gold begins its week an
        # hour after currencies. Ends mistaken for starts would make bars known a bar too early.
        edges = f"{best.begins:.0%} begin and {best.ends:.0%} end with these bars"
        because = f"Of {best.sessions} session(s) {edges}: too few to show which end is stamped."
        return times.unknown_stamp(because)
    if times.end or any(each.stamp != best.stamp for each in rivals):
        return times.unknown_stamp("Both ends of a bar lie in the session either way.")
    other = "ends" if best.stamp == "open" else "starts"
    because = f"Read as {other} of bars, times lie outside {best.market.trades}."
    return Clue("stamp", best.stamp, because, "sure")


def _day_zone(
    times: WrittenTimes, length_us: int, calendar: str | None, given: Given
) -> list[Clue]:
    """The clock on which bars longer than an hour begin, where it is not that of UTC."""
    if "day_zone" in given:
        return [as_given("day_zone", given["day_zone"])]
    zone = clock_of(np.concatenate(times.series), length_us) if calendar == ALWAYS else None
    because = "On this clock they begin at one time all year: two days have 23 and 25 hours."
    return [Clue("day_zone", zone, because, "sure")] if zone else []


def _guess_days(times: WrittenTimes, length_us: int, given: Given) -> list[Clue]:
    """Bars of a day or longer; a date names the session with whose close the bar is known."""
    if "calendar" in given:
        calendar = as_given("calendar", given["calendar"])
    elif length_us > DAY_US:
        because = "Bars longer than a day have no session of a calendar to end with."
        calendar = Clue("calendar", ALWAYS, because, "likely")
    else:
        calendar = _calendar_of_days(times.series)
    midnight = all(bool((stamps % DAY_US == 0).all()) for stamps in times.series)
    zone, stamp = _stamp_of_days(times, calendar.value, given, midnight)
    return [
        calendar,
        *_day_zone(times, length_us, calendar.value, given),
        *([as_given("hours", given["hours"])] if "hours" in given else []),
        *([] if times.zoned or midnight else [zone]),
        stamp,
    ]


@dataclass(frozen=True)
class _DaysFit:
    """Days of bars compared with the sessions of a calendar."""

    calendar: str
    stray: int  # bars on no session, or on one that has a bar already
    absent: int  # sessions without a bar
    bars: int

    @property
    def odd(self) -> float:
        return (self.stray + self.absent) / max(self.bars, 1)


def _calendar_of_days(series: list[Ints]) -> Clue:
    days = np.concatenate([stamps // DAY_US for stamps in series])
    weekdays = np.bincount((days + 4) % 7, minlength=7)
    if len(days) >= 14 and weekdays.min() > len(days) / 14:
        because = f"Every day of the week has bars, Saturdays {weekdays[6]} of {len(days)}."
        return Clue("calendar", ALWAYS, because, "sure")
    calendars = dict.fromkeys(market.calendar for market in MARKETS)
    found = sorted((_compare(series, each) for each in calendars), key=lambda each: each.odd)
    best, second = found[0], found[1]
    because = (
        f"{best.bars - best.stray:,} of {best.bars:,} bars lie on sessions of {best.calendar}, and "
        f"{best.absent:,} of its sessions have none."
    )
    if best.odd > _MOST_ODD or best.bars < 5 or second.odd <= best.odd:
        fitting = tuple(each.calendar for each in found if each.odd <= best.odd + 0.01)
        return Clue("calendar", None, because, "unsure", (*fitting, ALWAYS))
    sure = best.odd < 0.002 and best.bars > 200
    return Clue("calendar", best.calendar, because, "sure" if sure else "likely")


def _compare(series: list[Ints], calendar: str) -> _DaysFit:
    found = sessions(calendar)
    stray = absent = bars = 0
    for stamps in series:
        day, _, _, inside = found.locate(stamps, DAY_US)
        on = np.unique(day[inside])
        bars += len(stamps)
        stray += len(stamps) - len(on)
        if len(on):
            ends = np.searchsorted(found.day, [on[0], on[-1]])
            absent += int(ends[1] - ends[0]) + 1 - len(on)
    return _DaysFit(calendar, stray, absent, bars)


def _stamp_of_days(
    times: WrittenTimes, calendar: str | None, given: Given, midnight: bool
) -> tuple[Clue, Clue]:
    """Timezone and stamp; the zone is only needed where the table has times of day."""
    zone = Clue("timezone", None, "Times carry none.", "unsure", ("UTC", "America/New_York"))
    if calendar not in (None, ALWAYS):
        hours = sessions(str(calendar))
        for name in (None,) if times.zoned else (hours.zone, "UTC"):
            end = "date" if midnight else _end(times, hours, given.get("timezone", name))
            if end:
                because = "A date names the session."
                if end != "date":
                    because = f"At the session's {end}."
                known = Clue("timezone", name, because, "likely") if name else zone
                return known, Clue("stamp", "open" if end == "date" else end, because, "sure")
    if calendar is not None and times.dates:
        because = "A date names the day that begins with it."
        return zone, Clue("stamp", "open", because, "likely")
    return zone, times.unknown_stamp("A bar's day may begin or end at this time.")


def _end(times: WrittenTimes, hours: Sessions, zone: str | None) -> str | None:
    """Whether bars carry their session's date, its open or its close; None for none of these."""
    stamps = np.concatenate([utc(each, zone) for each in times.series])
    for end, moments in (("close", hours.close), ("open", hours.open)):
        if np.isin(stamps, moments).mean() > 0.9:
            return end
    # Yahoo and others write the midnight of the market's own clock.
    return "date" if bool((on_clock(stamps, hours.zone) % DAY_US == 0).all()) else None
