"""A fitted model: what it learned, with the columns, scales and clocks it learned them in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import model_validator

from barstack.core.arrays import Floats, Rows
from barstack.core.errors import ArtifactError, ConfigError, DataError, LeakError
from barstack.core.forecast import Forecast, Kind, Target, uncrossed
from barstack.core.stored import Duration, Moment, Names, Positive, StoredTarget
from barstack.core.times import DecidedAt, TrainedThrough, as_time, iso
from barstack.core.untrusted import read_json
from barstack.datasets import Dataset, FittedScaler, Inputs, narrowed, recent_history
from barstack.features import FeatureTable

from .._arrays import require
from .._model import MODELS, Model
from . import _calls

_FORMAT = 2  # of fitted.json
_MOST_KEPT = 2**24  # numbers of the rows that one forecast looks at


@dataclass(frozen=True, eq=False)
class FittedModel:
    """What a model learned, with the scales and columns it learned them in.

    trained_through  latest `known_at` of any row it has seen, those it stopped early by included
    max_gap          longest time between neighbouring decisions of a window
    fit_rows         rows it was fitted on, of the table it was trained on; None once it is loaded
    stop_rows        rows it stopped early by, likewise

    >>> from barstack.models import MODELS, train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> fitted = train(MODELS.parse("ridge"), dataset, training_rows(dataset), seed=0)
    >>> fitted.predict(dataset.features, np.array([100, 101])).shape
    (2, 2, 1)
    """

    model: Model
    learned: Any
    target: Target
    columns: tuple[str, ...]
    scaler: FittedScaler
    y_scale: Floats
    trained_through: np.datetime64
    max_gap: str
    fit_rows: Rows | None = None
    stop_rows: Rows | None = None

    def predict(self, features: FeatureTable, rows: Rows | None = None) -> Floats:
        """(n_rows, n_horizons, n_outputs) for some rows of a feature table, by default all.

        Raises `ConfigError` or `DataError` where columns, types or values are not as in training.
        """
        if rows is None:
            rows = np.arange(len(features.values))
        if not len(rows):
            return np.empty((0, len(self.target.horizons), len(self.target.outputs)))
        own = self._check(features, rows)
        whole = Inputs(features.values, rows, self.scaler, own, decisions=features.decisions)
        inputs = narrowed(whole, self.model.lookback_bars)
        values = _calls.predict(self.model, self.learned, inputs, self.target)
        return self.scaled(values)

    def scaled(self, values: Floats) -> Floats:
        """The model's output in the labels' unit; `ArtifactError` where it is not finite."""
        found = uncrossed(values * self.y_scale[:, None], self.target)
        if not np.isfinite(found).all():
            name = self.model.registered_as and self.model.registered_as[1]
            raise ArtifactError(
                f"{name} forecasts numbers that are not finite: what it learned is damaged. "
                "Restore it from a copy, or train it again."
            )
        return found

    def forecast(self, features: FeatureTable, rows: Rows, kind: Kind = "forward") -> Forecast:
        """Forecasts with their clocks; `LeakError` for a forward one that is trained too late.

        Nor does a model forecast bars that pretrained weights may have seen, forward or not.
        """
        self._check_unseen(DecidedAt(features.decisions.decided_at[rows]))
        through = np.full(len(rows), self.trained_through, "datetime64[us]")
        values = self.predict(features, rows)
        decisions = features.decisions.take(rows)
        return Forecast(decisions, self.target, values, TrainedThrough(through), kind)

    def forecastable(self, dataset: Dataset, rows: Rows) -> Rows:
        """Those of `rows` with a full window, of symbols that it was trained on where it matters.

        Raises `DataError` where none has a full window.
        """
        lookback, max_gap = self.model.lookback_bars, dataset.max_gap
        kept = dataset.with_history(rows, lookback)
        if len(rows) and not len(kept):
            name = self.model.registered_as and self.model.registered_as[1]
            raise DataError(
                f"{name} looks back {lookback} bars, and none of {len(rows):,} rows to forecast "
                f"from {iso(dataset.decisions.decided_at[rows].min())} on has as many up to it "
                f"without a gap of more than {max_gap}. Give a larger max_gap, bars without gaps, "
                "or a smaller lookback."
            )
        known = self.model.symbols(self.learned)
        if known is None:
            return kept
        return kept[np.isin(dataset.decisions.symbol[kept], list(known))]

    def _check_unseen(self, decided_at: DecidedAt) -> None:
        seen = self.model.pretrained_through
        if seen is not None and len(decided_at) and decided_at.min() < seen:
            name = self.model.registered_as and self.model.registered_as[1]
            raise LeakError(
                f"{name} comes with weights that may have seen bars through {iso(seen)}, and is "
                f"asked for a forecast at {iso(decided_at.min())}: it could remember what "
                "followed. Judge it on later bars; for weights of your own say seen_through."
            )

    def _check(self, features: FeatureTable, rows: Rows) -> Rows:
        """(n_rows,) how far back each row may look, which is far enough for the model."""
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
        own = recent_history(features, rows, lookback, self.max_gap)
        short = own < lookback
        if short.any():
            place = int(np.argmax(short))
            raise DataError(self._why_short(features, int(rows[place]), int(own[place])))
        return own

    def _why_short(self, features: FeatureTable, row: int, own: int) -> str:
        """What ends the history of a row, `own` rows back, before the model's lookback."""
        decisions, lookback = features.decisions, self.model.lookback_bars
        symbol, before = decisions.symbol[row], row - own
        forecast = f"A forecast for {symbol} at {iso(decisions.decided_at[row])}"
        if before < decisions.first_row[row]:
            return f"{forecast} needs {lookback} bars up to it and has {own}."
        values = features.values[before]
        if not np.isfinite(values).all():
            column = int(np.argmin(np.isfinite(values)))
            return (
                f"Feature {self.columns[column]!r} of {symbol} at "
                f"{iso(decisions.decided_at[before])} is {values[column]}. "
                "Forecast rows past the warm-up, from bars that pass validation."
            )
        return (
            f"{forecast} looks back {lookback} bars, over a gap from "
            f"{iso(decisions.decided_at[before])} to {iso(decisions.decided_at[before + 1])}, and "
            f"the model was trained across none longer than {self.max_gap}. Wait until {lookback} "
            f"bars follow the gap ({own} do), or train with a larger max_gap."
        )

    def curves(self) -> list[dict[str, float]]:
        """Learning curves, one dict of measures for each epoch; empty where there are none."""
        return _calls.curves(self.model, self.learned)

    def save(self, folder: Path) -> None:
        """Write the model into a new folder, as data only."""
        folder.mkdir(parents=True)
        content = {
            "format": _FORMAT,
            "model": self.model.content(),
            **self.target.to_json(),
            "columns": list(self.columns),
            "scaler": self.scaler.to_json(),
            "y_scale": self.y_scale.tolist(),
            "trained_through": str(self.trained_through),
            "max_gap": self.max_gap,
        }
        (folder / "fitted.json").write_text(json.dumps(content, indent=1))
        (folder / "learned").mkdir()
        _calls.save(self.model, self.learned, folder / "learned")

    @classmethod
    def load(cls, folder: Path) -> FittedModel:
        """Read what `save` wrote; `ArtifactError` when a file is missing or does not fit."""
        file = folder / "fitted.json"
        content = read_json(file)
        found = content.get("format") if isinstance(content, dict) else None
        if found != _FORMAT:
            raise ArtifactError(
                f"{folder} has format {found}, this barstack reads {_FORMAT}. Load it with the "
                "version that wrote it, or run its study again."
            )
        stored = _StoredModel.read(content, file)
        model, target, columns = MODELS.parse(stored.model), stored.target, tuple(stored.columns)
        scaler = FittedScaler.from_json(stored.scaler, len(columns))
        y_scale = np.array(stored.y_scale, float)
        through, max_gap = as_time(stored.trained_through), stored.max_gap
        kept = model.lookback_bars * len(columns)
        require(file, kept <= _MOST_KEPT, f"it looks back {model.lookback_bars:,} bars")
        require(file, target.task in model.tasks, f"its model does not do {target.task}")
        learned = _calls.load(model, folder / "learned", target)
        return cls(model, learned, target, columns, scaler, y_scale, through, max_gap)


class _StoredModel(StoredTarget):
    """What `fitted.json` holds."""

    format: Literal[2]
    model: dict[str, Any] | str
    columns: Names
    scaler: dict[str, Any]
    y_scale: list[Positive]
    trained_through: Moment
    max_gap: Duration

    @model_validator(mode="after")
    def _is_of_the_target(self) -> Self:
        if len(self.y_scale) != len(self.horizons):
            raise ValueError(f"y_scale has {len(self.y_scale)} numbers")
        if self.target.n_classes and set(self.y_scale) != {1.0}:
            raise ValueError("y_scale is not 1, as classes have no scale")
        return self
