"""The four clocks, each a type of its own, and durations.

Many a leak is two clocks sharing one name. All four are numpy arrays (or scalars) of
`datetime64[us]` in UTC; the type checker refuses one where another is asked for, and the only
ways from one to the next are functions that say why the step is allowed.

    closed_at        first moment anyone could know a bar
    decided_at       moment a forecast is made
    known_at         moment a label, or a row of a series, could be known; NaT while it is open
    trained_through  latest `known_at` that anything behind a forecast has seen
"""

from __future__ import annotations

import re
from typing import Any, NewType

import numpy as np
import numpy.typing as npt

from barstack.core.arrays import Ints

from .errors import ConfigError

Times = npt.NDArray[np.datetime64]
ClosedAt = NewType("ClosedAt", Times)
DecidedAt = NewType("DecidedAt", Times)
KnownAt = NewType("KnownAt", Times)
TrainedThrough = NewType("TrainedThrough", Times)

NEVER = np.datetime64("NaT", "us")
_UNIT_US = {
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
DAY_US = _UNIT_US["d"]
WEEK_US = _UNIT_US["w"]


def as_time(text: str) -> np.datetime64:
    """One time in UTC from ISO text."""
    return np.datetime64(text, "us")


def microseconds(times: Times) -> Ints:
    """Microseconds since 1970 UTC, the form that compiled code works on."""
    return times.astype("datetime64[us]").view(np.int64)


def iso(time: Any) -> str:
    """A time, or microseconds since 1970, as people read it.

    >>> iso(np.datetime64("2026-01-05T14:30"))
    '2026-01-05 14:30 UTC'
    """
    moment = np.datetime64(int(time) if isinstance(time, np.integer) else time, "us")
    if np.isnat(moment):
        return "never"
    whole_minute = moment == moment.astype("datetime64[m]")
    text = np.datetime_as_string(moment, unit="m" if whole_minute else "auto")
    return str(text).replace("T", " ") + " UTC"


def parse_duration(text: str) -> int:
    """Microseconds in a duration such as `30min`, `4h`, `1d` or `1w`.

    >>> parse_duration("30min") // 60_000_000
    30
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*(s|min|h|d|w)\s*", str(text))
    if not match or int(match[1]) == 0:
        raise ConfigError(
            f"{text!r} is not a duration. Write a whole number and a unit, such as 30min, 4h, 1d."
        )
    return int(match[1]) * _UNIT_US[match[2]]


def format_duration(length_us: int) -> str:
    """The shortest text for a duration: inverse of `parse_duration`.

    >>> format_duration(14_400_000_000)
    '4h'
    """
    for unit in ("w", "d", "h", "min", "s"):
        count, rest = divmod(int(length_us), _UNIT_US[unit])
        if count and not rest:
            return f"{count}{unit}"
    return f"{length_us}us"


def canonical_duration(text: str) -> str:
    """The one text of a duration: specs that mean the same must be the same.

    >>> canonical_duration("60min"), canonical_duration("24h")
    ('1h', '1d')
    """
    return format_duration(parse_duration(text))
