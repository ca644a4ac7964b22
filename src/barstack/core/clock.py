"""What time it is, for code that must also run on a past or simulated day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from .errors import ConfigError
from .times import iso


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> np.datetime64:
        """The current time in UTC, `datetime64[us]`."""
        ...


class WallClock:
    """The computer's own time."""

    def now(self) -> np.datetime64:
        return np.datetime64(datetime.now(UTC).replace(tzinfo=None), "us")


class ReplayClock:
    """A time that is set from outside and never goes back, as when recorded bars are replayed.

    >>> clock = ReplayClock(np.datetime64("2026-01-05T14:30"))
    >>> clock.advance_to(np.datetime64("2026-01-05T15:00"))
    >>> clock.now()
    np.datetime64('2026-01-05T15:00:00.000000')
    """

    def __init__(self, start: np.datetime64) -> None:
        self._now: np.datetime64 = start.astype("datetime64[us]")

    def now(self) -> np.datetime64:
        return self._now

    def advance_to(self, moment: np.datetime64) -> None:
        """Set the time; `ConfigError` where `moment` is earlier than it is."""
        if not moment >= self._now:
            raise ConfigError(
                f"The clock stands at {iso(self._now)} and cannot go back to {iso(moment)}."
            )
        self._now = moment.astype("datetime64[us]")


WALL_CLOCK = WallClock()


def epoch_s(clock: Clock = WALL_CLOCK) -> float:
    """Seconds since 1970 UTC."""
    return float(clock.now().astype(np.int64)) / 1e6


def timestamp(clock: Clock = WALL_CLOCK) -> str:
    """The current second as records have it.

    >>> timestamp(ReplayClock(np.datetime64("2026-01-05T14:30:12.5")))
    '2026-01-05T14:30:12+00:00'
    """
    return f"{np.datetime_as_string(clock.now(), unit='s')}+00:00"
