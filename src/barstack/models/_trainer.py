"""Training one model on given rows, with everything it has seen written down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.decisions import Rows
from barstack.core.errors import ArtifactError, ConfigError, DataError
from barstack.core.forecast import Forecast, Kind, Target
from barstack.core.times import TrainedThrough, as_time, iso
from barstack.datasets import Dataset, Inputs, Scaler
from barstack.features import FeatureTable
from barstack.splits import early_stop_split

from ._model import MODELS, Model, Values


@dataclass(frozen=True, eq=False)
class FittedModel:
    """What a model learned, with the scales and columns it learned them in.

    trained_through  latest `known_at` of any row it has seen, those it stopped early by included
    """

    model: Model
    learned: Any
    target: Target
    columns: tuple[str, ...]
    scaler: Scaler
    y_scale: Values
    trained_through: np.datetime64

    def predict(self, features: FeatureTable, rows: Rows | None = None) -> Values:
        """(n_rows, n_horizons, n_outputs) for some rows of a feature table, by default all.

        Raises `ConfigError` or `DataError` where columns, types or values are not as in training.
        """
        if rows is None:
            rows = np.arange(len(features.values))
        self._check(features, rows)
        inputs = Inputs(self.scaler.apply(features.values), rows)
        values = np.asarray(self.model.predict(self.learned, inputs, self.target), np.float64)
        return values * self.y_scale[:, None]

    def forecast(self, features: FeatureTable, rows: Rows, kind: Kind = "forward") -> Forecast:
        """Forecasts with their clocks; `LeakError` for a forward one that is trained too late."""
        through = np.full(len(rows), self.trained_through, "datetime64[us]")
        values = self.predict(features, rows)
        decisions = features.decisions.take(rows)
        return Forecast(decisions, self.target, values, TrainedThrough(through), kind)

    def _check(self, features: FeatureTable, rows: Rows) -> None:
        if features.columns != self.columns:
            missing = [name for name in self.columns if name not in features.columns]
            extra = [name for name in features.columns if name not in self.columns]
            raise ConfigError(
                f"Features are not those the model was trained on: missing {missing}, unknown "
                f"{extra}" + ("." if missing or extra else ", same names in another order.")
            )
        if features.values.dtype != np.float64:
            raise ConfigError(
                f"Features are {features.values.dtype}, the model needs float64. Convert them."
            )
        lookback = self.model.lookback_bars
        starts = rows - lookback + 1
        decisions = features.decisions
        if len(rows) and (starts < decisions.first_row[rows]).any():
            row = int(rows[np.argmax(starts < decisions.first_row[rows])])
            raise DataError(
                f"A forecast for {decisions.symbol[row]} at {iso(decisions.decided_at[row])} "
                f"needs {lookback} bars up to it and has {row - decisions.first_row[row] + 1}."
            )
        wrong = np.asarray(~np.isfinite(features.values).all(axis=1))
        trouble = np.cumsum(np.concatenate([[0], wrong]))
        bad = trouble[rows + 1] > trouble[starts]
        if bad.any():
            row = int(rows[np.argmax(bad)])
            at = int(np.flatnonzero(wrong[: row + 1])[-1])
            column = int(np.argmin(np.isfinite(features.values[at])))
            raise DataError(
                f"Feature {self.columns[column]!r} of {decisions.symbol[at]} at "
                f"{iso(decisions.decided_at[at])} is {features.values[at, column]}. "
                "Forecast rows past the warm-up, from bars that pass validation."
            )

    def save(self, folder: Path) -> None:
        """Write the model into a new folder, as data only."""
        folder.mkdir(parents=True)
        content = {
            "model": self.model.content(),
            "task": self.target.task,
            "horizons": list(self.target.horizons),
            "columns": list(self.columns),
            "mean": self.scaler.mean.tolist(),
            "scale": self.scaler.scale.tolist(),
            "y_scale": self.y_scale.tolist(),
            "trained_through": str(self.trained_through),
        }
        (folder / "fitted.json").write_text(json.dumps(content, indent=1))
        (folder / "learned").mkdir()
        self.model.save(self.learned, folder / "learned")

    @classmethod
    def load(cls, folder: Path) -> FittedModel:
        """Read what `save` wrote; `ArtifactError` when a file is missing or does not fit."""
        try:
            content = json.loads((folder / "fitted.json").read_text())
            model = MODELS.parse(content["model"])
            target = Target(content["task"], tuple(content["horizons"]))
            scaler = Scaler(np.array(content["mean"], float), np.array(content["scale"], float))
            columns = tuple(content["columns"])
            y_scale = np.array(content["y_scale"], float)
            through = as_time(content["trained_through"])
        except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ArtifactError(
                f"{folder} does not hold a fitted model: {error!r}. Restore it from a copy, or "
                "run the study again."
            ) from None
        learned = model.load(folder / "learned", target)
        return cls(model, learned, target, columns, scaler, y_scale, through)


def train(model: Model, dataset: Dataset, rows: Rows, seed: int) -> FittedModel:
    """Fit `model` on `rows` of a dataset, and on nothing else.

    rows  training rows in time order, labels known; rows too early for the model's lookback
          are left out. A model that stops early gets the latest of them to stop by, purged from
          the rest, and they count as seen.
    """
    if dataset.target.task not in model.tasks:
        raise ConfigError(
            f"Model {model.registered_as and model.registered_as[1]!r} does "
            f"{', '.join(model.tasks)}, not {dataset.target.task}. Choose another label or model."
        )
    rows = dataset.with_history(rows, model.lookback_bars)
    if len(rows) < 2:
        raise DataError(
            f"{len(rows)} rows are too few to train on; the model looks back "
            f"{model.lookback_bars} bars. Give more bars, or let it look back less."
        )
    known_at = dataset.labels.all_known_at
    fit_rows, stop_rows = rows, rows[:0]
    if model.stops_early:
        fit_rows, stop_rows = early_stop_split(dataset.decisions, known_at, rows)
    scaler = dataset.scaler(fit_rows)
    y_scale = _label_scale(dataset, fit_rows)
    fit = dataset.samples(fit_rows, scaler, y_scale)
    stop = dataset.samples(stop_rows, scaler, y_scale) if model.stops_early else None
    learned = model.fit(fit, stop, dataset.target, seed)
    through = max(known_at[fit_rows].max(), known_at[stop_rows].max(initial=known_at[fit_rows[0]]))
    return FittedModel(
        model, learned, dataset.target, dataset.features.columns, scaler, y_scale, through
    )


def _label_scale(dataset: Dataset, rows: Rows) -> Values:
    """(n_horizons,) by which labels are divided for training: 1 for classes."""
    if dataset.target.task != "return":
        return np.ones(len(dataset.target.horizons))
    deviation = dataset.labels.values[rows].std(axis=0)
    return np.where(deviation > 0.0, deviation, 1.0)
