"""Wall clocks: zones, and where bars begin and end on the clock that they keep."""

from __future__ import annotations

import re
from difflib import get_close_matches
from zoneinfo import available_timezones

import numpy as np
import polars as pl

from barstack.core.arrays import Ints
from barstack.core.errors import ConfigError
from barstack.core.times import DAY_US, WEEK_US

# Servers of MetaTrader keep New York's date line: their midnight is 17:00 there, all year.
METATRADER = "America/New_York+7h"
_MOVED = re.compile(r"([A-Za-z].*?)([+-]\d{1,2})h")
_HOUR_US = 3_600_000_000


def split_zone(name: str) -> tuple[str, int]:
    """The zone of a clock, and the hours by which the clock is ahead of it.

    >>> split_zone("America/New_York+7h"), split_zone("Etc/GMT+5")
    (('America/New_York', 7), ('Etc/GMT+5', 0))
    """
    moved = _MOVED.fullmatch(name)
    return (moved[1], int(moved[2])) if moved else (name, 0)


def check_zone(name: str) -> None:
    """`ConfigError` unless a clock is known."""
    zone, _ = split_zone(name)
    if zone not in (known := available_timezones()):
        close = get_close_matches(zone, known, n=1)  # six hundred are too many to list
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"Unknown timezone {name!r}. {hint}Name one such as Europe/Berlin, or, for a clock "
            f"that is hours ahead of one, such as {METATRADER}."
        )


def to_utc(wall: Ints, name: str, *, skipped: bool = True) -> Ints:
    """UTC of times on a clock, microseconds; of an hour that repeats, the earlier.

    skipped  whether times that the clock skips, as it is put forward, are read as an hour later;
             otherwise they are dropped
    """
    zone, hours = split_zone(name)
    wall = wall - hours * _HOUR_US
    moments = _localized(wall, zone)
    never = moments.is_null().to_numpy()
    if not never.any():
        return np.asarray(moments.to_numpy())
    if not skipped:
        return np.asarray(moments.drop_nulls().to_numpy())
    found = moments.fill_null(0).to_numpy().copy()
    found[never] = _localized(wall[never] + _HOUR_US, zone).to_numpy()
    return np.asarray(found)


def _localized(wall: Ints, zone: str) -> pl.Series:
    local = pl.Series(wall, dtype=pl.Int64).cast(pl.Datetime("us"))
    moments = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return moments.dt.convert_time_zone("UTC").to_physical()


def on_clock(moments: Ints, name: str) -> Ints:
    """Times on a clock at moments in UTC, microseconds."""
    zone, hours = split_zone(name)
    utc = pl.Series(moments, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    local = utc.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return np.asarray(local.to_physical().to_numpy()) + hours * _HOUR_US


_HOUR_US = 3_600_000_000
_MONDAY_US = 4 * DAY_US  # 1970-01-05
_MONTHS = (30 * DAY_US, 31 * DAY_US)
_ON_GRID = 0.9  # share of bars that shows a grid, as single rows may lie off it
# One zone for each rule by which clocks change; neighbours of one rule change at other hours.
_RULES = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"),
    *("Europe/London", "Australia/Sydney", "Pacific/Auckland", "America/Santiago"),
    *("Asia/Jerusalem", "America/Sao_Paulo"),
)


def clock_of(starts: Ints, length_us: int, hint: str | None = None) -> str | None:
    """The zone on whose clock bars longer than an hour begin at one time; None where UTC's does.

    starts  (n_bars,) microseconds UTC
    hint    a zone known otherwise, such as that of the table

    >>> midnights = ["2025-11-01T05", "2025-11-02T05", "2025-11-03T06", "2025-11-04T06"]
    >>> clock_of(np.array(midnights, "datetime64[us]").view(np.int64), DAY_US)
    'America/New_York'
    """
    if length_us <= _HOUR_US or not len(starts):
        return None
    _, utc_share = _commonest(starts, length_us)
    if utc_share == 1 and (starts % DAY_US == 0).any():
        return None
    if hint is not None and _commonest(on_clock(starts, hint), length_us)[1] >= _ON_GRID:
        return hint
    if utc_share >= _ON_GRID:
        return None
    shares = {zone: _commonest(on_clock(starts, zone), length_us)[1] for zone in _RULES}
    best = max(shares, key=lambda zone: shares[zone])
    return best if shares[best] >= _ON_GRID else None


def ends_of(starts: Ints, length_us: int, clock: str | None = None) -> Ints:
    """(n_bars,) ends of bars, where the next begins on the clock that they keep.

    A day of 25 hours ends an hour later than one of 24, and a month with its last day.
    """
    wall = starts if clock is None or length_us <= _HOUR_US else on_clock(starts, clock)
    if length_us in _MONTHS and _are_months(wall):
        month = wall.view("datetime64[us]").astype("datetime64[M]")
        since = wall - month.astype("datetime64[us]").view(np.int64)
        ends = (month + 1).astype("datetime64[us]").view(np.int64) + since
    else:
        ends = wall + length_us
    return ends if wall is starts else to_utc(ends, clock or "UTC")


def starts_of(ends: Ints, length_us: int, clock: str | None = None) -> Ints:
    """(n_bars,) starts of bars with these ends."""
    if clock is None or length_us <= _HOUR_US:
        return ends - length_us
    return to_utc(on_clock(ends, clock) - length_us, clock)


def newest_is_off(starts: Ints, length_us: int, clock: str | None) -> bool:
    """Whether the last bar is off the grid of all others, as a live row is."""
    if len(starts) <= 10 or length_us in _MONTHS:
        return False
    wall = starts if clock is None or length_us <= _HOUR_US else on_clock(starts, clock)
    grid = min(length_us, _HOUR_US) if length_us < DAY_US else length_us
    phase = (wall - _MONDAY_US) % grid
    _, share = _commonest(wall[:-1], grid)
    return share >= _ON_GRID and phase[-1] not in phase[:-1]


def _are_months(wall: Ints) -> bool:
    days = wall.view("datetime64[us]").astype("datetime64[D]")
    return bool((days == days.astype("datetime64[M]")).all())


def _commonest(wall: Ints, length_us: int) -> tuple[int, float]:
    """The phase of the grid at which most bars begin, and the share of bars that do."""
    grid = min(length_us, DAY_US) if length_us % WEEK_US else length_us
    phases, counts = np.unique((wall - _MONDAY_US) % grid, return_counts=True)
    return int(phases[counts.argmax()]), float(counts.max() / len(wall))
