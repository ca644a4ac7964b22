"""What an ensemble must beat: the best member so far, and equal weights."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats, Ints
from barstack.ensembles import Stacked

from ._combining_findings import Choice
from ._losses import losses


def equal_weights(stacked: Stacked) -> Floats:
    """(n_rows, n_horizons, n_outputs) mean of the members, which has nothing to learn."""
    return np.asarray(stacked.forecasts.mean(axis=1))


def best_so_far(stacked: Stacked) -> tuple[Floats, list[Choice]]:
    """In each fold the member with the lowest mean loss on earlier rows, at each horizon.

    It knows what an ensemble knows: rows of earlier folds whose labels were known at every horizon
    when the fold began. Of equal ones the first is taken. In a fold before which nothing is known,
    as the first, it is the first member.

    Parameters
    ----------
    stacked
        Members' forecasts with their labels.

    Returns
    -------
    forecasts
        (n_rows, n_horizons, n_outputs)
    choices
        By fold, then horizon.
    """
    assert stacked.fold is not None  # aligned with labels
    rows_losses = member_losses(stacked)
    known_at, found, choices = stacked.all_known_at, np.empty_like(stacked.forecasts[:, 0]), []
    for fold in np.unique(stacked.fold):
        own = np.flatnonzero(stacked.fold == fold)
        begins = stacked.decisions.decided_at[own].min()
        earlier = np.flatnonzero((stacked.fold < fold) & (known_at <= begins))
        best = _best(rows_losses[earlier])
        for place, horizon in enumerate(stacked.target.horizons):
            found[own, place] = stacked.forecasts[own, best[place], place]
            name = stacked.members[best[place]]
            choices.append(Choice(horizon, int(fold), name, len(earlier)))
    return found, choices


def member_losses(stacked: Stacked) -> Floats:
    """(n_rows, n_members, n_horizons) loss of each forecast; NaN where its label is not known."""
    y = stacked.y
    assert y is not None  # aligned with labels
    found = np.full(stacked.forecasts.shape[:3], np.nan)
    for place in range(y.shape[1]):
        known = np.flatnonzero(~np.isnan(y[:, place]))
        values = stacked.forecasts[known, :, place].swapaxes(0, 1)
        found[known, :, place] = losses(values, y[known, place], stacked.target).T
    return found


def _best(rows_losses: Floats) -> Ints:
    """(n_horizons,) member of the lowest mean loss, the first where there is no row."""
    if not len(rows_losses):
        return np.zeros(rows_losses.shape[2], np.int64)
    return np.asarray(rows_losses.mean(axis=0).argmin(axis=0))
