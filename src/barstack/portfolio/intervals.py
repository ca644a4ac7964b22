"""Sides and sizes from conformal intervals and class sets: no position where nothing is sure."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Bools, Floats
from barstack.core.errors import ConfigError, DataError


def side_of_interval(low: Floats, high: Floats, cost: float = 0.0) -> Floats:
    """Long where the whole interval lies above the cost, short where it lies below minus the cost.

    Everywhere else 0: no position. Returns are hardly ever predictable enough for a 90 % interval
    to lie on one side; intervals of 50 to 60 % are for this.

    Parameters
    ----------
    low, high
        (...) ends of the intervals of returns, as a fraction.
    cost
        Of getting in and out, in the same unit.

    >>> side_of_interval(np.array([0.002, -0.01, -0.03]), np.array([0.01, 0.01, -0.005]), 0.001)
    array([ 1.,  0., -1.])
    """
    if not cost >= 0.0:
        raise ConfigError(f"cost is {cost:g}; give 0 or more.")
    return np.where(low > cost, 1.0, np.where(high < -cost, -1.0, 0.0))


def size_of_interval(low: Floats, high: Floats, full: float = 0.25) -> Floats:
    """Size in [-1, 1] in proportion to the forecast over the half-width of its interval.

    As the half-width follows volatility, so does the size: a position's risk is about the same in
    calm and in volatile times. An infinite interval gives 0.

    Parameters
    ----------
    low, high
        (...) ends of the intervals.
    full
        Midpoint over half-width at which the size is one.

    >>> size_of_interval(np.array([-0.9, -1.9, -np.inf]), np.array([1.1, 2.1, np.inf]))
    array([0.4, 0.2, 0. ])
    """
    if not full > 0.0:
        raise ConfigError(f"full is {full:g}; give a number above 0.")
    half = 0.5 * (high - low)
    sure = np.isfinite(half) & (half > 0.0)
    middle = 0.5 * (np.where(sure, high, 0.0) + np.where(sure, low, 0.0))
    return np.clip(middle / np.where(sure, half * full, 1.0), -1.0, 1.0)


def side_of_set(classes: Bools) -> Floats:
    """Long where UP or BUY alone is in the set, short where DOWN or SELL alone is, else 0.

    Parameters
    ----------
    classes
        (..., 2) DOWN and UP, or (..., 3) SELL, HOLD and BUY: whether each is in the set.

    >>> side_of_set(np.array([[False, False, True], [True, True, False], [True, False, False]]))
    array([ 1.,  0., -1.])
    """
    if classes.shape[-1] not in (2, 3):
        raise DataError(f"Sets of {classes.shape[-1]} classes have no sides; give two or three.")
    alone = classes.sum(axis=-1) == 1
    return np.where(alone, classes[..., -1] * 1.0 - classes[..., 0] * 1.0, 0.0)
