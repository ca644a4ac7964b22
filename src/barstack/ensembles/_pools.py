"""Weights of a pool, which sum to one, by likelihood or by pinball loss."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.forecast import Target

_POOL_STEPS = 200
_QUANTILE_STEPS = 400
_USUAL_ROWS = 4.0  # that spoke for the usual member before the first row was seen


def realised_chances(forecasts: Floats, y: Floats, target: Target) -> Floats:
    """(n_rows, n_members, n_horizons) the probability each member gave to what then happened."""
    if target.task == "direction":
        up = forecasts[:, :, :, 0]
        return np.where(y[:, None, :] > 0.5, up, 1.0 - up)
    picked = y[:, None, :, None].astype(np.int64)
    return np.take_along_axis(forecasts, picked, axis=3)[:, :, :, 0]


def opinion_pool(
    chances: Floats, row_weight: Floats | None = None, usual: int | None = None
) -> Floats:
    """(n_members,) mixture weights of highest likelihood, by expectation maximisation.

    chances     (n_rows, n_members) the probability given to what then happened
    row_weight  (n_rows,) how much each row counts; by default all alike
    usual       place of the member that has all the weight until the rows say otherwise: a prior
                of a few rows that it alone explains

    >>> opinion_pool(np.array([[0.9, 0.5], [0.8, 0.5], [0.2, 0.5], [0.9, 0.5]])).round(2)
    array([0.91, 0.09])
    """
    weights = np.full(chances.shape[1], 1.0 / chances.shape[1])
    floor = np.maximum(chances, 1e-12)
    row = np.ones(len(chances)) if row_weight is None else row_weight / row_weight.mean()
    prior = np.zeros(len(weights))
    if usual is not None:
        prior[usual] = _USUAL_ROWS
    for _ in range(_POOL_STEPS):
        # Each member's share of a row's probability is weights * floor / mixture.
        mixture = np.einsum("nm,m->n", floor, weights)
        shares = weights * np.einsum("n,nm->m", row / mixture, floor)
        weights = (shares + prior) / (len(floor) + prior.sum())
    return np.asarray(weights / weights.sum())


def quantile_pool(
    forecasts: Floats,
    y: Floats,
    levels: tuple[float, ...],
    row_weight: Floats | None = None,
) -> Floats:
    """(n_members,) weights of 0 or more that sum to one, of nearly the least pinball loss.

    forecasts   (n_rows, n_members, n_levels)
    y           (n_rows,) what came
    row_weight  (n_rows,) how much each row counts; by default all alike

    Exponentiated gradients from equal weights (Kivinen, Warmuth 1997), the mean of the later
    half of the steps. The loss is convex in the weights, so that there is nowhere to get stuck.

    >>> good, poor = np.array([-1.0, 0.0, 1.0]), np.array([3.0, 4.0, 5.0])
    >>> y = np.linspace(-1.2, 1.2, 25)
    >>> quantile_pool(np.tile([good, poor], (25, 1, 1)), y, (0.1, 0.5, 0.9)).round(2)
    array([1., 0.])
    """
    n_members = forecasts.shape[1]
    tau = np.array(levels)
    row = np.ones(len(y)) if row_weight is None else row_weight / row_weight.mean()
    # Only differences between members move weights; taking out what they share keeps sums exact.
    centred = forecasts - forecasts.mean(axis=1, keepdims=True)
    logs, kept, steepness = np.zeros(n_members), np.zeros(n_members), 0.0
    for step in range(_QUANTILE_STEPS):
        weights = np.exp(logs - logs.max())
        weights /= weights.sum()
        if step >= _QUANTILE_STEPS // 2:
            kept += weights
        above = np.einsum("m,nmk->nk", weights, forecasts) > y[:, None]
        slope = np.einsum("nk,nmk->m", row[:, None] * (above - tau), centred) / len(y)
        steepness += float(np.abs(slope).max()) ** 2
        if steepness == 0.0:  # members never differ
            return np.asarray(weights)
        logs -= np.sqrt(np.log(n_members) / steepness) * slope
    return np.asarray(kept / kept.sum())
