"""Calendar, timezone and stamps of bars of a day or longer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from barstack.core.arrays import Ints
from barstack.core.times import DAY_US

from .._ends import clock_of
from .._sessions import ALWAYS, Sessions, sessions
from ._clue import Clue, Given, given
from ._markets import MARKETS, utc


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
        found.append(_calendar(series, said))
        calendar = found[0].value
    found += day_zone(series, length_us, calendar, said)
    if "hours" in said:
        found.append(given("hours", said["hours"]))
    midnight = all(bool((stamps % DAY_US == 0).all()) for stamps in series)
    zone, stamp = _stamp(series, calendar, length_us, said, midnight, zoned, own, dates)
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


def _calendar(series: list[Ints], said: Given) -> Clue:
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


def _stamp(
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
