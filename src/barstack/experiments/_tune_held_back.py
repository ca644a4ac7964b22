"""Tuned settings against those before, on folds that no choice has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.times import Times
from barstack.evaluation.sweeps import mean_tests
from barstack.labels import LabelTable
from barstack.tracking import OutOfFold, Store

from ._tune_trial import outcomes_of

LEVEL = 0.05
_FEWEST = 20  # decision times


@dataclass(frozen=True)
class HeldBack:
    """The loss that tuned settings save, of the naive loss, on the folds held back.

    Attributes
    ----------
    gain, gain_se
        Loss before less loss tuned, as a share of the loss of the mean so far, averaged over
        horizons; its standard error, None with too few blocks of time.
    reach
        Standard errors that a 95 % interval reaches each way.
    p_value
        For all tuned members.
    decision_times
        That it is of.
    before, tuned
        Losses as shares of the naive loss.
    """

    gain: float
    gain_se: float | None
    reach: float
    p_value: float
    decision_times: int
    before: float
    tuned: float

    @property
    def interval(self) -> tuple[float, float] | None:
        """At 95 %."""
        if self.gain_se is None:
            return None
        half = self.reach * self.gain_se
        return self.gain - half, self.gain + half

    @property
    def sentence(self) -> str:
        """What it says."""
        ends = self.interval
        within = (
            "" if ends is None else f" (95 % interval {_points(ends[0])} to {_points(ends[1])})"
        )
        figures = f"{_points(self.gain)} of the naive loss{within}, p = {self.p_value:.2g}"
        if self.p_value >= LEVEL:
            return f"No difference found on the folds held back: {figures}."
        better = "better" if self.gain > 0 else "worse"
        return f"Tuned settings are {better} on the folds held back: {figures}."


def _points(value: float) -> str:
    return f"{100 * value:+.2f} %".replace("-", "−")


def compare_held_back(
    store: Store, labels: LabelTable, pairs: Mapping[str, tuple[str, str]], folds: int
) -> dict[str, HeldBack]:
    """By member, how tuned settings did against those before.

    Only decision times count that all have. Errors are of means over blocks of time of two labels
    or more, and p-values are corrected for the number of members.

    Parameters
    ----------
    store
        With the forecasts.
    labels
        Of all decisions.
    pairs
        By member, keys of the forecasts before and tuned.
    folds
        The first so many were tuned on, and are left out.
    """
    found = {}
    for name, keys in pairs.items():
        before, tuned = (_losses(store.read(key), labels, folds) for key in keys)
        found[name] = _shared(before, tuned)
    if not found:
        return {}
    times = reduce(np.intersect1d, [each[0] for each in found.values()])
    if len(times) < _FEWEST:
        return {}
    columns = []
    for own_times, own_before, own_tuned, _ in found.values():
        at = np.searchsorted(own_times, times)
        columns.append((own_before[at], own_tuned[at]))
    span = max(each[3] for each in found.values())
    series = np.column_stack([one - other for one, other in columns])
    tests = mean_tests(series, span)
    answers = {}
    for place, name in enumerate(found):
        se = float(tests.se[place])
        answers[name] = HeldBack(
            gain=float(tests.mean[place]),
            gain_se=se if np.isfinite(se) else None,
            reach=float(tests.reach),
            p_value=float(tests.p_values[place]),
            decision_times=len(times),
            before=float(columns[place][0].mean()),
            tuned=float(columns[place][1].mean()),
        )
    return answers


# By horizon: decision times, losses as shares of the naive loss, and the span of a label in times.
_ByHorizon = dict[str, tuple[Times, Floats, int]]


def _losses(found: OutOfFold, labels: LabelTable, folds: int) -> _ByHorizon:
    forecast = found.forecast.take(np.flatnonzero(found.fold >= folds))
    losses: _ByHorizon = {}
    for outcomes, values in outcomes_of(forecast, labels):
        own = outcomes.series("", {}, values).loss / outcomes.base.mean()
        losses[outcomes.horizon] = outcomes.times, own, outcomes.span
    return losses


def _shared(before: _ByHorizon, tuned: _ByHorizon) -> tuple[Times, Floats, Floats, int]:
    """Means over horizons on the decision times that all of them have."""
    every = [*before.values(), *tuned.values()]
    times = reduce(np.intersect1d, [each[0] for each in every])
    means = [
        np.mean([loss[np.searchsorted(at, times)] for at, loss, _ in side.values()], axis=0)
        for side in (before, tuned)
    ]
    return times, means[0], means[1], max(each[2] for each in every)
