"""Bars that lie at somebody else's: what a source must say about itself to be fetched from."""

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
from ..catalog import Catalog, Collection, Facts
from ._http import Fault, http_fault
from ._provider import Provider, moment_us

Stretch = tuple[int, int]  # from (inclusive) to (exclusive), microseconds UTC

_MINUTE_US = 60_000_000


def missing(wanted: Stretch, covered: list[Stretch]) -> list[Stretch]:
    """What of `wanted` no stretch of `covered` (sorted, apart from each other) holds.

    >>> missing((0, 10), [(2, 4), (8, 12)])
    [(0, 2), (4, 8)]
    """
    found, at = [], wanted[0]
    for begin, end in covered:
        if begin >= wanted[1]:
            break
        if begin > at:
            found.append((at, begin))
        at = max(at, end)
    if at < wanted[1]:
        found.append((at, wanted[1]))
    return found


def complete_through(now_us: int, length_us: int, calendar: str) -> int:
    """Every bar that starts before this moment has closed at `now_us`.

    A daily bar closes with its session. Rounded down to the minute, so that requests read well.
    """
    if calendar != ALWAYS and length_us >= DAY_US:
        closes = sessions(calendar).close
        row = int(np.searchsorted(closes, now_us, side="right")) - 1
        return int(closes[row]) if row >= 0 else 0
    return (now_us - length_us) // _MINUTE_US * _MINUTE_US


def first_start(start_us: int, length_us: int, calendar: str) -> int:
    """Where to begin to ask for bars of sessions that open at or after `start_us`.

    Sources stamp a day with its date, with midnight at the exchange or with the open: all of
    these lie after the close of the session before.
    """
    if calendar == ALWAYS or length_us < DAY_US:
        return start_us
    closes = sessions(calendar).close
    row = int(np.searchsorted(closes, start_us, side="right")) - 1
    return int(closes[row]) if row >= 0 else start_us


def whole_days(stretches: list[Stretch]) -> int:
    """Days in all stretches together, rounded up: the unit of progress."""
    return -(-sum(end - begin for begin, end in stretches) // DAY_US)


@dataclass(frozen=True)
class Page:
    """One answer of a source.

    table       pandas or polars, in any order; may be empty, and hold more than was asked for
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

    # Trades reach a source late: a bar is asked for only so long after its close.
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

        None stamped at `end_us` or later is needed. An exception is given to `fault`.
        """

    def disconnect(self, client: Any) -> None:
        """Give back what `connect` has opened, where that does not close by itself."""

    def fault(self, error: Exception) -> Fault | None:
        """What the source did wrong when the client raised `error`; None when it is not that."""
        return http_fault(error)

    def secrets(self) -> tuple[str, ...]:
        """Keys and passwords that no message may show, whatever the source answers."""
        return ()

    @property
    def source(self) -> str:
        """Where the bars come from, in words: all that decides their values is in it."""
        return self.name

    @property
    def settled_after_us(self) -> int:
        """How long after its close a bar may be asked for."""
        return self.settles_us

    @property
    def name(self) -> str:
        """The name that study files use."""
        return self.registered_as[1] if self.registered_as else type(self).__name__.lower()

    @cached_property
    def length_us(self) -> int:
        """Length of a bar."""
        return parse_duration(self.bar)

    @property
    def shift_us(self) -> int:
        """How far behind a bar's start the source's stamp lies."""
        if self.stamp == "open":
            return 0
        return 1 if self.calendar != ALWAYS and self.length_us == DAY_US else self.length_us

    def wanted(self, now_us: int) -> Stretch:
        """From the first start of a bar to the moment before which bars are complete by now.

        Raises `ConfigError` for a start after the end.
        """
        if self.end and moment_us(self.start) > moment_us(self.end):
            raise ConfigError(
                f"{self.name}: start {self.start} is later than end {self.end}. Swap them, or "
                "leave end out for all bars up to now."
            )
        begin = first_start(moment_us(self.start), self.length_us, self.calendar)
        end = complete_through(now_us - self.settled_after_us, self.length_us, self.calendar)
        return begin, min(end, moment_us(self.end)) if self.end else end

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

    @abstractmethod
    def tables(self) -> dict[str, pl.DataFrame]:
        """The bars of each symbol in the stored form, which stamps their start."""

    def read(self, folder: Path) -> dict[str, Any]:
        found = self.tables()
        for symbol, table in found.items():
            if not len(table):
                raise SourceError(
                    f"{self.name} has no {self.bar} bars of {symbol} from {self.start} to "
                    f"{self.end or 'now'}. Check the symbol, or choose another start."
                )
        # Stored bars name their start; `load` expects the stamps of the source.
        back = pl.col("timestamp") + pl.duration(microseconds=self.shift_us)
        return {symbol: table.with_columns(back) for symbol, table in found.items()}
