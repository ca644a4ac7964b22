"""Providers of bars: they read tables, and this base class turns them into checked bars."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from barstack.core.errors import ConfigError, DataError
from barstack.core.parts import Calling, broken
from barstack.core.registry import SpecRegistry
from barstack.core.spec import Spec
from barstack.core.times import canonical_duration, format_duration, parse_duration

from .._bars import Bars
from .._clocks import check_zone
from .._format import BarFormat
from .._resample import resample
from .._sessions import ALWAYS
from ..importing import Layout


class Provider(Spec):
    """Bars of one or many symbols. Subclass it, write `read`, and decorate with `register`."""

    calendar: str = ALWAYS  # exchange code such as XNYS; its sessions end bars and days
    hours: Literal["regular", "extended"] = "regular"
    stamp: Literal["open", "close"] = "open"  # which end of a bar the source's times name
    timezone: str | None = None  # of times that carry none
    bar: str | None = None  # length of the source's bars; by default their commonest spacing
    day_zone: str | None = None  # with 24/7, on whose clock bars longer than an hour begin
    resample: str | None = None  # length of the bars to work on; by default the source's
    start: str | None = None  # keep bars that open at or after this UTC time
    end: str | None = None  # keep bars that close at or before this UTC time
    # Levels of checks, where they differ from the defaults.
    checks: dict[str, Literal["refuse", "warn", "ignore"]] = Field(default_factory=dict)

    @field_validator("bar", "resample")
    @classmethod
    def _check_length(cls, text: str | None) -> str | None:
        return text if text is None else canonical_duration(text)

    @field_validator("timezone", "day_zone")
    @classmethod
    def _check_zone(cls, name: str | None) -> str | None:
        if name is not None:
            check_zone(name)
        return name

    @field_validator("start", "end")
    @classmethod
    def _check_moment(cls, text: str | None) -> str | None:
        if text is not None:
            _moment(text)
        return text

    @field_validator("checks")
    @classmethod
    def _check_checks(cls, levels: dict[str, str]) -> dict[str, str]:
        if levels:
            from ..checks import levels_of  # noqa: PLC0415 (plugins' checks are looked up late)

            levels_of(levels)
        return levels

    @abstractmethod
    def read(self, folder: Path) -> dict[str, Any]:
        """A pandas or polars table for each symbol; relative paths start at `folder`."""

    def layout_of(self, folder: Path) -> Layout:
        """How the source's own tables are laid out; by default with plain names such as close."""
        return Layout()

    def load(self, folder: Path | str = ".") -> dict[str, Bars]:
        """Checked bars by symbol, resampled where asked, all of one length."""
        with Calling(self, "read"):
            panel = self.bars(Path(folder))
        if not isinstance(panel, dict) or not all(isinstance(b, Bars) for b in panel.values()):
            raise broken(self, "bars does not return Bars by symbol. Return those.")
        if self.resample:
            panel = {
                symbol: self._resampled(bars, parse_duration(self.resample))
                for symbol, bars in panel.items()
            }
        lengths = {bars.length_us for bars in panel.values()}
        if len(lengths) > 1:
            listed = ", ".join(
                f"{symbol} {format_duration(bars.length_us)}" for symbol, bars in panel.items()
            )
            raise DataError(f"Symbols differ in bar length ({listed}). Set resample to one length.")
        return {symbol: self._between(bars) for symbol, bars in panel.items()}

    def bars(self, folder: Path) -> dict[str, Bars]:
        """Checked bars by symbol, in order, of the source's length.

        They hold at least those that open from `start` on and close by `end`, and with `resample`
        also the last one before and the first one after.
        """
        bar_format = self.bar_format(folder)
        return {
            symbol: bar_format.read(frame, symbol, where=symbol)
            for symbol, frame in sorted(self._named(self.read(folder)).items())
        }

    def _named(self, frames: Any) -> dict[str, Any]:
        """The tables that `read` returned, by symbol."""
        if not isinstance(frames, dict) or not frames:
            what = "no symbol" if frames == {} else f"a {type(frames).__name__}"
            raise broken(self, f"read returns {what}. Return a table for each symbol, by name.")
        for symbol in frames:
            if not isinstance(symbol, str) or not symbol:
                raise broken(self, f"read returns a symbol {symbol!r}. Give each a name, as text.")
        return frames

    def bar_format(self, folder: Path, panel: Mapping[str, Bars] | None = None) -> BarFormat:
        """How this provider reads tables, with what the loaded bars in `panel` show of them."""
        found = BarFormat(
            calendar=self.calendar,
            hours=self.hours,
            stamp=self.stamp,
            timezone=self.timezone,
            bar=self.bar,
            day_zone=self.day_zone,
            resample=self.resample,
        )
        return found if panel is None else found.of(panel)

    def _resampled(self, bars: Bars, length_us: int) -> Bars:
        if bars.length_us == length_us:
            return bars
        higher = resample(bars, length_us)[bars.symbol]
        if not len(higher):
            raise DataError(
                f"{bars!r} is too short for one whole bar of {self.resample}. Give more bars."
            )
        return higher

    def _between(self, bars: Bars) -> Bars:
        keep = np.ones(len(bars), bool)
        if self.start:
            keep &= bars.opened_at >= _moment(self.start)
        if self.end:
            keep &= bars.closed_at <= _moment(self.end)
        if not keep.any():
            raise DataError(
                f"{bars!r} has no bar between start {self.start or 'any'} and end "
                f"{self.end or 'any'}. Widen them."
            )
        return replace(bars, records=bars.records[keep])


def _moment(text: str) -> np.datetime64:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{text!r} is not a UTC time. Write 2026-01-05 or 2026-01-05T14:30."
        ) from None
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return np.datetime64(utc.replace(tzinfo=None), "us")


def moment_us(text: str) -> int:
    """Microseconds since 1970 of a UTC time as studies write it."""
    return int(_moment(text).astype(np.int64))


PROVIDERS: SpecRegistry[Provider] = SpecRegistry("provider", "barstack.bars.sources")
register = PROVIDERS.register
