"""What hidden states are called, by what their bars did, so that a name outlives a refit."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.forecast import REGIMES

# Of each regime: the net move of a mean stay over its deviation, and volatility over the usual.
PROTOTYPES = {
    "bull_trend": (1.0, 0.8),
    "bear_trend": (-1.0, 1.25),
    "sideways": (0.0, 1.0),
    "high_volatility": (0.0, 1.5),
    "low_volatility": (0.0, 1.0 / 1.5),
    "crash": (-1.0, 3.0),
}
_FARTHEST = np.array([1.0, 1.5])  # at which drift and doublings of volatility are clipped
_FLOOR = 0.05  # of a state's deviation, in that of all rows
_LEAST = 1e-12
_WILDEST = 30.0  # typical moves, beyond which a return is clipped: a bad print moves no name


def named(returns: Floats, weight: Floats, stay: Floats) -> Rows:
    """(n_states,) place in `REGIMES` of each state's name; no two states have the same.

    A state is where its bars put it: its drift is the mean log return of a bar times the root of
    the mean stay, over the deviation of log returns; its volatility is that deviation over the
    geometric mean of all states' deviations, in doublings. A drift beyond 1 counts as 1, and each
    is shrunk by its sampling error (James, Stein 1961), as few stays say little of a mean. Names
    are those whose prototypes are nearest: they minimise the sum over states of the squared
    distance times the state's share of the bars.

    Parameters
    ----------
    returns : (n_rows,)
        One-bar log returns of training rows.
    weight : (n_rows, n_states)
        How much of each row belongs to each state; rows sum to one.
    stay : (n_states,)
        Mean number of bars that each state lasts.

    >>> returns = np.array([0.01, 0.012, -0.05, 0.04, -0.06, 0.06])
    >>> calm = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    >>> places = named(returns, np.column_stack([calm, 1.0 - calm]), np.array([9.0, 3.0]))
    >>> [REGIMES[place] for place in places]
    ['bull_trend', 'high_volatility']
    """
    import scipy.optimize  # noqa: PLC0415 (half a second, and only fits need it)

    if (typical := float(np.median(np.abs(returns)))) > 0.0:
        returns = np.clip(returns, -_WILDEST * typical, _WILDEST * typical)
    total = np.maximum(weight.sum(axis=0), _LEAST)
    mean = returns @ weight / total
    squared = (weight * (returns[:, None] - mean) ** 2).sum(axis=0) / total
    floor = max(_FLOOR * float(returns.std()), _LEAST)
    deviation = np.maximum(np.sqrt(squared), floor)
    drift = mean * np.sqrt(stay) / deviation
    error = stay / total  # squared, as each stay is a draw of variance 1
    drift *= np.maximum(1.0 - error / np.maximum(drift**2, _LEAST), 0.0)
    doublings = np.log2(deviation) - np.log2(deviation).mean()
    own = np.clip(np.column_stack([drift, doublings]), -_FARTHEST, _FARTHEST)
    known = np.array([PROTOTYPES[name] for name in REGIMES])
    away = own[:, None] - np.column_stack([known[:, 0], np.log2(known[:, 1])])
    cost = (away**2).sum(axis=2) * total[:, None] / total.sum()
    _, places = scipy.optimize.linear_sum_assignment(cost)
    return np.asarray(places, np.int64)
