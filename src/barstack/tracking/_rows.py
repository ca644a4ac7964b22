"""Values as rows of the tables, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import numpy as np

from barstack.core.errors import ConfigError

from ._database import plain
from ._experiment import EnsembleRecord, EpochMeasure, Experiment, Predictions, RegimePerformance

_FIELDS = [field.name for field in fields(Experiment)]


def now() -> datetime:
    """The current moment, UTC."""
    return datetime.now(UTC)


def experiment_row(experiment: Experiment) -> dict[str, Any]:
    """All columns of `experiments`."""
    row = {name: plain(getattr(experiment, name)) for name in _FIELDS}
    for name in ("experiment_id", "model_name"):
        if not row[name] or not isinstance(row[name], str):
            raise ConfigError(f"An experiment needs a text as its {name}, got {row[name]!r}.")
    return row | {"started_at": experiment.started_at or experiment.finished_at or now()}


def experiment_of(row: Mapping[str, Any]) -> Experiment:
    """Inverse of `experiment_row`."""
    return Experiment(**row)


def history_rows(
    experiment_id: str, epochs: Iterable[EpochMeasure], recorded_at: datetime
) -> list[dict[str, Any]]:
    """Rows of `training_history`; a measure that is not finite has none."""
    rows = (
        {
            "experiment_id": experiment_id,
            "fold": each.fold,
            "epoch": each.epoch,
            "measure": each.measure,
            "recorded_at": recorded_at,
            "value": plain(float(each.value)),
        }
        for each in epochs
    )
    return [row for row in rows if row["value"] is not None]


def ensemble_row(each: EnsembleRecord) -> dict[str, Any]:
    """All columns of `ensembles`."""
    names = (
        *("ensemble_id", "study_id", "run_id", "sweep_id", "name", "method", "horizon_name"),
        *("symbol", "judged", "score", "directional_accuracy", "rmse", "mae", "r2"),
        *("best_member", "gain", "n_samples", "forecasts"),
    )
    row = {name: plain(getattr(each, name)) for name in names}
    members = list(each.members)
    created_at = each.created_at or now()
    return row | {"members": members, "n_members": len(members), "created_at": created_at}


def model_rows(each: EnsembleRecord) -> list[dict[str, Any]]:
    """Rows of `ensemble_models`."""
    return [
        {
            "ensemble_id": each.ensemble_id,
            "model_name": name,
            "position": position,
            "weight": plain(each.weights.get(name)),
            "experiment_id": each.experiments.get(name),
        }
        for position, name in enumerate(each.members)
    ]


def configuration_row(each: EnsembleRecord) -> dict[str, Any]:
    """A row of `meta_learner_configuration`."""
    return {
        "ensemble_id": each.ensemble_id,
        "method": each.method,
        "configuration": plain(each.configuration),
        "weights": plain(each.weights),
        "trained_through": each.trained_through,
        "created_at": each.created_at or now(),
    }


def performance_row(each: RegimePerformance, recorded_at: datetime) -> dict[str, Any]:
    """A row of `ensemble_performance_per_regime`."""
    row = {field.name: plain(getattr(each, field.name)) for field in fields(RegimePerformance)}
    share = each.n_correct / each.n_decisions if each.n_decisions else None
    found = each.recorded_at or recorded_at
    return row | {"directional_accuracy": share, "recorded_at": found}


def prediction_rows(found: Predictions, *, aware: bool) -> list[tuple[Any, ...]]:
    """Rows of `ensemble_predictions` as a driver takes them, in the order of its columns.

    aware  whether the database has times with a zone; otherwise they are text
    """
    n = len(found.symbol)
    nothing: list[Any] = [None] * n
    lengths = {len(found.decided_at), len(found.prediction)}
    if lengths != {n}:
        raise ConfigError(f"Predictions have columns of different lengths: {n} and {lengths}.")
    if not np.isfinite(found.prediction).all() or np.isnat(found.decided_at).any():
        raise ConfigError("A prediction is not finite, or has no time. Leave such rows out.")
    recorded_at = found.recorded_at or now()
    stamp: Any = recorded_at if aware else _text(np.array([_naive(recorded_at)]))[0]
    moments = _aware if aware else _text
    known = nothing if found.known_at is None else moments(found.known_at)
    realised = nothing if found.realised is None else _numbers(found.realised)
    return list(
        zip(
            [found.ensemble_id] * n,
            map(str, found.symbol),
            moments(found.decided_at),
            known,
            _numbers(found.prediction),
            realised,
            nothing if found.regime_type is None else found.regime_type,
            [stamp] * n,
            strict=True,
        )
    )


def _naive(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def _numbers(values: Any) -> list[float | None]:
    array = np.asarray(values, dtype=float)
    found: list[float | None] = array.astype(object).tolist()
    return [
        each if finite else None for each, finite in zip(found, np.isfinite(array), strict=True)
    ]


def _text(moments: Any) -> list[str | None]:
    """As SQLAlchemy keeps them in SQLite."""
    array = np.asarray(moments).astype("datetime64[us]")
    texts = np.char.replace(np.datetime_as_string(array, unit="us"), "T", " ").tolist()
    return [None if each == "NaT" else each for each in texts]


def _aware(moments: Any) -> list[datetime | None]:
    array = np.asarray(moments).astype("datetime64[us]").tolist()
    return [None if each is None else each.replace(tzinfo=UTC) for each in array]
