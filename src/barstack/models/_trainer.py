"""Training one model on given rows, with everything it has seen written down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.errors import ArtifactError, ConfigError, DataError, LeakError
from barstack.core.forecast import Forecast, Kind, Target, uncrossed
from barstack.core.times import DecidedAt, TrainedThrough, as_time, iso
from barstack.core.untrusted import read_json
from barstack.datasets import (
    Dataset,
    FittedScaler,
    Inputs,
    Samples,
    narrowed,
    recent_history,
)
from barstack.features import FeatureTable
from barstack.splits import early_stop_split

from . import _calls
from ._arrays import require
from ._model import MODELS, Model
from ._rows import label_scale, rows_with_enough
from ._stored import StoredModel

_FORMAT = 2  # of fitted.json
_MOST_KEPT = 2**24  # numbers of the rows that one forecast looks at


@dataclass(frozen=True, eq=False)
class FittedModel:
    """What a model learned, with the scales and columns it learned them in.

    trained_through  latest `known_at` of any row it has seen, those it stopped early by included
    max_gap          the furthest apart that neighbouring decisions of a window may lie
    fit_rows         rows it was fitted on, of the table it was trained on; None once it is loaded
    stop_rows        rows it stopped early by, likewise
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
        """What the model says, in the labels' unit; `ArtifactError` for what is not finite."""
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

        Nor does a model forecast what weights from elsewhere may have seen, forward or not.
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
                f"asked for a forecast at {iso(decided_at.min())}: it could remember what came. "
                "Judge it on later bars; for weights of your own say seen_through."
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
        asked = f"A forecast for {symbol} at {iso(decisions.decided_at[row])}"
        if before < decisions.first_row[row]:
            return f"{asked} needs {lookback} bars up to it and has {own}."
        values = features.values[before]
        if not np.isfinite(values).all():
            column = int(np.argmin(np.isfinite(values)))
            return (
                f"Feature {self.columns[column]!r} of {symbol} at "
                f"{iso(decisions.decided_at[before])} is {values[column]}. "
                "Forecast rows past the warm-up, from bars that pass validation."
            )
        return (
            f"{asked} looks back {lookback} bars, over a gap from "
            f"{iso(decisions.decided_at[before])} to {iso(decisions.decided_at[before + 1])}, and "
            f"the model was trained across none longer than {self.max_gap}. Wait until {lookback} "
            f"bars follow the gap ({own} do), or train with a larger max_gap."
        )

    def curves(self) -> list[dict[str, float]]:
        """How learning went, epoch by epoch, where there are any."""
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
        stored = StoredModel.read(content, file)
        model, target, columns = MODELS.parse(stored.model), stored.target, tuple(stored.columns)
        scaler = FittedScaler.from_json(stored.scaler, len(columns))
        y_scale = np.array(stored.y_scale, float)
        through, max_gap = as_time(stored.trained_through), stored.max_gap
        kept = model.lookback_bars * len(columns)
        require(file, kept <= _MOST_KEPT, f"it looks back {model.lookback_bars:,} bars")
        require(file, target.task in model.tasks, f"its model does not do {target.task}")
        learned = _calls.load(model, folder / "learned", target)
        return cls(model, learned, target, columns, scaler, y_scale, through, max_gap)


@dataclass(frozen=True, eq=False)
class Prepared:
    """What `fit` of a model is given, and how it was made; `stop` only where it stops early."""

    fit: Samples
    stop: Samples | None
    fit_rows: Rows
    stop_rows: Rows
    y_scale: Floats
    trained_through: np.datetime64

    def fitted(self, model: Model, dataset: Dataset, learned: Any) -> FittedModel:
        """What the model learned, with the scales and columns it learned them in."""
        seen = model.pretrained_through
        through = self.trained_through if seen is None else max(self.trained_through, seen)
        return FittedModel(
            model,
            learned,
            dataset.target,
            dataset.features.columns,
            self.fit.scaler,
            self.y_scale,
            through,
            dataset.max_gap,
            self.fit_rows,
            self.stop_rows,
        )


def train(
    model: Model,
    dataset: Dataset,
    rows: Rows,
    seed: int,
    apart_from: Rows | None = None,
    **options: Any,
) -> FittedModel:
    """Fit `model` on `rows` of a dataset, and on nothing else.

    rows        training rows in time order, labels known; rows too early for the model's lookback
                are left out. A model that stops early gets the latest of them to stop by, purged
                from the rest, and they count as seen.
    apart_from  rows that no window may reach into: the test of a fold that trains on both sides
    options     for `fit` of models that take them: `folder=` and `on_epoch=` of the neural ones
    """
    prepared = prepare(model, dataset, rows, apart_from)
    learned = _calls.fit(model, prepared.fit, prepared.stop, dataset.target, seed, **options)
    return prepared.fitted(model, dataset, learned)


def prepare(model: Model, dataset: Dataset, rows: Rows, apart_from: Rows | None = None) -> Prepared:
    """The samples that `model` is fitted on and stopped by; `rows` and `apart_from` as in `train`.

    They are the same for all models that look back as far and stop early alike.
    """
    check_task(model, dataset)
    rows = rows_with_enough(dataset, rows, model.lookback_bars, apart_from)
    fit_rows, stop_rows = rows, rows[:0]
    if model.stops_early:
        fit_rows, stop_rows = early_stop_split(dataset.decisions, dataset.labels.purged_at, rows)
    scaler = dataset.fit_scaler(fit_rows)
    y_scale = label_scale(dataset, fit_rows)
    back = model.lookback_bars
    fit = narrowed(dataset.samples(fit_rows, scaler, y_scale, apart_from), back)
    stop = None
    if model.stops_early:
        stop = narrowed(dataset.samples(stop_rows, scaler, y_scale, apart_from), back)
    known_at = dataset.labels.all_known_at
    through = max(known_at[fit_rows].max(), known_at[stop_rows].max(initial=known_at[fit_rows[0]]))
    return Prepared(fit, stop, fit_rows, stop_rows, y_scale, through)


def check_task(model: Model, dataset: Dataset) -> None:
    """Refuse what is no model, or one that does not do what the dataset's label asks."""
    if not isinstance(model, Model):
        raise ConfigError(
            f"A {type(model).__name__} is no model: {model!r}. Make one with MODELS.parse, as in "
            "MODELS.parse('ridge')."
        )
    _calls.check_settings(model)
    if dataset.target.task not in model.tasks:
        raise ConfigError(
            f"Model {model.registered_as and model.registered_as[1]!r} does "
            f"{', '.join(model.tasks)}, not {dataset.target.task}. Choose another label or model."
        )
