"""Series: which numbers of a table to use, when each was known, and how long it is valid."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import field_validator, model_validator

from barstack.core.arrays import Floats, Ints
from barstack.core.errors import ConfigError, DataError, did_you_mean
from barstack.core.spec import Spec
from barstack.core.times import DecidedAt, KnownAt, canonical_duration, parse_duration

from ._columns import as_polars, first_row, numbers, parse_text, utc_microseconds
from ._series_table import SeriesTable

AT_ONCE = "0s"  # valid here only
_BARE_DATE = r"^\s*\d{4}-\d{2}-\d{2}\s*$"
_WRITTEN_MIDNIGHT = r"[T ]00:00(:00(\.0+)?)?\s*(Z|[+-]\d{2}:?\d{2})\s*$"
# Zones whose midnights often stand for dates, which changes of clocks reveal.
_ZONES = ("America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin")


def read_moments(
    column: pl.Series, known_after: str | None, timezone: str | None, where: str
) -> Ints:
    """(n_rows,) microseconds UTC at which each row was known.

    known_after  how much later than the column says: from a date on the clock of `timezone`,
                 from a moment as time passes
    timezone     of dates and moments that carry none

    Raises `DataError` for dates without `known_after`, as text, as dates or as midnights, and
    for times without a zone.
    """
    if not len(column):
        return np.empty(0, np.int64)
    named_dates = False
    if column.dtype == pl.String and not column.null_count():
        named_dates = len(column) > 1 and bool(column.str.contains(_WRITTEN_MIDNIGHT).all())
        column = _from_text(column, where)
    named_dates = named_dates or column.dtype == pl.Date
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if not isinstance(column.dtype, pl.Datetime) or column.null_count():
        return utc_microseconds(column, timezone, where)  # raises what is wrong
    if known_after is None and (named_dates or _are_dates(column, timezone)):
        raise DataError(
            f"{where}: {column.name!r} holds calendar dates such as {column[0]:%Y-%m-%d}, and a "
            "date does not say when on that day, or after it, a row could be known. Give moments "
            "such as 2026-01-05T21:30Z, or say how long after each date's midnight it was known "
            f"with known_after: 16h and timezone: America/New_York ({AT_ONCE}: at midnight)."
        )
    if column.dtype.time_zone is None and timezone is None:
        raise DataError(
            f"{where}: times in {column.name!r} carry no timezone, for instance {column[0]}. Say "
            "which with timezone: America/New_York (or UTC)."
        )
    later_us = 0 if known_after in (None, AT_ONCE) else parse_duration(str(known_after))
    # From a date it counts on the clock: 16h is four o'clock also on the day the clocks change.
    # Row by row, so that a live row is read as in history.
    on_the_clock = _at_midnight(column).to_numpy() * later_us
    moved = column + pl.Series(on_the_clock).cast(pl.Duration("us"))
    return np.asarray(utc_microseconds(moved, timezone, where) + (later_us - on_the_clock))


def _from_text(column: pl.Series, where: str) -> pl.Series:
    bare = column.str.contains(_BARE_DATE)
    if bare.any() and not bare.all():
        row = first_row(bare)
        raise DataError(
            f"{where}: row {row} of {column.name!r} is a date, {column[row]!r}, among moments. "
            "Say at what time it was known."
        )
    moments = parse_text(column, where)
    return moments.cast(pl.Date) if bare.all() else moments


def _at_midnight(column: pl.Series) -> pl.Series:
    return column.dt.time() == time()


def _are_dates(column: pl.Series, timezone: str | None) -> bool:
    """Whether all are midnights; that of a single row with a zone may be chance.

    In UTC, midnights of another zone are recognised by the change of clocks: no other time of day
    is an hour earlier all summer.
    """
    assert isinstance(column.dtype, pl.Datetime)
    zoned = column.dtype.time_zone is not None
    if len(column) == 1 and (zoned or timezone is not None):
        return False
    if bool(_at_midnight(column).all()):
        return True
    return zoned and any(_midnights_of(zone, column) for zone in _ZONES)


def _midnights_of(zone: str, column: pl.Series) -> bool:
    local = column.dt.convert_time_zone(zone)
    return bool(_at_midnight(local).all()) and local.dt.dst_offset().n_unique() > 1


_HOUR = np.timedelta64(1, "h")


class Series(Spec):
    """Numbers other than bars: how their table is read, and which of them a decision uses.

    A row holds what was known of one symbol, or of all, from `known_at` on: the first moment at
    which it could have been read. A decision uses the latest row known by then, one known at that
    very moment included, as a bar that closes at that moment is. A later row of a symbol replaces
    the one before as a whole. A correction is one more row: the past stays as it was known.
    """

    columns: tuple[str, ...]
    per_symbol: bool = True  # column `symbol` names the symbol of a row; false: all of them
    known_at: str = "known_at"  # the column that holds the moments
    known_after: str | None = None  # delay of the moment known after that column's
    timezone: str | None = None  # of moments that carry none
    max_age: str | None = None  # a row known for longer is no longer valid
    fill: float | None = None  # replaces unknown numbers once the series has begun
    age: bool = False  # also a column `age_hours`: time since the latest row was known

    @field_validator("max_age")
    @classmethod
    def _check_max_age(cls, text: str | None) -> str | None:
        return text if text is None else canonical_duration(text)

    @field_validator("known_after")
    @classmethod
    def _check_known_after(cls, text: str | None) -> str | None:
        return text if text in (None, AT_ONCE) else canonical_duration(str(text))

    @model_validator(mode="after")
    def _check(self) -> Series:
        if not self.known_at:
            raise ConfigError("known_at is empty. Name the column that holds the moments.")
        if not self.columns:
            raise ConfigError("A series needs at least one column of numbers. List them.")
        other = [self.known_at, "symbol", "age_hours"]
        for name in self.columns:
            if name in other or self.columns.count(name) > 1:
                raise ConfigError(
                    f"Columns {list(self.columns)}: {name!r} is there twice or is none of the "
                    f"numbers. List each number once; {', '.join(other)} have a meaning of their "
                    "own."
                )
        return self

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of its columns, in order."""
        return (*self.columns, "age_hours") if self.age else self.columns

    def read(self, frame: Any, where: str = "series") -> SeriesTable:
        """A checked table from a pandas or polars one.

        frame  the moments, `symbol` where each row is about one, and the numbers, empty where
               unknown; rows in any order, other columns ignored
        where  what error messages call it

        Raises `DataError` for anything ambiguous: no `known_at`, dates instead of moments, times
        without a zone, rows that contradict each other.
        """
        if hasattr(frame, "reset_index") and frame.index.name == self.known_at:
            frame = frame.reset_index()
        given = [str(name) for name in getattr(frame, "columns", ())]
        for name in (self.known_at, "symbol", *self.columns):
            if given.count(name) > 1:
                raise DataError(f"{where} has {given.count(name)} columns {name!r}. Keep one.")
        table = as_polars(frame, where)
        self._check_columns(table.columns, where)
        known_at = read_moments(table[self.known_at], self.known_after, self.timezone, where)
        symbols, code = self._symbols(table, where)
        values = np.column_stack([_finite(table[name], where) for name in self.columns])
        moments = KnownAt(known_at.view("datetime64[us]"))
        found = SeriesTable.of_rows(self.columns, symbols, code, moments, values, where)
        return replace(found, max_age=self.max_age, fill=self.fill)

    def join(self, table: SeriesTable, symbol: str, decided_at: DecidedAt) -> Floats:
        """(n, n_column_names) values of a symbol known at each of its decisions.

        NaN before the first row, past `max_age` and for unknown numbers, unless `fill` is set;
        never filled before the table's first row of any symbol.
        """
        own = replace(table, max_age=self.max_age, fill=self.fill)
        values, known_at = own.as_of(symbol, decided_at)
        if not self.age:
            return values
        return np.column_stack([values, (decided_at - known_at) / _HOUR])

    def check_fits(self, table: SeriesTable, where: str) -> None:
        """`ConfigError` unless the table was read for these columns and symbols."""
        if table.columns != self.columns or (table.symbols is None) == self.per_symbol:
            raise ConfigError(
                f"{where} is {table!r}; columns {', '.join(self.columns)} with per_symbol: "
                f"{str(self.per_symbol).lower()} are asked for. Give the table it was read from."
            )

    def _check_columns(self, given: list[str], where: str) -> None:
        if self.known_at not in given:
            raise DataError(
                f"{where} has no column {self.known_at!r}, but {_listed(given)}. The date of "
                "which a row tells is not the moment at which you could know it. Add that moment "
                "as known_at; or name the column to count from with known_at: COLUMN, and say "
                "with known_after: 16h how much later a row was known."
            )
        for name in self.columns:
            if name not in given:
                raise DataError(f"{where} has no column {name!r}. {did_you_mean(name, given)}")
        if self.per_symbol and "symbol" not in given:
            raise DataError(
                f"{where} has no column 'symbol', but {_listed(given)}. Add it; or, where every "
                "row is about every symbol, say per_symbol: false."
            )
        if not self.per_symbol and "symbol" in given:
            raise DataError(
                f"{where} has a column 'symbol', while per_symbol: false says that every row is "
                "about every symbol. Drop one of the two."
            )

    def _symbols(
        self, table: pl.DataFrame, where: str
    ) -> tuple[tuple[str, ...] | None, npt.NDArray[np.int32]]:
        if not self.per_symbol:
            return None, np.zeros(len(table), np.int32)
        column = table["symbol"]
        if len(column) and column.dtype not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
            raise DataError(
                f"{where}: column 'symbol' holds {column.dtype} ({column[0]!r} in row 0), not "
                "names. Store text."
            )
        column = column.cast(pl.String).str.strip_chars().fill_null("")
        if (nameless := column == "").any():
            raise DataError(
                f"{where}: row {first_row(nameless)} has no symbol; {nameless.sum()} such row(s) "
                "in all. Name it, or keep rows about every symbol in a series of their own, with "
                "per_symbol: false."
            )
        names = sorted(column.unique().to_list())
        code = column.cast(pl.Enum(names)).to_physical().to_numpy()
        return tuple(names), code.astype(np.int32)


class SeriesFile(Series):
    """A series in a parquet or CSV file.

    >>> SeriesFile(path="news.parquet", columns=["mood"], max_age="1d").series.max_age
    '1d'
    """

    path: str  # relative paths start at the study file's folder

    @property
    def series(self) -> Series:
        """The series independent of its file: what a model learns from."""
        return Series(**{name: getattr(self, name) for name in Series.model_fields})

    def load(self, folder: Path | str = ".", name: str = "series") -> SeriesTable:
        """Read the file; errors as in `read`, with the series' name."""
        file = Path(folder) / Path(self.path).expanduser()
        return self.read(_table_of(file), where=f"series {name} ({self.path})")


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none at all"


def _finite(column: pl.Series, where: str) -> Floats:
    if column.dtype == pl.Null or not len(column):  # such as a live row with an unknown number
        return np.full(len(column), np.nan)
    values = numbers(column, where)
    if (infinite := np.isinf(values)).any():
        raise DataError(
            f"{where}: {column.name!r} is {values[first_row(infinite)]} in row "
            f"{first_row(infinite)}. Leave it empty where it is unknown."
        )
    return values


def _table_of(file: Path) -> pl.DataFrame:
    kind = file.suffix.lower()
    if kind not in (".parquet", ".csv") or not file.is_file():
        raise DataError(
            f"{file} is not a .parquet or .csv file (looked at {file.resolve()}). Paths in a "
            "study start at the study file's folder."
        )
    try:
        if kind == ".parquet":
            return pl.read_parquet(file, glob=False)
        # Columns may begin with whole numbers and go on in fractions: look at the whole file.
        return pl.read_csv(file, glob=False, infer_schema_length=None)
    # A damaged parquet file can make polars panic, which is no ordinary exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(
            f"{file} cannot be read as {kind[1:]}: {str(error).splitlines()[0]}. "
            "Check that it is complete and that its ending tells what it is."
        ) from None
