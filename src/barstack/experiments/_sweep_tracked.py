"""Experiments of a sweep in the tracking database, as they begin and end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from barstack.core.spec import content_id
from barstack.tracking import EpochMeasure, Experiment, ExperimentTracker

from ._sweep_plan import PlannedExperiment
from ._tracked import experiment_id

_COLUMNS = {"batch_size": "batch", "learning_rate": "learning_rate", "weight_decay": "weight_decay"}
_SCORES = ("directional_accuracy", "mse", "rmse", "mae", "r2", "ic")
_HISTORY = ("split.train_times", "bars.start")  # settings that say how long it is


class TrackedSweep:
    """Enters experiments of one sweep; those that are completed stay as they are.

    Parameters
    ----------
    sweep_id
        Of the sweep that they are part of from now on.
    """

    def __init__(self, tracker: ExperimentTracker, sweep_id: str) -> None:
        self.tracker, self.sweep_id = tracker, sweep_id
        self._completed = {
            name for name, status in tracker.statuses().items() if status == "completed"
        }

    def start(self, each: PlannedExperiment, shared: Mapping[str, Any]) -> None:
        """It begins."""
        planned = self._planned(each, shared)
        if planned.experiment_id not in self._completed:
            self.tracker.start(planned)

    def finish(
        self,
        each: PlannedExperiment,
        shared: Mapping[str, Any],
        result: Mapping[str, Any],
        *,
        pruned: bool = False,
    ) -> None:
        """It has a result, or part of one where it was given up early."""
        planned = self._planned(each, shared)
        if planned.experiment_id in self._completed:
            return
        scores, fit = dict(result["scores"]), dict(result["fit"])
        known = {name: scores.pop(name, None) for name in _SCORES}
        measures = {name: value for name, value in scores.items() if value is not None}
        finished = {
            **known,
            "n_samples": scores.pop("n_decisions"),
            "n_parameters": fit.pop("n_parameters"),
            "metrics": measures | {name: each for name, each in fit.items() if each is not None},
            "training_seconds": result["seconds"] if result["how"] == "made" else None,
            "forecasts": result["trial"]["forecasts"],
        }
        history = history_of(result["curves"])
        if pruned:
            self.tracker.prune(_with(planned, finished), history)
            return
        self.tracker.finish(_with(planned, finished), history)
        self._completed.add(planned.experiment_id)

    def fail(self, each: PlannedExperiment, shared: Mapping[str, Any] | None, error: str) -> None:
        """It ended with an error."""
        self.tracker.fail(self._planned(each, shared), error)

    def _planned(self, each: PlannedExperiment, shared: Mapping[str, Any] | None) -> Experiment:
        data = shared["judged_on"]["data"] if shared else ""  # none where they cannot be read
        run_id = each.study.run_id(data)
        (model,) = each.study.members.values()
        params = {name: value for name, value in model.content().items() if name != "model"}
        facts: Mapping[str, Any] = shared["facts"] if shared else {}
        history = [each.settings[path] for path in _HISTORY if path in each.settings]
        span = f"{facts['first_at'][:10]}/{facts['last_at'][:10]}" if facts else ""
        return Experiment(
            experiment_id=id_of(each, run_id),
            sweep_id=self.sweep_id,
            study_id=each.study.id,
            run_id=run_id,
            model_name=each.model,
            horizon_name=each.horizon,
            symbol=",".join(sorted(facts.get("symbols", ()))),
            period=history[0] if history else span,
            timeframe=facts.get("bar", ""),
            params={
                "name": each.name,
                **{path: label for path, label in each.settings.items() if path != "model"},
                **params,
                "seed": each.study.seed,
            },
            **{
                column: params[name]
                for column, name in _COLUMNS.items()
                if isinstance(params.get(name), int | float)
            },
        )


def id_of(each: PlannedExperiment, run_id: str) -> str:
    """As a run of its study would track it; on some folds alone it is another experiment."""
    (member,) = each.study.members
    if each.folds is not None:
        return content_id([run_id, member, each.horizon, ["folds", each.folds]])
    return experiment_id(run_id, member, each.horizon)


def history_of(curves: Mapping[str, Any]) -> Iterator[EpochMeasure]:
    """Learning curves by fold; epochs count from 1."""
    for fold, epochs in curves.items():
        for number, epoch in enumerate(epochs, 1):
            for measure, value in epoch.items():
                if isinstance(value, int | float) and math.isfinite(value):
                    yield EpochMeasure(
                        fold=int(fold), epoch=number, measure=measure, value=float(value)
                    )


def _with(planned: Experiment, finished: Mapping[str, Any]) -> Experiment:
    return Experiment(**{**vars(planned), **finished})
