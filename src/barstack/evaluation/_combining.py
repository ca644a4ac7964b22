"""All that is found on combining members, of one evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from barstack.core.arrays import Floats
from barstack.ensembles import Stacked
from barstack.tracking import OutOfFold

from ._case import Case, Forecaster
from ._combining_findings import EQUAL_WEIGHTS, FoldGain, Gain
from ._diversity import MOST_IN_PAIRS, diversity_of
from ._gains import adjusted, fold_gains, gains_at
from ._importances import importances, inputs_of
from ._references import best_so_far, equal_weights, member_losses
from ._shapley import contributions
from ._weights import Fits, order_kept, regime_weights, stability_of, weights_of


def combining(
    case: Case,
    members: Stacked,
    ensembles: Mapping[str, OutOfFold],
    fitted: Mapping[str, Fits],
    forecasters: Sequence[Forecaster],
) -> dict[str, Any]:
    """Fields of an `Evaluation` by name.

    members  with their labels
    """
    target = case.target
    inputs = {
        name: inputs_of(next(iter(fits.values())).members, members, ensembles)
        for name, fits in fitted.items()
        if fits
    }
    weights = {name: weights_of(name, fitted[name], each, target) for name, each in inputs.items()}
    known = {name: each for name, each in inputs.items() if each is not None}
    gains, by_fold = _gains(case, members, forecasters)
    return {
        "gains": gains,
        "fold_gains": by_fold,
        "choices": [
            each
            for each in best_so_far(members)[1]
            if each.fold in {fold.number for fold in case.horizons[0].folds}
        ],
        "weights": [each for own in weights.values() for each in own],
        "regime_weights": [
            found
            for name, each in known.items()
            for found in regime_weights(name, fitted[name], each)
        ],
        "importances": [
            found for name, each in known.items() for found in importances(name, fitted[name], each)
        ],
        "stability": [
            *(found for own in weights.values() for found in stability_of(own)),
            *_order_kept(members),
        ],
    } | _of_members(case, members)


def _of_members(case: Case, members: Stacked) -> dict[str, Any]:
    shared = members.decisions.find(case.decisions)
    diversity, found = [], []
    for place, horizon in enumerate(case.horizons):
        names, values = members.members, members.forecasts[shared[horizon.known], :, place]
        own = list(contributions(horizon, case.target, names, values))
        size = {each.member: -abs(each.shapley) for each in own}
        most = sorted(names, key=lambda name: size.get(name, 0.0))[:MOST_IN_PAIRS]
        shown = [name for name in names if name in most]
        diversity.append(diversity_of(horizon, case.target, names, values, shown))
        found += own
    return {"diversity": diversity, "contributions": found}


def _gains(
    case: Case, members: Stacked, forecasters: Sequence[Forecaster]
) -> tuple[list[Gain], list[FoldGain]]:
    """Against the best member so far, equal weights, and naive forecasts that have values."""
    equal = equal_weights(members)[members.decisions.find(case.decisions)]
    gains: list[Gain] = []
    by_fold: list[FoldGain] = []
    for place, horizon in enumerate(case.horizons):

        def known(values: Floats, place: int = place) -> Floats:
            return np.asarray(values[case.horizons[place].known, place])

        of_role: dict[str, dict[str, Floats]] = {"ensemble": {}, "benchmark": {}, "naive": {}}
        for each in forecasters:
            if each.values is not None and each.role in of_role:
                of_role[each.role][each.name] = known(each.values)
        references = of_role["benchmark"] | {EQUAL_WEIGHTS: known(equal)} | of_role["naive"]
        gains += gains_at(horizon, case.target, of_role["ensemble"], references)
        by_fold += fold_gains(
            horizon, horizon.folds, case.target, of_role["ensemble"], known(equal)
        )
    return adjusted(gains), by_fold


def _order_kept(members: Stacked) -> list[Any]:
    """Of two members or more, at each horizon."""
    if len(members.members) < 2:
        return []
    assert members.fold is not None  # aligned with labels
    lost, folds = member_losses(members), np.unique(members.fold)
    found = []
    for place, horizon in enumerate(members.target.horizons):
        rows = [(members.fold == fold) & ~np.isnan(lost[:, 0, place]) for fold in folds]
        by_fold = [lost[own, :, place].mean(axis=0) for own in rows if own.any()]
        found.append(order_kept(horizon, by_fold))
    return [each for each in found if each is not None]
