"""What hidden states are called, by what their bars did, so that a name outlives a refit."""

from __future__ import annotations

from math import log, sqrt

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.forecast import REGIMES

# Of each regime: the net move of a mean stay over its deviation, and ln of volatility over usual.
PROTOTYPES = {
    "bull_trend": (1.0, 0.0),
    "bear_trend": (-1.0, 0.0),
    "sideways": (0.0, 0.0),
    "high_volatility": (0.0, log(2.0)),
    "low_volatility": (0.0, -log(2.0)),
    "crash": (-1.5, log(3.0)),
}
_POINTS = np.array([PROTOTYPES[name] for name in REGIMES]) / (1.0, log(2.0))
_FARTHEST = 3.0  # at which both are clipped, each by its own unit
_LEAST = 1e-300


def named(returns: Floats, weight: Floats, stay: Floats) -> Rows:
    """(n_states,) place in `REGIMES` of each state's name; no two states have the same.

    A state is where its bars put it: drift is the mean log return times the root of the mean stay,
    over the deviation of log returns; volatility is ln of that deviation over the deviation of all
    bars. Names are those whose prototypes are nearest in all, by the sum of squared distances.

    Parameters
    ----------
    returns : (n_rows,)
        One-bar log returns of training rows.
    weight : (n_rows, n_states)
        How much of each row belongs to each state; rows sum to one.
    stay : (n_states,)
        Mean number of bars that each state lasts.

    >>> returns = np.array([0.01, 0.012, -0.05, 0.04, -0.06])
    >>> calm = np.array([1.0, 1.0, 0.0, 0.0, 0.0])
    >>> places = named(returns, np.column_stack([calm, 1.0 - calm]), np.array([9.0, 3.0]))
    >>> [REGIMES[place] for place in places]
    ['bull_trend', 'high_volatility']
    """
    usual = _deviation(returns, np.ones(len(returns)))
    points = np.empty((weight.shape[1], 2))
    for state, own in enumerate(weight.T):
        deviation = _deviation(returns, own)
        mean = float((own * returns).sum() / max(own.sum(), _LEAST))
        drift = mean * sqrt(stay[state]) / max(deviation, _LEAST)
        points[state] = drift, log(max(deviation, _LEAST) / max(usual, _LEAST)) / log(2.0)
    distance = np.clip(points, -_FARTHEST, _FARTHEST)[:, None] - _POINTS
    import scipy.optimize  # noqa: PLC0415 (half a second, and only fits need it)

    _, places = scipy.optimize.linear_sum_assignment((distance**2).sum(axis=2))
    return np.asarray(places, np.int64)


def _deviation(returns: Floats, weight: Floats) -> float:
    total = max(float(weight.sum()), _LEAST)
    mean = float((weight * returns).sum()) / total
    return sqrt(float((weight * (returns - mean) ** 2).sum()) / total)
