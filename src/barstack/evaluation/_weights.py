"""Weights of the members over time and by regime, and how steady they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from barstack.core.arrays import Floats, ranks_of
from barstack.core.forecast import REGIMES, Target
from barstack.ensembles import FittedEnsemble, Stacked

from . import _metrics as metrics
from ._combining_findings import RegimeWeights, Stability
from ._findings import FoldName, Weights

Fits = Mapping[FoldName, FittedEnsemble]
EXPLAINED = "weights"  # what `explain` calls the weights of each row


def weights_of(name: str, fits: Fits, inputs: Stacked | None, target: Target) -> list[Weights]:
    """Weights before each fold and finally.

    Of an ensemble whose weights change from row to row, which says so by `weights` in what it
    explains, their means within each fold.
    """
    found = []
    for fold, each in fits.items():
        matrix = each.weight_matrix(target)
        if matrix is None and inputs is not None:
            by_row = _by_row(each, inputs, fold)
            matrix = None if by_row is None else by_row.mean(axis=0)
        if matrix is not None:
            found += [
                Weights(name, horizon, fold, dict(zip(each.members, map(float, row), strict=True)))
                for horizon, row in zip(target.horizons, matrix, strict=True)
            ]
    return found


def _by_row(fitted: FittedEnsemble, inputs: Stacked, fold: FoldName) -> Floats | None:
    """(n_rows, n_horizons, n_members) weights in a fold's rows; None where there are none."""
    assert inputs.fold is not None  # aligned with labels
    if fold == "final" or not (inputs.fold == fold).any():
        return None
    own = inputs.take(np.flatnonzero(inputs.fold == fold))
    shape = (len(own), len(own.target.horizons), len(own.members))
    matrix = fitted.weight_matrix(own.target)
    if matrix is not None:
        return np.broadcast_to(matrix, shape)
    found = np.asarray(fitted.explain(own).get(EXPLAINED, np.empty((len(own), 0))), np.float64)
    if found.shape == (shape[0], shape[2]):
        found = np.broadcast_to(found[:, None], shape)
    return found if found.shape == shape and np.isfinite(found).all() else None


def regime_weights(name: str, fits: Fits, inputs: Stacked) -> Iterator[RegimeWeights]:
    """Mean weights while each regime was likely, by its probability at each decision.

    None without regimes in the context, or where an ensemble has no weights.
    """
    regimes = inputs.context.get("regimes")
    folds = [fold for fold in fits if fold != "final"]
    parts = [_by_row(fits[fold], inputs, fold) for fold in folds]
    present = [each for each in parts if each is not None]
    if regimes is None or not parts or len(present) < len(parts):
        return
    assert inputs.fold is not None  # aligned with labels
    weights = np.concatenate(present)
    chance = np.concatenate([regimes[inputs.fold == fold] for fold in folds])
    total = chance.sum(axis=0)
    for place, regime in enumerate(REGIMES):
        if not total[place] > 0.0:
            continue
        mean = np.einsum("n,nhm->hm", chance[:, place], weights) / total[place]
        for horizon, row in zip(inputs.target.horizons, mean, strict=True):
            yield RegimeWeights(
                name,
                horizon,
                regime,
                float(total[place] / len(chance)),
                dict(zip(inputs.members, map(float, row), strict=True)),
            )


def stability_of(weights: Sequence[Weights]) -> Iterator[Stability]:
    """How much of an ensemble's weights is kept from fold to fold, at each horizon."""
    for horizon in dict.fromkeys(each.horizon for each in weights):
        own = [each for each in weights if each.horizon == horizon and each.fold != "final"]
        scaled = [_scaled(each) for each in own]
        kept = [1.0 - 0.5 * float(np.abs(a - b).sum()) for a, b in pairwise(scaled)]
        if kept and np.isfinite(kept).all():
            yield Stability(own[0].ensemble, horizon, "weights_kept", float(np.mean(kept)))


def _scaled(weights: Weights) -> Floats:
    """To an absolute sum of one; all zero where nothing is weighted."""
    found = np.array(list(weights.weights.values()))
    size = float(np.abs(found).sum())
    return found / size if size > 0.0 else found


def order_kept(horizon: str, by_fold: Sequence[Floats]) -> Stability | None:
    """Rank correlation of the members' losses in neighbouring folds.

    by_fold  for each fold, (n_members,) mean losses
    """
    found = [metrics.ic(ranks_of(a), ranks_of(b)) for a, b in pairwise(by_fold)]
    known = [each for each in found if np.isfinite(each)]
    return Stability("", horizon, "rank_correlation", float(np.mean(known))) if known else None
