"""One experiment as a plain value: a model at one horizon, and how well it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from barstack.core.arrays import Floats
from barstack.core.times import Times

Status = Literal["running", "completed", "failed", "pruned"]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One row of the table `experiments`: what was tried, on what, and how well it did.

    None where a figure is not known or has no meaning. Whoever tracks an experiment makes it once,
    and adds to it with `dataclasses.replace`.

    Attributes
    ----------
    experiment_id
        Content id: the same experiment on the same data has the same id.
    model_name, horizon_name
        Such as `lstm` and `60min`.
    study_id, run_id, sweep_id
        What it is part of; empty where it stands alone.
    status
        `running`, `completed`, `failed`, or `pruned`: given up before its last fold, and judged on
        fewer decisions than the others. The tracker sets it.
    symbol
        What it was trained on; several symbols are joined by commas, in alphabetical order.
    period
        History that it had, such as `6mo`, or its first and last day.
    timeframe
        Length of a bar, such as `15min`.
    n_samples
        Decisions that it was judged by.
    n_parameters
        Of the model.
    batch_size, learning_rate, weight_decay
        Training parameters that most networks have.
    params
        All parameters, those three among them, as plain data.
    directional_accuracy
        Share of moves whose sign was forecast.
    mse, rmse, mae
        Of returns, as fractions (mse: squared).
    r2
        Against the historical mean.
    ic
        Correlation of forecasts and returns.
    metrics
        Whatever else was measured, by name.
    training_seconds
        Time that its fits took.
    error
        Of a failed one, a sentence.
    forecasts
        Key of its out-of-fold forecasts in the store.
    attempts
        How often it was started.
    started_at, finished_at
        UTC. The tracker sets them where they are None.

    >>> made = Experiment(experiment_id="3f2a", model_name="lstm", horizon_name="60min")
    >>> made.status, made.params
    ('running', {})
    """

    experiment_id: str
    model_name: str
    horizon_name: str
    study_id: str = ""
    run_id: str = ""
    sweep_id: str = ""
    status: Status = "running"
    symbol: str = ""
    period: str = ""
    timeframe: str = ""
    n_samples: int | None = None
    n_parameters: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    directional_accuracy: float | None = None
    mse: float | None = None
    rmse: float | None = None
    mae: float | None = None
    r2: float | None = None
    ic: float | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    training_seconds: float | None = None
    error: str | None = None
    forecasts: str | None = None
    attempts: int = 1
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class EpochMeasure:
    """One row of `training_history`: a measure at the end of one epoch of one fit.

    fold     number of the fold; -1 for the final fit
    measure  such as `train_loss`
    """

    fold: int
    epoch: int
    measure: str
    value: float


Write = tuple[str, Experiment, tuple[EpochMeasure, ...]]  # start, finish or fail; of what


@dataclass(frozen=True, kw_only=True)
class EnsembleRecord:
    """One row of `ensembles`, with its members, its meta-learner and its forecasts.

    Attributes
    ----------
    ensemble_id
        Content id: an ensemble at one horizon on the same data.
    name, method, horizon_name
        What the study calls it, its kind (such as `nnls`), and where it forecasts.
    study_id, run_id, sweep_id, symbol
        As of an `Experiment`.
    judged
        Whether the verdict of its run is on it.
    members
        Names of what it combines.
    weights
        By member, where it has weights.
    experiments
        By member, the id of its experiment, where it has one.
    score
        Information coefficient.
    directional_accuracy, rmse, mae, r2
        As of an `Experiment`.
    best_member, gain
        The member of highest information coefficient, and by how much the ensemble's is higher.
    n_samples
        Decisions that it was judged by.
    configuration
        The recipe of its meta-learner as plain data.
    trained_through
        Latest moment that the final fit has seen, UTC.
    forecasts
        Key of its out-of-fold forecasts in the store.
    created_at
        UTC; the tracker sets it where it is None.
    """

    ensemble_id: str
    name: str
    method: str
    horizon_name: str
    study_id: str = ""
    run_id: str = ""
    sweep_id: str = ""
    symbol: str = ""
    judged: bool = False
    members: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    experiments: Mapping[str, str] = field(default_factory=dict)
    score: float | None = None
    directional_accuracy: float | None = None
    rmse: float | None = None
    mae: float | None = None
    r2: float | None = None
    best_member: str | None = None
    gain: float | None = None
    n_samples: int | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    trained_through: datetime | None = None
    forecasts: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RegimePerformance:
    """One row of `ensemble_performance_per_regime`: a forecaster where one regime was likeliest.

    run_id         of the run, or of whatever measured it
    model_name     a member or an ensemble
    role           `member` or `ensemble`
    n_decisions    decisions in that regime whose outcome is known and moved
    n_correct      of those, with the sign right; a forecast of no direction counts half
    ic             correlation of forecasts and returns in that regime
    rmse           of returns, as a fraction; None where no returns were forecast
    recorded_at    UTC; the tracker sets it where it is None
    """

    run_id: str
    model_name: str
    role: str
    horizon_name: str
    regime_type: str
    n_decisions: int
    n_correct: float
    ic: float | None = None
    rmse: float | None = None
    recorded_at: datetime | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """Rows of `ensemble_predictions`, of one ensemble, as columns.

    Attributes
    ----------
    ensemble_id
        Whose they are.
    symbol
        (n,) text.
    decided_at
        (n,) datetime64, UTC.
    prediction
        (n,) signal: the return, or the probability of up less that of down.
    realised
        (n,) return; NaN while it is open.
    known_at
        (n,) datetime64, UTC; NaT while it is open.
    regime_type
        (n,) likeliest regime at the decision; None where none was detected.
    recorded_at
        UTC, of all of them; the tracker sets it where it is None.
    """

    ensemble_id: str
    symbol: Sequence[str]
    decided_at: Times
    prediction: Floats
    realised: Floats | None = None
    known_at: Times | None = None
    regime_type: Sequence[str | None] | None = None
    recorded_at: datetime | None = None
