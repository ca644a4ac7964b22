"""Decisions as the book takes them: the position to hold, the order to get there, its guards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike

from barstack.core.arrays import Array, Floats, Ints
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DecidedAt, iso, microseconds

from ._records import DECISION, EVENT, EventKind, OrderKind
from ._settings import Costs

_LEVELS = ("price", "stop", "take", "trail")


@dataclass(frozen=True, eq=False)
class Targets:
    """Positions to hold, one row for each decision.

    Attributes
    ----------
    decisions
        When each was made, and for which symbol.
    position
        (n_rows,) to hold from then on, in the unit of `Settings`; negative is short.
    kind
        (n_rows,) of `OrderKind`.
    price
        (n_rows,) of limit and stop orders; NaN elsewhere.
    stop, take, trail
        (n_rows,) where the position is left at a loss, at a gain, and behind its best price:
        fractions of the entry price, or prices (`Fills.levels`); NaN for none.
    hold_bars
        (n_rows,) bars after which it is left at the close, the entry bar included; 0 for none.
    valid_bars
        (n_rows,) bars after which an order that has not filled expires; 0 for never.

    >>> days = np.datetime64("2026-01-05T21:00", "us") + np.arange(2) * np.timedelta64(1, "D")
    >>> targets = Targets.of("SPY", days, [1.0, 0.0], stop=0.02)
    >>> len(targets), targets.stop.tolist()
    (2, [0.02, 0.02])
    """

    decisions: Decisions
    position: Floats
    kind: Ints
    price: Floats
    stop: Floats
    take: Floats
    trail: Floats
    hold_bars: Ints
    valid_bars: Ints

    def __len__(self) -> int:
        return len(self.decisions)

    def __repr__(self) -> str:
        return f"Targets({len(self):,} decisions on {', '.join(self.decisions.symbols[:5])})"

    @classmethod
    def of(
        cls,
        symbol: str | ArrayLike,
        decided_at: ArrayLike,
        position: ArrayLike,
        *,
        kind: str | Sequence[str] = "market",
        price: ArrayLike = np.nan,
        stop: ArrayLike = np.nan,
        take: ArrayLike = np.nan,
        trail: ArrayLike = np.nan,
        hold_bars: ArrayLike = 0,
        valid_bars: ArrayLike = 0,
    ) -> Targets:
        """From columns, each (n_rows,) or one value for all; rows in any order.

        kind  "market", "limit", "stop" or "close"
        """
        times = np.atleast_1d(np.asarray(decided_at, "datetime64[us]"))
        symbols = np.broadcast_to(np.asarray(symbol), times.shape)
        decisions, order = Decisions.of(DecidedAt(times), symbols)

        def column(values: ArrayLike, dtype: str) -> Array:
            return np.broadcast_to(np.asarray(values, dtype), times.shape)[order]

        return cls(
            decisions,
            column(position, "f8"),
            np.broadcast_to(_kinds(kind), times.shape)[order],
            *(column(each, "f8") for each in (price, stop, take, trail)),
            *(column(each, "i8") for each in (hold_bars, valid_bars)),
        )

    def __post_init__(self) -> None:
        for name in ("position", "kind", *_LEVELS, "hold_bars", "valid_bars"):
            shape = getattr(self, name).shape
            if shape != (len(self),):
                raise DataError(f"{name} has shape {shape} for {len(self)} decisions.")
        self._check(~np.isfinite(self.position), "position", "not finite")
        priced = (self.kind == OrderKind.LIMIT) | (self.kind == OrderKind.STOP)
        self._check(priced & ~(self.price > 0.0), "price", "no price for a limit or stop order")
        for name in ("stop", "take", "trail"):
            self._check(getattr(self, name) <= 0.0, name, "not above 0")
        for name in ("hold_bars", "valid_bars"):
            self._check(getattr(self, name) < 0, name, "negative")

    def _check(self, wrong: Array, name: str, what: str) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"{name} of the decision on {self.decisions.symbol[row]} at "
                f"{iso(self.decisions.decided_at[row])} is {getattr(self, name)[row]}: {what}."
            )

    def records(self, symbols: Sequence[str], costs: Costs) -> Array:
        """(n_rows,) of `DECISION`, by symbol in the order of `symbols`, then time."""
        place = {symbol: code for code, symbol in enumerate(symbols)}
        unknown = sorted(set(self.decisions.symbols) - set(place))
        if unknown:
            raise DataError(
                f"There are decisions on {', '.join(unknown[:5])} and no bars of it. There are "
                f"bars of {', '.join(list(symbols)[:5])}."
            )
        found = np.zeros(len(self), DECISION)
        found["target"] = self.position
        for name in (*_LEVELS, "kind", "hold_bars", "valid_bars"):
            found[name] = getattr(self, name)
        found["decided_at"] = microseconds(self.decisions.decided_at)
        own = [place[symbol] for symbol in self.decisions.symbols]
        found["symbol"] = np.asarray(own, np.int64)[self.decisions.symbol_code] if own else 0
        found["arrives_at"] = found["decided_at"] + latencies_us(self.decisions, costs)
        if (np.diff(found["symbol"]) < 0).any():
            found = found[np.argsort(found["symbol"], kind="stable")]
        return found


def _kinds(kind: str | Sequence[str]) -> Ints:
    names = [kind] if isinstance(kind, str) else kind
    known = {each.name.lower(): int(each) for each in OrderKind if each}
    for name in names:
        if name not in known:
            raise ConfigError(f"{name!r} is no kind of order. Choose from {', '.join(known)}.")
    return np.asarray([known[name] for name in names], np.int64)


def latencies_us(decisions: Decisions, costs: Costs) -> Ints:
    """(n_rows,) microseconds from each decision to the order's arrival.

    Log-normal about the median. Each is a function of the decision's time and symbol alone, so that
    it does not depend on the other decisions, on chunks or on workers.

    >>> hour = np.array(["2026-01-05T15:00"], "M8[us]")
    >>> decisions = Decisions.concatenate({"A": hour})
    >>> latencies_us(decisions, Costs(latency_ms=200)).tolist()
    [200000]
    """
    median = costs.latency_ms * 1000.0
    if costs.latency_sigma == 0.0 or median == 0.0:
        return np.full(len(decisions), round(median), np.int64)
    from scipy.special import ndtri  # noqa: PLC0415 (slow to import, and seldom needed)

    salts = np.asarray([crc32(symbol.encode()) for symbol in decisions.symbols], np.uint64)
    bits = microseconds(decisions.decided_at).astype(np.uint64)
    bits = _mixed(bits ^ (salts[decisions.symbol_code] << np.uint64(20)))
    uniform = ((bits >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53
    return np.rint(median * np.exp(costs.latency_sigma * ndtri(uniform))).astype(np.int64)


def _mixed(bits: Array) -> Array:
    """SplitMix64: Steele, Lea and Flood (2014)."""
    with np.errstate(over="ignore"):
        bits = bits + np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = bits ^ (bits >> np.uint64(31))
    return mixed


@dataclass(frozen=True, eq=False)
class Events:
    """Splits, dividends and payments of funding, which change what a holder has.

    Attributes
    ----------
    rows
        (symbol, time, kind, value): the new units for each old one of a "split", money for each
        unit of a "dividend", and the rate of "funding" that longs pay to shorts.

    Each happens before the first bar that opens at its time or later, to whoever holds the position
    then. A split's and dividend's time is the open of its first day; bars must be unadjusted.

    >>> len(Events.of([("AAPL", "2020-08-31T13:30", "split", 4.0)]))
    1
    """

    rows: tuple[tuple[str, int, int, float], ...]

    @classmethod
    def of(cls, rows: Sequence[tuple[str, Any, str, float]]) -> Events:
        """From tuples of symbol, time, kind and value."""
        known = {each.name.lower(): int(each) for each in EventKind}
        found = []
        for symbol, time, kind, value in rows:
            if kind not in known:
                raise ConfigError(f"{kind!r} is no event. Choose from {', '.join(known)}.")
            if kind == "split" and not value > 0.0:
                raise DataError(f"A split of {symbol} into {value:g} is none. Give more than 0.")
            at = int(np.datetime64(time, "us").astype(np.int64))
            found.append((symbol, at, known[kind], float(value)))
        return cls(tuple(found))

    def __len__(self) -> int:
        return len(self.rows)

    def records(self, symbols: Sequence[str]) -> Array:
        """(n_rows,) of `EVENT`, by symbol, then time; those of other symbols are left out."""
        place = {symbol: code for code, symbol in enumerate(symbols)}
        rows = sorted(
            (place[symbol], at, kind, value)
            for symbol, at, kind, value in self.rows
            if symbol in place
        )
        found = np.zeros(len(rows), EVENT)
        for row, (code, at, kind, value) in enumerate(rows):
            found[row]["symbol"], found[row]["at"] = code, at
            found[row]["kind"], found[row]["value"] = kind, value
        return found


Halts = Mapping[str, Array]  # by symbol, (n_bars,) whether trading was suspended
