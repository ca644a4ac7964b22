"""The format of bars: how their tables are read, and which bars a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from barstack.core.times import parse_duration

from ._bars import Bars, Panel
from ._clocks import check_zone, clock_of
from ._frames import bars_from_frame
from ._sessions import ALWAYS, sessions

_SETTINGS = ("calendar", "hours", "stamp", "timezone", "bar", "day_zone", "resample")


@dataclass(frozen=True, kw_only=True)
class BarFormat:
    """How tables of bars are read, and what is known of the bars that were read so.

    Attributes
    ----------
    length_us
        Length of the bars worked on, microseconds, after resampling; None before any were read.
    symbols
        The symbols that were read.
    calendar
        Exchange code such as XNYS, or 24/7; its sessions end bars and days.
    hours
        "regular" or "extended": bars outside these hours are left out.
    stamp
        "open" or "close": which end of a bar the time column names.
    timezone
        Zone of times that carry none.
    bar
        Length of the bars in the tables, such as 5min; None for their commonest spacing.
    day_zone
        With 24/7, the zone on whose clock bars longer than an hour begin; None for UTC.
    resample
        Length of the bars worked on; None for that in the tables.
    history_bars
        Bars up to a row from which its features equal those of all history; None where unknown.
    began_at
        Opening time of the first bar by symbol, ISO 8601 in UTC.

    >>> BarFormat(calendar="XNYS", bar="5min").settings()["bar"]
    '5min'
    >>> BarFormat.from_json(BarFormat(symbols=("SPY",), length_us=60_000_000).to_json()).symbols
    ('SPY',)
    """

    length_us: int | None = None
    symbols: tuple[str, ...] = ()
    calendar: str = ALWAYS
    hours: str = "regular"
    stamp: str = "open"
    timezone: str | None = None
    bar: str | None = None
    day_zone: str | None = None
    resample: str | None = None
    history_bars: int | None = None
    began_at: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data, without `history_bars` and `began_at` where they are unknown."""
        plain = asdict(self) | {"symbols": list(self.symbols), "began_at": dict(self.began_at)}
        may_be_absent = ("history_bars", "began_at")
        return {
            name: value
            for name, value in plain.items()
            if name not in may_be_absent or value not in (None, {})
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> BarFormat:
        """The format from `to_json`; other entries of `content` are ignored."""
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        return cls(**known | {"symbols": tuple(known.get("symbols", ()))})

    def of(self, panel: Panel) -> BarFormat:
        """The same format with what bars that were read so show: length, symbols, starts, zone."""
        length_us = next(iter(panel.values())).length_us
        day_zone = self.day_zone
        if self.calendar == ALWAYS and not day_zone:
            starts = np.concatenate([bars.records["opened_at"] for bars in panel.values()])
            day_zone = clock_of(starts, length_us, self.timezone)
        return replace(
            self,
            length_us=length_us,
            symbols=tuple(panel),
            day_zone=day_zone,
            began_at={symbol: str(bars.opened_at[0]) for symbol, bars in panel.items()},
        )

    def settings(self) -> dict[str, Any]:
        """The settings with which a provider reads other tables the same way."""
        return {name: getattr(self, name) for name in _SETTINGS}

    def check(self) -> None:
        """`ConfigError` unless the calendar and the zones are known here."""
        for name in filter(None, (self.timezone, self.day_zone)):
            check_zone(name)
        sessions(self.calendar, self.hours)

    def read(
        self,
        frame: Any,
        symbol: str,
        *,
        length_us: int | None = None,
        mostly_inside: bool = True,
        where: str = "frame",
    ) -> Bars:
        """Bars from a pandas or polars table, not resampled; errors as in `bars_from_frame`.

        Parameters
        ----------
        length_us
            Length of a bar, microseconds; by default `bar`, else the commonest spacing.
        mostly_inside
            Whether to refuse a table that lies mostly outside the sessions.
        where
            Name of the table in error messages.
        """
        if length_us is None and self.bar:
            length_us = parse_duration(self.bar)
        return bars_from_frame(
            frame,
            symbol,
            calendar=self.calendar,
            hours=self.hours,
            stamp=self.stamp,
            timezone=self.timezone,
            length_us=length_us,
            day_zone=self.day_zone,
            mostly_inside=mostly_inside,
            where=where,
        )
