"""Plain scores of a member: the last task of an experiment of a sweep."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from barstack.evaluation import plain_scores
from barstack.features import FeatureTable
from barstack.models import Model
from barstack.splits import Fold

from ._fits import MemberForecasts, write_json
from ._labels import StudyLabels
from ._study import Study
from ._task import Operation, Place, Task, Workspace, stage

_SCORES = "scores.json"


def score_member(
    workspace: Workspace,
    member: MemberForecasts,
    features: FeatureTable,
    labels: StudyLabels,
    folds: list[Fold],
    *,
    model: Model,
) -> dict[str, Any]:
    """A member's plain scores by horizon, and how its fits went."""
    count = getattr(model, "parameter_count", None)
    judged = labels.judged(folds)
    forecast = member.out_of_fold.forecast
    curves = [fit["curves"] for fit in member.facts if fit["curves"]]
    losses = [min(epoch["stop_loss"] for epoch in curve) for curve in curves]
    decided_at = forecast.decisions.decided_at
    return {
        "horizons": {
            horizon: plain_scores(forecast, judged, horizon) for horizon in judged.target.horizons
        },
        "n_parameters": count and count(len(features.columns), len(judged.target.columns)),
        "train_rows": max(fit["rows"] for fit in member.facts),
        "stop_rows": max(fit["stop_rows"] for fit in member.facts),
        "epochs": sum(map(len, curves)),
        "validation_loss": sum(losses) / len(losses) if losses else None,
        "test_first_at": str(decided_at.min()),
        "test_last_at": str(decided_at.max()),
        "trained_through": max(fit["trained_through"] for fit in member.facts),
    }


def save_scores(scores: dict[str, Any], place: Place) -> None:
    write_json(place.folder / _SCORES, scores)


def load_scores(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place.folder / _SCORES).read_text())
    return found


SCORES = Operation("scores", score_member, ("evaluation",), save_scores, load_scores)


@stage("scores")
def score_tasks(study: Study, n_folds: int) -> Iterable[Task]:
    """Plain scores of each member, which a sweep asks for."""
    for name, model in study.members.items():
        needs = (f"member {name}", "features", "labels", "split")
        yield Task(f"scores {name}", SCORES, needs, {"model": model}, on_demand=True)
