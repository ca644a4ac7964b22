"""The only door to models: features and labels together, scaled on training rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from barstack.core.arrays import Bools, Floats, Rows
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Target
from barstack.core.parts import built_in
from barstack.core.times import iso, parse_duration
from barstack.features import FeatureTable
from barstack.labels import LabelTable, SampleWeights

from ._history import MAX_GAP, blocks, complete, history, usable_rows
from ._inputs import TWICE, Inputs, Samples
from ._scaler import FittedScaler, Scaler
from ._scalers import StandardScaler


class RowWeights(Protocol):
    """Weights of training rows, such as `barstack.labels.SampleWeights`."""

    def compute(self, labels: LabelTable, rows: Rows) -> Floats:
        """(len(rows),) 1 on average, from the labels of `rows` and no others."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features and labels of the same decisions.

    scaler   how models see the features
    weights  how much each row counts that is trained on or stopped early by; by default all alike
    max_gap  longest time between neighbouring decisions of a window

    >>> from barstack.testing import small_dataset
    >>> dataset = small_dataset("return", bars=100)
    >>> dataset.target.columns, int(dataset.usable.sum())
    (('return_2bars', 'return_5bars'), 160)
    """

    features: FeatureTable
    labels: LabelTable
    scaler: Scaler = field(default_factory=StandardScaler)
    weights: RowWeights = field(default_factory=SampleWeights)
    max_gap: str = MAX_GAP

    def __post_init__(self) -> None:
        parse_duration(self.max_gap)
        own, other = self.features.decisions, self.labels.decisions
        if len(own) != len(other):
            raise ConfigError(
                f"Features have {len(own)} rows and labels {len(other)}. Make both from the same "
                "bars."
            )
        if own is not other and not _same(own, other):
            raise ConfigError(
                f"Features and labels have {len(own)} rows each, of other symbols or moments. "
                "Make both from the same bars."
            )

    @property
    def decisions(self) -> Decisions:
        return self.features.decisions

    @property
    def target(self) -> Target:
        return self.labels.target

    @property
    def usable(self) -> Bools:
        """(n_rows,) eligible rows past every feature's warm-up; `DataError` when there is none."""
        return usable_rows(self.features) & self.labels.eligible

    @cached_property
    def history(self) -> Rows:
        """(n_rows,) rows that a window ending at each may hold, that row included."""
        return history(self.features, self.max_gap)

    def with_history(self, rows: Rows, lookback: int, disjoint_from: Rows | None = None) -> Rows:
        """Those of `rows` that have `lookback` rows of their own symbol up to them.

        All of these are complete, with no gap longer than `max_gap` between them.

        disjoint_from  rows that no window may hold, such as the test of a fold that trains on both
                    sides of it
        """
        return rows[self._history(disjoint_from)[rows] >= lookback]

    def fit_scaler(self, rows: Rows) -> FittedScaler:
        """The dataset's scaler, having seen `rows` only."""
        values = self.features.values
        if values.size > TWICE or built_in(self.scaler):
            return self.scaler.fit(values, rows)
        return self.scaler.fit(values[rows])  # it is handed no other

    def inputs(self, rows: Rows, scaler: FittedScaler, disjoint_from: Rows | None = None) -> Inputs:
        """Inputs for `rows`, scaled as they are taken."""
        own = self._history(disjoint_from)[rows]
        return Inputs(self.features.values, rows, scaler, own, decisions=self.decisions)

    def samples(
        self,
        rows: Rows,
        scaler: FittedScaler,
        y_scale: Floats,
        disjoint_from: Rows | None = None,
    ) -> Samples:
        """Inputs, labels and weights for `rows`, whose labels must be known."""
        y = self.labels.values[rows]
        if np.isnan(y).any():
            row = int(rows[np.isnan(y).any(axis=1)][0])
            raise DataError(
                f"The label of {self.decisions.symbol[row]} at "
                f"{iso(self.decisions.decided_at[row])} is still open, or missing across a hole in "
                "the bars; it cannot be trained on. Train on rows that have all_known_at."
            )
        own = self._history(disjoint_from)[rows]
        return Samples(
            self.features.values,
            rows,
            scaler,
            own,
            y / y_scale,
            self.weight(rows),
            decisions=self.decisions,
            known_at=self.labels.purged_at,
        )

    def weight(self, rows: Rows) -> Floats:
        """(len(rows),) how much each of these rows counts, 1 on average."""
        found = np.asarray(self.weights.compute(self.labels, rows), float)
        if found.shape != (len(rows),) or not (np.isfinite(found) & (found >= 0)).all():
            raise DataError(
                f"Weights of {len(rows):,} rows have shape {found.shape} or hold negative or "
                f"missing numbers ({self.weights!r}). Give one of 0 or more for each row."
            )
        return found

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of decisions, columns, features and labels; changes when any of them does."""
        digest = hashlib.sha256()
        _add(digest, self.decisions.symbols, self.decisions.symbol_code, self.decisions.decided_at)
        _add(digest, self.features.columns, self.features.values)
        labels, target = self.labels, self.target
        _add(digest, _names(target), labels.values, labels.returns)
        _add(digest, (), labels.known_at, labels.eligible)
        return digest.hexdigest()

    def _history(self, disjoint_from: Rows | None) -> Rows:
        if disjoint_from is None or not len(disjoint_from):
            return self.history
        ready = complete(self.features)
        ready[disjoint_from] = False
        return history(self.features, self.max_gap, ready)


def _names(target: Target) -> tuple[str, ...]:
    return (target.task, *target.horizons, *(str(level) for level in target.levels))


def _same(one: Decisions, other: Decisions) -> bool:
    return (
        one.symbols == other.symbols
        and np.array_equal(one.symbol_code, other.symbol_code)
        and np.array_equal(one.decided_at, other.decided_at)
    )


def _add(digest: Any, names: tuple[str, ...], *tables: Any) -> None:
    """Names and values, each with its length before it, so that no two can run together."""
    digest.update(repr((names, [(table.shape, str(table.dtype)) for table in tables])).encode())
    for table in tables:
        columns = table.shape[1] if table.ndim == 2 else 1
        for part in blocks(len(table), columns):
            values = table[part]
            if values.dtype.kind == "f":  # processors write missing numbers in several ways
                values = np.where(np.isnan(values), np.nan, values)
            digest.update(np.ascontiguousarray(values).tobytes())
