"""Bars from a table of a SQL database, through SQLAlchemy."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import field_validator, model_validator

from barstack.core.errors import ConfigError, DataError, MissingPackageError, did_you_mean
from barstack.core.times import DAY_US

from .._bars import COLUMNS
from .._columns import utc_microseconds
from ._fetch import read_directly
from ._http import RequestFault, in_words
from ._paged import Page, PagedProvider
from ._provider import register

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
# As SQLite's own functions write times: sorted as text they are in time order.
_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2}(\.\d+)?)?")


def bounds(sample: Any, start_us: int, end_us: int, timezone: str | None) -> list[Any]:
    """A range of time as values to compare with a column that holds `sample`: [from, to).

    Raises `DataError` for a column whose values databases cannot compare in time.
    """
    moments = [_EPOCH + timedelta(microseconds=time_us) for time_us in (start_us, end_us)]
    if isinstance(sample, date) and not isinstance(sample, datetime):
        days = [-(-time_us // DAY_US) for time_us in (start_us, end_us)]
        return [_EPOCH.date() + timedelta(days=day) for day in days]
    if isinstance(sample, datetime) and sample.tzinfo is not None:
        return moments
    local = [moment.replace(tzinfo=None) for moment in moments]
    if timezone:
        local = [moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None) for moment in moments]
        # When clocks are set back an hour repeats. Rows outside the range are dropped later.
        local = [local[0] - _HOUR, local[1] + _HOUR]
    if isinstance(sample, datetime) or sample is None:
        return local
    if isinstance(sample, str) and _TEXT.fullmatch(sample):
        return [moment.isoformat(sep=" ") for moment in local]
    raise DataError(
        f"The time column holds {sample!r}, a {type(sample).__name__} whose order in time is not "
        "certain. Give a query that converts it to times, in SQLite with datetime(...)."
    )


_ROWS = 50_000  # of one page
_NAMES = ("timestamp", "symbol", *COLUMNS)
# Permanent errors of databases that drivers call operational errors.
_LASTING = ("no such", "does not exist", "authentication failed", "unable to open", "syntax error")


@dataclass(frozen=True)
class SqlClient:
    engine: Any
    bars: Any  # the table or query to select from
    columns: dict[str, Any]  # by our names


@register("sql")
class Sql(PagedProvider):
    """Bars from a table or query of a database that SQLAlchemy can reach; read directly.

    >>> bars = Sql(table="candles", symbols=["SPY"], bar="5min", start="2024-01-02")
    >>> bars.url_variable
    'BARSTACK_SQL_URL'
    """

    on_grid = False
    url_variable: str = "BARSTACK_SQL_URL"  # names the environment variable that holds the URL
    table: str | None = None  # NAME or SCHEMA.NAME
    query: str | None = None  # a SELECT, in the place of a table
    columns: dict[str, str] | None = None  # the source's names: {timestamp: ts, ...}

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, columns: dict[str, str] | None) -> dict[str, str] | None:
        for name in columns or ():
            if name not in _NAMES:
                raise ConfigError(f"No column {name!r} is needed. {did_you_mean(name, _NAMES)}")
        return columns

    @model_validator(mode="after")
    def _check_one_source(self) -> Sql:
        if (self.table is None) == (self.query is None):
            raise ConfigError("Give either table or query.")
        return self

    @property
    def source(self) -> str:
        what = f"table {self.table}" if self.table else f"query {self.query}"
        return f"SQL database in {self.url_variable}, {what}"

    def secrets(self) -> tuple[str, ...]:
        text = os.environ.get(self.url_variable, "")
        try:
            password = urlsplit(text).password
        except ValueError:  # no URL, which `connect` says
            return (text,)
        return (text, password, unquote(password)) if password else ()

    def tables(self) -> dict[str, pl.DataFrame]:
        # The database is a store already: a copy in the catalog would only become stale.
        return read_directly(self)

    def connect(self, timeout_s: float) -> Any:
        try:
            import sqlalchemy as sa  # noqa: PLC0415 (an optional package)
        except ImportError:
            raise MissingPackageError(
                "Reading from a database needs package sqlalchemy: pip install 'barstack[sql]'."
            ) from None
        engine = self._engine(sa, timeout_s)
        named = self.columns or {}
        theirs = {name: sa.quoted_name(named.get(name, name), quote=True) for name in _NAMES}
        columns: list[Any] = [sa.column(name) for name in theirs.values()]
        bars: Any
        if self.query is not None:
            bars = sa.text(self.query.strip().rstrip(";")).columns(*columns).subquery("bars")
        else:
            schema, _, name = str(self.table).rpartition(".")
            quoted = sa.quoted_name(schema, quote=True) if schema else None
            bars = sa.table(sa.quoted_name(name, quote=True), *columns, schema=quoted)
        return SqlClient(engine, bars, {name: bars.c[theirs[name]] for name in _NAMES})

    def page(self, client: Any, symbol: str, start_us: int, end_us: int) -> Page:
        import sqlalchemy as sa  # noqa: PLC0415

        time = client.columns["timestamp"]
        prices = [sa.cast(client.columns[name], sa.Double).label(name) for name in COLUMNS]
        with client.engine.connect() as connection:
            sample = connection.scalar(sa.select(time).where(time.is_not(None)).limit(1))
            begin, end = bounds(sample, start_us, end_us, self.timezone)
            rows = (
                sa.select(time.label("timestamp"), *prices)
                .where(client.columns["symbol"] == symbol, time >= begin, time < end)
                .order_by(time)
                .limit(_ROWS)
            )
            found = [tuple(row) for row in connection.execute(rows)]
        table = pl.DataFrame(found, ["timestamp", *COLUMNS], orient="row", infer_schema_length=None)
        if len(table) < _ROWS:
            return Page(table, end_us)
        # The last time is requested again: the page may have ended between rows that share it.
        last = utc_microseconds(table["timestamp"][-1:], self.timezone, f"{symbol} from sql")
        return Page(table, int(last[0]))

    def disconnect(self, client: Any) -> None:
        client.engine.dispose()

    def fault(self, error: Exception) -> RequestFault | None:
        import sqlalchemy as sa  # noqa: PLC0415

        if not isinstance(error, sa.exc.SQLAlchemyError):
            return None
        text = in_words(getattr(error, "orig", None) or error)
        broken = isinstance(
            error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError
        ) or getattr(error, "connection_invalidated", False)
        return RequestFault(text, retry=bool(broken) and not any(word in text for word in _LASTING))

    def _engine(self, sa: Any, timeout_s: float) -> Any:
        text = os.environ.get(self.url_variable)
        if not text:
            raise ConfigError(
                f"Set {self.url_variable} in the environment to the URL of the database, such as "
                "postgresql://user:password@host/database."
            )
        try:
            url = sa.make_url(text)
        except sa.exc.ArgumentError:  # whose text would show the password
            raise ConfigError(
                f"What {self.url_variable} holds is no URL of a database. Write it as "
                "postgresql://user:password@host/database."
            ) from None
        arguments: dict[str, Any] = {}
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        if url.drivername == "postgresql+psycopg":
            arguments["connect_timeout"] = max(2, round(timeout_s))  # libpq takes no less
            arguments["options"] = f"-c statement_timeout={round(timeout_s * 1000)}"
        try:
            return sa.create_engine(
                url,
                connect_args=arguments,
                pool_pre_ping=True,
                execution_options={"postgresql_readonly": True},  # whatever a query says
            )
        except ImportError as error:
            raise MissingPackageError(
                f"The database needs driver {error.name}: pip install {error.name}."
            ) from None
