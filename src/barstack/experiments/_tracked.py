"""What a finished run leaves in the tracking database: a view of what is stored, entered once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from barstack.bars import Panel
from barstack.core.arrays import Floats, Ints
from barstack.core.decisions import Decisions
from barstack.core.errors import StorageError
from barstack.core.forecast import REGIMES, Forecast, signal_of
from barstack.core.spec import content_id
from barstack.core.times import format_duration
from barstack.evaluation import Evaluation, Score
from barstack.labels import LabelTable
from barstack.models import Model
from barstack.tracking import (
    EnsembleRecord,
    EpochMeasure,
    Experiment,
    ExperimentTracker,
    Predictions,
    RegimePerformance,
    open_tracker,
)

from ._data import length_us
from ._engine import Engine
from ._outcome import fits_of, forecasts_of
from ._regimes import RegimeTable

# Settings with columns of their own, by column; networks here call the first one `batch`.
_SETTINGS = {
    "batch_size": "batch",
    "learning_rate": "learning_rate",
    "weight_decay": "weight_decay",
}
_NO_REGIME = -1


def experiment_id(run_id: str, member: str, horizon: str) -> str:
    """Id of a member of a run at one horizon, the same whoever tracks it."""
    return content_id([run_id, member, horizon])


def track_run(run_id: str, engine: Engine, tracker: ExperimentTracker) -> bool:
    """Enter a run's experiments, ensembles, performance per regime and predictions, once.

    Whether it was new. What is read is stored already; nothing is fitted.
    """
    if tracker.has_run(run_id):
        return False
    found = _Facts(run_id, engine)
    experiments = list(found.experiments())
    history = {each.experiment_id: found.history(each) for each in experiments}
    return tracker.record_run(
        run_id,
        experiments,
        history=history,
        ensembles=found.ensembles(),
        performance=found.performance(),
        predictions=found.predictions(),
    )


def track_run_if_possible(run_id: str, engine: Engine, runs: Path) -> None:
    """As `track_run`; where the database refuses, the run is valid, and a note says so.

    The next run of the same study enters what is missing.
    """
    tracker = open_tracker(runs)
    try:
        track_run(run_id, engine, tracker)
    except StorageError as error:
        engine.progress.note(f"This run is not in the tracking database yet: {error}")
    finally:
        tracker.close()


class _Facts:
    """Rows of one run."""

    def __init__(self, run_id: str, engine: Engine) -> None:
        self.run_id, self.study, self.engine = run_id, engine.study, engine
        self.evaluation: Evaluation = engine.value("evaluation")
        panel: Panel = engine.value("bars")
        self.bar_us = length_us(panel)
        self.symbol = ",".join(sorted(panel))
        self.horizons = self.study.label.target.horizons
        self.scores = {(each.name, each.horizon): each for each in self.evaluation.scores}
        self.seconds = {
            each.name.removeprefix("member "): each.seconds
            for each in engine.done
            if each.how == "made" and each.name.startswith("member ")
        }
        self.fits = fits_of(engine)
        self.forecasts = forecasts_of(engine)
        self.labels: LabelTable = engine.value("labels").judged(engine.value("split"))
        self.regimes: RegimeTable | None = engine.value("regimes") if self.study.detector else None

    def experiments(self) -> Iterator[Experiment]:
        """Each member at each horizon."""
        found = self.evaluation
        for name, model in self.study.members.items():
            params = {key: value for key, value in model.content().items() if key != "model"}
            trained = [fit["rows"] for fit in self.fits[name] if fit["fold"] == "final"]
            for horizon in self.horizons:
                score = self.scores[name, found.horizon_called(horizon)]
                yield Experiment(
                    experiment_id=experiment_id(self.run_id, name, horizon),
                    study_id=self.study.id,
                    run_id=self.run_id,
                    status="completed",
                    model_name=name,
                    horizon_name=horizon,
                    symbol=self.symbol,
                    period=f"{found.first_at[:10]}/{found.last_at[:10]}",
                    timeframe=format_duration(self.bar_us),
                    n_samples=score.n_decisions,
                    params={"model": model.content()["model"], **params, "seed": self.study.seed},
                    directional_accuracy=score.directional_accuracy,
                    mse=None if score.rmse is None else score.rmse**2,
                    rmse=score.rmse,
                    mae=score.mae,
                    r2=score.r2,
                    ic=score.ic,
                    metrics=_metrics(score) | {"final_fit_rows": sum(trained)},
                    training_seconds=self.seconds.get(name),
                    forecasts=self.engine.key(f"member {name}"),
                    n_parameters=self._parameters(model),
                    **{
                        column: params[key]
                        for column, key in _SETTINGS.items()
                        if _is_number(params.get(key))
                    },
                )

    def _parameters(self, model: Model) -> int | None:
        """Numbers that training sets, of a network; None where a model does not count them."""
        count = getattr(model, "parameter_count", None)
        if count is None:
            return None
        features = self.study.feature_set(self.bar_us)
        return int(count(len(features.columns), len(self.study.label.target.columns)))

    def history(self, experiment: Experiment) -> Iterator[EpochMeasure]:
        """Learning curves of all fits; epochs count from 1."""
        for fit in self.fits[experiment.model_name]:
            fold = -1 if fit["fold"] == "final" else int(fit["fold"])
            for number, epoch in enumerate(fit["curves"], 1):
                for measure, value in epoch.items():
                    if _is_number(value):
                        yield EpochMeasure(
                            fold=fold, epoch=number, measure=measure, value=float(value)
                        )

    def ensembles(self) -> Iterator[EnsembleRecord]:
        """Each ensemble at each horizon."""
        for name in self.study.ensemble_names:
            ensemble = self.study.ensembles[name]
            content = ensemble.content()
            members = self.study.combined_by(name)
            for horizon in self.horizons:
                called = self.evaluation.horizon_called(horizon)
                score = self.scores[name, called]
                ics = {
                    each: self.scores[each, called].ic
                    for each in members
                    if (each, called) in self.scores
                }
                best = max(
                    (each for each in ics if ics[each] is not None),
                    key=lambda each: ics[each] or 0.0,
                    default=None,
                )
                gain = None
                if best is not None and score.ic is not None:
                    gain = score.ic - (ics[best] or 0.0)
                final = {
                    each.horizon: each.weights
                    for each in self.evaluation.weights
                    if each.ensemble == name and each.fold == "final"
                }
                yield EnsembleRecord(
                    ensemble_id=self.ensemble_id(name, horizon),
                    name=name,
                    method=str(content.get("ensemble", name)),
                    horizon_name=horizon,
                    study_id=self.study.id,
                    run_id=self.run_id,
                    symbol=self.symbol,
                    judged=name == self.study.ensemble_names[0],
                    members=members,
                    weights=final.get(called, {}),
                    experiments={
                        each: experiment_id(self.run_id, each, horizon)
                        for each in members
                        if each in self.study.members
                    },
                    score=score.ic,
                    directional_accuracy=score.directional_accuracy,
                    rmse=score.rmse,
                    mae=score.mae,
                    r2=score.r2,
                    best_member=best,
                    gain=gain,
                    n_samples=score.n_decisions,
                    configuration=content,
                    trained_through=self._trained_through(name),
                    forecasts=self.engine.key(f"ensemble {name}"),
                )

    def _trained_through(self, name: str) -> datetime | None:
        found: datetime | None = self.engine.value(f"ensemble {name}").final.trained_through.item()
        return None if found is None else found.replace(tzinfo=UTC)

    def ensemble_id(self, name: str, horizon: str) -> str:
        """Id of an ensemble of the run at one horizon."""
        return content_id([self.run_id, "ensemble", name, horizon])

    def performance(self) -> Iterator[RegimePerformance]:
        """Each forecaster in each regime, where the study detects regimes."""
        if self.regimes is None:
            return
        for name, forecast in self.forecasts.items():
            regime = self._regime(forecast.decisions)
            signal, returns = self._signal_and_returns(forecast)
            for place, horizon in enumerate(self.horizons):
                for code, regime_type in enumerate(REGIMES):
                    rows = (regime == code) & np.isfinite(returns[:, place])
                    rows &= returns[:, place] != 0.0
                    yield _performance_of(
                        signal[rows, place],
                        returns[rows, place],
                        run_id=self.run_id,
                        model_name=name,
                        role="member" if name in self.study.members else "ensemble",
                        horizon_name=horizon,
                        regime_type=regime_type,
                        of_returns=not forecast.target.n_classes,
                    )

    def predictions(self) -> Iterator[Predictions]:
        """What the judged ensemble forecast out of fold."""
        name = self.study.ensemble_names[0]
        forecast = self.forecasts[name]
        decisions = forecast.decisions
        signal, returns = self._signal_and_returns(forecast)
        symbols = np.array(decisions.symbols, dtype=object)[decisions.symbol_code].tolist()
        regimes = None
        if self.regimes is not None:
            named = [*REGIMES, None]
            regimes = [named[code] for code in self._regime(decisions)]
        known_at = self.labels.known_at[self.labels.decisions.find(decisions)]
        for place, horizon in enumerate(self.horizons):
            yield Predictions(
                ensemble_id=self.ensemble_id(name, horizon),
                symbol=symbols,
                decided_at=decisions.decided_at,
                prediction=signal[:, place],
                realised=returns[:, place],
                known_at=known_at[:, place],
                regime_type=regimes,
            )

    def _signal_and_returns(self, forecast: Forecast) -> tuple[Floats, Floats]:
        """(n_rows, n_horizons) each; a return is NaN while open."""
        rows = self.labels.decisions.find(forecast.decisions)
        known = np.isfinite(self.labels.values[rows])
        returns = np.where(known, self.labels.returns[rows], np.nan)
        return signal_of(forecast.values, forecast.target), returns

    def _regime(self, decisions: Decisions) -> Ints:
        """(n_rows,) place of the likeliest regime among `REGIMES`; -1 where none stands out."""
        table = self.regimes
        assert table is not None  # as callers have checked
        values = table.values[table.decisions.find(decisions)]
        clear = values.max(axis=1) > values.min(axis=1)
        return np.where(clear, values.argmax(axis=1), _NO_REGIME)


def _performance_of(
    signal: Floats, returns: Floats, *, of_returns: bool, **named: Any
) -> RegimePerformance:
    right = 0.5 + 0.5 * np.sign(signal) * np.sign(returns)
    varies = len(signal) > 2 and np.ptp(signal) > 0 and np.ptp(returns) > 0
    error = signal - returns
    return RegimePerformance(
        n_decisions=len(signal),
        n_correct=float(right.sum()),
        ic=float(np.corrcoef(signal, returns)[0, 1]) if varies else None,
        rmse=float(np.sqrt((error**2).mean())) if of_returns and len(error) else None,
        **named,
    )


def _metrics(score: Score) -> dict[str, float]:
    """What has no column of its own."""
    names = (
        *("rank_ic", "log_loss", "net_edge_bps", "pinball", "pinball_skill", "r2_zero"),
        *("accuracy", "balanced_accuracy", "macro_f1", "directional_accuracy_se", "ic_se"),
    )
    found = {name: getattr(score, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
