"""Regimes by name, from a detector that was trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.errors import ConfigError
from barstack.core.forecast import REGIMES
from barstack.datasets import Inputs, recent_history
from barstack.features import FeatureTable

from ..training import FittedModel
from ._regime import RegimeDetector


@dataclass(frozen=True, eq=False)
class DetectedRegimes:
    """A trained detector, asked for regimes by name and for its hidden states.

    >>> from barstack.labels import regime_labels
    >>> from barstack.datasets import Dataset
    >>> from barstack.models import RegimeRules, train
    >>> from barstack.testing import walk
    >>> detector = RegimeRules()
    >>> table = detector.feature_set.compute(walk(bars=600))
    >>> dataset = Dataset(table, regime_labels(table.decisions))
    >>> rows = np.flatnonzero(dataset.usable)
    >>> found = DetectedRegimes(train(detector, dataset, rows[:300], seed=0))
    >>> regime, confidence = found.detect_regime(table)
    >>> regime in REGIMES, 1 / 6 <= confidence <= 1.0
    (True, True)
    """

    fitted: FittedModel

    def __post_init__(self) -> None:
        if not isinstance(self.fitted.model, RegimeDetector):
            raise ConfigError(
                f"A {type(self.fitted.model).__name__} detects no regimes. Train a detector, such "
                "as regime_hmm."
            )

    @property
    def detector(self) -> RegimeDetector:
        """Its recipe."""
        model = self.fitted.model
        assert isinstance(model, RegimeDetector)  # as was checked when it was made
        return model

    @property
    def state_names(self) -> tuple[str, ...]:
        """What each hidden state is called."""
        return tuple(REGIMES[place] for place in self.detector.names(self.fitted.learned))

    def probabilities(self, features: FeatureTable, rows: Rows | None = None) -> Floats:
        """(n_rows, 6) of `REGIMES`, for some rows of a table of its features, by default all."""
        return self.fitted.predict(features, rows)[:, 0]

    def states(self, features: FeatureTable, rows: Rows) -> Floats:
        """(n_rows, n_states) of the hidden states, called as `state_names` says."""
        self.fitted.predict(features, rows)  # refuses what it cannot forecast
        lookback = self.detector.lookback_bars
        own = recent_history(features, rows, lookback, self.fitted.max_gap)
        inputs = Inputs(features.values, rows, self.fitted.scaler, own)
        return self.detector.states(self.fitted.learned, inputs)

    def detect_regime(self, features: FeatureTable) -> tuple[str, float]:
        """The likeliest regime at the newest row of a table, and its probability."""
        return detect_regime(self.fitted, features)


def detect_regime(fitted: FittedModel, features: FeatureTable) -> tuple[str, float]:
    """The likeliest regime at the newest row of a table, and its probability.

    features  of one symbol, of the detector's `feature_set`
    """
    newest = np.array([len(features.values) - 1])
    found = DetectedRegimes(fitted).probabilities(features, newest)[0]
    place = int(found.argmax())
    return REGIMES[place], float(found[place])
