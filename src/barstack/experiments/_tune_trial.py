"""A trial of tuning: one model on the first folds of a study, by its losses out of fold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.forecast import Forecast
from barstack.core.spec import content_id
from barstack.core.times import KnownAt
from barstack.evaluation.sweeps import SweepOutcomes, past_of
from barstack.labels import LabelTable

from ._engine import Engine
from ._fits import FoldFit, fit_name, join_folds
from ._member_scores import score_member
from ._study import Study
from ._trials import JudgedOn


def judge_folds(
    engine: Engine, study: Study, judged_on: JudgedOn, folds: int, *, ended: bool
) -> dict[str, Any]:
    """Fit a study's only member on its first folds, unless that is stored, and judge it.

    Parameters
    ----------
    engine
        Of the study.
    folds
        How many of them.
    ended
        Whether the trial ends here: its forecasts are then stored too, and it has scores.

    Returns
    -------
    dict
        `how`, "made" or "reused"; `seconds` and `cpu_seconds`; `loss`, as a share of the loss of
        the mean so far, averaged over horizons. Of one that has ended also what `Bench.compute`
        returns, with `scores` and `trials` by horizon.
    """
    begin, computed = time.perf_counter(), time.process_time()
    (member,) = study.members
    names = [fit_name(member, fold) for fold in range(folds)]
    made = not all(engine.place(name).folder.is_dir() for name in names)
    engine.run(names)
    fits: list[FoldFit] = [engine.value(name) for name in names]
    all_folds, found = engine.value("split"), engine.value("labels")
    labels = found.judged(all_folds)
    joined = join_folds(engine.workspace, *fits)
    forecast = joined.out_of_fold.forecast
    answer: dict[str, Any] = {"loss": relative_loss(forecast, labels)}
    if ended:
        key = content_id(["trial", *(engine.key(name) for name in names)])
        engine.forecasts.write(key, joined.out_of_fold)
        scores = score_member(
            engine.workspace,
            joined,
            engine.value("features"),
            found,
            all_folds,
            model=study.members[member],
        )
        # On fewer folds it is another look than the same model on all of them.
        recipe = [study.recipe_of(member), ["folds", folds]]
        answer |= {
            "scores": scores.pop("horizons"),
            "fit": scores,
            "curves": {str(fit["fold"]): fit["curves"] for fit in joined.facts},
            "trials": {
                horizon: asdict(judged_on.trial(member, recipe, horizon, key))
                for horizon in labels.target.horizons
            },
        }
    return answer | {
        "how": "made" if made else "reused",
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": time.process_time() - computed,
    }


def relative_loss(forecast: Forecast, labels: LabelTable) -> float:
    """Loss as a share of that of the mean so far, averaged over horizons.

    forecast  of decisions that the table has
    """
    shares = []
    for outcomes, values in outcomes_of(forecast, labels):
        own = outcomes.series("", {}, values).loss
        shares.append(float(own.mean() / outcomes.base.mean()))
    return float(np.mean(shares))


def outcomes_of(forecast: Forecast, labels: LabelTable) -> Sequence[tuple[SweepOutcomes, Floats]]:
    """By horizon, what was realised of the decisions forecast, and the forecasts of those known."""
    rows = labels.decisions.find(forecast.decisions)
    found = []
    for place, horizon in enumerate(labels.target.horizons):
        known = np.flatnonzero(~np.isnan(labels.values[rows, place]))
        at = rows[known]
        outcomes = SweepOutcomes(
            horizon,
            labels.decisions.decided_at[at],
            KnownAt(labels.known_at[at, place]),
            labels.values[at, place],
            labels.returns[at, place],
            past_of(labels, at, horizon),
            replace(labels.target, horizons=(horizon,)),
        )
        found.append((outcomes, forecast.values[known, place]))
    return found
