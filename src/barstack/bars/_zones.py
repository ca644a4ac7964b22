"""Clocks on which times are written that carry no zone: zones, and zones moved by whole hours."""

from __future__ import annotations

import re
from difflib import get_close_matches
from zoneinfo import available_timezones

import numpy as np
import polars as pl

from barstack.core.arrays import Ints
from barstack.core.errors import ConfigError

# Servers of MetaTrader keep New York's date line: their midnight is 17:00 there, all year.
METATRADER = "America/New_York+7h"
_MOVED = re.compile(r"([A-Za-z].*?)([+-]\d{1,2})h")
_HOUR_US = 3_600_000_000


def split_zone(name: str) -> tuple[str, int]:
    """A clock's zone, and by how many hours the clock is ahead of it.

    >>> split_zone("America/New_York+7h"), split_zone("Etc/GMT+5")
    (('America/New_York', 7), ('Etc/GMT+5', 0))
    """
    moved = _MOVED.fullmatch(name)
    return (moved[1], int(moved[2])) if moved else (name, 0)


def check_zone(name: str) -> None:
    """`ConfigError` unless a clock is known."""
    zone, _ = split_zone(name)
    if zone not in (known := available_timezones()):
        close = get_close_matches(zone, known, n=1)  # all six hundred are too many to list
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"Unknown timezone {name!r}. {hint}Name one such as Europe/Berlin, or, for a clock "
            f"that is hours ahead of one, such as {METATRADER}."
        )


def to_utc(wall: Ints, name: str, *, skipped: bool = True) -> Ints:
    """UTC of a clock's times, microseconds; of an hour that comes twice the earlier.

    skipped  whether to read times that the clock never shows, as it is put forward, as those an
             hour later; otherwise they are left out
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
    """What a clock shows at moments in UTC, microseconds."""
    zone, hours = split_zone(name)
    utc = pl.Series(moments, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    local = utc.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return np.asarray(local.to_physical().to_numpy()) + hours * _HOUR_US
