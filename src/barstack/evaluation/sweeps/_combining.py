"""Do ensembles of a sweep's experiments do better than the best of them so far?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.times import Times
from barstack.ensembles import Ensemble, Stacked, walk_forward

from .._losses import losses
from .._references import best_so_far, member_losses

_FEW = 10  # of the best
_STRETCHES = 5  # of time: an ensemble learns from the earlier ones


@dataclass(frozen=True, eq=False)
class CombinedSeries:
    """Ensembles of the members at one horizon, by decision time from the second stretch on.

    Attributes
    ----------
    horizon
        Of the members.
    members
        How many are combined.
    times
        (n_times,)
    gain
        By method, (n_times,) loss of the best member so far less that of the ensemble, over the
        mean loss of the former.
    above_mean
        By method, the same against the members' mean loss.
    span
        Decision times that a label spans.
    """

    horizon: str
    members: int
    times: Times
    gain: Mapping[str, Floats]
    above_mean: Mapping[str, Floats]
    span: int


def combine_members(
    stacked: Stacked, ensembles: Mapping[str, Ensemble], span: int, *, seed: int = 0
) -> CombinedSeries:
    """Fit ensembles to forecasts out of fold at one horizon, walking forward over five stretches.

    What the members were trained on ends before the first stretch or with their own folds;
    the ensembles see earlier stretches alone, and of these the labels that are known.

    Parameters
    ----------
    stacked
        Aligned with labels, one horizon.
    ensembles
        By the name of the method; none of them needs context.
    span
        Decision times that a label spans.

    >>> from barstack.ensembles import ENSEMBLES
    >>> from barstack.testing import small_stacked
    >>> pool = small_stacked("return")
    >>> one = replace(
    ...     pool, target=replace(pool.target, horizons=("1h",)),
    ...     forecasts=pool.forecasts[:, :, :1], y=pool.y[:, :1], known_at=pool.known_at[:, :1],
    ...     returns=pool.returns[:, :1],
    ... )
    >>> found = combine_members(one, {"average": ENSEMBLES.parse("average")}, 2)
    >>> found.members, found.times.shape, bool(found.gain["average"].mean() > 0)
    (4, (200,), False)
    """
    assert stacked.y is not None  # aligned with labels
    known = stacked.y[:, 0]
    whole, place = np.unique(stacked.decisions.decided_at, return_inverse=True)
    stacked = replace(stacked, fold=place * _STRETCHES // len(whole))
    assert stacked.fold is not None
    rows = np.flatnonzero((stacked.fold > 0) & ~np.isnan(known))
    y, target = known[rows], stacked.target
    times, at = np.unique(stacked.decisions.decided_at[rows], return_inverse=True)
    counts = np.bincount(at)

    def by_time(values: Floats) -> Floats:
        return np.asarray(np.bincount(at, losses(values, y, target)) / counts)

    best = by_time(best_so_far(stacked)[0][rows, 0])
    members = range(len(stacked.members))
    mean = np.mean([by_time(stacked.forecasts[rows, each, 0]) for each in members], axis=0)
    gain, above_mean = {}, {}
    for name, ensemble in ensembles.items():
        forecasts, _ = walk_forward(ensemble, stacked, seed=seed)
        found = forecasts.forecast.decisions.find(stacked.decisions.take(rows))
        own = by_time(forecasts.forecast.values[found, 0])
        gain[name] = (best - own) / max(float(best.mean()), 1e-300)
        above_mean[name] = (mean - own) / max(float(mean.mean()), 1e-300)
    return CombinedSeries(target.horizons[0], len(stacked.members), times, gain, above_mean, span)


def _best_few(stacked: Stacked) -> Floats:
    """(n_rows, n_horizons, n_outputs) mean of the ten members of lowest loss so far."""
    assert stacked.fold is not None  # set by the caller
    lost, known_at = member_losses(stacked)[:, :, 0], stacked.all_known_at
    found = np.empty_like(stacked.forecasts[:, 0])
    for fold in np.unique(stacked.fold):
        own = np.flatnonzero(stacked.fold == fold)
        begins = stacked.decisions.decided_at[own].min()
        earlier = np.flatnonzero((stacked.fold < fold) & (known_at <= begins))
        order = lost[earlier].mean(axis=0).argsort(kind="stable") if len(earlier) else slice(None)
        few = np.arange(len(stacked.members))[order][:_FEW]
        found[own] = stacked.forecasts[np.ix_(own, few)].mean(axis=1)
    return found


def shared_gains(
    combined: Iterable[CombinedSeries], which: str = "gain"
) -> tuple[dict[str, Floats], int]:
    """By method, the mean series over horizons on the times that these share, and the span."""
    listed = list(combined)
    times = listed[0].times
    for each in listed[1:]:
        times = np.intersect1d(times, each.times)
    names = [name for name in listed[0].gain if all(name in each.gain for each in listed)]
    found = {
        name: np.mean(
            [getattr(each, which)[name][np.searchsorted(each.times, times)] for each in listed],
            axis=0,
        )
        for name in names
    }
    return found, max(each.span for each in listed)
