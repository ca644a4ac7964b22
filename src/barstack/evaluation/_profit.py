"""What following forecasts would have earned, bar by bar, after costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barstack.bars import Panel
from barstack.core.arrays import Floats, Ints, Rows
from barstack.core.decisions import Decisions
from barstack.core.times import DecidedAt, KnownAt, Times
from barstack.portfolio import Holdings, holdings_of, unit_positions

from ._findings import Equity
from ._standard_errors import p_value_of, timing_se

_POINTS = 400  # of a curve, which a chart can show
YEAR_DAYS = 365.25


@dataclass(frozen=True, eq=False)
class Profit:
    """Returns of each bar, the mean over symbols.

    time      (n_times,) close of each bar
    gross     (n_times,) position times return
    cost      (n_times,) paid for changes of position
    hold      (n_times,) return of holding all symbols
    timing    (n_times,) gross return of choosing when, as `timing_of` has it
    position  (n_times,) held over the bar
    turnover  (n_times,) change of position at the bar's start
    """

    time: Times
    gross: Floats
    cost: Floats
    hold: Floats
    timing: Floats
    position: Floats
    turnover: Floats

    @property
    def net(self) -> Floats:
        return self.gross - self.cost


@dataclass(frozen=True, eq=False)
class HeldBars:
    """The bars of one symbol over which its decisions are held.

    Attributes
    ----------
    rows
        (n_own,) the decisions that are on this symbol.
    holdings
        (n_own,) bars of each.
    returns
        (n_bars,) of each bar from the first entry to the last exit.
    place
        (n_bars,) of each bar among the times of all symbols.
    """

    rows: Rows
    holdings: Holdings
    returns: Floats
    place: Ints


def held_bars(
    panel: Panel, decisions: Decisions, known_at: KnownAt
) -> tuple[Times, list[HeldBars]]:
    """Closes of all bars over which anything is held, and the symbols' own.

    A symbol whose decisions fall at its last bar has none: nothing is held.

    Parameters
    ----------
    known_at
        (n_rows,) when each holding ends; NaT holds to the last bar.
    """
    found: list[tuple[Times, Rows, Holdings, Floats]] = []
    for code, symbol in enumerate(decisions.symbols):
        rows = np.flatnonzero(decisions.symbol_code == code)
        if not len(rows):
            continue
        closed_at, close = panel[symbol].closed_at, panel[symbol].close
        holdings = holdings_of(
            closed_at, DecidedAt(decisions.decided_at[rows]), KnownAt(known_at[rows])
        )
        first, last = holdings.entry.min(), holdings.exit.max()
        if last <= first:
            continue
        # Bar t + 1 is held with the position taken at the close of bar t.
        bars = np.arange(first, last)
        found.append((closed_at[bars + 1], rows, holdings, close[bars + 1] / close[bars] - 1.0))
    time = np.unique(np.concatenate([each[0] for each in found]))
    return time, [
        HeldBars(rows, holdings, returns, np.searchsorted(time, own))
        for own, rows, holdings, returns in found
    ]


def follow(
    panel: Panel, decisions: Decisions, side: Floats, known_at: KnownAt, cost_bps: float
) -> Profit:
    """Profit from taking each decision's side until its label is known, by the unit rule.

    Symbols share the money equally; what is left at the end is closed with the last bar.

    Parameters
    ----------
    side
        (n_rows,) in [-1, 1]: +1 long, -1 short, 0 out.
    known_at
        (n_rows,) when each holding ends; NaT holds to the last bar.
    cost_bps
        Paid on every unit of position bought or sold, in hundredths of a percent.
    """
    return profit_of(*held_bars(panel, decisions, known_at), side, cost_bps)


def profit_of(time: Times, held: Sequence[HeldBars], side: Floats, cost_bps: float) -> Profit:
    """As `follow`, over bars that are held by every forecaster alike."""
    sums = {name: np.zeros(len(time)) for name in Profit.__dataclass_fields__ if name != "time"}
    for each in held:
        position = unit_positions(each.holdings, side[each.rows])
        turnover = np.abs(np.diff(position, prepend=0.0))
        turnover[-1] += abs(position[-1])
        parts = {
            "gross": position * each.returns,
            "cost": turnover * cost_bps * 1e-4,
            "hold": each.returns,
            "timing": timing_of(position, each.returns),
            "position": position,
            "turnover": turnover,
        }
        for name, part in parts.items():
            sums[name][each.place] += part / len(held)
    return Profit(time, **sums)


def timing_of(position: Floats, returns: Floats) -> Floats:
    """(n_bars,) what each bar adds to the profit of choosing when, before costs.

    position  (n_bars,) held over each bar, known at its start
    returns   (n_bars,) of each bar

    Its sum is that of (position - mean position so far) x (return - mean return from here on),
    both means including the bar itself. Written as weights on the bars' returns, the weights are
    known at each bar's start and sum to zero. So where returns beyond a constant drift cannot be
    predicted, the sum is a martingale, whatever the rule, the drift or the past
    (docs/ensembles-and-verdict.md).

    >>> bool(timing_of(np.ones(3), np.array([0.01, -0.02, 0.03])).any())
    False
    """
    bars = np.arange(1, len(position) + 1)
    deviation = position - np.cumsum(position) / bars
    # Each deviation is offset in equal parts over its own bar and all later ones.
    weight = deviation - np.cumsum(deviation / bars[::-1])
    return np.asarray(weight * (returns - returns.mean()))


@dataclass(frozen=True)
class NetEdge:
    """Mean timing profit of a bar after costs, and how easily luck makes as much.

    bps, bps_se  basis points; no error where there are too few bars or no timing at all
    t_value      bps / bps_se
    p_value      one-sided, were this the only trial; 1 where there is no error
    n_blocks     of time that stand behind the error
    """

    bps: float
    bps_se: float | None
    t_value: float | None
    p_value: float
    n_blocks: int


def net_edge(profit: Profit) -> NetEdge:
    """The net edge of one forecaster at one horizon.

    The error is that of the profit before costs. They are known when a position is taken, so they
    have none of their own, and the higher they are, the higher is the p-value.
    """
    bps = float((profit.timing - profit.cost).mean()) * 1e4
    se, n_blocks = timing_se(profit.timing)
    if se is None:
        return NetEdge(bps, None, None, 1.0, n_blocks)
    t_value = bps / (se * 1e4)
    return NetEdge(bps, se * 1e4, t_value, p_value_of(t_value, n_blocks), n_blocks)


def equity_of(name: str, horizon: str, profit: Profit) -> Equity:
    """Growth of one unit that follows a forecaster, thinned to what a chart can show."""
    n_bars = len(profit.time)
    shown = np.unique(np.linspace(0, n_bars - 1, min(_POINTS, n_bars)).astype(int))
    days = max(float((profit.time[-1] - profit.time[0]) / np.timedelta64(1, "D")), 1e-9)
    bars_a_year = n_bars / days * YEAR_DAYS
    trading_days = len(np.unique(profit.time.astype("datetime64[D]")))
    net = 1.0 + np.cumsum(profit.net)
    peak = np.maximum.accumulate(np.concatenate([[1.0], net]))[1:]

    def thinned(returns: Floats) -> list[float]:
        return [round(float(value), 6) for value in (1.0 + np.cumsum(returns))[shown]]

    return Equity(
        name=name,
        horizon=horizon,
        time=[text.replace("T", " ") for text in np.datetime_as_string(profit.time[shown], "m")],
        net=thinned(profit.net),
        gross=thinned(profit.gross),
        hold=thinned(profit.hold),
        mean_position=float(profit.position.mean()),
        turnover_per_day=float(profit.turnover.sum() / trading_days),
        net_return=float(profit.net.sum()),
        hold_return=float(profit.hold.sum()),
        sharpe_net=_sharpe(profit.net, bars_a_year),
        sharpe_hold=_sharpe(profit.hold, bars_a_year),
        max_drawdown=float((peak - net).max()),
    )


def _sharpe(returns: Floats, bars_a_year: float) -> float | None:
    deviation = float(returns.std())
    return float(returns.mean() / deviation * np.sqrt(bars_a_year)) if deviation > 0.0 else None
