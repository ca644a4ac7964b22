"""What following forecasts would have earned, bar by bar, after costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.bars import Panel
from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.times import DecidedAt, KnownAt, Times
from barstack.portfolio import holdings_of, unit_positions

from ._jackknife import chance_of_luck, timing_se


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


def follow(
    panel: Panel, decisions: Decisions, side: Floats, known_at: KnownAt, cost_bps: float
) -> Profit:
    """Profit from taking each decision's side until its label is known.

    side      (n_rows,) +1 long, -1 short, 0 out
    known_at  (n_rows,) when each holding ends; NaT holds to the last bar
    cost_bps  paid on every unit of position bought or sold, in hundredths of a percent

    Decisions overlap, so the position over a bar is the mean side of all decisions that are
    open, which never exceeds one unit; what is left at the end is closed with the last bar.
    Symbols share the money equally.
    """
    followed = [
        _follow_one(panel, decisions, code, side, known_at, cost_bps)
        for code in range(len(decisions.symbols))
        if (decisions.symbol_code == code).any()
    ]
    parts = [part for part in followed if part is not None]
    time = np.unique(np.concatenate([part.time for part in parts]))
    sums = {name: np.zeros(len(time)) for name in Profit.__dataclass_fields__ if name != "time"}
    for part in parts:
        place = np.searchsorted(time, part.time)
        for name, total in sums.items():
            total[place] += getattr(part, name) / len(parts)
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


def _follow_one(
    panel: Panel,
    decisions: Decisions,
    code: int,
    side: Floats,
    known_at: KnownAt,
    cost_bps: float,
) -> Profit | None:
    """One symbol's; None where its decisions fall at its last bar, and nothing is held."""
    own = np.flatnonzero(decisions.symbol_code == code)
    bars = panel[decisions.symbols[code]]
    closed_at, close = bars.closed_at, bars.close
    held = holdings_of(closed_at, DecidedAt(decisions.decided_at[own]), KnownAt(known_at[own]))
    if held.exit.max() <= held.entry.min():
        return None
    # Bar t + 1 is held with the position taken at the close of bar t.
    bar = np.arange(held.entry.min(), held.exit.max())
    position = unit_positions(held, side[own])
    returns = close[bar + 1] / close[bar] - 1.0
    turnover = np.abs(np.diff(position, prepend=0.0))
    turnover[-1] += abs(position[-1])
    cost = turnover * cost_bps * 1e-4
    gross, timing = position * returns, timing_of(position, returns)
    return Profit(closed_at[bar + 1], gross, cost, returns, timing, position, turnover)


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
    return NetEdge(bps, se * 1e4, t_value, chance_of_luck(t_value, n_blocks), n_blocks)
