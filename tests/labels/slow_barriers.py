"""The triple barrier said as plainly as can be, one decision and one bar at a time."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from barstack.bars import BAR, Bars
from barstack.core.horizon import Horizon
from barstack.core.times import parse_duration


class SlowOutcome(NamedTuple):
    """Of one decision: 0, 1 or 2, the return, microseconds of its `known_at`; None while open."""

    value: int | None
    returns: float | None
    known_at: int | None
    eligible: bool


def slow_triple_barrier(
    bars: Bars,
    horizon: int | str,
    *,
    upper: float = 1.0,
    lower: float = 1.0,
    unit: str = "volatility",
    span: int = 100,
    limit_bars: int | None = None,
    overnight: bool = True,
) -> list[SlowOutcome]:
    """What comes of every decision."""
    columns = {name: bars.records[name].tolist() for name in BAR.names or ()}
    limits = [_time_limit(columns, row, horizon, overnight) for row in range(len(bars))]
    if unit == "volatility":
        widths = _volatility_over_horizon(columns, limits, span)
    else:
        widths = [1e-4] * len(bars)
    return [
        _outcome(columns, row, widths[row], upper, lower, limits[row], limit_bars)
        for row in range(len(bars))
    ]


Limit = tuple[int | None, int | None, bool]  # bar, when known, whether anything is held


def _time_limit(columns: dict[str, Any], row: int, horizon: int | str, overnight: bool) -> Limit:
    """The bar that ends the horizon, None while it is to come."""
    closed, session, session_close = (
        columns[name] for name in ("closed_at", "session", "session_close")
    )
    last = len(closed) - 1
    bar = row
    while True:
        ends_session = (bar < last and session[bar + 1] != session[bar]) or (
            bar == last and session_close[bar] <= closed[bar]
        )
        if not overnight and ends_session:
            return bar, max(closed[bar], session_close[bar]), bar > row
        if bar == last:
            return None, None, True
        bar += 1
        if isinstance(horizon, int):
            over = bar == row + horizon
        else:
            over = closed[bar] >= closed[row] + parse_duration(horizon)
        if over:
            return bar, closed[bar], True


def _volatility_over_horizon(columns: dict[str, Any], limits: list[Limit], span: int) -> list[Any]:
    """Exponential volatility, times the root of the bars that finished holdings took so far."""
    close, closed = columns["close"], columns["closed_at"]
    finished = sorted(
        (known, bar - row)
        for row, (bar, known, held) in enumerate(limits)
        if bar is not None and known is not None and held
    )
    widths: list[Any] = []
    mean, taken, done = 0.0, 0, 0
    for row in range(len(close)):
        if row > 0:
            change = math.log(close[row] / close[row - 1])
            square = change * change  # `** 2` is off by a bit once in a million
            mean = square if row == 1 else mean + (square - mean) * (2.0 / (span + 1.0))
        while done < len(finished) and finished[done][0] <= closed[row]:
            taken += finished[done][1]
            done += 1
        known = row >= span and done > 0 and mean > 0.0
        widths.append(math.sqrt(mean) * math.sqrt(taken / done) if known else None)
    return widths


def _outcome(
    columns: dict[str, Any],
    row: int,
    width: float | None,
    upper: float,
    lower: float,
    limit: Limit,
    limit_bars: int | None,
) -> SlowOutcome:
    limit_bar, limit_known, held = limit
    if width is None or not held:
        return SlowOutcome(None, None, None, False)
    close, closed = columns["close"], columns["closed_at"]
    entry = close[row]
    upper_price, lower_price = entry * (1.0 + upper * width), entry * (1.0 - lower * width)
    for bar in range(row + 1, len(close)):
        touched = _touched(columns, bar, upper_price, lower_price)
        if touched:
            return SlowOutcome(touched[0], touched[1] / entry - 1.0, closed[bar], True)
        if bar == row + (limit_bars or 0):
            return SlowOutcome(1, close[bar] / entry - 1.0, closed[bar], True)
        if bar == limit_bar:
            return SlowOutcome(1, close[bar] / entry - 1.0, limit_known, True)
    return SlowOutcome(None, None, None, True)


def _touched(
    columns: dict[str, Any], bar: int, upper: float, lower: float
) -> tuple[int, float] | None:
    """The barrier that a bar touches, and the price at which it is left."""
    if columns["open"][bar] <= lower:
        return 0, columns["open"][bar]
    if columns["open"][bar] >= upper:
        return 2, columns["open"][bar]
    if columns["low"][bar] <= lower:  # asked first, as the worse of the two
        return 0, lower
    if columns["high"][bar] >= upper:
        return 2, upper
    return None


def differing(label: Any, bars: Bars, horizon: int | str, **settings: Any) -> int:
    """How many decisions a label and the slow reference tell apart, in anything, bit for bit."""
    outcome = label.outcome(bars, Horizon.parse(horizon))
    times = outcome.known_at.view("int64")
    fast = zip(
        outcome.value.tolist(),
        outcome.returns.tolist(),
        times.tolist(),
        outcome.eligible.tolist(),
        strict=True,
    )
    count = 0
    for (value, returns, known_at, eligible), slow in zip(
        fast, slow_triple_barrier(bars, horizon, **settings), strict=True
    ):
        if slow.value is None:
            same = math.isnan(value) and math.isnan(returns) and known_at == -(2**63)
        else:
            same = (value, returns, known_at) == (slow.value, slow.returns, slow.known_at)
        count += not (same and eligible == slow.eligible)
    return count
