"""Columns of exports by their role, whatever a tool calls them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from barstack.bars.importing import how_written, parse_numbers
from barstack.core.arrays import Floats
from barstack.core.errors import DataError, did_you_mean

from ._table import Exported

# By role, the normalised names that tools and people use, the surest first.
ENTRY_TIME = (
    "entry timestamp", "entry time", "entry index", "entry date", "open date", "open timestamp",
    "entry datetime", "entry date time", "opened at", "open time", "date open", "buy date",
    "buy time",
)  # fmt: skip
EXIT_TIME = (
    "exit timestamp", "exit time", "exit index", "exit date", "close date", "close timestamp",
    "exit datetime", "exit date time", "closed at", "close time", "date close", "sell date",
    "sell time",
)  # fmt: skip
ENTRY_PRICE = (
    "avg entry price", "entry price", "open rate", "entry avg price", "price in", "open price",
    "buy price", "entry",
)  # fmt: skip
EXIT_PRICE = (
    "avg exit price", "exit price", "close rate", "exit avg price", "price out", "close price",
    "sell price", "exit",
)  # fmt: skip
SIDE = ("direction", "side", "is short", "trade type", "type", "position")
SIZE = (
    "size", "quantity", "amount", "qty", "contracts", "position size qty", "shares", "volume",
    "filled quantity",
)  # fmt: skip
STATED = ("return", "return pct", "profit ratio", "net p l %", "profit %", "p l %", "return %")
SYMBOL = ("symbol", "symbols", "ticker", "pair", "instrument", "asset", "market", "column")
TIME = (
    "decided at", "timestamp", "datetime", "date time", "date and time", "date", "time",
    "closed at", "close time", "index", "unnamed 0", "ts", "day", "",
)  # fmt: skip
PRICE = ("price", "fill price", "avg price", "average price", "filled price", "execution price")
FORECAST = (
    "forecast", "forecasts", "prediction", "predictions", "predicted", "pred", "preds", "y pred",
    "y hat", "yhat", "predicted return", "expected return", "forecast return", "alpha", "score",
    "p up", "prob up", "probability", "proba", "prob",
)  # fmt: skip
POSITION = (
    "position", "positions", "pos", "target position", "exposure", "weight", "weights", "target",
    "target weight", "holding", "holdings", "allocation", "side",
)  # fmt: skip
EQUITY = (
    "equity", "portfolio value", "account value", "balance", "nav", "net asset value",
    "total value", "net liquidation", "value", "capital",
)  # fmt: skip
RETURNS = (
    "returns", "return", "strategy return", "strategy returns", "daily return", "daily returns",
    "net return", "net returns", "ret",
)  # fmt: skip
SIGNAL = ("signal", "signals")
KNOWN = ("known at", "label known at")


def find(table: Exported, names: Sequence[str]) -> str | None:
    """The table's own name of the first of these that it has."""
    have = table.by_plain()
    return next((have[name] for name in names if name in have), None)


def column_called(table: Exported, name: str) -> str:
    """A column that the user named; `DataError` with a hint where there is none."""
    if name in table.frame.columns:
        return name
    lower = {each.lower(): each for each in table.frame.columns}
    if name.lower() in lower:
        return lower[name.lower()]
    hint = did_you_mean(name, table.frame.columns[:40])
    raise DataError(f"{table.where} has no column {name!r}. {hint}")


def time_column(table: Exported) -> str:
    """The column of times; `DataError` where none holds times."""
    named = find(table, TIME)
    if named is not None and _may_be_time(table.frame[named]):
        return named
    for name in table.frame.columns:
        if _may_be_time(table.frame[name]):
            return name
    shown = ", ".join(table.frame.columns[:8])
    raise DataError(
        f"{table.where} has no column of times; it has {shown}. Write the index into the file, or "
        "call the column timestamp and write times as 2026-01-05T14:30:00Z."
    )


def _may_be_time(column: pl.Series) -> bool:
    head = column.drop_nulls().head(50)
    if not len(head):
        return False
    if head.dtype.is_temporal():
        return head.dtype not in (pl.Time, pl.Duration)
    if head.dtype.is_nested() or head.dtype == pl.Boolean:
        return False
    return any(how_written(head.slice(row, 1)) is not None for row in range(min(len(head), 3)))


def numbers_of(table: Exported, name: str, *, gaps: bool = False) -> Floats:
    """(n_rows,) numbers of a column; `DataError` with the first value that is none.

    gaps  whether empty cells may be NaN
    """
    column = table.frame[name]
    if column.dtype == pl.Boolean or column.dtype.is_numeric():
        values = column.cast(pl.Float64).fill_null(float("nan"))
    elif column.dtype == pl.String:
        text = column.str.strip_chars().str.replace(r"\s*%$", "").str.replace_all("−", "-")
        values = parse_numbers(text, ".", "")
        if values.null_count():  # 1,234.5 or 1.234,5 or 0,5
            other = parse_numbers(text, ".", ",")
            if other.null_count():
                other = parse_numbers(text, ",", ".")
            values = other
        if values.null_count():
            row = int(np.argmax(values.is_null().to_numpy()))
            raise DataError(
                f"{table.where}: {column[row]!r} in row {row} of {name!r} is not a number; "
                f"{values.null_count():,} such row(s) in all. Mend or remove them."
            )
    else:
        raise DataError(
            f"{table.where}: column {name!r} holds {column.dtype}, not numbers. Convert it."
        )
    found = values.to_numpy().astype(np.float64)
    wrong = np.isinf(found) | (np.isnan(found) & (not gaps))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{table.where}: {name!r} is {column[row]} in row {row}, and no finite number in "
            f"{int(wrong.sum()):,} row(s) in all. Write 0 where nothing is held or forecast, or "
            "remove the rows."
        )
    return found
