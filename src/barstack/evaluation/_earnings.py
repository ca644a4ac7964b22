"""What following the judged ensemble would have earned: at which costs, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from barstack.core.arrays import Bools, Floats

from ._case import Case, Forecaster
from ._findings import Earned, Earnings, Family, FigureInterval
from ._profit import Profit, profit_of
from .measures import Measure, trading_measures
from .significance import deflated_sharpe, overfitting, probabilistic_sharpe, sharpe_ratio

_VOLATILITY_BARS = 20  # of which the mean absolute return makes a bar quiet or volatile
_THIRDS = ("quiet", "middling", "volatile")
_HALVES = 10  # blocks of which half choose the best and half judge it
_FEWEST = 5 * _HALVES  # bars
_MOST_SYMBOLS = 200
_ONE_BP = 1e-4


def earnings_of(
    case: Case,
    judged: Forecaster,
    place: int,
    profit: Profit,
    others: Sequence[Profit],
    family: Family,
) -> Earnings:
    """At one horizon.

    Parameters
    ----------
    place
        Of the horizon.
    profit
        Of the judged ensemble.
    others
        Of all that learned at this horizon, it among them.
    family
        How many independent trials they all count as.
    """
    horizon = case.horizons[place]
    turnover = float(profit.turnover.mean())
    timing = float(profit.timing.mean())
    measures = trading_measures(profit.net, profit.time, profit.turnover)
    probability, deflated = _sharpes(profit, others, family)
    return Earnings(
        horizon=horizon.name,
        net_edge_twice_bps=(timing - 2.0 * float(profit.cost.mean())) / _ONE_BP,
        break_even_bps=timing / turnover / _ONE_BP if turnover > 0.0 else None,
        sharpe=_figure(measures.sharpe),
        sortino=_figure(measures.sortino),
        profit_factor=_figure(measures.profit_factor),
        annual_return=_figure(measures.annual_return),
        annual_turnover=_figure(measures.turnover),
        drawdown=measures.drawdown,
        probabilistic_sharpe=probability,
        deflated_sharpe=deflated,
        overfitting=_overfitting(others),
        parts=[
            *_by_fold(case, place, profit),
            *_by_symbol(case, judged, place),
            *_by_volatility(profit),
        ],
    )


def _figure(found: Measure) -> FigureInterval:
    return FigureInterval(found.value, found.low, found.high)


def _sharpes(
    profit: Profit, others: Sequence[Profit], family: Family
) -> tuple[float | None, float | None]:
    """The probabilistic and the deflated Sharpe ratio; None where the returns never vary."""
    if len(profit.net) < _FEWEST or not _varies(profit.net):
        return None, None
    ratios = [sharpe_ratio(each.net).value for each in others if _varies(each.net)]
    count = family.count_at(0.05 / family.size)
    spread = float(np.std(ratios))
    return probabilistic_sharpe(profit.net), deflated_sharpe(profit.net, count, spread)


def _varies(returns: Floats) -> bool:
    return bool(returns.std() > 1e-12 * max(np.abs(returns).max(), 1e-300))


def _overfitting(others: Sequence[Profit]) -> float | None:
    """How often the best in one half of the time is worse than the median in the other."""
    if len(others) < 2 or len(others[0].net) < _FEWEST:
        return None
    return float(
        overfitting(np.stack([each.net for each in others], 1), blocks=_HALVES).probability
    )


def _by_fold(case: Case, place: int, profit: Profit) -> Iterator[Earned]:
    horizon = case.horizons[place]
    begins = [horizon.decided_at[fold.rows].min() for fold in horizon.folds]
    for number, begin in enumerate(begins):
        rows = profit.time > begin
        if number + 1 < len(begins):
            rows &= profit.time <= begins[number + 1]
        if rows.any():
            yield _earned("fold", str(horizon.folds[number].number), profit, rows)


def _by_symbol(case: Case, judged: Forecaster, place: int) -> Iterator[Earned]:
    horizon = case.horizons[place]
    if len(horizon.held) > _MOST_SYMBOLS:
        return
    for held in horizon.held:
        alone = replace(held, place=np.arange(len(held.place)))
        side = judged.side[:, place]
        own = profit_of(horizon.closed_at[held.place], [alone], side, case.cost_bps)
        symbol = case.decisions.symbols[case.decisions.symbol_code[held.rows[0]]]
        yield _earned("symbol", symbol, own, np.ones(len(own.time), dtype=bool))


def _by_volatility(profit: Profit) -> Iterator[Earned]:
    """By thirds of the mean absolute return of the 20 bars before each."""
    size = np.abs(profit.hold)
    if len(size) < 3 * _VOLATILITY_BARS:
        return
    sums = np.concatenate([[0.0], np.cumsum(size)])
    known = np.arange(_VOLATILITY_BARS, len(size))
    before = sums[known] - sums[known - _VOLATILITY_BARS]
    third = np.searchsorted(np.quantile(before, [1 / 3, 2 / 3]), before)
    for number, name in enumerate(_THIRDS):
        rows = np.zeros(len(size), dtype=bool)
        rows[known[third == number]] = True
        if rows.any():
            yield _earned("volatility", name, profit, rows)


def _earned(of: str, name: str, profit: Profit, rows: Bools) -> Earned:
    net = (profit.timing - profit.cost)[rows]
    return Earned(of, name, int(rows.sum()), float(net.mean()) / _ONE_BP)
