"""What a history earns, bar by bar: from positions, fills, forecasts or the value of an account."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Floats, Ints
from barstack.core.errors import DataError
from barstack.core.horizon import Horizon
from barstack.core.times import Times
from barstack.portfolio import Holdings, unit_positions

from .._profit import Profit, timing_of
from ._clock import BarClock, fill_rows, shift_of
from ._formats import _UNITS
from ._history import FilledOrders, History, TimedValues

_OUTSIDE = 0.2  # of the fills: beyond, the prices are of other bars and are not used


@dataclass(frozen=True, eq=False)
class Account:
    """One symbol's history on its bars.

    Attributes
    ----------
    rows
        (n_held,) bars over which something could be held, one after the other.
    profit
        Over these bars; costs are those of one basis point a unit.
    held
        (n_bars,) position decided at the close of each bar, NaN outside the history.
    inside_bar
        (n_held,) of `profit.gross`, what is earned between a fill and the close of its bar.
    fills_off
        Share of fills at prices that their bars never traded at.
    decided
        (n_rows,) bars at whose close forecasts are made; empty for all else.
    forecast, outcome
        (n_rows,) forecasts and returns until their outcomes.
    overlap
        Bars that one forecast looks ahead, at the median.
    own_costs
        Whether what was paid is in the figures already.
    notes
        How times and prices were read.
    """

    rows: Ints
    profit: Profit
    held: Floats
    inside_bar: Floats
    fills_off: float = 0.0
    decided: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    forecast: Floats = field(default_factory=lambda: np.zeros(0))
    outcome: Floats = field(default_factory=lambda: np.zeros(0))
    overlap: int = 1
    own_costs: bool = False
    notes: list[str] = field(default_factory=list)


def account_of(history: History, part: TimedValues | FilledOrders, clock: BarClock) -> Account:
    """A symbol's history on its bars; `DataError` where they do not belong together."""
    if isinstance(part, FilledOrders):
        return _of_fills(part, clock, history.where)
    shift, note = (0, "") if history.decided else shift_of(clock, part.moments, history.where)
    rows = clock.decided(part.moments) if history.decided else clock.named(part.moments, shift)
    keep = (rows >= 0) & (rows < len(clock.bars))
    notes = [note] if note else []
    if not keep.all():
        notes.append(
            f"{int((~keep).sum()):,} row(s) lie before the first bar or after the last one."
        )
    rows, values = rows[keep], part.values[keep]
    if len(rows) < 2:
        raise DataError(
            f"{history.where} has {len(rows)} row(s) on the bars of {clock.bars.symbol}. Give "
            "more, or the bars that it was made on."
        )
    if history.kind == "equity":
        return _of_equity(rows, values, clock.bars, notes)
    # Of several rows within one bar the last one is in force at its close.
    last = np.concatenate([rows[1:] != rows[:-1], [True]])
    if not last.all():
        notes.append(f"{int((~last).sum()):,} row(s) are followed by another within the same bar.")
    if history.kind == "positions":
        return _of_positions(rows[last], values[last], clock.bars, notes)
    known = part.known.take(keep).take(last) if part.known else None
    ends = None if known is None else np.searchsorted(
        clock.bars.records["closed_at"], clock.utc(known) + shift, side="right"
    ) - 1  # fmt: skip
    return _of_forecasts(rows[last], values[last], ends, history.horizon, clock.bars, notes)


def _returns(bars: Bars) -> Floats:
    """(n_bars,) from the close before; 0 for the first bar."""
    return np.concatenate([[0.0], np.diff(bars.close) / bars.close[:-1]])


def _filled(rows: Ints, values: Floats, n_bars: int) -> Floats:
    """(n_bars,) the latest value at each bar, NaN before the first and after the last one."""
    found = np.full(n_bars, np.nan)
    place = np.searchsorted(rows, np.arange(rows[0], rows[-1] + 1), side="right") - 1
    found[rows[0] : rows[-1] + 1] = values[place]
    return found


def _of_positions(rows: Ints, values: Floats, bars: Bars, notes: list[str]) -> Account:
    held = _filled(rows, values, len(bars))
    if np.abs(values).max() > _UNITS:  # numbers of shares or contracts
        held = held * bars.close
        held = held / np.nanmax(np.abs(held))
    return _held(held, bars, notes)


def _held(held: Floats, bars: Bars, notes: list[str]) -> Account:
    """The account of positions that are decided at closes and held over the next bar."""
    there = np.flatnonzero(np.isfinite(held))
    over = there[there + 1 < len(bars)] + 1
    position, returns = held[over - 1], _returns(bars)[over]
    profit = _profit(
        bars, over, position, position * returns, timing_of(position, returns), returns
    )
    return Account(over, profit, held, np.zeros(len(over)), notes=notes)


def _profit(
    bars: Bars, rows: Ints, position: Floats, gross: Floats, timing: Floats, hold: Floats,
    turnover: Floats | None = None,
) -> Profit:  # fmt: skip
    if turnover is None:
        turnover = np.abs(np.diff(position, prepend=0.0))
        if len(turnover):
            turnover[-1] += abs(position[-1])
    time: Times = np.asarray(bars.closed_at)[rows]
    return Profit(time, gross, turnover * 1e-4, hold, timing, position, turnover)


def _of_forecasts(
    rows: Ints, values: Floats, ends: Ints | None, horizon: str, bars: Bars, notes: list[str]
) -> Account:
    n_bars = len(bars)
    if horizon:
        ends = _ends(rows, Horizon.parse(horizon), bars)
    if ends is None:
        steps = np.diff(rows)
        ends = np.concatenate([rows[1:], [rows[-1] + int(np.median(steps))]])
        notes = [
            *notes,
            "Each forecast is taken to look ahead until the next one. Say how far with --horizon.",
        ]
    whole = (ends < n_bars) & (ends > rows)
    if whole.sum() < 2:
        raise DataError(
            f"{int(whole.sum())} forecast(s) have an outcome within the bars. Give bars that go on "
            "until the outcomes are known."
        )
    rows, values, ends = rows[whole], values[whole], ends[whole]
    outcome = bars.close[ends] / bars.close[rows] - 1.0
    own = unit_positions(Holdings(rows, ends), np.sign(values))
    held = np.full(n_bars, np.nan)
    held[rows.min() : rows.min() + len(own)] = own
    account = _held(held, bars, notes)
    overlap = max(int(np.median(ends - rows)), 1)
    return replace(account, decided=rows, forecast=values, outcome=outcome, overlap=overlap)


def _ends(rows: Ints, ahead: Horizon, bars: Bars) -> Ints:
    """(n_rows,) the bar at whose close each outcome is known; n_bars where that lies ahead."""
    closed, session = bars.records["closed_at"], bars.records["session"]
    if ahead.unit == "bars":
        return rows + ahead.count
    if ahead.unit == "sessions":
        days, last = np.unique(session[::-1], return_index=True)
        last = len(bars) - 1 - last  # the last bar of each session
        place = (
            np.searchsorted(days, session[rows])
            + ahead.count
            - (rows < last[np.searchsorted(days, session[rows])])
        )
        return np.where(place < len(days), last[np.minimum(place, len(days) - 1)], len(bars))
    until = closed[rows] + ahead.count
    ends = np.searchsorted(closed, until, side="right") - 1
    return np.where(until > closed[-1], len(bars), np.maximum(ends, rows + 1))


def _of_fills(part: FilledOrders, clock: BarClock, where: str) -> Account:
    bars = clock.bars
    rows, good, notes = fill_rows(clock, part.moments, part.price, where)
    price, known = part.price, np.isfinite(part.price)
    off = float((~good[known]).mean()) if known.any() else 0.0
    if not known.any():
        notes.append("Fills carry no prices, so they are counted at the closes of their bars.")
    elif off > _OUTSIDE:
        notes.append("Prices of fills are not used; fills are counted at the closes of their bars.")
    price = np.where(known & good & (off <= _OUTSIDE), part.price, bars.close[rows])
    price = np.clip(price, bars.records["low"][rows], bars.records["high"][rows])
    first, last = int(rows[0]), int(rows.max())
    if last == first and len(rows) < 2:
        raise DataError(f"{where} has a single fill on these bars. Give all trades.")
    # One path of prices: the fills in their order, and the close of every bar.
    bar = np.concatenate([rows, np.arange(first, last + 1)])
    is_close = np.concatenate([np.zeros(len(rows)), np.ones(last - first + 1)])
    order = np.lexsort(
        (np.concatenate([np.arange(len(rows)), np.zeros(last - first + 1)]), is_close, bar)
    )
    path = np.concatenate([price, bars.close[first : last + 1]])[order]
    after = np.concatenate([part.after, np.full(last - first + 1, np.nan)])[order]
    bar, closes = bar[order], is_close[order] > 0.0
    place = np.maximum.accumulate(np.where(np.isfinite(after), np.arange(len(after)), -1))
    position = np.where(place >= 0, after[np.maximum(place, 0)], 0.0)
    segment, over = position[:-1], bar[1:]
    returns = path[1:] / path[:-1] - 1.0
    real = (returns != 0.0) | closes[:-1]  # no time passes between a fill at a close and the close
    timing = np.zeros(len(segment))
    timing[real] = timing_of(segment[real], returns[real])
    size = last - first + 1
    own = over - first

    def by_bar(values: Floats) -> Floats:
        return np.asarray(np.bincount(own, values, size), dtype=np.float64)

    moved = np.abs(np.diff(position, prepend=0.0))
    turnover: Floats = np.asarray(np.bincount(bar - first, moved, size), dtype=np.float64)
    turnover[-1] += abs(position[-1])
    inside = np.where(~closes[:-1], segment * returns, 0.0)
    at_close = np.flatnonzero(closes)
    held = np.full(len(bars), np.nan)
    held[first : last + 1] = position[at_close]
    over_bars = np.arange(first, last + 1)
    mean_position = by_bar(segment) / np.maximum(np.bincount(own, minlength=size), 1)
    hold = _returns(bars)[over_bars]
    profit = _profit(
        bars, over_bars, mean_position, by_bar(segment * returns), by_bar(timing), hold, turnover
    )
    return Account(over_bars, profit, held, by_bar(inside), fills_off=off, notes=notes)


def _of_equity(rows: Ints, values: Floats, bars: Bars, notes: list[str]) -> Account:
    last = np.concatenate([rows[1:] != rows[:-1], [True]])
    rows, values = rows[last], values[last]
    if (values <= 0.0).any():
        raise DataError(
            f"The account is worth {float(values.min()):g} at its lowest. Give its whole value, "
            "with what it began with, and not the profit alone."
        )
    if len(rows) < 3:
        raise DataError("The value of the account is known at fewer than three bars. Give more.")
    earned = np.diff(values) / values[:-1]
    hold = bars.close[rows[1:]] / bars.close[rows[:-1]] - 1.0
    timing, beta = beyond_steady(earned, hold)
    profit = _profit(
        bars, rows[1:], np.full(len(earned), beta), earned, timing, hold, np.zeros(len(earned))
    )
    held = np.full(len(bars), np.nan)
    held[rows[:-1]] = earned  # what the account did next, for nothing else is known of it
    return Account(rows[1:], profit, held, np.zeros(len(earned)), own_costs=True, notes=notes)


def beyond_steady(earned: Floats, hold: Floats) -> tuple[Floats, float]:
    """What an account earns beyond a steady position in the market, and that position.

    The mean of what is returned is the intercept of the regression of returns on the market's, and
    its spread allows for the slope being estimated.

    >>> hold = np.array([0.01, -0.02, 0.03, 0.0])
    >>> timing, beta = beyond_steady(0.5 * hold + 0.001, hold)
    >>> round(float(timing.mean()), 6), round(beta, 6)
    (0.001, 0.5)
    """
    centred = hold - hold.mean()
    variance = float((centred**2).mean())
    if variance <= 0.0:
        return earned, 0.0
    beta = float((centred * earned).mean() / variance)
    rest = earned - beta * hold
    influence = hold.mean() / variance * centred * (rest - rest.mean())
    return rest - influence + influence.mean(), beta


def together(accounts: list[Account]) -> tuple[Profit, Floats]:
    """All symbols as one, with equal parts of the money; and what is earned in bars of fills."""
    if len(accounts) == 1:
        return accounts[0].profit, accounts[0].inside_bar
    time = np.unique(np.concatenate([each.profit.time for each in accounts]))
    names = [name for name in Profit.__dataclass_fields__ if name != "time"]
    sums = {name: np.zeros(len(time)) for name in names}
    inside = np.zeros(len(time))
    for each in accounts:
        place = np.searchsorted(time, each.profit.time)
        for name in names:
            sums[name][place] += getattr(each.profit, name) / len(accounts)
        inside[place] += each.inside_bar / len(accounts)
    return Profit(time, **sums), inside
