"""Bar length, calendar, hours, timezone and stamp, from the times of the bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from barstack.core.arrays import Ints
from barstack.core.times import DAY_US, format_duration, parse_duration

from .._clocks import METATRADER, clock_of
from .._sessions import ALWAYS, FX, Sessions, sessions
from ._layout import Clue, Given, given
from ._markets import MARKETS, ZONES, Fit, Market, fit, never_closes, trading, utc


@dataclass(frozen=True)
class _Days:
    """How days of bars compare with the sessions of a calendar."""

    calendar: str
    stray: int  # bars on no session, or on one that has a bar already
    absent: int  # sessions without a bar
    bars: int

    @property
    def odd(self) -> float:
        return (self.stray + self.absent) / max(self.bars, 1)


def guess_days(
    series: list[Ints],
    length_us: int,
    said: Given,
    *,
    zoned: bool,
    named: str | None,
    own: bool,
    dates: bool,
) -> list[Clue]:
    """As `guess_clock`; a date names the session that it is known to close with."""
    found = []
    if length_us > DAY_US:
        because = "Bars longer than a day have no session of a calendar to end with."
        weeks = Clue("calendar", ALWAYS, because, "likely")
        found.append(given("calendar", said["calendar"]) if "calendar" in said else weeks)
        calendar: str | None = str(found[0].value)
    else:
        found.append(_calendar_of_days(series, said))
        calendar = found[0].value
    found += day_zone(series, length_us, calendar, said)
    if "hours" in said:
        found.append(given("hours", said["hours"]))
    midnight = all(bool((stamps % DAY_US == 0).all()) for stamps in series)
    zone, stamp = _stamp_of_days(series, calendar, length_us, said, midnight, zoned, own, dates)
    if not zoned and not midnight:
        found.append(given("timezone", said["timezone"]) if "timezone" in said else zone)
    if "stamp" in said:
        stamp = given("stamp", said["stamp"])
    elif named and stamp.open:
        stamp = Clue("stamp", named, "The column's name says so.", "sure")
    return [*found, stamp]


def day_zone(series: list[Ints], length_us: int, calendar: str | None, said: Given) -> list[Clue]:
    """The clock on which bars longer than an hour begin, where it is not that of UTC."""
    if "day_zone" in said:
        return [given("day_zone", said["day_zone"])]
    zone = clock_of(np.concatenate(series), length_us) if calendar == ALWAYS else None
    because = "On this clock they begin at one time all year: two days have 23 and 25 hours."
    return [Clue("day_zone", zone, because, "sure")] if zone else []


def _calendar_of_days(series: list[Ints], said: Given) -> Clue:
    if "calendar" in said:
        return given("calendar", said["calendar"])
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
    if best.odd > 0.03 or best.bars < 5 or second.odd <= best.odd:
        fitting = tuple(each.calendar for each in found if each.odd <= best.odd + 0.01)
        return Clue("calendar", None, because, "unsure", (*fitting, ALWAYS))
    sure = best.odd < 0.002 and best.bars > 200
    return Clue("calendar", best.calendar, because, "sure" if sure else "likely")


def _compare(series: list[Ints], calendar: str) -> _Days:
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
    return _Days(calendar, stray, absent, bars)


def _stamp_of_days(
    series: list[Ints],
    calendar: str | None,
    length_us: int,
    said: Given,
    midnight: bool,
    zoned: bool,
    own: bool,
    dates: bool,
) -> tuple[Clue, Clue]:
    """Timezone and stamp; the zone is only asked for where times of day stand in the table."""
    zone = Clue("timezone", None, "Times carry none.", "unsure", ("UTC", "America/New_York"))
    if calendar not in (None, ALWAYS):
        hours = sessions(str(calendar))
        for name in (None,) if zoned else (hours.zone, "UTC"):
            if end := _end(series, hours, said.get("timezone", name), midnight):
                said_so = (
                    "A date names the session." if end == "date" else f"At the session's {end}."
                )
                known = Clue("timezone", name, said_so, "likely") if name else zone
                return known, Clue("stamp", "open" if end == "date" else end, said_so, "sure")
    if calendar is not None and dates:
        because = "A date names the day that begins with it."
        return zone, Clue("stamp", "open", because, "likely")
    if own:
        because = "The table has barstack's own form, where timestamp is the start of a bar."
        return zone, Clue("stamp", "open", because, "likely")
    because = "A bar's day may begin or end at this time."
    return zone, Clue("stamp", None, because, "unsure", ("open", "close"))


def _end(series: list[Ints], hours: Sessions, zone: str | None, midnight: bool) -> str | None:
    """Whether bars carry their session's date, or its open, or its close; None for neither."""
    if midnight:
        return "date"
    stamps = np.concatenate([utc(each, zone) for each in series])
    for end, moments in (("close", hours.close), ("open", hours.open)):
        if np.isin(stamps, moments).mean() > 0.9:
            return end
    # Yahoo and others write the midnight of the market's own clock.
    local = pl.Series(stamps).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(hours.zone)
    wall = local.dt.replace_time_zone(None).to_physical().to_numpy()
    return "date" if bool((wall % DAY_US == 0).all()) else None


_WEEKS_TELL = 3  # of a market that closes at weekends only

OPEN_BY_NAME = "The column's name says so."


def guess_length(series: list[Ints], said: Given) -> tuple[Clue, int | None]:
    """How long a bar is."""
    if "bar" in said:
        return given("bar", said["bar"]), parse_duration(said["bar"])
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


def guess_clock(
    series: list[Ints],
    length_us: int,
    said: Given,
    *,
    zoned: bool,
    named: str | None,
    own: bool,
    dates: bool,
) -> list[Clue]:
    """Calendar, hours, timezone and which end of a bar is stamped.

    series  times of each symbol as they are written, microseconds; UTC where `zoned`
    named   which end the column's name tells, if any
    own     whether the table has the very form in which barstack writes bars
    dates   whether the column holds dates without a time of day
    """
    if length_us >= DAY_US:
        return guess_days(series, length_us, said, zoned=zoned, named=named, own=own, dates=dates)
    full, n_saturdays = never_closes(series, length_us)
    if said.get("calendar") == ALWAYS or ("calendar" not in said and full > 0.5 * n_saturdays):
        return _around_the_clock(series, length_us, full, n_saturdays, said, zoned, named, own)
    stamps = (named,) if named else (said["stamp"],) if "stamp" in said else ("open", "close")
    fitting = _fitting(series, length_us, stamps, said, zoned)
    if not fitting:
        return _no_market(said, zoned, named, own)
    tightest = fitting[0].market
    same = [each for each in fitting if each.market == tightest]
    # The zone of the market itself comes first, and of zones that mean the same it is the one.
    best = min(same, key=lambda each: (not each.edged, each.stray))
    rivals = [
        each
        for each in same
        if each.reading != best.reading
        and not best.contradicts(each)
        and not (best.edged and not each.edged)
    ]
    return [
        *_calendar(best, fitting, said),
        *([] if zoned else [_zone(best, rivals, said)]),
        _stamp(best, rivals, said, named, own),
    ]


def _fitting(
    series: list[Ints], length_us: int, stamps: tuple[str, ...], said: Given, zoned: bool
) -> list[Fit]:
    """All readings under which bars lie in the shortest hours that they fit, twins included."""
    starts: dict[tuple[str | None, str], list[Ints]] = {}
    fitting: list[Fit] = []
    for market in _markets(said):
        if fitting and _length_of(market) != _length_of(fitting[0].market):
            break
        for zone in (None,) if zoned else _zones(market, said):
            for stamp in stamps:
                if (zone, stamp) not in starts:
                    shift = length_us if stamp == "close" else 0
                    starts[zone, stamp] = [utc(each, zone) - shift for each in series]
                found = fit(starts[zone, stamp], length_us, market, zone, stamp)
                fitting += [found] if found.fits else []
    return fitting


def _markets(said: Given) -> list[Market]:
    if "calendar" not in said:
        return list(MARKETS)
    wanted = [each for each in MARKETS if each.calendar == said["calendar"]]
    if "hours" in said:
        wanted = [each for each in wanted if each.hours == said["hours"]]
    hours = said.get("hours", "regular")
    return wanted or [Market(said["calendar"], hours, f"hours of {said['calendar']}")]


def _zones(market: Market, said: Given) -> list[str]:
    if "timezone" in said:
        return [said["timezone"]]
    return list(dict.fromkeys([trading(market).zone, *ZONES]))


def _calendar(best: Fit, fitting: list[Fit], said: Given) -> list[Clue]:
    market = best.market
    hours = Clue("hours", market.hours, f"Bars lie in {market.trades}.", "sure")
    if "hours" in said:
        hours = given("hours", said["hours"])
    if "calendar" in said:
        return [given("calendar", market.calendar), hours]
    span = _length_of(market)
    twins = [
        each
        for each in fitting
        if each.market != market
        and _length_of(each.market) == span
        and each.stray + each.absent <= best.stray + best.absent
    ]
    strays = f", but for {best.stray} day(s)" if best.stray else ""
    because = f"On {best.days} day(s) bars lie in {market.trades}{strays}."
    if twins:
        names = tuple(dict.fromkeys([market.calendar, *(each.market.calendar for each in twins)]))
        because = f"Bars fit the hours of {' and '.join(names)} alike."
        return [Clue("calendar", None, because, "unsure", names), hours]
    odd = best.stray + best.absent
    if market.pause_us == 0 and market.calendar != FX and odd > max(3, 0.03 * best.sessions):
        # Toronto keeps New York's hours and other holidays.
        because += f" {best.absent} of its sessions have none."
        return [Clue("calendar", None, because, "unsure", (market.calendar, ALWAYS)), hours]
    if best.edged and best.sessions >= 10:
        certainty = "sure"
    else:
        spread = best.days >= 5 and best.filled >= 0.6
        certainty = "likely" if best.edged or spread else "unsure"
    choices = (market.calendar, ALWAYS) if certainty == "unsure" else ()
    return [Clue("calendar", market.calendar, because, certainty, choices), hours]


def _length_of(market: Market) -> int:
    found = trading(market)
    return int(np.median(found.close - found.open))


def _zone(best: Fit, rivals: list[Fit], said: Given) -> Clue:
    if "timezone" in said:
        return given("timezone", said["timezone"])
    others = [each for each in rivals if each.zone != best.zone]
    if others or not best.edged:
        names = tuple(dict.fromkeys(str(each.zone) for each in (best, *others)))
        because = f"Times carry none, and bars fit {best.market.trades} in several."
        if not others:
            because = f"Times carry none, and bars do not fill {best.market.trades}."
        return Clue("timezone", None, because, "unsure", names)
    if best.market.calendar == FX and best.sessions < _WEEKS_TELL * 5:
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


def _stamp(best: Fit, rivals: list[Fit], said: Given, named: str | None, own: bool) -> Clue:
    if "stamp" in said:
        return given("stamp", said["stamp"])
    if named:
        return Clue("stamp", named, OPEN_BY_NAME, "sure")
    if not best.edged:
        # A few strays in years are a source's habit, not its clock, and gold begins its week an
        # hour after currencies. Taken for ends by mistake, bars would be known a bar too early.
        edges = f"{best.begins:.0%} begin and {best.ends:.0%} end with these bars"
        because = f"Of {best.sessions} session(s) {edges}: too few to show which end is stamped."
        return unknown_stamp(because, own)
    if any(each.stamp != best.stamp for each in rivals):
        return unknown_stamp("Both ends of a bar lie in the session either way.", own)
    other = "ends" if best.stamp == "open" else "starts"
    because = f"Read as {other} of bars, times lie outside {best.market.trades}."
    return Clue("stamp", best.stamp, because, "sure")


def unknown_stamp(because: str, own: bool) -> Clue:
    """What nothing tells, but for a table in barstack's own form."""
    if own:
        form = "The table has barstack's own form, where timestamp is the start of a bar."
        return Clue("stamp", "open", form, "likely")
    return Clue("stamp", None, because, "unsure", ("open", "close"))


def unknown_zone(because: str) -> Clue:
    """A zone that must be named."""
    return Clue("timezone", None, because, "unsure", ("UTC", "America/New_York"))


def _around_the_clock(
    series: list[Ints],
    length_us: int,
    full: int,
    n_saturdays: int,
    said: Given,
    zoned: bool,
    named: str | None,
    own: bool,
) -> list[Clue]:
    because = f"{full} of {n_saturdays} Saturday(s) are as full as other days."
    calendar = Clue("calendar", ALWAYS, because, "sure" if full > 1 else "likely")
    found = [given("calendar", ALWAYS) if "calendar" in said else calendar]
    found += day_zone(series, length_us, ALWAYS, said)
    return [*found, *_unknown(said, zoned, named, own, "Nothing closes, so no session shows it.")]


def _no_market(said: Given, zoned: bool, named: str | None, own: bool) -> list[Clue]:
    because = "Bars fit the hours of no market known here."
    choices = tuple(dict.fromkeys([*(each.calendar for each in MARKETS), ALWAYS]))
    calendar = Clue("calendar", None, because, "unsure", choices)
    found = [given("calendar", said["calendar"]) if "calendar" in said else calendar]
    return [*found, *_unknown(said, zoned, named, own, because)]


def _unknown(said: Given, zoned: bool, named: str | None, own: bool, because: str) -> list[Clue]:
    found = []
    if "hours" in said:
        found.append(given("hours", said["hours"]))
    if not zoned:
        zone = given("timezone", said["timezone"]) if "timezone" in said else unknown_zone(because)
        found.append(zone)
    if "stamp" in said:
        return [*found, given("stamp", said["stamp"])]
    if named:
        return [*found, Clue("stamp", named, OPEN_BY_NAME, "sure")]
    return [*found, unknown_stamp(because, own)]
