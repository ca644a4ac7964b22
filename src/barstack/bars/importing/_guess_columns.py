"""Which column is which, by name or, without a header, by position."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import polars as pl

from .._bars import PRICES
from ._layout import ZEROS, Clue, Given, as_given
from ._tables import parse_numbers

# The first name of each row is the surest. Names are compared without case, marks and numbering.
_NAMES = {
    "open": ("open", "o", "price open", "open price", "opening price", "px open", "mid o",
             "mid open", "openmid", "first"),
    "high": ("high", "h", "price high", "high price", "hi", "px high", "mid h", "mid high",
             "highmid", "max"),
    "low": ("low", "l", "price low", "low price", "lo", "px low", "mid l", "mid low", "lowmid",
            "min"),
    "close": ("close", "c", "price close", "close price", "closing price", "px close", "mid c",
              "mid close", "closemid", "close last", "last", "px last", "last price", "latest"),
    "volume": ("volume", "v", "vol", "volumes", "total volume", "base volume", "quantity", "qty",
               "traded volume", "total traded quantity", "tottrdqty", "ttl trd qnty",
               "tick volume", "tickvol", "ticks"),
}  # fmt: skip
_SYMBOL = ("symbol", "ticker", "sym", "instrument", "asset", "code", "name", "isin", "security")
# Numbers by which databases of securities know them. One alone is no reason to name the bars by it.
_NUMBERED = (
    *("permno", "gvkey", "conid", "secid", "sid", "symbol id", "ticker id", "instrument id"),
    *("asset id", "security id", "stock id", "stkcd", "cusip", "sedol", "figi", "ric"),
)
_ADJUSTED = ("adj close", "adjclose", "adjusted close", "close adj", "adj c")
_QUOTED = re.compile(r"^(bid|ask) ?(o|h|l|c|open|high|low|close)$")


def plain(name: str) -> str:
    """A column's name normalised for comparison with vendors' names.

    >>> [plain(name) for name in ("<OPEN>", "1. open", "Close/Last", "mid_c", "AdjClose")]
    ['open', 'open', 'close last', 'mid c', 'adj close']
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())
    words = re.sub(r"^\d+[a-z]?\.\s*", "", words.lower())
    return " ".join(re.sub(r"[^0-9a-z$%]+", " ", words).split())


def guess_prices(raw: pl.DataFrame, given: Given) -> Iterator[Clue]:
    """Open, high, low and close.

    >>> raw = pl.DataFrame({"Open": [1.0], "High": [1.0], "Low": [1.0], "Last": [1.0]})
    >>> [(each.setting, each.value) for each in guess_prices(raw, {})][-1]
    ('columns.close', 'Last')
    """
    by_plain = _by_plain(raw)
    for role in PRICES:
        setting = f"columns.{role}"
        if role in given:
            yield as_given(setting, given[role])
            continue
        found = [(name, by_plain[name]) for name in _NAMES[role] if name in by_plain]
        adjusted = [by_plain[name] for name in _ADJUSTED if name in by_plain]
        quoted = [name for key, name in by_plain.items() if _is_quote(key, role)]
        if not found:
            if role == "close" and adjusted:
                because = (
                    f"There is no close but {adjusted[0]!r}, whose prices are not those of open, "
                    "high and low. Take it only if all four are adjusted."
                )
                yield Clue(setting, None, because, "unsure", tuple(adjusted))
            elif quoted:
                because = "There are only quotes, no trades or middles. Choose a side."
                yield Clue(setting, None, because, "unsure", tuple(quoted))
            else:
                yield Clue(setting, None, "No column has such a name.", "unsure", _free(raw))
            continue
        name, own = found[0]
        because = f"Column {own!r}."
        if role == "close" and adjusted:
            because = f"Column {own!r}: prices as traded. {adjusted[0]!r} is left out."
        elif len(found) > 1:
            because = f"Column {own!r}, before {found[1][1]!r}."
        exact = name == _NAMES[role][0]
        rivals = len(found) > 1 and not exact
        certainty = "unsure" if rivals else "sure" if exact or len(name) == 1 else "likely"
        yield Clue(setting, own, because, certainty, tuple(o for _, o in found) if rivals else ())


def guess_volume(
    raw: pl.DataFrame, given: Given, taken: set[str], decimal: str, thousands: str
) -> Clue:
    """Volume, or zeros where there is none.

    >>> raw = pl.DataFrame({"Vol": [900, 1200]})
    >>> guess_volume(raw, {}, set(), ".", "").value
    'Vol'
    """
    setting = "columns.volume"
    if "volume" in given:
        return as_given(setting, given["volume"])
    by_plain = _by_plain(raw)
    found = [by_plain[name] for name in _NAMES["volume"] if name in by_plain]
    # Exports of currencies carry a volume of zeros beside the count of ticks.
    traded = [name for name in found if _total(raw[name], decimal, thousands)] or found
    if traded:
        because = f"Column {traded[0]!r}."
        if traded[0] != found[0]:
            because = f"Column {traded[0]!r}; {found[0]!r} is all zeros."
        sure = plain(traded[0]) in ("volume", "v", "vol")
        return Clue(setting, traded[0], because, "sure" if sure else "likely")
    similar = [
        own for key, own in by_plain.items() if key.startswith(("vol", "amount")) or "volume" in key
    ]
    if len(similar) == 1:
        return Clue(setting, similar[0], f"Column {similar[0]!r}, by its name.", "likely")
    spare = [
        name
        for name in (similar or _numeric(raw))
        if name not in taken and plain(name) not in _ADJUSTED
    ]
    if spare:
        because = f"None is called volume; it may be one of {', '.join(spare)}. Or say zeros."
        return Clue(setting, None, because, "unsure", (*spare, ZEROS))
    return Clue(setting, ZEROS, "There is none: zeros stand in for it.", "likely")


def guess_symbol_column(raw: pl.DataFrame, given: Given, taken: set[str]) -> Clue | None:
    """The column of symbols, where there is one; without a header, one of words.

    >>> raw = pl.DataFrame({"Ticker": ["SPY", "SPY", "QQQ"], "Close": [1.0, 2.0, 3.0]})
    >>> guess_symbol_column(raw, {}, set()).value
    'Ticker'
    """
    if "symbol_column" in given:
        return as_given("symbol_column", given["symbol_column"])
    by_plain = _by_plain(raw)
    unnamed = [own for key, own in by_plain.items() if key.startswith("column ")]
    for own in [by_plain[each] for each in (*_SYMBOL, *_NUMBERED) if each in by_plain] + unnamed:
        if own in taken or raw[own].dtype.is_float() or raw[own].dtype.is_temporal():
            continue
        symbols = (
            raw[own].cast(pl.String).str.strip_chars().drop_nulls().unique(maintain_order=True)
        )
        words = not symbols.str.contains(r"^[\d.,:\s-]*$").any()
        if not len(symbols) or not (words or plain(own) in (*_SYMBOL[:4], *_NUMBERED)):
            continue  # a code or name in digits may be anything
        if plain(own) in _NUMBERED and len(symbols) == 1:
            continue
        many = f"{len(symbols)} symbols, the first {symbols[0]}" if len(symbols) > 1 else symbols[0]
        certainty = "likely" if own in unnamed else "sure"
        return Clue("symbol_column", own, f"Column {own!r} holds {many}.", certainty)
    return None


def _by_plain(raw: pl.DataFrame) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in raw.columns:
        found.setdefault(plain(name), name)
    return found


def _is_quote(key: str, role: str) -> bool:
    match = _QUOTED.match(key)
    return match is not None and match[2][0] == role[0]


def _total(column: pl.Series, decimal: str, thousands: str) -> bool:
    values = column if column.dtype.is_numeric() else parse_numbers(column, decimal, thousands)
    return (
        bool((values.fill_nan(0).fill_null(0) != 0).any())
        if values.dtype.is_float()
        else bool((values != 0).any())
    )


def _free(raw: pl.DataFrame) -> tuple[str, ...]:
    return tuple(raw.columns[:8])


def _numeric(raw: pl.DataFrame) -> list[str]:
    """Columns of numbers."""
    numeric = []
    for name in raw.columns:
        column = raw[name]
        if column.dtype == pl.String:
            share = column.str.contains(r"^[+-]?[\d.,' ]*\d[\d.,' ]*$").mean()
            if share is not None and float(share) > 0.9:  # type: ignore[arg-type]
                numeric.append(name)
        elif column.dtype.is_numeric():
            numeric.append(name)
    return numeric


def guess_unnamed(raw: pl.DataFrame, times: set[str], decimal: str, thousands: str) -> list[Clue]:
    """Open, high, low, close and volume of a table without a header.

    The order open, high, low, close is universal; high and low must confirm it.
    """
    after = max((raw.columns.index(name) for name in times), default=-1) + 1
    names = raw.columns[after : after + 5]
    values = []
    for name in names:
        column = raw[name]
        read = column if column.dtype.is_numeric() else parse_numbers(column, decimal, thousands)
        values.append(read.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    if len(values) < 4:
        return []
    opens, highs, lows, closes = values[:4]
    whole = np.isfinite(opens + highs + lows + closes)
    bounded = (
        (highs >= np.maximum(opens, closes)) & (lows <= np.minimum(opens, closes)) & (lows <= highs)
    )
    if not whole.any() or not bounded[whole].mean() > 0.99:
        return []
    because = "By place: the second of the prices is the highest, the third the lowest."
    found = [
        Clue(f"columns.{role}", name, because, "likely")
        for role, name in zip(("open", "high", "low", "close"), names, strict=False)
    ]
    if len(names) == 5 and not (values[4][whole] < 0).any():
        found.append(Clue("columns.volume", names[4], "It follows the prices.", "likely"))
    elif len(names) == 4:
        found.append(Clue("columns.volume", ZEROS, "Nothing follows the prices.", "likely"))
    return found
