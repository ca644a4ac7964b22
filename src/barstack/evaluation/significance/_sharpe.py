"""How sure is a Sharpe ratio? Its error, the probabilistic and the deflated Sharpe ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, DataError

from ._long_run import long_run_variance
from ._resampling import checked

_EULER = 0.5772156649015329
_FEWEST = 4


@dataclass(frozen=True)
class SharpeRatio:
    """Sharpe ratio of one period, with its standard error.

    Attributes
    ----------
    value
        Mean over standard deviation of the returns of one period.
    se
        Standard error for independent returns of any skewness and tails.
    se_serial
        The same, allowing for autocorrelation and clustered volatility.
    skewness, kurtosis
        Of the returns; the kurtosis of normal ones is 3.
    n_times
        Number of periods.
    """

    value: float
    se: float
    se_serial: float
    skewness: float
    kurtosis: float
    n_times: int


def sharpe_ratio(returns: Floats) -> SharpeRatio:
    """Sharpe ratio of one period and its standard errors.

    Mertens (2002): se² = (1 - skewness SR + (kurtosis - 1) / 4 SR²) / (n - 1). With serial
    dependence, the long-run variance of the ratio's influence function takes its place:
    z - SR (z² - 1) / 2 with z the standardised return (Lo 2002; Ledoit and Wolf 2008).

    Raises
    ------
    DataError
        Of fewer than four returns, or where returns never vary.

    >>> found = sharpe_ratio(np.array([0.01, -0.01, 0.02, 0.0, 0.01]))
    >>> round(found.value, 3), round(found.se, 3)
    (0.526, 0.55)
    """
    column = checked(returns)[:, 0]
    n_times, deviation = len(column), float(column.std())
    if n_times < _FEWEST or deviation <= 1e-12 * float(np.abs(column).max()):
        raise DataError(
            f"A Sharpe ratio needs four returns or more that vary; {n_times} are given, with a "
            f"standard deviation of {deviation:g}."
        )
    z = (column - column.mean()) / deviation
    skewness, kurtosis = float((z**3).mean()), float((z**4).mean())
    value = float(column.mean() / column.std(ddof=1))
    variance = 1.0 - skewness * value + (kurtosis - 1.0) / 4.0 * value**2
    influence = z - 0.5 * value * (z**2 - 1.0)
    serial = float(long_run_variance(influence)[0])
    return SharpeRatio(
        value,
        math.sqrt(max(variance, 0.0) / (n_times - 1)),
        math.sqrt(serial / (n_times - 1)),
        skewness,
        kurtosis,
        n_times,
    )


def probabilistic_sharpe(returns: Floats, against: float = 0.0) -> float:
    """Confidence that the true Sharpe ratio of one period exceeds a value.

    Bailey and López de Prado (2012): the normal probability of (SR - against) / se.

    >>> rng = np.random.default_rng(0)
    >>> round(probabilistic_sharpe(rng.normal(0.05, 1.0, 1000)), 2)
    0.53
    """
    found = sharpe_ratio(returns)
    return NormalDist().cdf((found.value - against) / found.se)


def luckiest_sharpe(trials: float, spread: float) -> float:
    """Expected largest Sharpe ratio of worthless, independent trials.

    Bailey and López de Prado (2014): spread ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), g Euler's
    constant, Z the normal quantile; within 1 % of the exact value from five trials on.

    Parameters
    ----------
    trials
        Number of independent trials, which `effective_trials` estimates; need not be whole.
    spread
        Standard deviation of the trials' Sharpe ratios.

    >>> round(luckiest_sharpe(1620, 1 / 252 ** 0.5), 2)
    0.21
    """
    if trials < 1.0 or spread < 0.0:
        raise ConfigError(
            f"trials is {trials:g} and spread {spread:g}; give 1 trial or more and a spread of 0 "
            "or more."
        )
    if trials <= 1.0:
        return 0.0
    quantile = NormalDist().inv_cdf
    return spread * (
        (1.0 - _EULER) * quantile(1.0 - 1.0 / trials)
        + _EULER * quantile(1.0 - 1.0 / (trials * math.e))
    )


def deflated_sharpe(returns: Floats, trials: float, spread: float) -> float:
    """Confidence that the best trial is better than the luckiest of worthless ones would be.

    Bailey and López de Prado (2014): the probabilistic Sharpe ratio against `luckiest_sharpe`.
    It knows of the other trials their number and spread alone. Beside `romano_wolf` it is weak:
    it holds the best one against the expected luck, and demands 95 % on top.

    Parameters
    ----------
    returns
        (n_times,) of the best trial.
    trials, spread
        As `luckiest_sharpe` has them.

    >>> returns = np.random.default_rng(0).normal(0.1, 1.0, 1000)
    >>> round(deflated_sharpe(returns, 1, 0.03), 2), round(deflated_sharpe(returns, 100, 0.03), 2)
    (0.95, 0.24)
    """
    return probabilistic_sharpe(returns, luckiest_sharpe(trials, spread))


def shortest_record(found: SharpeRatio, against: float = 0.0, confidence: float = 0.95) -> float:
    """Periods after which a Sharpe ratio this high exceeds a value with this confidence.

    Minimum track record length, Bailey and López de Prado (2012); infinite where it does not exceed
    it now.

    >>> found = SharpeRatio(0.1, 0.0, 0.0, 0.0, 3.0, 250)
    >>> round(shortest_record(found))
    273
    """
    if found.value <= against:
        return math.inf
    sr = found.value
    variance = 1.0 - found.skewness * sr + (found.kurtosis - 1.0) / 4.0 * sr**2
    return 1.0 + variance * (NormalDist().inv_cdf(confidence) / (sr - against)) ** 2
