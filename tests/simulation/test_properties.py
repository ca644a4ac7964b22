"""What must hold for any bars, decisions, costs and limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.bars import BAR, Bars
from barstack.simulation import (
    Book,
    Costs,
    Events,
    Fills,
    Instrument,
    Limits,
    Reason,
    Settings,
    Targets,
)

MINUTE = 60_000_000
START = 1_767_600_000_000_000 // MINUTE * MINUTE
KINDS = ("market", "limit", "stop", "close")


def random_bars(rng: np.random.Generator, symbol: str, count: int) -> Bars:
    """Bars with gaps, holes, flat and empty ones, in sessions of 20 minutes."""
    slots = np.sort(rng.choice(2 * count, count, replace=False)) if rng.random() < 0.5 else (
        np.arange(count)
    )  # fmt: skip
    records = np.zeros(count, BAR)
    session = slots // 20
    records["opened_at"] = START + slots * MINUTE + session * 600 * MINUTE
    records["closed_at"] = records["opened_at"] + MINUTE
    records["session"] = session
    records["session_open"] = START + session * 620 * MINUTE
    records["session_close"] = records["session_open"] + 20 * MINUTE
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, count)))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0.0, 0.01, count))
    records["open"], records["close"] = opening, close
    reach = np.abs(rng.normal(0.0, 0.01, (2, count)))
    records["high"] = np.maximum(opening, close) * (1.0 + reach[0])
    records["low"] = np.minimum(opening, close) * (1.0 - reach[1])
    records["volume"] = rng.integers(0, 200, count) * (rng.random(count) > 0.1)
    return Bars(symbol, MINUTE, records)


def random_targets(rng: np.random.Generator, panel: dict[str, Bars], share: float) -> Targets:
    symbols, times, rows = [], [], []
    for symbol, own in panel.items():
        for row in np.flatnonzero(rng.random(len(own)) < share):
            symbols.append(symbol)
            # Some are made within bars or in holes.
            late = int(rng.integers(0, 2 * MINUTE)) if rng.random() < 0.2 else 0
            times.append(own.closed_at[row] + np.timedelta64(late, "us"))
            rows.append(float(own.close[row]))
    count = len(symbols)
    if not count:
        return random_targets(rng, panel, 1.0)

    def some(low: float, high: float) -> np.ndarray:
        return np.where(rng.random(count) < 0.5, rng.uniform(low, high, count), np.nan)

    kinds = rng.choice(KINDS, count, p=[0.6, 0.15, 0.15, 0.1])
    return Targets.of(
        symbols,
        np.asarray(times),
        rng.choice([-1.0, -0.5, 0.0, 0.3, 0.9], count),
        kind=list(kinds),
        price=np.asarray(rows) * rng.uniform(0.98, 1.02, count),
        stop=some(0.001, 0.03),
        take=some(0.001, 0.03),
        trail=some(0.001, 0.03),
        hold_bars=rng.integers(0, 6, count),
        valid_bars=rng.integers(0, 4, count),
    )


def random_settings(rng: np.random.Generator, symbols: list[str], **fixed: Any) -> Settings:
    def maybe(low: float, high: float) -> float | None:
        return float(rng.uniform(low, high)) if rng.random() < 0.4 else None

    costs = Costs(
        commission_bps=float(rng.uniform(0, 5)),
        commission_per_unit=float(rng.choice([0.0, 0.005])),
        commission_least=float(rng.choice([0.0, 1.0])),
        commission_most=maybe(2.0, 5.0),
        spread=str(rng.choice(["fixed", "volatility", "corwin_schultz"])),
        half_spread_bps=float(rng.uniform(0, 5)),
        slippage_bps=float(rng.uniform(0, 5)),
        impact=float(rng.choice([0.0, 1.0])),
        volume_share=maybe(0.05, 1.0),
        borrow=float(rng.choice([0.0, 0.05])),
        financing=float(rng.choice([0.0, 0.03])),
        margin_interest=float(rng.choice([0.0, 0.1])),
        latency_ms=float(rng.choice([0.0, 200.0, 30_000.0])),
        latency_sigma=float(rng.choice([0.0, 0.5])),
    )
    limits = Limits(
        max_position=maybe(0.1, 1.0),
        max_gross=maybe(0.2, 1.5),
        max_net=maybe(0.1, 1.0),
        max_sector=maybe(0.2, 1.0),
        max_leverage=maybe(1.0, 2.0),
        max_order=maybe(0.1, 1.0),
        max_turnover=maybe(0.5, 5.0),
        collar=maybe(0.005, 0.05),
        max_daily_loss=maybe(0.01, 0.2),
        max_drawdown=maybe(0.05, 0.3),
        allow_short=bool(rng.random() < 0.8),
        cut=bool(rng.random() < 0.8),
    )
    instruments = {
        symbol: Instrument(
            lot=float(rng.choice([0.0, 1.0])),
            tick=float(rng.choice([0.0, 0.01])),
            multiplier=float(rng.choice([1.0, 5.0])),
            sector=str(rng.choice(["one", "other"])),
        )
        for symbol in symbols
    }
    fills = Fills(
        limits=str(rng.choice(["touched", "through"])),
        entry_bar=str(rng.choice(["proven", "none"])),
        flat_at_session_end=bool(rng.random() < 0.3),
        day_orders=bool(rng.random() < 0.3),
    )
    given: dict[str, Any] = {"costs": costs, "limits": limits, "fills": fills}
    return Settings(**{"instruments": instruments, **given, **fixed})


def scene(seed: int, **fixed: Any) -> tuple[dict[str, Bars], Targets, Settings, Events]:
    rng = np.random.default_rng(seed)
    symbols = ["A", "B", "C"][: int(rng.integers(1, 4))]
    panel = {symbol: random_bars(rng, symbol, int(rng.integers(5, 60))) for symbol in symbols}
    targets = random_targets(rng, panel, float(rng.uniform(0.05, 0.8)))
    events = []
    for symbol, own in panel.items():
        if rng.random() < 0.3:
            at = own.opened_at[int(rng.integers(0, len(own)))]
            kind = str(rng.choice(["split", "dividend", "funding"]))
            events.append((symbol, at, kind, 2.0 if kind == "split" else 0.01))
    return panel, targets, random_settings(rng, symbols, **fixed), Events.of(events)


_COLUMNS = ("position", "kind", "price", "stop", "take", "trail", "hold_bars", "valid_bars")
SEEDS = st.integers(0, 2**32 - 1)


def run(panel: dict[str, Bars], targets: Targets, given: Settings, events: Events) -> Book:
    book = Book(list(panel), given)
    book.advance(panel, targets, events=events)
    return book


@settings(max_examples=300, deadline=None)
@given(SEEDS)
def test_cash_and_positions_reconcile(seed: int) -> None:
    """From the record alone: cash after each fill, the last position, and all costs."""
    panel, targets, given_, _ = scene(seed)
    free = given_.costs.model_copy(update={"borrow": 0.0, "financing": 0.0, "margin_interest": 0.0})
    book = run(panel, targets, given_.model_copy(update={"costs": free}), Events.of([]))
    multiplier = np.array([given_.instruments[symbol].multiplier for symbol in book.symbols])
    cash = given_.capital
    held = np.zeros(len(book.symbols))
    for fill in book.fills:
        code = fill["symbol"]
        cost = fill["commission"] + fill["spread"] + fill["slippage"] + fill["impact"]
        cash -= fill["quantity"] * fill["price"] * multiplier[code] + cost
        held[code] += fill["quantity"]
        assert math.isclose(cash, fill["cash"], abs_tol=0.005)
        assert math.isclose(held[code], fill["position"], abs_tol=1e-9)
    assert math.isclose(cash, book.cash, abs_tol=0.005)
    assert np.allclose(held, list(book.quantities.values()), atol=1e-9)
    marks = np.array([last_traded(panel[symbol]) for symbol in book.symbols])
    assert math.isclose(book.cash + (held * marks * multiplier).sum(), book.equity, abs_tol=0.005)
    closed = book.trades["gross"].sum() - book.trades["cost"].sum()
    if not held.any():
        assert math.isclose(given_.capital + closed, book.equity, abs_tol=0.005)


def last_traded(own: Bars) -> float:
    """Close of the last bar that traded; a volume of 0 is empty once there has been any."""
    volume = own.records["volume"]
    seen = np.concatenate([[False], np.cumsum(volume)[:-1] > 0.0])
    return float(own.close[np.flatnonzero((volume > 0.0) | ~seen)[-1]])


@settings(max_examples=300, deadline=None)
@given(SEEDS)
def test_no_fill_before_its_decision_and_every_price_was_there(seed: int) -> None:
    panel, targets, given_, events = scene(seed)
    book = run(panel, targets, given_, events)
    decided = set(
        zip(targets.decisions.symbol, targets.decisions.decided_at.astype("i8"), strict=True)
    )
    for fill in book.fills:
        symbol = book.symbols[fill["symbol"]]
        bar = panel[symbol].records[fill["row"]]
        assert bar["opened_at"] <= fill["at"] <= bar["closed_at"]
        assert bar["low"] - 0.01 <= fill["price"] <= bar["high"] + 0.01  # up to a tick
        if fill["reason"] == Reason.ORDER:
            assert fill["at"] >= fill["decided_at"]
            forced = (book.log["reason"] == Reason.LEVERAGE) & (
                book.log["decided_at"] == fill["decided_at"]
            )
            assert (symbol, fill["decided_at"]) in decided or forced.any()


@settings(max_examples=300, deadline=None)
@given(SEEDS)
def test_limits_are_never_exceeded_by_a_fill(seed: int) -> None:
    """Replayed from the record: whatever increases a position stays within every limit."""
    panel, targets, given_, _ = scene(seed)
    book = run(panel, targets, given_, Events.of([]))
    limits, multiplier = (
        given_.limits,
        [given_.instruments[symbol].multiplier for symbol in book.symbols],
    )
    for fill in book.fills:
        code, price = fill["symbol"], fill["price"]
        each = price * multiplier[code]
        before = fill["position"] - fill["quantity"]
        cost = fill["commission"] + fill["spread"] + fill["slippage"] + fill["impact"]
        equity = fill["equity"] + cost
        if abs(fill["position"]) <= abs(before) and before * fill["position"] >= 0:
            continue
        slack = 1.0 + 1e-9
        if limits.max_position is not None:
            assert abs(fill["position"]) * each <= limits.max_position * equity * slack
        if limits.max_gross is not None:
            assert fill["gross"] <= limits.max_gross * equity * slack
        if limits.max_net is not None:
            side = 1.0 if fill["position"] > 0 else -1.0
            assert side * fill["net"] <= limits.max_net * equity * slack
        if limits.max_sector is not None and len(panel) == 1:
            assert fill["gross"] <= limits.max_sector * equity * slack
        if limits.max_order is not None and before * fill["position"] >= 0:
            assert abs(fill["quantity"]) * each <= limits.max_order * equity * slack
        if not limits.allow_short:
            assert fill["position"] >= 0
    if not limits.allow_short:
        assert (book.fills["position"] >= 0.0).all()


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.integers(1, 7))
def test_chunks_and_restores_change_nothing(seed: int, size: int) -> None:
    panel, targets, given_, events = scene(seed)
    whole = run(panel, targets, given_, events)
    book = Book(list(panel), given_)
    closes = np.unique(np.concatenate([own.closed_at for own in panel.values()]))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("fills", "log", "trades", "curve")}
    for place in range(0, len(closes), size):
        first, last = closes[place], closes[min(place + size, len(closes)) - 1]
        again = Book(list(panel), given_)
        again.restore(book.snapshot())
        book = again
        chunk = {
            symbol: own[int(np.searchsorted(own.closed_at, first)) :
                        int(np.searchsorted(own.closed_at, last, side="right"))]
            for symbol, own in panel.items()
        }  # fmt: skip
        # All decisions come with the first chunk, and wait; or with their own.
        due = targets if place == 0 and seed % 2 else None
        if seed % 2 == 0:
            own_times = targets.decisions.decided_at
            since = closes[place - 1] if place else own_times.min() - np.timedelta64(1, "us")
            until = last if place + size < len(closes) else own_times.max() + np.timedelta64(1, "s")
            due = taken(targets, (own_times > since) & (own_times <= until))
        book.advance(chunk, due, events=events if place == 0 else None)
        for name, rows in parts.items():
            rows.append(getattr(book, name))
    for name, rows in parts.items():
        assert np.concatenate(rows).tobytes() == getattr(whole, name).tobytes(), name


def taken(targets: Targets, which: np.ndarray) -> Targets | None:
    (rows,) = np.nonzero(which)
    if not len(rows):
        return None
    columns = (getattr(targets, name)[rows] for name in _COLUMNS)
    return Targets(targets.decisions.take(rows), *columns)


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_no_costs_are_at_least_as_good(seed: int) -> None:
    """For the same fills: positions in units, and no limits that costs could make bind."""
    rng = np.random.default_rng(seed)
    panel, targets, given_, events = scene(
        seed, limits=Limits(), unit="units", capital=float(rng.uniform(1e3, 1e6))
    )
    free = given_.costs.scaled(0.0)
    dear = run(panel, targets, given_, events)
    cheap = run(panel, targets, given_.model_copy(update={"costs": free}), events)
    assert len(cheap.fills) == len(dear.fills)
    assert cheap.equity >= dear.equity - 1e-6
    # At every close, not only at the end.
    assert (cheap.curve["equity"] >= dear.curve["equity"] - 1e-6).all()


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_the_same_twice(seed: int) -> None:
    one, other = run(*scene(seed)), run(*scene(seed))
    assert one.snapshot() == other.snapshot()
    assert one.fills.tobytes() == other.fills.tobytes()


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_later_bars_change_nothing_before(seed: int) -> None:
    """Cut off the future: fills and equity up to then stay the same to the bit."""
    panel, targets, given_, events = scene(seed)
    whole = run(panel, targets, given_, events)
    closes = np.unique(np.concatenate([own.closed_at for own in panel.values()]))
    now = closes[len(closes) // 2]
    book = Book(list(panel), given_)
    past = {
        symbol: own[: int(np.searchsorted(own.closed_at, now, side="right"))]
        for symbol, own in panel.items()
    }
    book.advance(past, targets, events=events)
    count = len(book.curve)
    assert book.curve.tobytes() == whole.curve[:count].tobytes()
    assert book.fills.tobytes() == whole.fills[: len(book.fills)].tobytes()


def test_a_snapshot_of_another_book_is_refused() -> None:
    from barstack.core.errors import StorageError  # noqa: PLC0415

    book = Book(["A"], Settings())
    with pytest.raises(StorageError, match="other symbols"):
        Book(["B"], Settings()).restore(book.snapshot())
    with pytest.raises(StorageError, match="cannot be read"):
        book.restore(b"nothing")
    damaged = bytearray(book.snapshot())
    del damaged[len(damaged) // 2 :]
    with pytest.raises(StorageError):
        book.restore(bytes(damaged))
