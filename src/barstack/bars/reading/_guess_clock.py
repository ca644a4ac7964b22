"""Bar length, calendar, hours, timezone and stamps, from when bars lie."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.times import DAY_US, format_duration, parse_duration

from .._sessions import ALWAYS, FX
from .._zones import METATRADER
from ._clue import Clue, Given, given
from ._guess_days import day_zone, guess_days
from ._markets import MARKETS, ZONES, Fit, Market, fit, never_closes, trading, utc

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
