"""Several tables of one symbol as one: equal rows once, differing rows refused."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from barstack.core.errors import DataError

from .._checks import COLUMNS, check_order, values_at
from .._columns import utc_microseconds


def together(
    tables: Sequence[tuple[str, pl.DataFrame]], symbol: str, timezone: str | None
) -> pl.DataFrame:
    """One table of `named_table`'s form from several, each with the name of its file.

    Raises `DataError` where one is not in order by itself, or two tell different bars of one time.
    """
    if len(tables) == 1:
        return tables[0][1]
    parts = []
    for place, (where, table) in enumerate(tables):
        stamps = utc_microseconds(table["timestamp"], timezone, where)
        check_order(stamps, symbol, where)
        start = pl.Series("timestamp", stamps).cast(pl.Datetime("us", "UTC"))
        parts.append(table.select(start, *COLUMNS, pl.lit(place).alias("file")))
    rows = pl.concat(parts).sort("timestamp", "file")
    distinct = rows.unique(["timestamp", *COLUMNS], keep="first", maintain_order=True)
    repeats = distinct.filter(pl.col("timestamp").is_duplicated())
    if len(repeats):
        first, second = repeats.head(2).iter_rows(named=True)
        columns = {name: repeats[name].to_numpy() for name in COLUMNS}
        raise DataError(
            f"{tables[first['file']][0]} and {tables[second['file']][0]} tell different bars of "
            f"{symbol} at {first['timestamp']:%Y-%m-%d %H:%M} UTC: {values_at(columns, 0)}, and "
            f"{values_at(columns, 1)}; {len(repeats) // 2} such time(s) in all. Keep one of them."
        )
    return distinct.drop("file")
