"""Artifacts made in a second, without a study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from barstack.bars import BarFormat, Bars
from barstack.core.times import KnownAt
from barstack.datasets import Dataset
from barstack.ensembles import ENSEMBLES, Ensemble, FittedEnsemble, Stacked
from barstack.features import Feature, FeatureSet, history_bars
from barstack.forecasting import TrainedEnsemble, regimes_at
from barstack.labels import LABELS, regime_labels
from barstack.models import MODELS, RegimeDetector, train


def trained_on(
    panel: Mapping[str, Bars],
    members: Mapping[str, Any],
    *,
    features: tuple[str, ...] = ("log_return", "rsi", "body", "realized_volatility"),
    ensemble: Ensemble | None = None,
    detector: RegimeDetector | None = None,
) -> tuple[TrainedEnsemble, Dataset]:
    """An artifact of members fitted on these bars, and the dataset that it was trained on.

    detector  of regimes, for an ensemble that needs them
    """
    first = next(iter(panel.values()))
    chosen = FeatureSet(features=tuple(Feature(feature=each) for each in features))
    label = LABELS.parse({"label": "return", "horizons": [1, 4]})
    dataset = Dataset(chosen.compute(panel), label.compute(panel))
    rows = np.flatnonzero(~np.isnat(dataset.labels.all_known_at) & dataset.usable)
    fitted = {
        name: train(MODELS.parse({"model": name} | settings), dataset, rows, 0)
        for name, settings in members.items()
    }
    forecast = dataset.usable & ~np.isnat(dataset.labels.all_known_at)
    for each in fitted.values():
        forecast &= np.isin(
            np.arange(len(forecast)), each.forecastable(dataset, np.arange(len(forecast)))
        )
    rows = np.flatnonzero(forecast)
    context, found = {"features": dataset.features.values[rows]}, None
    if detector is not None:
        table = detector.feature_set.compute(panel)
        own = Dataset(table, regime_labels(table.decisions))
        found = train(detector, own, np.flatnonzero(own.usable), 0)
        context["regimes"] = regimes_at(found, table, rows)
    stacked = Stacked(
        tuple(fitted),
        dataset.decisions.take(rows),
        dataset.target,
        np.stack([each.predict(dataset.features, rows) for each in fitted.values()], axis=1),
        y=dataset.labels.values[rows],
        known_at=KnownAt(dataset.labels.known_at[rows]),
        returns=dataset.labels.returns[rows],
        context=context,
    )
    combined = FittedEnsemble.fit(ensemble or ENSEMBLES.parse("nnls"), stacked)
    bar_format = BarFormat(
        length_us=first.length_us,
        symbols=tuple(panel),
        history_bars=history_bars(chosen, panel),
        began_at={symbol: str(bars.opened_at[0]) for symbol, bars in panel.items()},
    )
    trained = TrainedEnsemble(chosen, dataset.target, fitted, combined, bar_format, detector=found)
    return trained, dataset


def saved(trained: TrainedEnsemble, folder: Path) -> Path:
    """The folder, once the artifact lies in it."""
    trained.save(folder)
    return folder
