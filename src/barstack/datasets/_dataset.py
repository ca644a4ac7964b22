"""The only door to models: features and labels together, scaled on training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barstack.core.decisions import Decisions, Rows
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Target
from barstack.core.times import iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable

Matrix = npt.NDArray[np.float64]

# A single wild print must not dominate a linear model or saturate a network.
_CLIP_DEVIATIONS = 8.0


@dataclass(frozen=True, eq=False)
class Scaler:
    """Standardises each feature by what training rows showed; beyond 8 deviations it clips.

    mean, scale  (n_features,)
    """

    mean: Matrix
    scale: Matrix

    @classmethod
    def fit(cls, values: Matrix) -> Scaler:
        """Mean and standard deviation of each column; a column that never changes keeps scale 1."""
        deviation = values.std(axis=0)
        # Rounding makes a constant column's deviation tiny rather than zero.
        constant = deviation <= 1e-12 * np.abs(values).max(axis=0, initial=0.0)
        return cls(values.mean(axis=0), np.where(constant, 1.0, deviation))

    def apply(self, values: Matrix) -> Matrix:
        """Scaled values of the same shape; each row by itself, so one row equals a batch's."""
        return np.clip((values - self.mean) / self.scale, -_CLIP_DEVIATIONS, _CLIP_DEVIATIONS)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Scaled features of some decisions, as rows or as windows of the bars up to each.

    table  (n_all_rows, n_features) every row of the feature table, scaled
    rows   (n_rows,) the decisions asked about
    """

    table: Matrix
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_features(self) -> int:
        return int(self.table.shape[1])

    def last(self) -> Matrix:
        """(n_rows, n_features) the newest bar of each decision."""
        return self.table[self.rows]

    def windows(self, lookback: int, places: Rows | slice = slice(None)) -> npt.NDArray[np.float32]:
        """(n_places, lookback, n_features) the bars up to each decision, oldest first."""
        view = np.lib.stride_tricks.sliding_window_view(self.table, lookback, axis=0)
        picked = view[self.rows[places] - lookback + 1]  # copies only the windows asked for
        return np.ascontiguousarray(picked.transpose(0, 2, 1), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Samples(Inputs):
    """Inputs with their labels.

    y  (n_rows, n_horizons) returns in training deviations, or classes as whole numbers
    """

    y: Matrix


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features and labels of the same decisions."""

    features: FeatureTable
    labels: LabelTable

    def __post_init__(self) -> None:
        if len(self.features.decisions) != len(self.labels.decisions):
            raise ConfigError(
                f"Features have {len(self.features.decisions)} rows and labels "
                f"{len(self.labels.decisions)}. Make both from the same bars."
            )

    @property
    def decisions(self) -> Decisions:
        return self.features.decisions

    @property
    def target(self) -> Target:
        return self.labels.target

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """(n_rows,) eligible rows past every feature's warm-up; `DataError` when there is none."""
        _refuse_infinite(self.features)
        ready = _complete(self.features)
        for code, symbol in enumerate(self.decisions.symbols):
            own = self.decisions.symbol_code == code
            if not ready[own].any():
                worst = int(np.isnan(self.features.values[own]).sum(axis=0).argmax())
                raise DataError(
                    f"{symbol} has {own.sum():,} bars, all within the warm-up of feature "
                    f"{self.features.columns[worst]!r}. Give more bars, or choose features that "
                    "look back less."
                )
        return ready & self.labels.eligible

    def with_history(self, rows: Rows, lookback: int) -> Rows:
        """Those of `rows` that have `lookback` usable bars of their own symbol up to them."""
        return rows_with_history(self.features, rows, lookback)

    def scaler(self, rows: Rows) -> Scaler:
        """A scaler that has seen `rows` only."""
        return Scaler.fit(self.features.values[rows])

    def inputs(self, rows: Rows, scaler: Scaler) -> Inputs:
        """Scaled inputs for `rows`."""
        return Inputs(scaler.apply(self.features.values), rows)

    def samples(self, rows: Rows, scaler: Scaler, y_scale: Matrix) -> Samples:
        """Scaled inputs and labels for `rows`, whose labels must be known."""
        y = self.labels.values[rows]
        if np.isnan(y).any():
            row = int(rows[np.isnan(y).any(axis=1)][0])
            raise DataError(
                f"The label of {self.decisions.symbol[row]} at "
                f"{iso(self.decisions.decided_at[row])} is still open; it cannot be trained on."
            )
        return Samples(scaler.apply(self.features.values), rows, y / y_scale)


def rows_with_history(features: FeatureTable, rows: Rows, lookback: int) -> Rows:
    """Those of `rows` that have `lookback` complete rows of their own symbol up to them."""
    ready = _complete(features)
    places = np.arange(len(ready))
    last_unready = np.maximum.accumulate(np.where(ready, -1, places))
    run = places - np.maximum(last_unready, features.decisions.first_row - 1)
    return rows[run[rows] >= lookback]


def _complete(features: FeatureTable) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isfinite(features.values).all(axis=1))


def _refuse_infinite(features: FeatureTable) -> None:
    infinite = np.isinf(features.values)
    if infinite.any():
        row, column = (int(place) for place in np.argwhere(infinite)[0])
        decisions = features.decisions
        raise DataError(
            f"Feature {features.columns[column]!r} of {decisions.symbol[row]} is infinite at "
            f"{iso(decisions.decided_at[row])}; {int(infinite.sum()):,} such value(s) in all. Say "
            "in its step what it is where its denominator vanishes."
        )
