"""Trading sessions: which one a bar belongs to, and when that session opens and closes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from barstack.core.arrays import Bools, Ints
from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.times import DAY_US

from ._kept_sessions import Arrays, kept

ALWAYS = "24/7"
FX = "FX"
_NEW_YORK = "America/New_York"

# US shares trade from 04:00 to 20:00 New York around a regular session of 09:30 to 16:00.
_BEFORE_OPEN_US = 5 * 3_600_000_000 + 1_800_000_000
_AFTER_CLOSE_US = 4 * 3_600_000_000


@dataclass(frozen=True)
class Sessions:
    """Open and close of every session of one calendar.

    day    (n_sessions,) days since 1970, sorted
    open   (n_sessions,) microseconds UTC
    close  (n_sessions,) microseconds UTC, half days included

    zone   of the market's clock, such as America/New_York

    With calendar `24/7` the arrays are empty and every UTC day is a session.

    >>> from barstack.bars import sessions
    >>> sessions("XNYS").zone
    'America/New_York'
    """

    day: Ints
    open: Ints
    close: Ints
    zone: str = "UTC"

    def locate(self, opened_at: Ints, length_us: int) -> tuple[Ints, Ints, Ints, Bools]:
        """(session day, session open, session close, inside) of bars that start at `opened_at`.

        A bar is inside when it shares any time with a session: an hourly bar stamped 09:00
        that holds 09:30 to 10:00 is, and so is a daily bar stamped with its date, in whatever
        zone its midnight lies. Its session is the first that closes after it starts.
        """
        if not len(self.day):
            day = opened_at // DAY_US
            inside = np.ones(len(opened_at), bool)
            # A bar longer than a day has no session to end with.
            return day, day * DAY_US, (day + 1) * DAY_US, inside
        row = np.searchsorted(self.close, opened_at, side="right")
        row = np.minimum(row, len(self.day) - 1)
        within = (opened_at < self.close[row]) & (opened_at + length_us > self.open[row])
        return self.day[row], self.open[row], self.close[row], within


def sessions(calendar: str, hours: str = "regular", *, since_us: int = 0) -> Sessions:
    """Sessions of an exchange calendar by its code, such as XNYS or CMES, of FX, or 24/7.

    hours     "regular", or "extended" for the US pre- and post-market
    since_us  the first moment needed: sessions before 1970 are built only on demand

    Raises `ConfigError` for an unknown code, and for a calendar that cannot be built.

    >>> found = sessions("XNYS")
    >>> str(found.open[found.day == 20_458].astype("datetime64[us]")[0])  # Monday 2026-01-05
    '2026-01-05T14:30:00.000000'
    """
    return _sessions(calendar, hours, since_us < 0)


@lru_cache(maxsize=16)
def _sessions(calendar: str, hours: str, early: bool) -> Sessions:
    if calendar == ALWAYS:
        nothing = np.empty(0, np.int64)
        return Sessions(nothing, nothing, nothing)
    if calendar == FX:
        if hours == "extended":
            raise _no_extended_hours(calendar)
        return _currencies()
    (day, open_us, close_us), zone = kept(calendar, early, partial(_built, calendar, early))
    if hours == "extended":
        open_us, close_us = open_us - _BEFORE_OPEN_US, close_us + _AFTER_CLOSE_US
        if (open_us[1:] < close_us[:-1]).any():
            raise _no_extended_hours(calendar)
    return Sessions(day, open_us, close_us, zone)


def _built(calendar: str, early: bool) -> Arrays:
    """Day, open and close of all sessions with the zone.

    Raises `ConfigError` where there is no such calendar, or it cannot be built.
    """
    import exchange_calendars  # noqa: PLC0415 (a second to import, and many markets need none)
    import pandas as pd  # noqa: PLC0415 (comes with it)

    known = exchange_calendars.get_calendar_names()
    if calendar not in known:
        hint = did_you_mean(calendar, [*known, FX])
        raise ConfigError(f"Unknown calendar {calendar!r}. {hint}")
    start = pd.Timestamp("1900-01-01") if early else pd.Timestamp(0)
    try:
        try:
            found = exchange_calendars.get_calendar(calendar, start=start)
        except ValueError:  # it begins later, and building it once more tells when
            earliest = exchange_calendars.get_calendar(calendar).bound_min()
            found = exchange_calendars.get_calendar(calendar, start=max(earliest, start))
    except Exception as error:  # each calendar is code of its own, which may raise anything
        raise ConfigError(
            f"The installed exchange_calendars {exchange_calendars.__version__} cannot build "
            f"calendar {calendar} with pandas {pd.__version__} ({type(error).__name__}: "
            f"{str(error)[:80]}). Name another calendar with the same hours, or use "
            f"calendar: {ALWAYS}."
        ) from error
    schedule = found.schedule
    day = schedule.index.to_numpy().astype("datetime64[D]").astype(np.int64)
    opens, closes = (
        schedule[column].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
        for column in ("open", "close")
    )
    return np.stack([day, opens.view(np.int64), closes.view(np.int64)]), str(found.tz)


def _no_extended_hours(calendar: str) -> ConfigError:
    return ConfigError(
        f"Calendar {calendar} trades nearly around the clock and has no extended hours. "
        "Use hours: regular."
    )


def _currencies() -> Sessions:
    """Monday to Friday, each from 17:00 New York of the day before to 17:00 New York.

    Currencies have no exchange; by convention their day ends at the New York close. No holiday is
    left out, as none closes all currency markets.
    """
    import polars as pl  # noqa: PLC0415 (its clock changes are vectorised, and it is loaded anyway)

    day = np.arange(-25_567, 47_482)  # 1900 to the end of 2099
    five_pm = pl.Series(day * DAY_US + 17 * 3_600_000_000).cast(pl.Datetime("us"))
    turn = five_pm.dt.replace_time_zone(_NEW_YORK).dt.convert_time_zone("UTC")
    turn_us = turn.to_physical().to_numpy()
    weekday = np.flatnonzero((day + 3) % 7 < 5)[1:]  # 1970-01-01 was a Thursday
    return Sessions(day[weekday], turn_us[weekday - 1], turn_us[weekday], _NEW_YORK)
