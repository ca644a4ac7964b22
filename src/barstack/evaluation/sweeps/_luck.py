"""What the best of many worthless experiments would have reached."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..significance import effective_trials, resample
from ._table import SweepTable

_REPETITIONS = 500


@dataclass(frozen=True)
class Luck:
    """The best directional accuracy found, beside the best that luck makes of as many trials.

    Attributes
    ----------
    trials
        Experiments compared.
    independent_trials
        Of how many independent ones the best is as lucky.
    expected_best, high_best
        Best directional accuracy of worthless experiments: the mean, and what luck exceeds in one
        case of twenty.
    best, name
        Found.
    p_value
        How often luck alone does at least as well.
    """

    trials: int
    independent_trials: float
    expected_best: float
    high_best: float
    best: float
    name: str
    p_value: float


def luck_of_best(table: SweepTable) -> Luck:
    """Resample the times of all experiments together, with the timing of each taken away.

    A worthless experiment is right as often as its share of long forecasts and the market's share
    of rises make it. Experiments that forecast alike are lucky together.

    >>> from barstack.testing import small_sweep_series
    >>> from barstack.evaluation.sweeps import sweep_table
    >>> luck = luck_of_best(sweep_table(small_sweep_series()))
    >>> luck.trials, luck.best < luck.high_best
    (8, True)
    """
    resampled = resample(table.right, span=table.span, repetitions=_REPETITIONS)
    largest = (table.chance + resampled.deviations / resampled.shrinkage**0.5).max(axis=1)
    accuracy = 0.5 + table.right.mean(axis=0)
    best = int(np.argmax(accuracy))
    effective = effective_trials(table.right, resampled).by_maximum
    exceeding = float((largest >= accuracy[best]).sum())
    return Luck(
        len(table),
        effective,
        float(largest.mean()),
        float(np.quantile(largest, 0.95)),
        float(accuracy[best]),
        table.names[best],
        (1.0 + exceeding) / (_REPETITIONS + 1.0),
    )
