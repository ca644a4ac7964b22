"""Return and risk of a series of returns, in the definitions that empyrical uses too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, DataError

_DECAY = 0.94  # of RiskMetrics (1996), for daily returns


@dataclass(frozen=True)
class Ratios:
    """Figures of one series of returns; None where they do not exist.

    Attributes
    ----------
    total
        Compounded return over all periods.
    annual
        Compounded return a year.
    volatility
        Standard deviation a year.
    sharpe
        Mean over standard deviation, times the root of the periods in a year.
    sortino
        Mean over the root mean square of the losses, likewise (Sortino and Price 1994).
    calmar
        Annual return over the largest drawdown.
    drawdown
        Largest fall from a peak, as a positive fraction of the peak.
    """

    total: float
    annual: float
    volatility: float
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    drawdown: float


def ratios_of(returns: Floats, periods_a_year: float) -> Ratios:
    """Figures of returns of consecutive periods.

    Parameters
    ----------
    returns
        (n_periods,) as fractions.
    periods_a_year
        By the calendar of the bars, such as 252 for days of shares and 365 for crypto.

    Raises
    ------
    DataError
        Of fewer than two returns.

    >>> found = ratios_of(np.array([0.01, -0.02, 0.03, 0.01]), 252)
    >>> round(found.sharpe, 2), round(found.drawdown, 3)
    (5.78, 0.02)
    """
    count = len(returns)
    if count < 2:
        raise DataError(f"{count} returns have no ratios. Give two or more.")
    growth = np.asarray(np.cumprod(1.0 + returns), np.float64)
    total = float(growth[-1] - 1.0)
    annual = -1.0 if growth[-1] <= 0.0 else float(growth[-1] ** (periods_a_year / count) - 1.0)
    deviation = float(returns.std(ddof=1))
    mean, root = float(returns.mean()), math.sqrt(periods_a_year)
    losses = math.sqrt(float((np.minimum(returns, 0.0) ** 2).mean()))
    fall = deepest_fall(growth)
    return Ratios(
        total,
        annual,
        deviation * root,
        mean / deviation * root if deviation > 0.0 else None,
        mean / losses * root if losses > 0.0 else None,
        annual / fall if fall > 0.0 else None,
        fall,
    )


def deepest_fall(growth: Floats) -> float:
    """Largest fall from a peak, the start of 1 included, as a fraction of the peak.

    >>> deepest_fall(np.array([1.1, 0.55, 1.2]))
    0.5
    """
    line = np.concatenate([[1.0], growth])
    return float((1.0 - line / np.maximum.accumulate(line)).max())


def value_at_risk(returns: Floats, share: float = 0.05) -> dict[str, float]:
    """Loss of one period that is exceeded with this probability, and the mean loss beyond it.

    "historical" takes the quantile of the returns, "parametric" that of a normal law, "filtered"
    that of the returns over their volatility then, times the volatility now (Barone-Adesi and
    others 1999; exponential with 0.94). Losses are positive.

    >>> rng = np.random.default_rng(0)
    >>> found = value_at_risk(rng.normal(0.0, 0.01, 2000))
    >>> [round(found[name], 3) for name in ("historical", "parametric", "filtered")]
    [0.016, 0.017, 0.018]
    """
    if not 0.0 < share < 0.5:
        raise ConfigError(f"share is {share:g}; give one above 0 and below a half, such as 0.05.")
    if len(returns) < 2:
        raise DataError(f"{len(returns)} returns have no quantiles. Give two or more.")
    law = NormalDist()
    mean, deviation = float(returns.mean()), float(returns.std(ddof=1))
    z = law.inv_cdf(share)
    variance = np.empty(len(returns) + 1)
    variance[0] = float(returns.var())
    for row, each in enumerate(returns):
        variance[row + 1] = _DECAY * variance[row] + (1.0 - _DECAY) * each * each
    scaled = returns * math.sqrt(variance[-1]) / np.sqrt(np.maximum(variance[:-1], 1e-30))
    return {
        "historical": -float(np.quantile(returns, share)),
        "historical_cvar": -_tail_mean(returns, share),
        "parametric": -(mean + z * deviation),
        "parametric_cvar": -(mean - deviation * law.pdf(z) / share),
        "filtered": -float(np.quantile(scaled, share)),
        "filtered_cvar": -_tail_mean(scaled, share),
    }


def _tail_mean(returns: Floats, share: float) -> float:
    """Mean of the worst returns, as many as the share has and at least one."""
    count = max(1, int(share * len(returns)))
    return float(np.sort(returns)[:count].mean())
