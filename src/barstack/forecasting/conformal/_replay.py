"""Intervals and sets of past decisions, each made with what was known by then."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.errors import DataError
from barstack.core.times import DecidedAt, KnownAt

from ._intervals import ConformalIntervals
from ._sets import ConformalSets


def intervals_of(
    conformal: ConformalIntervals,
    forecast: Floats,
    outcome: Floats,
    decided_at: DecidedAt,
    known_at: KnownAt,
    scale: Floats | None = None,
) -> Floats:
    """(n_rows, 2) low and high of each decision, as they would have been predicted live.

    Parameters
    ----------
    conformal
        Which predicts and learns; it has seen all outcomes that are known afterwards.
    forecast, outcome
        (n_rows,) point forecasts, and what was realised; NaN where it is not known yet.
    decided_at, known_at
        (n_rows,) when each decision fell and when its outcome was known, NaT where it is not.
        An outcome known at the moment of a decision is used by it.
    scale
        (n_rows,) scale of each decision's errors, in place of that of the newest errors.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(99) * np.timedelta64(1, "h")
    >>> outcome = np.random.default_rng(0).normal(size=99)
    >>> late = times + np.timedelta64(4, "h")
    >>> found = intervals_of(ConformalIntervals(halflife=None), 0 * outcome, outcome, times, late)
    >>> int(np.isinf(found[:, 0]).sum())  # until 20 outcomes are known, 4 hours late
    23
    """
    found = np.empty((len(forecast), 2))

    def predict(row: int) -> int:
        given = None if scale is None else float(scale[row])
        interval = conformal.predict(float(forecast[row]), given)
        found[row] = interval.low, interval.high
        return interval.number

    def learn(row: int, number: int) -> None:
        conformal.update(number, float(outcome[row]))

    _replay(predict, learn, decided_at, known_at, np.isfinite(outcome))
    return found


def sets_of(
    conformal: ConformalSets,
    probabilities: Floats,
    realised: Ints,
    decided_at: DecidedAt,
    known_at: KnownAt,
) -> Bools:
    """(n_rows, n_classes) the classes of each decision's set, as they would have been live.

    Parameters
    ----------
    conformal
        Which predicts and learns.
    probabilities
        (n_rows, n_classes)
    realised
        (n_rows,) class of each outcome; any number where it is not known yet.
    decided_at, known_at
        (n_rows,) as `intervals_of` has them.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(3) * np.timedelta64(1, "h")
    >>> even = np.full((3, 2), 0.5)
    >>> sets_of(ConformalSets(), even, np.array([1, 0, 1]), times, times + np.timedelta64(1, "h"))
    array([[ True,  True],
           [ True,  True],
           [ True,  True]])
    """
    found = np.empty(probabilities.shape, dtype=np.bool_)

    def predict(row: int) -> int:
        each = conformal.predict(probabilities[row])
        found[row] = each.classes
        return each.number

    def learn(row: int, number: int) -> None:
        conformal.update(number, int(realised[row]))

    _replay(predict, learn, decided_at, known_at, np.ones(len(realised), dtype=np.bool_))
    return found


def _replay(
    predict: Callable[[int], int],
    learn: Callable[[int, int], None],
    decided_at: DecidedAt,
    known_at: KnownAt,
    has_outcome: Bools,
) -> None:
    known = ~np.isnat(known_at) & has_outcome
    if (known_at[known] < decided_at[known]).any():
        row = int(np.flatnonzero(known)[np.argmax(known_at[known] < decided_at[known])])
        raise DataError(
            f"The outcome of row {row} is known at {known_at[row]}, before its decision at "
            f"{decided_at[row]}."
        )
    outcomes = np.flatnonzero(known)
    outcomes = outcomes[np.argsort(known_at[outcomes], kind="stable")]
    numbers: dict[int, int] = {}
    waiting = 0
    for row in np.argsort(decided_at, kind="stable"):
        now = decided_at[row]
        while waiting < len(outcomes) and known_at[outcomes[waiting]] <= now:
            ready = int(outcomes[waiting])
            if ready not in numbers:  # known at the moment of its own decision
                break
            learn(ready, numbers.pop(ready))
            waiting += 1
        numbers[int(row)] = predict(int(row))
    for row in outcomes[waiting:]:
        learn(int(row), numbers.pop(int(row)))
