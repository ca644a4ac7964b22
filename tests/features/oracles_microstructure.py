"""Microstructure features written out slowly, from the formulas of their papers."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import norm
from tests.features.oracle import Oracle, over_windows
from tests.features.oracles_volume import log_returns, ratio, total


def _roll(f: Any) -> Any:
    returns = log_returns(f)

    def of(now: Any, before: Any) -> Any:
        a, b = now - now.mean(axis=1)[:, None], before - before.mean(axis=1)[:, None]
        return (a * b).sum(axis=1) / (now.shape[1] - 1)

    covariance = over_windows(of, 50, returns, returns.shift())
    return np.where(np.isnan(covariance), np.nan, 2 * np.sqrt(np.maximum(-covariance, 0)))


def _corwin_schultz(f: Any) -> Any:
    """Bar by bar in prices, with the paper's own constants."""
    rows = f[["high", "low", "close"]].to_numpy()
    spreads = [math.nan]
    for (high, low, close), (next_high, next_low, _) in pairwise(rows):
        beta = math.log(high / low) ** 2 + math.log(next_high / next_low) ** 2
        night = 1.0
        if next_low > close:
            night = close / next_low
        elif next_high < close:
            night = close / next_high
        gamma = math.log(max(high, next_high * night) / min(low, next_low * night)) ** 2
        root = 3 - 2 * math.sqrt(2)
        alpha = (math.sqrt(2 * beta) - math.sqrt(beta)) / root - math.sqrt(gamma / root)
        spreads.append(max(2 * (math.exp(alpha) - 1) / (1 + math.exp(alpha)), 0.0))
    return over_windows(lambda s: s.mean(axis=1), 20, spreads)


def _abdi_ranaldo(f: Any) -> Any:
    close, middle = np.log(f["close"]), (np.log(f["high"]) + np.log(f["low"])) / 2
    product = (close.shift() - middle.shift()) * (close.shift() - middle)
    mean = over_windows(lambda p: p.mean(axis=1), 20, product)
    return np.where(np.isnan(mean), np.nan, np.sqrt(4 * np.maximum(mean, 0)))


def _sides(f: Any) -> Any:
    returns = log_returns(f)
    usual = np.sqrt(over_windows(lambda r: (r**2).mean(axis=1), 20, returns))
    return 2 * norm.cdf(ratio(returns, usual)) - 1


def _imbalance(f: Any, sides: Any) -> Any:
    return ratio(total(20, sides, f["volume"]), total(20, f["volume"]))


def _kyle(f: Any) -> Any:
    returns = log_returns(f)
    signed = np.sign(returns) * f["volume"]

    def of(y: Any, x: Any) -> Any:
        slope = ratio((x * y).sum(axis=1), (x * x).sum(axis=1))
        return slope * np.abs(x).mean(axis=1)

    # A bar that did not move has no side, but was traded.
    values = over_windows(of, 50, returns, np.where(signed == 0, f["volume"], signed))
    values[:50] = np.nan
    return values


def _amihud(f: Any) -> Any:
    money = f["close"] * f["volume"]
    out = np.full(len(f), np.nan)
    moves = log_returns(f).abs()
    for row in range(50, len(f)):
        traded = slice(row - 49, row + 1)
        has = money[traded] > 0
        paid = money[traded][has]
        out[row] = (moves[traded][has] / paid).mean() * paid.mean() if has.any() else 0.0
    return out


def _signed(f: Any) -> Any:
    return _imbalance(f, ratio(f["close"] - f["open"], f["high"] - f["low"]))


def _zero_returns(f: Any) -> Any:
    still = (f["close"].diff() == 0).astype(float)
    values = total(50, still) / 50
    values[:50] = np.nan
    return values


ORACLES: dict[str, Oracle] = {
    "roll_spread": Oracle("pandas", _roll),
    "corwin_schultz": Oracle("pandas", _corwin_schultz),
    "abdi_ranaldo": Oracle("pandas", _abdi_ranaldo),
    "signed_volume": Oracle("pandas", _signed),
    "bulk_imbalance": Oracle("pandas", lambda f: _imbalance(f, _sides(f))),
    "toxicity": Oracle("pandas", lambda f: _imbalance(f, np.abs(_sides(f)))),
    "kyle_lambda": Oracle("pandas", _kyle),
    "amihud": Oracle("pandas", _amihud),
    "zero_return_share": Oracle("pandas", _zero_returns),
}
