"""How alike tickers are, by what their training rows show and nothing else."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from barstack.core.arrays import Floats, Ints
from barstack.core.forecast import Target
from barstack.datasets import Samples

_FEWEST = 20  # days in common, below which a correlation of them says nothing
_DAY, _HOUR = "datetime64[D]", "datetime64[h]"


class Profile(NamedTuple):
    """What one ticker's labels at the nearest horizon look like.

    days     (n_days,) UTC days, counted from 1970
    daily    (n_days,) mean label of each
    by_hour  (24,) mean size of labels decided in each hour of the UTC day, 0 where none was
    """

    days: Ints
    daily: Floats
    by_hour: Floats

    @classmethod
    def of(cls, samples: Samples, target: Target) -> Profile:
        """Of a ticker's own samples."""
        assert samples.decisions is not None  # they were told apart by symbol
        decided = samples.decisions.decided_at[samples.rows]
        # Classes as signs: down, nothing, up.
        middle = {"direction": 0.5, "three_class": 1.0}.get(target.task, 0.0)
        labels = samples.y[:, 0] - middle
        days, at = np.unique(decided.astype(_DAY).astype(np.int64), return_inverse=True)
        hour = decided.astype(_HOUR).astype(np.int64) % 24
        return cls(days, _mean(labels, at, len(days)), _mean(np.abs(labels), hour, 24))


def likeness(one: Profile, other: Profile) -> float:
    """From -1 to 1: the mean of two correlations, of daily labels and of volatility by the hour.

    The first is over days that both have, and left out if these are fewer than 20; the second
    over hours that both have, and left out where either's size of labels is the same in all of
    them. 0 where neither can be told.

    >>> days = np.arange(40)
    >>> up, flat = np.sin(days), np.ones(24)
    >>> likeness(Profile(days, up, flat), Profile(days, 3.0 * up, flat))
    1.0
    >>> likeness(Profile(days, up, flat), Profile(days + 40, up, flat))
    0.0
    >>> few = Profile(days[:9], up[:9], np.arange(24.0))
    >>> likeness(few, few)
    1.0
    """
    _, here, there = np.intersect1d(one.days, other.days, return_indices=True)
    daily = _correlation(one.daily[here], other.daily[there]) if len(here) >= _FEWEST else None
    hours = (one.by_hour > 0.0) & (other.by_hour > 0.0)
    by_hour = _correlation(one.by_hour[hours], other.by_hour[hours])
    told = [each for each in (daily, by_hour) if each is not None]
    return sum(told) / len(told) if told else 0.0


def _correlation(one: Floats, other: Floats) -> float | None:
    if len(one) < 3 or np.ptp(one) == 0.0 or np.ptp(other) == 0.0:
        return None
    return round(float(np.corrcoef(one, other)[0, 1]), 12)  # so that rounding breaks no tie


def _mean(values: Floats, group: Ints, count: int) -> Floats:
    size = np.bincount(group, minlength=count)
    total = np.bincount(group, values, minlength=count)
    return np.asarray(np.divide(total, size, out=np.zeros(count), where=size > 0))
