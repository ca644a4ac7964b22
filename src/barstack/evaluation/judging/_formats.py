"""Recognise what a table holds by its columns, and read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.errors import ConfigError, DataError
from barstack.core.text import listed, printable

from . import _columns as roles
from ._history import KINDS, FilledOrders, History, Kind, TimedValues
from ._table import Exported
from ._times import Stamps, moments_of

_SHORT = ("short", "sell", "true", "1", "-1", "s")
_LONG = ("long", "buy", "false", "0", "+1", "l")
_UNITS = 20.0  # a position beyond is a number of shares or contracts, not a part of the money


@dataclass(frozen=True)
class HistoryOptions:
    """What the user says about a history, where its columns do not.

    Attributes
    ----------
    kind
        "forecasts", "positions", "trades" or "equity"; "" by its columns.
    column
        The column to judge; "" by its name.
    horizon
        How far ahead forecasts look; "" by the file.
    times
        "bars" where times name bars, "moments" where they are those of decisions; "" by the name
        of their column.
    """

    kind: str = ""
    column: str = ""
    horizon: str = ""
    times: str = ""


def history_of(table: Exported, options: HistoryOptions, span_us: tuple[int, int]) -> History:
    """The history in a table.

    Parameters
    ----------
    span_us
        First opening and last close of the bars.

    Raises
    ------
    ConfigError
        Where the columns do not tell what the table holds.
    DataError
        Where values are no numbers or times, or contradict each other.
    """
    if options.kind and options.kind not in KINDS:
        raise ConfigError(f"A history is of {', '.join(KINDS)}, not {options.kind!r}.")
    if options.times not in ("", "bars", "moments"):
        raise ConfigError(f"times is {options.times!r}. Say bars or moments.")
    if options.kind in ("", "trades"):
        for read in (_two_rows_a_trade, _trades, _orders):
            found = read(table, span_us)
            if found is not None:
                return found
        if options.kind == "trades":
            shown = listed(table.frame.columns, 12)
            raise DataError(
                f"{table.where} has {shown}, and no trades that are understood. A list of trades "
                "has the columns entry_time, exit_time and direction, with entry_price and "
                "exit_price where they are known."
            )
    return _series(table, options, span_us)


def _rows_by_symbol(table: Exported, keep: Bools) -> dict[str, Ints]:
    """Rows of each symbol; under "" where no column names any, or one only."""
    rows = np.flatnonzero(keep)
    name = roles.find(table, roles.SYMBOL)
    if name is None:
        return {"": rows}
    text = table.frame[name].cast(pl.String).fill_null("").to_numpy()[rows].astype(str)
    names = np.unique(text)
    if len(names) > 2_000:
        raise DataError(
            f"{table.where} names {len(names):,} symbols in {name!r}. Give some of them."
        )
    return {str(each): rows[text == each] for each in names}


def _moments(table: Exported, name: str, rows: Ints, span_us: tuple[int, int]) -> Stamps:
    return moments_of(table.frame[name][rows], table.where, span_us)


def _side_of(text: str, where: str, row: int) -> float:
    plain = text.strip().lower().removesuffix(".0")
    if plain in _SHORT or "short" in plain:
        return -1.0
    if plain in _LONG or "long" in plain:
        return 1.0
    raise DataError(
        f"{where}: row {row} is neither long nor short but {printable(text)!r}. Write long or "
        "short."
    )


def _sides(table: Exported, rows: Ints) -> Floats:
    """(n,) +1 long or -1 short, from a column of directions or the sign of sizes; else long."""
    size_name = roles.find(table, roles.SIZE)
    sizes = roles.numbers_of(table, size_name, gaps=True)[rows] if size_name else np.ones(len(rows))
    name = roles.find(table, roles.SIDE)
    if name is None or (sizes < 0.0).any():
        return np.where(sizes < 0.0, -1.0, 1.0)
    text = table.frame[name].cast(pl.String).fill_null("").to_list()
    sides = np.array([_side_of(text[row], table.where, int(row)) for row in rows])
    values = {text[row].removesuffix(".0") for row in rows}
    if values <= {"1", "-1", "0"} and not (
        table.by_plain().get("is short") == name or table.tool == "QuantConnect"
    ):  # 1 is short where a column is called is_short, and in LEAN; elsewhere it is long
        return np.array([-1.0 if text[row].startswith("-") else 1.0 for row in rows])
    return sides


def _trades(table: Exported, span_us: tuple[int, int]) -> History | None:
    """One row for each trade: vectorbt, backtesting.py, freqtrade, QuantConnect and others."""
    entry, leaving = roles.find(table, roles.ENTRY_TIME), roles.find(table, roles.EXIT_TIME)
    if entry is None or leaving is None:
        return None
    keep = table.frame[entry].is_not_null().to_numpy()
    if not keep.any():
        raise DataError(f"{table.where}: no trade has an entry time in {entry!r}.")
    prices = [
        roles.numbers_of(table, name, gaps=True) if name else np.full(len(table.frame), np.nan)
        for name in (roles.find(table, roles.ENTRY_PRICE), roles.find(table, roles.EXIT_PRICE))
    ]
    stated_name = roles.find(table, roles.STATED)
    stated = (
        roles.numbers_of(table, stated_name, gaps=True) / (100.0 if "%" in stated_name else 1.0)
        if stated_name
        else np.full(len(table.frame), np.nan)
    )
    parts: dict[str, TimedValues | FilledOrders] = {}
    for symbol, rows in _rows_by_symbol(table, keep).items():
        entered = _moments(table, entry, rows, span_us)
        there = table.frame[leaving][rows].is_not_null().to_numpy()
        left = np.full(len(rows), np.iinfo(np.int64).max)  # a trade that is still open
        dates, zoned = True, entered.zoned
        if there.any():
            exits = _moments(table, leaving, rows[there], span_us)
            left[there], dates, zoned = exits.at_us, exits.dates, exits.zoned
        if zoned != entered.zoned:
            raise DataError(
                f"{table.where}: {entry!r} and {leaving!r} are written on different clocks, one "
                "with a zone and one without. Write both alike."
            )
        if (left < entered.at_us).any():
            row = int(rows[np.argmax(left < entered.at_us)])
            raise DataError(
                f"{table.where}: the trade in row {row} is left before it is entered. Mend it."
            )
        side = _sides(table, rows)
        both = Stamps(np.concatenate([entered.at_us, left]), zoned, entered.dates and dates)
        parts[symbol] = fills_of_trades(both, side, prices[0][rows], prices[1][rows], stated[rows])
    return History("trades", table.tool or _tool_of(table), parts, table.where,
                   notes=_about_sizes(table), reported=table.reported)  # fmt: skip


def _about_sizes(table: Exported) -> list[str]:
    name = roles.find(table, roles.SIZE)
    if name is None:
        return []
    sizes = np.abs(roles.numbers_of(table, name, gaps=True))
    sizes = sizes[np.isfinite(sizes)]
    if len(sizes) < 2 or sizes.std() <= 0.3 * sizes.mean():
        return []
    return [
        "Every trade counts alike, whatever its size. To have sizes judged as well, give positions."
    ]


def fills_of_trades(
    both: Stamps, side: Floats, entry_price: Floats, exit_price: Floats, stated: Floats
) -> FilledOrders:
    """Fills of trades that each take one unit; those open at once share it.

    both  (2 n_trades,) entries, then exits; the largest integer for a trade that is still open
    """
    n_trades = len(side)
    price = np.concatenate([entry_price, exit_price])
    change = np.concatenate([side, -side])
    count = np.concatenate([np.ones(n_trades), -np.ones(n_trades)])
    closed = both.at_us < np.iinfo(np.int64).max
    # At one time exits come first, so that a reversal is not held in both directions.
    order = np.lexsort((count, both.at_us))
    order = order[closed[order]]
    # A trade that is entered and left at one time is entered first, and holds nothing between.
    total, n_open = np.cumsum(change[order]), np.cumsum(count[order])
    after = np.divide(total, n_open, out=np.zeros(len(order)), where=n_open > 0)
    returns = side * (exit_price / entry_price - 1.0)
    whole = closed[n_trades:] & np.isfinite(returns)
    return FilledOrders(
        both.take(order), price[order], np.clip(after, -1.0, 1.0), returns[whole], stated[whole]
    )


def _two_rows_a_trade(table: Exported, span_us: tuple[int, int]) -> History | None:
    """TradingView: one row for the entry and one for the exit, in either order."""
    number = roles.find(table, ("trade", "trade number", "trade no"))
    kind = roles.find(table, ("type",))
    time = roles.find(table, ("date time", "date and time", "datetime"))
    price = next((n for n in table.frame.columns if n.lower().startswith("price")), None)
    if number is None or kind is None or time is None or price is None:
        return None
    type_ = table.frame[kind].cast(pl.String).fill_null("").str.to_lowercase()
    is_entry, is_exit = type_.str.contains("entry"), type_.str.contains("exit")
    if not (is_entry | is_exit).any():
        return None
    when = table.frame[time]
    keep = (when.is_not_null() & (is_entry | is_exit)).to_numpy()
    rows = np.flatnonzero(keep)
    at = moments_of(when[rows], table.where, span_us)
    paid = roles.numbers_of(table, price, gaps=True)[rows]
    of_trade = table.frame[number].cast(pl.String).to_numpy()[rows].astype(str)
    entry = is_entry.to_numpy()[rows]
    last = np.iinfo(np.int64).max
    stated_name = roles.find(table, roles.STATED)
    stated_all = (
        roles.numbers_of(table, stated_name, gaps=True)[rows] / 100.0 if stated_name else None
    )
    names = list(dict.fromkeys(of_trade.tolist()))
    place = {name: number for number, name in enumerate(names)}
    entered, left = np.full(len(names), last), np.full(len(names), last)
    prices = np.full((2, len(names)), np.nan)
    stated, side = np.full(len(names), np.nan), np.ones(len(names))
    for row, name in enumerate(of_trade):
        trade = place[name]
        (entered if entry[row] else left)[trade] = at.at_us[row]
        prices[0 if entry[row] else 1, trade] = paid[row]
        if entry[row]:
            side[trade] = -1.0 if "short" in str(type_[int(rows[row])]) else 1.0
        elif stated_all is not None:
            stated[trade] = stated_all[row]
    whole = entered < last
    if not whole.any():
        raise DataError(f"{table.where}: no trade has a row of its entry. Export the whole list.")
    both = Stamps(np.concatenate([entered[whole], left[whole]]), at.zoned, at.dates)
    fills = fills_of_trades(both, side[whole], prices[0, whole], prices[1, whole], stated[whole])
    return History("trades", "TradingView", {"": fills}, table.where, notes=_about_sizes(table),
                   reported=table.reported)  # fmt: skip


def _orders(table: Exported, span_us: tuple[int, int]) -> History | None:
    """One row for each filled order, as vectorbt and QuantConnect export them."""
    have = table.by_plain()
    price, size = roles.find(table, roles.PRICE), roles.find(table, roles.SIZE)
    known = {"order id", "side", "status", "tag"} & set(have)
    if price is None or size is None or not known:
        return None
    time = time_of_orders(table)
    keep = table.frame[time].is_not_null().to_numpy()
    if "status" in have:
        status = table.frame[have["status"]].cast(pl.String).fill_null("").str.to_lowercase()
        done = status.str.contains("fill|closed|complete").to_numpy()
        keep &= done if done.any() else True
    sizes, paid = (
        roles.numbers_of(table, size, gaps=True),
        roles.numbers_of(table, price, gaps=True),
    )
    if "side" in have:
        text = table.frame[have["side"]].cast(pl.String).fill_null("").to_list()
        signs = np.array([
            _side_of(each, table.where, row) if keep[row] else 0.0 for row, each in enumerate(text)
        ])  # fmt: skip
        sizes = np.abs(sizes) * signs
    keep &= np.isfinite(sizes) & (sizes != 0.0)
    if not keep.any():
        raise DataError(f"{table.where} lists no filled order, so nothing can be judged.")
    parts: dict[str, TimedValues | FilledOrders] = {}
    for symbol, rows in _rows_by_symbol(table, keep).items():
        at = _moments(table, time, rows, span_us)
        order = np.argsort(at.at_us, kind="stable")
        parts[symbol] = _fills_of_orders(at.take(order), sizes[rows][order], paid[rows][order])
    tool = table.tool or ("QuantConnect" if {"tag", "value"} <= set(have) else
                          "vectorbt" if "order id" in have else "")  # fmt: skip
    return History("trades", tool, parts, table.where, reported=table.reported)


def time_of_orders(table: Exported) -> str:
    """The column that says when orders were filled."""
    return roles.find(table, ("fill index", "filled at", "fill time")) or roles.time_column(table)


def _fills_of_orders(at: Stamps, sizes: Floats, price: Floats) -> FilledOrders:
    """Positions in units of the largest between two times without any."""
    held = np.cumsum(sizes)
    held[np.abs(held) < 1e-9 * np.abs(sizes).max()] = 0.0
    # A turn from long to short begins another round.
    begins = np.concatenate(
        [[True], (held[:-1] == 0.0) | (np.sign(held[1:]) == -np.sign(held[:-1]))]
    )
    round_ = np.cumsum(begins) - 1
    largest = np.zeros(round_[-1] + 1)
    np.maximum.at(largest, round_, np.abs(held))
    after = np.divide(held, largest[round_], out=np.zeros(len(held)), where=largest[round_] > 0.0)
    returns = []
    entry = 0.0
    for row in range(len(sizes)):
        before = held[row - 1] if row else 0.0
        if before != 0.0 and np.sign(held[row]) != np.sign(before):
            returns.append(np.sign(before) * (price[row] / entry - 1.0))
        if begins[row] or (before == 0.0 and held[row] != 0.0):
            entry = price[row]
    own = np.array(returns, dtype=np.float64)
    own = own[np.isfinite(own)]
    return FilledOrders(at, price, after, own, np.full(len(own), np.nan))


def _tool_of(table: Exported) -> str:
    have = set(table.by_plain())
    if {"avg entry price", "avg exit price", "status"} <= have or "entry index" in have:
        return "vectorbt"
    if {"entry bar", "exit bar"} <= have:
        return "backtesting.py"
    if {"open rate", "close rate"} <= have:
        return "freqtrade"
    if {"mae", "mfe", "entry time"} <= have:
        return "QuantConnect"
    return ""


def _series(table: Exported, options: HistoryOptions, span_us: tuple[int, int]) -> History:
    kind, name, returns = _kind_of(table, options)
    time = roles.time_column(table)
    if time == name:
        raise DataError(f"{table.where}: {name!r} holds the times; name the column to judge.")
    keep = table.frame[time].is_not_null().to_numpy()
    values = roles.numbers_of(table, name, gaps=True)
    notes: list[str] = []
    leading = int(np.argmax(np.isfinite(values))) if np.isfinite(values).any() else len(values)
    if leading:  # as rolling windows and shift leave them
        keep[:leading] = False
        notes.append(f"The first {leading:,} row(s) hold no number, and are left out.")
    if not keep.any() or np.isnan(values[keep]).any() or np.isinf(values[keep]).any():
        roles.numbers_of(Exported(table.frame.filter(pl.Series(keep)), table.where), name)
    if not keep.any():
        raise DataError(f"{table.where}: {name!r} holds no number at all.")
    if kind == "forecasts" and _is_probability(name, values[keep]):
        values = values - 0.5
        notes.append(f"{name!r} is read as a probability of rising: above 0.5 is up.")
    horizon, known_name = _horizon_of(table, name, options)
    parts: dict[str, TimedValues | FilledOrders] = {}
    for symbol, rows in _rows_by_symbol(table, keep).items():
        at = _moments(table, time, rows, span_us)
        known = _moments(table, known_name, rows, span_us) if known_name else None
        parts[symbol], own = _ordered(at, values[rows], known, table.where)
        notes += own
    if returns:
        parts = {symbol: _grown(each) for symbol, each in parts.items()}
    if kind == "positions":
        largest = max(float(np.abs(each.values).max()) for each in parts.values())  # type: ignore[union-attr]
        if largest > _UNITS:
            notes.append(
                f"Positions reach {largest:,.6g}, so they are read as numbers of units, and "
                "counted in parts of the largest amount of money held."
            )
    plain = {name: key for key, name in table.by_plain().items()}
    decided = options.times == "moments" or (not options.times and plain.get(time) == "decided at")
    tool = table.tool or ("backtesting.py" if {"drawdown pct", "drawdown duration"} <=
                          set(table.by_plain()) else "")  # fmt: skip
    return History(kind, tool, parts, table.where, decided, horizon, list(dict.fromkeys(notes)),
                   table.reported)  # fmt: skip


def _kind_of(table: Exported, options: HistoryOptions) -> tuple[Kind, str, bool]:
    """What the table holds, in which column, and whether these are returns of an account."""
    own = roles.column_called(table, options.column) if options.column else None
    choices: tuple[tuple[Kind, tuple[str, ...], bool], ...] = (
        ("positions", roles.POSITION, False),
        ("forecasts", roles.FORECAST, False),
        ("equity", roles.EQUITY, False),
        ("equity", roles.RETURNS, True),
    )
    plain = {name: key for key, name in table.by_plain().items()}
    for kind, names, returns in choices:
        if options.kind in ("", kind):
            found = (
                roles.find(table, names)
                if own is None
                else (own if plain.get(own) in names else None)
            )
            if found is not None:
                return kind, found, returns
    signal = own or roles.find(table, roles.SIGNAL) or _only_number(table)
    named = own or _of_horizon(table)
    if options.kind:
        name = own or _only_number(table) or named
        if name is not None:
            return options.kind, name, False  # type: ignore[return-value]
    if named is not None and options.kind in ("", "forecasts") and own is None:
        return "forecasts", named, False
    if signal is not None:
        values = roles.numbers_of(table, signal, gaps=True)
        present = values[np.isfinite(values)]
        if len(present) and np.isin(present, (-1.0, 0.0, 1.0)).all():
            return "positions", signal, False
        if plain.get(signal) in roles.SIGNAL:
            return "forecasts", signal, False
        if len(present) > 2 and _looks_like_money(present):
            return "equity", signal, False
    shown = listed([printable(each) for each in table.frame.columns], 12)
    raise ConfigError(
        f"{table.where} has {shown}, which does not tell what it holds. Say it: --kind forecasts, "
        "positions, trades or equity, and --column NAME for the column; or call the column "
        "forecast, position or equity."
    )


def _only_number(table: Exported) -> str | None:
    """The single column beside the times that holds numbers."""
    time = roles.time_column(table)
    symbol = roles.find(table, roles.SYMBOL)
    found = []
    for name in table.frame.columns:
        column = table.frame[name]
        if name in (time, symbol) or column.dtype.is_nested():
            continue
        text = column.drop_nulls().head(100)
        if len(text) and text.cast(pl.Float64, strict=False).null_count() == 0:
            found.append(name)
    return found[0] if len(found) == 1 else None


def _looks_like_money(values: Floats) -> bool:
    """Positive, and changing little from row to row."""
    steps = np.abs(np.diff(values)) / np.maximum(np.abs(values[:-1]), 1e-300)
    return bool((values > 0.0).all() and np.median(steps) < 0.05 and values[0] >= 0.5)


def _of_horizon(table: Exported) -> str | None:
    """The first column such as return_4h or p_up_1d, as barstack writes forecasts."""
    for plain, name in reversed(table.by_plain().items()):
        words = plain.split()
        names_it = " ".join(words[:-1]) in ("return", "p up", "q50")
        if names_it and _duration(words[-1]):
            return name
    return None


def _duration(word: str) -> bool:
    from barstack.core.horizon import Horizon  # noqa: PLC0415

    try:
        Horizon.parse(word)
    except ConfigError:
        return False
    return True


def _is_probability(name: str, values: Floats) -> bool:
    named = name.lower().startswith(("p_", "p ", "prob"))
    return named and bool((values >= 0.0).all() and (values <= 1.0).all())


def _horizon_of(table: Exported, name: str, options: HistoryOptions) -> tuple[str, str | None]:
    """How far ahead forecasts look, and the column that says when their outcomes are known."""
    if options.horizon:
        return options.horizon, None
    known = roles.find(table, roles.KNOWN)
    if known is not None:
        return "", known
    column = roles.find(table, ("horizon",))
    if column is not None:
        values = table.frame[column].drop_nulls().cast(pl.String).unique().to_list()
        if len(values) > 1:
            raise DataError(
                f"{table.where} holds forecasts of several horizons: {listed(sorted(values), 6)}. "
                "Give those of one."
            )
        return (values[0] if values else ""), None
    last = name.lower().replace("_", " ").split()[-1]
    return (last if last != name.lower() and _duration(last) else ""), None


def _ordered(
    at: Stamps, values: Floats, known: Stamps | None, where: str
) -> tuple[TimedValues, list[str]]:
    """In time order, each time once."""
    notes = []
    if (np.diff(at.at_us) < 0).any():
        notes.append("Rows are not in order of time, and were sorted.")
    order = np.argsort(at.at_us, kind="stable")
    at, values = at.take(order), values[order]
    known = known.take(order) if known else None
    same = np.diff(at.at_us) == 0
    if (same & (np.diff(values) != 0.0)).any():
        row = int(np.argmax(same & (np.diff(values) != 0.0)))
        when = np.datetime64(int(at.at_us[row]), "us").item()
        raise DataError(
            f"{where} has two rows at {when:%Y-%m-%d %H:%M} that differ, {values[row]:g} and "
            f"{values[row + 1]:g}; {int(same.sum()):,} such time(s) in all. Keep one of each, or "
            "name the instruments in a column called symbol."
        )
    if same.any():
        notes.append(f"{int(same.sum()):,} row(s) repeat another, and are left out.")
    first = np.concatenate([[True], ~same])
    return TimedValues(at.take(first), values[first], known.take(first) if known else None), notes


def _grown(part: TimedValues | FilledOrders) -> TimedValues:
    """The value of an account that earns these returns on what it began with."""
    assert isinstance(part, TimedValues)
    if (part.values <= -1.0).any():
        raise DataError(
            "Returns of -100 % or less are no returns of an account. Write fractions, such as 0.01 "
            "for 1 %, or give its value as equity."
        )
    return TimedValues(part.moments, np.cumprod(1.0 + part.values).astype(np.float64), part.known)
