"""The book: cash, positions and working orders of one account, moved on by bars and decisions."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from barstack.bars import BAR, Bars, Panel, as_panel
from barstack.core.arrays import Array, Ints
from barstack.core.errors import DataError, StorageError
from barstack.core.spec import content_id
from barstack.core.times import iso

from . import _kernel
from ._records import ACCOUNT, CURVE, DECISION, EVENT, FILL, LOG, POSITION, TRADE
from ._settings import Settings, settings_from
from ._targets import Events, Halts, Targets

_FORMAT = 1
_OUTPUTS = {"fills": FILL, "log": LOG, "trades": TRADE}
_LEAST_ROOM = 256


class Book:
    """An account that bars and decisions move on, by any number of bars at a time.

    History in one call, in chunks, or bar by bar as they come give the same to the bit. Between two
    calls `snapshot` holds everything that the next one needs.

    Parameters
    ----------
    symbols
        All that will ever be traded.
    settings
        What is assumed.

    Attributes
    ----------
    fills, log, trades, curve
        Arrays of `FILL`, `LOG`, `TRADE` and `CURVE` of all that has happened since this object was
        made or restored.

    >>> from barstack.testing import walk
    >>> bars = walk(bars=4)
    >>> book = Book(["WALK"], Settings(unit="units"))
    >>> book.advance(bars[:2], Targets.of("WALK", bars.closed_at[0], 10.0))
    >>> book.quantities
    {'WALK': 10.0}
    >>> again = Book(["WALK"], Settings(unit="units"))
    >>> again.restore(book.snapshot())
    >>> again.advance(bars[2:]); book.advance(bars[2:])
    >>> again.equity == book.equity
    True
    """

    def __init__(
        self, symbols: Sequence[str], settings: Settings | Mapping[str, Any] | None = None
    ) -> None:
        self.settings = settings_from(settings)
        self.symbols = tuple(sorted(symbols))
        self._terms = self.settings.terms()
        self._instruments = self.settings.instruments_of(self.symbols)
        self._account = np.zeros(1, ACCOUNT)
        self._account["session"] = -(2**62)
        for name in ("cash", "equity", "peak", "day_start"):
            self._account[name] = self.settings.capital
        self._book = np.zeros(len(self.symbols), POSITION)
        nothing = ("mark", "stop", "take", "trail", "best", "previous_close", "notional_mark")
        for name in (*nothing, "previous_high", "previous_low", "order_mark", "order_price"):
            self._book[name] = np.nan
        self._waiting = {"decisions": np.zeros(0, DECISION), "events": np.zeros(0, EVENT)}
        self._rows = np.zeros(len(self.symbols), np.int64)  # bars of each symbol so far
        self._parts: dict[str, list[Array]] = {
            name: [] for name in ("fills", "log", "trades", "curve")
        }

    @property
    def equity(self) -> float:
        """Cash and positions at their last marks."""
        return float(self._account["equity"][0])

    @property
    def cash(self) -> float:
        """Money that is not in positions; negative where borrowed, or where shorts were sold."""
        return float(self._account["cash"][0])

    @property
    def quantities(self) -> dict[str, float]:
        """Units held by symbol; negative is short."""
        return dict(zip(self.symbols, self._book["quantity"].tolist(), strict=True))

    @property
    def working(self) -> dict[str, float]:
        """Position that each working order leads to, by symbol."""
        return {
            symbol: float(own["order_target"])
            for symbol, own in zip(self.symbols, self._book, strict=True)
            if own["order_kind"]
        }

    @property
    def killed(self) -> bool:
        """Whether a loss limit has closed everything and forbids new positions."""
        return bool(self._account["killed"][0])

    @property
    def totals(self) -> dict[str, float]:
        """Sums since the start: each cost, dividends, funding, and the value traded."""
        names = ("commission", "spread", "slippage", "impact", "carry", "funding", "dividends")
        return {name: float(self._account[name][0]) for name in (*names, "turnover")}

    @property
    def counts(self) -> dict[str, int]:
        """Bars so far, and those in which a position or order met no trading."""
        return {name: int(self._account[name][0]) for name in ("n_bars", "n_untraded")}

    @property
    def fills(self) -> Array:
        return self._output("fills", FILL)

    @property
    def log(self) -> Array:
        return self._output("log", LOG)

    @property
    def trades(self) -> Array:
        return self._output("trades", TRADE)

    @property
    def curve(self) -> Array:
        return self._output("curve", CURVE)

    def _output(self, name: str, dtype: np.dtype[np.void]) -> Array:
        parts = self._parts[name]
        if len(parts) > 1:
            self._parts[name] = parts = [np.concatenate(parts)]
        return parts[0] if parts else np.zeros(0, dtype)

    def advance(
        self,
        bars: Bars | Panel,
        targets: Targets | None = None,
        *,
        events: Events | None = None,
        halted: Halts | None = None,
    ) -> None:
        """Move on by these bars, and act on decisions and events as their time comes.

        Parameters
        ----------
        bars
            The next bars of any of the symbols, later than all so far.
        targets
            Decisions; those made after the last of these bars wait for the next call.
        events
            Splits, dividends and funding; likewise.
        halted
            By symbol, (n_bars,) whether trading was suspended in each of these bars.

        Raises
        ------
        DataError
            For bars that are not later, decisions from before bars that were processed already, or
            symbols of which the book does not know.
        """
        panel = {symbol: own for symbol, own in as_panel(bars).items() if len(own)}
        self._check_bars(panel)
        code_of = {symbol: code for code, symbol in enumerate(self.symbols)}
        codes = [code_of[symbol] for symbol in panel]
        records = [own.records for own in panel.values()]
        lengths = np.zeros(len(self.symbols), np.int64)
        lengths[codes] = [len(each) for each in records]
        table = records[0] if len(records) == 1 else np.concatenate([np.zeros(0, BAR), *records])
        table.flags.writeable = False  # as those of `Bars` are: one type, so compiled once
        rows, row_ends = _ranges(lengths)
        decisions = self._with_waiting("decisions", "decided_at", self._new(targets))
        new_events = None if events is None else events.records(self.symbols)
        happening = self._with_waiting("events", "at", new_events)
        heads, head_ends = self._heads(decisions)
        event_heads, event_ends = self._heads(happening)
        counts = np.zeros(3, np.int64)
        n_groups = _number_of_groups(records)
        curve = np.zeros(n_groups, CURVE)
        outputs = {
            name: np.zeros(self._room(len(decisions)), dtype) for name, dtype in _OUTPUTS.items()
        }
        scratch = np.zeros(len(self.symbols), np.int64)
        point = 0
        self._book["row_base"] = self._rows - rows  # bars are numbered from each symbol's first
        suspended = _halted(panel, halted)
        while point < n_groups:
            point = _kernel.advance(
                self._account[0],
                self._book,
                self._instruments,
                self._terms[0],
                table,
                suspended,
                rows,
                row_ends,
                decisions,
                heads,
                head_ends,
                happening,
                event_heads,
                event_ends,
                scratch,
                *outputs.values(),
                curve,
                counts,
                point,
            )
            if point < n_groups:
                outputs = {
                    name: np.concatenate([each, np.zeros_like(each)])
                    for name, each in outputs.items()
                }
        for (name, each), count in zip(outputs.items(), counts, strict=True):
            if count:
                self._parts[name].append(each[:count].copy())
        self._parts["curve"].append(curve)
        self._rows += lengths
        self._waiting["decisions"] = _unused(decisions, heads, head_ends)
        self._waiting["events"] = _unused(happening, event_heads, event_ends)

    def close(self) -> None:
        """Leave every position at its last mark, with costs, and drop all working orders."""
        n_symbols = len(self.symbols)
        outputs = {name: np.zeros(2 * n_symbols + 2, dtype) for name, dtype in _OUTPUTS.items()}
        counts = np.zeros(3, np.int64)
        _kernel.close_all(
            self._account[0],
            self._book,
            self._instruments,
            self._terms[0],
            *outputs.values(),
            counts,
        )
        for (name, each), count in zip(outputs.items(), counts, strict=True):
            if count:
                self._parts[name].append(each[:count])
        curve = self.curve
        if len(curve):
            last = curve[-1]
            last["equity"] = last["cash"] = self.equity
            last["net"] = last["gross"] = 0.0
            totals = self.totals
            last["costs"] = sum(
                totals[name]
                for name in ("commission", "spread", "slippage", "impact", "carry", "funding")
            )

    def snapshot(self) -> bytes:
        """Everything that the next bars need, as plain arrays in one file."""
        file = io.BytesIO()
        np.savez(
            file,
            allow_pickle=False,
            about=np.frombuffer(self._about().encode(), np.uint8),
            account=_plain(self._account),
            book=_plain(self._book),
            decisions=_plain(self._waiting["decisions"]),
            events=_plain(self._waiting["events"]),
            rows=self._rows,
        )
        return file.getvalue()

    def restore(self, snapshot: bytes) -> None:
        """Continue from a snapshot of a book with the same symbols and settings.

        Raises
        ------
        StorageError
            If it is damaged, or of a book with others.
        """
        try:
            with np.load(io.BytesIO(snapshot), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            about = arrays["about"].tobytes().decode()
            account, book = _typed(arrays["account"], ACCOUNT), _typed(arrays["book"], POSITION)
            waiting = {
                "decisions": _typed(arrays["decisions"], DECISION),
                "events": _typed(arrays["events"], EVENT),
            }
            rows = arrays["rows"].astype(np.int64)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StorageError(f"The snapshot of a book cannot be read: {error}.") from None
        if about != self._about() or len(book) != len(self.symbols) or len(account) != 1:
            raise StorageError(
                "The snapshot is of a book with other symbols, settings or version. Restore it "
                "into a book made with the same."
            )
        self._account, self._book, self._waiting, self._rows = account, book, waiting, rows
        self._parts = {name: [] for name in self._parts}

    def _about(self) -> str:
        return content_id([_FORMAT, self.settings.id, list(self.symbols), POSITION.itemsize])

    def _check_bars(self, panel: Panel) -> None:
        unknown = sorted(set(panel) - set(self.symbols))
        if unknown:
            raise DataError(
                f"There are bars of {', '.join(unknown[:5])}, which this book does not trade. It "
                f"trades {', '.join(self.symbols[:5])}."
            )
        now = int(self._account["time"][0])
        for symbol, own in panel.items():
            if now and int(own.records["closed_at"][0]) <= now:
                raise DataError(
                    f"The first bar of {symbol} closed at {iso(own.closed_at[0])}, and the book "
                    f"has reached {iso(np.int64(now))}. Give later bars."
                )

    def _new(self, targets: Targets | None) -> Array | None:
        if targets is None:
            return None
        if self.settings.fills.constant_notional:
            for name in ("stop", "take", "trail"):
                if np.isfinite(getattr(targets, name)).any():
                    raise DataError(
                        f"Positions of constant value have no entry price for a {name}. Leave "
                        "fills.constant_notional out."
                    )
        records = targets.records(self.symbols, self.settings.costs)
        now = int(self._account["time"][0])
        late = records["decided_at"] < now
        if now and late.any():
            row = records[int(np.argmax(late))]
            raise DataError(
                f"A decision on {self.symbols[row['symbol']]} was made at "
                f"{iso(row['decided_at'])}, and the book has reached {iso(np.int64(now))}. Hand "
                "in decisions with the bars at whose close they were made."
            )
        return records

    def _with_waiting(self, name: str, time: str, new: Array | None) -> Array:
        waiting = self._waiting[name]
        if new is None or not len(waiting):
            return waiting if new is None else new
        both = np.concatenate([waiting, new])
        return both[np.lexsort((both[time], both["symbol"]))]

    def _heads(self, table: Array) -> tuple[Ints, Ints]:
        return _ranges(np.bincount(table["symbol"], minlength=len(self.symbols)).astype(np.int64))

    def _room(self, n_decisions: int) -> int:
        """Of outputs at first; they double where it is not enough."""
        return max(_LEAST_ROOM, 2 * n_decisions + 1) + _kernel.OUTPUTS_EACH * len(self.symbols)


def _ranges(lengths: Ints) -> tuple[Ints, Ints]:
    ends = np.cumsum(lengths)
    return ends - lengths, ends


def _number_of_groups(records: list[Array]) -> int:
    """Distinct closes."""
    if not records:
        return 0
    closes = [each["closed_at"] for each in records]
    first = closes[0]
    if all(each is first or np.array_equal(each, first) for each in closes[1:]):
        return len(first)
    return len(np.unique(np.concatenate(closes)))


def _halted(panel: Panel, halted: Halts | None) -> Array:
    if not halted:
        return np.zeros(0, np.bool_)
    parts = []
    for symbol, own in panel.items():
        flags = np.asarray(halted.get(symbol, np.zeros(len(own))), np.bool_)
        if flags.shape != (len(own),):
            raise DataError(
                f"halted has shape {flags.shape} for {len(own)} bars of {symbol}. Give one flag "
                "for each bar."
            )
        parts.append(flags)
    return np.concatenate(parts)


def _unused(table: Array, heads: Ints, ends: Ints) -> Array:
    left = np.zeros(len(table), np.bool_)
    for head, end in zip(heads, ends, strict=True):
        left[head:end] = True
    return table[left]


def _plain(records: Array) -> Array:
    """The same bytes as whole numbers, which a file keeps without a type of its own."""
    return (
        np.ascontiguousarray(records)
        .view(np.int64)
        .reshape(len(records), records.dtype.itemsize // 8)
    )


def _typed(plain: Array, dtype: np.dtype[np.void]) -> Array:
    if plain.dtype != np.int64 or plain.ndim != 2 or plain.shape[1] * 8 != dtype.itemsize:
        raise ValueError(f"an array has shape {plain.shape}")
    return np.ascontiguousarray(plain).view(dtype).reshape(len(plain)).copy()
