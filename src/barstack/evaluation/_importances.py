"""How much ensembles depend on each of their members: by shuffling what it forecasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.decisions import shared_rows
from barstack.core.seeds import derive_seed
from barstack.ensembles import Stacked
from barstack.tracking import OutOfFold

from . import _metrics as metrics
from ._combining_findings import Importance
from ._losses import losses
from ._standard_errors import blocks_of, jackknife_se, overlap_of, reach
from ._weights import Fits

_MOST_SHUFFLED = 20  # members of one ensemble
_MOST_ROWS = 20_000
_MOST_NUMBERS = 20_000_000  # that one member's shuffling hands to an ensemble


def inputs_of(
    names: tuple[str, ...], members: Stacked, ensembles: Mapping[str, OutOfFold]
) -> Stacked | None:
    """The forecasts that an ensemble combines, of members and of other ensembles.

    None where one of the names is not there.
    """
    if any(name not in members.members and name not in ensembles for name in names):
        return None
    lower = [ensembles[name].forecast for name in names if name not in members.members]
    picks = shared_rows([members.decisions, *(each.decisions for each in lower)])
    found = members.take(picks[0])
    above = dict(zip([n for n in names if n not in members.members], picks[1:], strict=True))
    parts = [
        ensembles[name].forecast.values[above[name]]
        if name in above
        else found.member(members.members.index(name))
        for name in names
    ]
    return Stacked(
        names,
        found.decisions,
        found.target,
        np.stack(parts, axis=1),
        fold=found.fold,
        y=found.y,
        known_at=found.known_at,
        returns=found.returns,
        context=found.context,
    )


def importances(name: str, fits: Fits, inputs: Stacked) -> Iterator[Importance]:
    """Rise of an ensemble's loss when one input is shuffled within each fold.

    Breiman (2001), of the ensemble as it was fitted before each fold, on that fold's rows, which
    it had not seen. The order of the shuffled rows is the same for every input and follows from a
    fixed seed. Of more than 20 inputs those are shuffled whose weights are largest.
    """
    order, rows = _shuffled(fits, inputs)
    if not len(rows):
        return
    usual = _predicted(fits, inputs, rows)
    lost = {place: _losses_at(usual, inputs, rows, place) for place in _horizons(inputs)}
    assert inputs.y is not None  # aligned with labels
    assert inputs.known_at is not None
    for place in _chosen(fits, inputs):
        forecasts = inputs.forecasts[rows]
        forecasts[:, place] = inputs.forecasts[order, place]
        shuffled = _predicted(fits, inputs, rows, forecasts)
        for h, horizon in enumerate(inputs.target.horizons):
            own, known = lost[h], ~np.isnan(inputs.y[rows, h])
            worse = _losses_at(shuffled, inputs, rows, h)
            if known.sum() < 2 or not own.sum() > 0.0:
                continue
            times = inputs.decisions.decided_at[rows[known]]
            known_at = inputs.known_at[rows[known], h]
            blocks = blocks_of(times, overlap_of(times, known_at))
            terms = np.stack([worse, own], axis=1)
            yield Importance(
                name,
                inputs.members[place],
                horizon,
                -metrics.skill(worse, own),
                jackknife_se(metrics.skill_of_sums, terms, blocks),
                reach(blocks.count),
            )


def _horizons(inputs: Stacked) -> range:
    return range(len(inputs.target.horizons))


def _shuffled(fits: Fits, inputs: Stacked) -> tuple[Rows, Rows]:
    """(n,) rows in time order that have a fit, and for each another row of its fold."""
    assert inputs.fold is not None  # aligned with labels
    at_most = min(_MOST_ROWS, _MOST_NUMBERS // max(inputs.forecasts[0].size, 1))
    every = np.flatnonzero(np.isin(inputs.fold, [fold for fold in fits if fold != "final"]))
    few = np.linspace(0, len(every) - 1, min(len(every), max(at_most, 100))).astype(np.int64)
    rows, order = every[few], every[few].copy()
    for fold in np.unique(inputs.fold[rows]):
        own = np.flatnonzero(inputs.fold[rows] == fold)
        rng = np.random.default_rng(derive_seed(0, "importance", int(fold)))
        order[own] = rows[rng.permutation(own)]
    return order, rows


def _predicted(fits: Fits, inputs: Stacked, rows: Rows, forecasts: Floats | None = None) -> Floats:
    """(n, n_horizons, n_outputs) each row by the fit before its fold, of other inputs if given."""
    assert inputs.fold is not None  # aligned with labels
    found = np.empty((len(rows), *inputs.forecasts.shape[2:]))
    for fold in np.unique(inputs.fold[rows]):
        own = np.flatnonzero(inputs.fold[rows] == fold)
        stacked = inputs.take(rows[own])
        if forecasts is not None:
            stacked = replace(stacked, forecasts=forecasts[own])
        found[own] = fits[int(fold)].predict(stacked)
    return found


def _losses_at(values: Floats, inputs: Stacked, rows: Rows, place: int) -> Floats:
    """Losses of the rows whose label of a horizon is known."""
    assert inputs.y is not None  # aligned with labels
    y = inputs.y[rows, place]
    known = ~np.isnan(y)
    return losses(values[known, place], y[known], inputs.target)


def _chosen(fits: Fits, inputs: Stacked) -> list[int]:
    """Places of the inputs to shuffle: all, or those with the largest mean weights."""
    n = len(inputs.members)
    if n <= _MOST_SHUFFLED:
        return list(range(n))
    matrices = [each.weight_matrix(inputs.target) for each in fits.values()]
    known = [np.abs(matrix).mean(axis=0) for matrix in matrices if matrix is not None]
    size = np.mean(known, axis=0) if known else np.zeros(n)
    return sorted(np.argsort(-size, kind="stable")[:_MOST_SHUFFLED].tolist())
