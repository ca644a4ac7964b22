"""Remote sources that answer page by page: what each must implement to be fetched from."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from barstack.core.errors import ConfigError, SourceError
from barstack.core.times import DAY_US, parse_duration

from .._sessions import ALWAYS, sessions
from ..catalog import Catalog, Collection, Facts, TimeRange
from ._http import RequestFault, http_fault
from ._provider import Provider, moment_us

_MINUTE_US = 60_000_000


@dataclass(frozen=True)
class Page:
    """One answer of a source.

    table       pandas or polars, in any order; may be empty, and hold more than was requested
    through_us  the answer is complete for all stamps before this moment
    """

    table: Any
    through_us: int


class PagedProvider(Provider):
    """A remote source that answers requests for bars page by page.

    Subclasses write `connect`, `page` and `tables`. Retries, waits, order, duplicates and missing
    ranges are handled by `fetch` and `read_directly`.
    """

    symbols: tuple[str, ...] = Field(min_length=1)
    bar: str
    start: str
    collection: str | None = None  # of the catalog; by default the provider's name and the bar's

    # Trades reach a source late: a bar is requested only so long after its close.
    settles_us: ClassVar[int] = 60_000_000
    # Whether bars must begin on the grid of their length; false of a store of the user's own.
    on_grid: ClassVar[bool] = True

    @abstractmethod
    def connect(self, timeout_s: float) -> Any:
        """A client, used by several threads at once; `timeout_s` is for each of its requests.

        Raises `ConfigError` that names the environment variables when credentials are missing.
        The client must not retry by itself.
        """

    @abstractmethod
    def page(self, client: Any, symbol: str, start_us: int, end_us: int) -> Page:
        """The bars that the source stamps from `start_us` on, as many as fit one request.

        Those stamped at `end_us` or later are not needed. An exception is passed to `fault`.
        """

    @abstractmethod
    def tables(self) -> dict[str, pl.DataFrame]:
        """The bars of each symbol in the stored form, which stamps their start."""

    def disconnect(self, client: Any) -> None:
        """Release what `connect` has opened, where that does not close by itself."""

    def fault(self, error: Exception) -> RequestFault | None:
        """The fault of the source for which the client raised `error`; None for other errors."""
        return http_fault(error)

    def secrets(self) -> tuple[str, ...]:
        """Keys and passwords that no message may show, whatever the source answers."""
        return ()

    @property
    def source(self) -> str:
        """Where the bars come from, in words, with all that decides their values."""
        return self.name

    @property
    def settled_after_us(self) -> int:
        """How long after its close a bar may be requested."""
        return self.settles_us

    @property
    def name(self) -> str:
        """The name that study files use."""
        return self.registered_as[1] if self.registered_as else type(self).__name__.lower()

    @cached_property
    def length_us(self) -> int:
        """Length of a bar, microseconds."""
        return parse_duration(self.bar)

    @property
    def shift_us(self) -> int:
        """How far the source's stamp lies behind the start of a bar."""
        if self.stamp == "open":
            return 0
        return 1 if self.calendar != ALWAYS and self.length_us == DAY_US else self.length_us

    def wanted(self, now_us: int) -> TimeRange:
        """From the first start of a bar to the moment before which bars are complete by now.

        Raises `ConfigError` for a start after the end.
        """
        if self.end and moment_us(self.start) > moment_us(self.end):
            raise ConfigError(
                f"{self.name}: start {self.start} is later than end {self.end}. Swap them, or "
                "leave end out for all bars up to now."
            )
        end = self._complete_through(now_us - self.settled_after_us)
        return self.first_start(), min(end, moment_us(self.end)) if self.end else end

    def first_start(self) -> int:
        """From where on to request bars whose sessions open at or after `start`.

        Sources stamp a day with its date, with midnight at the exchange or with the open: all of
        these lie after the close of the session before.
        """
        start_us = moment_us(self.start)
        if self.calendar == ALWAYS or self.length_us < DAY_US:
            return start_us
        return _last_close(self.calendar, start_us, start_us)

    def _complete_through(self, now_us: int) -> int:
        """Every bar that starts before this moment has closed at `now_us`.

        A daily bar closes with its session. Rounded down to the minute, for readable requests.
        """
        if self.calendar != ALWAYS and self.length_us >= DAY_US:
            return _last_close(self.calendar, now_us, 0)
        return (now_us - self.length_us) // _MINUTE_US * _MINUTE_US

    def collection_in(self, catalog: Catalog) -> Collection:
        """The collection these bars belong to, made when there is none.

        Raises `ConfigError` when it holds bars of another length, calendar or source.
        """
        name = self.collection or f"{self.name}_{self.bar}"
        facts = Facts(bar=self.bar, calendar=self.calendar, hours=self.hours, source=self.source)
        collection = catalog.create(name, facts)
        if collection.facts.source not in ("", self.source):
            raise ConfigError(
                f"Collection {name} holds bars from {collection.facts.source}; these would come "
                f"from {self.source}. Name another with collection: or --into."
            )
        return collection

    def read(self, folder: Path) -> dict[str, Any]:
        found = self.tables()
        for symbol, table in found.items():
            if not len(table):
                raise SourceError(
                    f"{self.name} has no {self.bar} bars of {symbol} from {self.start} to "
                    f"{self.end or 'now'}. Check the symbol, or choose another start."
                )
        # Stored bars are stamped with their start; `load` expects the stamps of the source.
        back = pl.col("timestamp") + pl.duration(microseconds=self.shift_us)
        return {symbol: table.with_columns(back) for symbol, table in found.items()}


def _last_close(calendar: str, by_us: int, otherwise_us: int) -> int:
    """Close of the last session that closes at or before a moment."""
    closes = sessions(calendar).close
    row = int(np.searchsorted(closes, by_us, side="right")) - 1
    return int(closes[row]) if row >= 0 else otherwise_us
