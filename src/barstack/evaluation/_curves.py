"""Curves of the report: growth over time, and forecasts against what came."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from barstack.core.arrays import Bools, Floats
from barstack.core.times import iso

from ._findings import CalibrationBin, Equity
from ._interval import reach
from ._jackknife import Blocks, jackknife_se
from ._profit import Profit

_POINTS = 400
_BINS = 8
_YEAR_DAYS = 365.25


def equity_of(name: str, horizon: str, profit: Profit) -> Equity:
    """Growth of one unit that follows a forecaster, thinned to what a chart can show."""
    n_bars = len(profit.time)
    shown = np.unique(np.linspace(0, n_bars - 1, min(_POINTS, n_bars)).astype(int))
    days = max(float((profit.time[-1] - profit.time[0]) / np.timedelta64(1, "D")), 1e-9)
    bars_a_year = n_bars / days * _YEAR_DAYS
    trading_days = len(np.unique(profit.time.astype("datetime64[D]")))
    net = 1.0 + np.cumsum(profit.net)
    peak = np.maximum.accumulate(np.concatenate([[1.0], net]))[1:]

    def thinned(returns: Floats) -> list[float]:
        return [round(float(value), 6) for value in (1.0 + np.cumsum(returns))[shown]]

    return Equity(
        name=name,
        horizon=horizon,
        time=[iso(moment)[:16] for moment in profit.time[shown]],
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


def calibration_bins(
    name: str, horizon: str, forecast: Floats, realised: Floats, blocks: Blocks, of: str = ""
) -> Iterator[CalibrationBin]:
    """Forecasts in groups of equally many, smallest first; none where they never differ.

    of  the class that is forecast, where one is
    """
    edges = np.unique(np.quantile(forecast, np.linspace(0.0, 1.0, _BINS + 1)))
    if len(edges) < 3:
        return
    place = np.clip(np.searchsorted(edges, forecast, side="right") - 1, 0, len(edges) - 2)
    for each in range(len(edges) - 1):
        inside = place == each
        if inside.sum() < 2:
            continue
        came = realised[inside]

        def mean(rows: Bools, came: Floats = came) -> float:
            return float(came[rows].mean()) if rows.any() else float("nan")

        own = blocks.take(inside)
        se = jackknife_se(mean, own)
        yield CalibrationBin(
            name=name,
            horizon=horizon,
            n_decisions=int(inside.sum()),
            forecast=float(forecast[inside].mean()),
            realised=float(came.mean()),
            # Too few blocks for the jackknife: the error as if rows were independent.
            realised_se=float(came.std() / np.sqrt(len(came))) if se is None else se,
            of=of,
            reach=reach(0 if se is None else len(np.unique(own.of_row))),
        )


def _sharpe(returns: Floats, bars_a_year: float) -> float | None:
    deviation = float(returns.std())
    return float(returns.mean() / deviation * np.sqrt(bars_a_year)) if deviation > 0.0 else None
