"""Regimes written out bar by bar."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.features.oracle import Oracle, over_windows
from tests.features.oracles_momentum import log_returns


def _highest(window: int, values: Any) -> Any:
    return over_windows(lambda x: x.max(axis=1), window, values)


def _lowest(window: int, values: Any) -> Any:
    return over_windows(lambda x: x.min(axis=1), window, values)


def _trend_state(f: Any) -> Any:
    moves = log_returns(f)
    net = over_windows(lambda x: x.sum(axis=1), 60, moves)
    way = over_windows(lambda x: np.abs(x).sum(axis=1), 60, moves)
    out, state = np.full(len(f), np.nan), 0
    for row in range(60, len(f)):
        share = net[row] / way[row] if way[row] else 0.0
        if abs(share) > 0.25:
            state = 1 if share > 0 else -1
        elif state * share <= 0.1:
            state = 0
        out[row] = state
    return out


def _volatility_state(f: Any) -> Any:
    def rank(x: Any) -> Any:
        below = (x < x[:, -1:]).sum(axis=1) + 0.5 * ((x == x[:, -1:]).sum(axis=1) - 1)
        return below / (x.shape[1] - 1)

    volatility = over_windows(lambda x: x.std(axis=1, ddof=1), 20, log_returns(f))
    return over_windows(rank, 250, volatility.astype(np.float32))


def _crash_state(f: Any) -> Any:
    fall = 1 - f["close"].to_numpy() / _highest(20, f["close"])
    usual = over_windows(lambda x: np.sqrt(20 * (x * x).mean(axis=1)), 250, log_returns(f))
    out, state = np.full(len(f), np.nan), 0
    for row in range(250, len(f)):
        if fall[row] > 3 * usual[row]:
            state = 1
        elif fall[row] <= 1.5 * usual[row]:
            state = 0
        out[row] = state
    return out


def _deepest_drawdown(f: Any) -> Any:
    return over_windows(
        lambda x: (x / np.maximum.accumulate(x, axis=1)).min(axis=1) - 1, 100, f["close"]
    )


ORACLES = {
    "trend_state": Oracle("numpy", _trend_state),
    "volatility_state": Oracle("numpy", _volatility_state),
    "crash_state": Oracle("numpy", _crash_state),
    "drawdown": Oracle("numpy", lambda f: f["close"] / _highest(250, f["close"]) - 1),
    "drawup": Oracle("numpy", lambda f: f["close"] / _lowest(250, f["close"]) - 1),
    "deepest_drawdown": Oracle("numpy", _deepest_drawdown),
}
