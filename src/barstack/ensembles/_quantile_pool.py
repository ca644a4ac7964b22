"""Weights of members whose quantiles are averaged level by level."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats

_STEPS = 400


def quantile_pool(forecasts: Floats, y: Floats, levels: tuple[float, ...]) -> Floats:
    """(n_members,) weights of 0 or more that sum to one, of nearly the least pinball loss.

    forecasts  (n_rows, n_members, n_levels)
    y          (n_rows,) what came

    Exponentiated gradients from equal weights (Kivinen, Warmuth 1997), the mean of the later
    half of the steps. The loss is convex in the weights, so that there is nowhere to get stuck.

    >>> good, poor = np.array([-1.0, 0.0, 1.0]), np.array([3.0, 4.0, 5.0])
    >>> y = np.linspace(-1.2, 1.2, 25)
    >>> quantile_pool(np.tile([good, poor], (25, 1, 1)), y, (0.1, 0.5, 0.9)).round(2)
    array([1., 0.])
    """
    n_members = forecasts.shape[1]
    tau = np.array(levels)
    # Only differences between members move weights; taking out what they share keeps sums exact.
    centred = forecasts - forecasts.mean(axis=1, keepdims=True)
    logs, kept, steepness = np.zeros(n_members), np.zeros(n_members), 0.0
    for step in range(_STEPS):
        weights = np.exp(logs - logs.max())
        weights /= weights.sum()
        if step >= _STEPS // 2:
            kept += weights
        above = np.einsum("m,nmk->nk", weights, forecasts) > y[:, None]
        slope = np.einsum("nk,nmk->m", above - tau, centred) / len(y)
        steepness += float(np.abs(slope).max()) ** 2
        if steepness == 0.0:  # members never differ
            return np.asarray(weights)
        logs -= np.sqrt(np.log(n_members) / steepness) * slope
    return np.asarray(kept / kept.sum())
