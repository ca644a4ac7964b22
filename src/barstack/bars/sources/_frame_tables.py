"""Frames in the shapes that people have them in, as one table for each symbol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import polars as pl

from barstack.core.errors import ConfigError, DataError, did_you_mean
from barstack.core.text import forbidden_character, listed, printable

from .._bars import PRICES
from .._columns import TIME_NAMES, as_polars, match_columns
from ..importing import (
    ZEROS,
    Layout,
    guess_prices,
    guess_symbol_column,
    guess_time,
    guess_volume,
    how_written,
    joined,
    named_table,
    plain,
)

UNNAMED = "unnamed"  # the symbol of a frame that names none; trials on all such frames add up
_SHOWN = 5  # symbols in a message
_IDENTIFIES = {
    *("id", "symbol", "ticker", "instrument", "asset", "security", "contract", "stock", "firm"),
    *("company", "fund", "permno", "permco", "gvkey", "conid", "secid", "sid", "cusip", "sedol"),
    *("isin", "figi"),
}  # words in the name of a column
_NUMBER_LIKE = r"^[+-]?[\d.,: ]*\d[\d.,: ]*[%KMBTkmbt]?$"


class Parts(NamedTuple):
    """A frame by symbol.

    tables         a table for each symbol, in the order of their names
    symbol_column  the column that names the symbols, where one does
    """

    tables: dict[str, pl.DataFrame]
    symbol_column: str | None = None


def frame_tables(
    frame: Any, *, symbol: str | None = None, symbol_column: str | None = None
) -> dict[str, pl.DataFrame]:
    """A table for each symbol, in the order of their names, with the frame's own columns.

    Parameters
    ----------
    frame
        A pandas or polars table of one symbol; a mapping of such by symbol; a long table with a
        column of symbols; or a pandas table with columns on two levels, symbol and price in
        either order, as yfinance gives them. Of the last, rows in which a symbol has no price at
        all belong to other symbols, and are left out.
    symbol
        The symbol of a table that names none; by default "unnamed".
    symbol_column
        The column of symbols; by default one called symbol, ticker or the like.

    Raises
    ------
    DataError
        For what is no such table, and for symbols that are no names.
    ConfigError
        For a `symbol` beside those that the frame names itself.

    >>> table = pl.DataFrame({"timestamp": ["2026-01-05", "2026-01-05"], "ticker": ["B", "A"]})
    >>> {name: len(each) for name, each in frame_tables(table).items()}
    {'A': 1, 'B': 1}
    """
    return frame_parts(frame, symbol=symbol, symbol_column=symbol_column).tables


def frame_parts(
    frame: Any, *, symbol: str | None = None, symbol_column: str | None = None
) -> Parts:
    """As `frame_tables`, and which column names the symbols."""
    own: str | None = None
    if isinstance(frame, Mapping) and not hasattr(frame, "columns"):
        found = _of_mapping(frame)
    elif getattr(getattr(frame, "columns", None), "nlevels", 1) > 1:
        found = _of_two_levels(frame)
    else:
        found, own = _of_one(frame, symbol, symbol_column)
    for name in found:
        _check_name(name)
    if symbol is not None and set(found) != {symbol}:
        raise ConfigError(
            f"The frame names its symbols itself: {listed(list(found), _SHOWN)}. Leave "
            f"symbol={symbol!r} out, or give the part of that symbol alone."
        )
    return Parts({name: found[name] for name in sorted(found)}, own)


def _check_name(symbol: Any) -> None:
    """`DataError` for what no page or terminal can show as a symbol."""
    if not isinstance(symbol, str) or not symbol.strip():
        raise DataError(f"A frame is given for the symbol {symbol!r}. Name symbols as text.")
    if (found := forbidden_character(symbol, allowed="")) is not None:
        raise DataError(
            f"The symbol '{printable(symbol):.80}' holds the character {found}. Leave it out."
        )


def check_one_symbol(
    table: pl.DataFrame, columns: Mapping[str, str], symbol: str, way_out: str = ""
) -> None:
    """`DataError` where a column that is not read may tell several instruments apart.

    Their bars would be read as one series. A column of text counts where it has a word in most
    rows, and words repeat; numbers and times written as text do not. A column of whole numbers
    counts where its name says that it identifies something, or where times that repeat do so no
    longer within each of its numbers.

    columns  those that are read, by role
    way_out  what to do, beside leaving the column out
    """
    for name in table.columns:
        if name in set(columns.values()):
            continue
        values = _words(table[name])
        if values is None:
            values = _identifiers(table, name, columns)
        if values is None:
            continue
        way_out = way_out or f"give symbol_column={name!r}"
        raise DataError(
            f"The frame of {symbol} has {listed(list(map(printable, values)), _SHOWN)} in column "
            f"{name!r}, which is not read: bars of several instruments would be read as one "
            f"series. If it names symbols, {way_out}; if not, leave the column out."
        )


def _words(column: pl.Series) -> pl.Series | None:
    """The words of a column that may be symbols; None where it is no such column."""
    if not isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum):
        return None
    words = column.cast(pl.String).str.strip_chars().drop_nulls()
    values = words.unique(maintain_order=True)
    if not 2 <= len(values) <= max(2, len(column) // 2) or 2 * len(words) < len(column):
        return None
    digits = values.str.contains(r"^\d+$").all()
    if how_written(words) or (values.str.contains(_NUMBER_LIKE).all() and not digits):
        return None
    return values


def _identifiers(table: pl.DataFrame, name: str, columns: Mapping[str, str]) -> pl.Series | None:
    """The numbers of a column that may identify instruments; None where it is no such column."""
    numbers = _whole(table[name])
    if not numbers.dtype.is_integer() or 2 * numbers.null_count() > len(numbers):
        return None
    values = numbers.drop_nulls().unique(maintain_order=True)
    if not 2 <= len(values) <= max(2, len(table) // 2):
        return None
    if not identifies(name):
        times = [columns[role] for role in ("date", "time") if role in columns]
        if not times or not table.select(times).is_duplicated().any():
            return None
        if table.select([*dict.fromkeys([*times, name])]).is_duplicated().any():
            return None
    return values.cast(pl.String)


def identifies(name: str) -> bool:
    """Whether a column's name says that it identifies instruments.

    >>> [identifies(each) for each in ("Firm", "contract_id", "trades")]
    [True, True, False]
    """
    return bool(_IDENTIFIES & set(plain(name).split()))


def _whole(column: pl.Series) -> pl.Series:
    """Floats that are whole numbers, as identifiers with some missing are read, as integers."""
    if not column.dtype.is_float():
        return column
    values = column.fill_nan(None)
    there = values.drop_nulls()
    if not len(there) or not bool(((there == there.round()) & (there.abs() < 2**53)).all()):
        return column
    return values.cast(pl.Int64)


def standard_table(table: pl.DataFrame, symbol: str, layout: Layout) -> pl.DataFrame:
    """The table with its columns named timestamp, open, high, low, close and volume.

    layout  how the study's own frame was read: its columns are taken where the table has them.
            Where it has not, a column is taken only if both names are plain ones, such as close
            and Close; for any other, `ConfigError`.

    Times stay as they are written, or are read as the study's were.
    """
    where = f"the frame of {symbol}"
    columns = {role: own for role, own in layout.columns.items() if _is_there(table, own)}
    for role in layout.columns.keys() & {"date", "time"} - columns.keys():
        own = layout.columns[role]
        if "date" in layout.columns or not _is_plain("time", own):
            raise _not_there(role, own, symbol)
    for clue in guess_time(table, {"columns": columns}, where):
        role = clue.setting.removeprefix("columns.")
        if role in ("date", "time") and role not in columns and not clue.open:
            columns[role] = str(clue.value)
    if "time" not in columns:
        raise _not_there("time", layout.columns.get("time", "timestamp"), symbol)
    prices = list(guess_prices(table, columns))
    taken = {*columns.values(), *(str(each.value) for each in prices if each.value)}
    volume = guess_volume(table, columns, taken, layout.decimal, layout.thousands)
    for clue in (*prices, volume):
        role = clue.setting.removeprefix("columns.")
        own = layout.columns.get(role, role)
        if role not in columns and not (_is_plain(role, own) and clue.certainty == "sure"):
            raise _not_there(role, own, symbol)
        columns[role] = str(clue.value)
    check_one_symbol(table, columns, symbol, "give a mapping of frames by symbol")
    read = Layout(
        columns=columns,
        time_format=_time_format(table, columns, layout, where),
        decimal=layout.decimal,
        thousands=layout.thousands,
    )
    return named_table(table, read, where)


def check_plain_table(frame: Any, symbol: str, *, read: Iterable[str] = ()) -> None:
    """`DataError` where a table has other names than bars have, or rows of several instruments.

    read  further columns that the caller has looked at

    >>> from barstack.testing import walk
    >>> check_plain_table(walk(3).to_frame(), "WALK")
    """
    where = f"bars of {symbol}"
    table = as_polars(frame, where)
    lower = {name.lower() for name in table.columns}
    missing = [name for name in PRICES if name not in lower]
    if missing and not any(name.startswith("('") for name in table.columns):
        raise DataError(
            f"The {where} have no column {', '.join(map(repr, missing))}, only "
            f"{', '.join(map(repr, table.columns))}. An artifact reads timestamp, open, high, low, "
            "close and volume: rename the columns. Only Run.predict reads other names that its "
            "study knew."
        )
    columns = match_columns(table, where) | {name: name for name in read}
    check_one_symbol(table, columns, symbol, "give a mapping with a table for each symbol")


def _is_there(table: pl.DataFrame, own: str) -> bool:
    return own in table.columns or own == ZEROS


def _is_plain(role: str, own: str) -> bool:
    """Whether a name says for sure what the column holds."""
    alone = pl.DataFrame(schema={own: pl.Float64})
    if role == "time":
        return own.lower() in TIME_NAMES
    if role == "volume":
        return guess_volume(alone, {}, set(), ".", "").certainty == "sure"
    clues = {each.setting: each for each in guess_prices(alone, {})}
    return clues[f"columns.{role}"].certainty == "sure"


def _not_there(role: str, own: str, symbol: str) -> ConfigError:
    return ConfigError(
        f"The frame of {symbol} has no column {own!r}, from which the study read its {role}. "
        f"Rename the column that holds {role} to {own!r}."
    )


def _time_format(
    table: pl.DataFrame, columns: Mapping[str, str], layout: Layout, where: str
) -> str | None:
    """How times are written: as in the study's own frame where they can be read so."""
    column = table[columns["time"]]
    if "date" in columns:
        column = joined(table[columns["date"]], column)
    written = how_written(column)
    if written is None or layout.time_format in written.forms:
        return layout.time_format
    if len(written.forms) > 1:
        raise ConfigError(
            f"{where[:1].upper()}{where[1:]}: times such as {column[0]!r} in {column.name!r} may "
            f"be written {' or '.join(map(str, written.forms))}. Give datetimes."
        )
    return written.forms[0]


def _of_mapping(frames: Mapping[Any, Any]) -> dict[str, pl.DataFrame]:
    if not frames:
        raise DataError("The mapping of frames is empty. Give a frame for at least one symbol.")
    found = {}
    for name, each in frames.items():
        _check_name(name)
        found[name] = _table(each, f"the frame of {name}")
    return found


def _of_two_levels(frame: Any) -> dict[str, pl.DataFrame]:
    levels = [
        {str(each).lower() for each in frame.columns.get_level_values(level)}
        for level in range(frame.columns.nlevels)
    ]
    prices = [level for level, names in enumerate(levels) if names.issuperset(PRICES)]
    if len(levels) != 2 or len(prices) != 1:
        raise DataError(
            f"The frame has columns on {len(levels)} levels, such as {frame.columns[0]}, and "
            f"{len(prices)} of them hold {', '.join(PRICES)}. Give two levels, one of prices and "
            "one of symbols, as yfinance does, or a mapping of frames by symbol."
        )
    own = 1 - prices[0]
    found = {}
    for name in dict.fromkeys(frame.columns.get_level_values(own)):
        part = frame.xs(name, axis=1, level=own)
        priced = [column for column in part.columns if str(column).lower() in PRICES]
        found[str(name)] = _table(part.dropna(how="all", subset=priced), f"the frame of {name}")
    return found


def _of_one(
    frame: Any, symbol: str | None, column: str | None
) -> tuple[dict[str, pl.DataFrame], str | None]:
    table = _table(frame, "the frame")
    clue = guess_symbol_column(table, {"symbol_column": column} if column else {}, set())
    if clue is None:
        return {UNNAMED if symbol is None else symbol: table}, None
    column = str(clue.value)
    if column not in table.columns:
        raise DataError(
            f"The frame has no column {column!r}. {did_you_mean(column, table.columns)}"
        )
    named = _whole(table[column]).cast(pl.String).str.strip_chars()
    table = table.with_columns(named.alias(column))
    if without := int((table[column].is_null() | (table[column] == "")).sum()):
        raise DataError(f"The frame: {without:,} row(s) have no symbol in {column!r}. Remove them.")
    parts = table.partition_by(column, as_dict=True, include_key=False, maintain_order=True)
    return {str(name): part for (name,), part in parts.items()}, column


def _table(frame: Any, where: str) -> pl.DataFrame:
    table = as_polars(_with_index(frame, where), where)
    if not len(table):
        raise DataError(f"{where[:1].upper()}{where[1:]} has no rows. Give at least some bars.")
    return table


def _with_index(frame: Any, where: str) -> Any:
    """A pandas table with what its index names beside times, such as symbols, as columns.

    Numbers that repeat in an index name something, so they become text.
    """
    index = getattr(frame, "index", None)
    if index is None or not hasattr(frame, "reset_index"):
        return frame
    levels = [index.get_level_values(each) for each in range(index.nlevels)]
    if type(index).__name__ == "PeriodIndex":
        raise DataError(
            f"The index of {where} holds periods. Give moments: where a bar is named by its "
            'start, frame.to_timestamp() with stamp="open".'
        )
    if len(levels) == 1 and _counts_time(index) and not any(map(_names_time, frame.columns)):
        return frame.rename_axis("timestamp").reset_index()
    if len(levels) == 1 and index.dtype.kind != "O" and (index.is_unique or _is_time(index)):
        return frame
    if twice := [name for name in index.names if name in list(frame.columns)]:
        raise DataError(
            f"{where[:1].upper()}{where[1:]} has {twice[0]!r} both in its index and as a column. "
            "Keep one of them."
        )
    frame = frame.reset_index()
    for name, level in zip(frame.columns, levels, strict=False):
        if level.dtype.kind in "iu" and not (level.is_unique or _is_time(level)):
            frame[name] = frame[name].astype(str)
    return frame


def _is_time(index: Any) -> bool:
    return index.dtype.kind == "M" or _names_time(index.name)


def _names_time(name: Any) -> bool:
    return str(name).lower() in TIME_NAMES


def _counts_time(index: Any) -> bool:
    """Whether an index of numbers holds times, such as milliseconds since 1970."""
    if index.dtype.kind not in "iuf" or type(index).__name__ == "RangeIndex":
        return False
    return how_written(pl.Series(index.to_numpy())) is not None
