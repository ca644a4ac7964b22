"""Bars from the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DAY_US, parse_duration

from .._bars import Bars
from .._format import BarFormat
from ..catalog import Catalog, Collection, Facts
from ._provider import Provider, moment_us, register


@register("catalog")
class FromCatalog(Provider):
    """A collection of the catalog, which records the length and the calendar of its bars.

    >>> FromCatalog(collection="spy_5min", symbols=["SPY"]).collection
    'spy_5min'
    """

    collection: str
    symbols: tuple[str, ...] | None = None  # by default all of the collection
    path: str | None = None  # the catalog's folder; by default $BARSTACK_CATALOG or ./catalog
    # These come from the collection. A study may repeat them, and is refused where they differ.
    calendar: str | None = None  # type: ignore[assignment]
    bar: str | None = None
    hours: Literal["regular", "extended"] | None = None  # type: ignore[assignment]
    stamp: Literal["open"] = "open"
    timezone: None = None
    day_zone: None = None

    def read(self, folder: Path) -> dict[str, Any]:
        """Stored tables; `bars` reads no more of them than it needs."""
        collection = self._collection(folder)
        return {symbol: collection.table(symbol) for symbol in self._symbols(collection)}

    def bars(self, folder: Path) -> dict[str, Bars]:
        collection = self._collection(folder)
        return {symbol: self._bars(collection, symbol) for symbol in self._symbols(collection)}

    def bar_format(self, folder: Path, panel: Mapping[str, Bars] | None = None) -> BarFormat:
        facts = self._collection(folder).facts
        found = BarFormat(
            calendar=facts.calendar,
            hours=self.hours or facts.hours,
            stamp=self.stamp,
            bar=facts.bar,
            day_zone=facts.day_zone,
            resample=self.resample,
        )
        return found if panel is None else found.of(panel)

    def _collection(self, folder: Path) -> Collection:
        path = None if self.path is None else folder / Path(self.path).expanduser()
        collection = Catalog(path).collection(self.collection)
        self._refuse_other(collection.facts)
        return collection

    def _refuse_other(self, facts: Facts) -> None:
        for what, ours, theirs, differ in (
            ("calendar", self.calendar, facts.calendar, self.calendar != facts.calendar),
            ("bar", self.bar, facts.bar, parse_duration(self.bar or facts.bar) != facts.length_us),
        ):
            if ours is not None and differ:
                raise ConfigError(
                    f"The study says {what}: {ours}, and collection {self.collection!r} holds "
                    f"{what}: {theirs}. Leave {what} out of the study; for longer bars say "
                    "resample."
                )

    def _symbols(self, collection: Collection) -> list[str]:
        symbols = sorted(self.symbols or collection.symbols())
        if not symbols:
            raise DataError(
                f"Collection {self.collection!r} in {collection.folder.parent.resolve()} is empty. "
                "Bring bars in with barstack import or barstack fetch."
            )
        return symbols

    def _bars(self, collection: Collection, symbol: str) -> Bars:
        if not collection.summary(symbol).rows:
            raise DataError(
                f"Collection {self.collection!r} has no bars of {symbol} yet: its source had none "
                "in the ranges requested. Fetch others, or leave the symbol out."
            )
        start_us = None if self.start is None else moment_us(self.start)
        end_us = None if self.end is None else moment_us(self.end)
        if self.resample is not None:
            return self._with_neighbours(collection, symbol, start_us, end_us)
        if start_us is not None:
            start_us -= DAY_US  # a stamp may lie before its bar's opening, such as at midnight
        return collection.bars(symbol, start_us=start_us, known_by_us=end_us, hours=self.hours)

    def _with_neighbours(
        self, collection: Collection, symbol: str, start_us: int | None, end_us: int | None
    ) -> Bars:
        """Bars with one more on each side, which show where longer bars begin and end."""
        stored = collection.summary(symbol)
        assert stored.first_us is not None
        assert stored.last_us is not None
        reach_us = DAY_US
        while True:
            since_us = None if start_us is None else start_us - reach_us
            until_us = None if end_us is None else end_us + reach_us
            bars = collection.bars(symbol, start_us=since_us, end_us=until_us, hours=self.hours)
            opened_at = bars.records["opened_at"]
            first = since_us is None or since_us <= stored.first_us
            last = until_us is None or until_us > stored.last_us
            if len(bars):
                first = first or opened_at[0] < start_us
                last = last or opened_at[-1] >= end_us
            if first and last:
                return bars
            reach_us *= 4
