"""A small honest pipeline for the audit's tests, to be spoiled part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from barstack.bars import Bars
from barstack.evaluation.audit import Data, Fit, Leak, Pipeline, Stage, hunt
from barstack.features import FeatureTable
from barstack.labels import LABELS, LabelTable
from barstack.splits import SPLITTERS, Fold
from barstack.testing import walk

LABEL = LABELS.parse({"label": "return", "horizons": [4]})
DATA = Data({"A": walk(bars=500, symbol="A"), "B": walk(bars=500, symbol="B", seed=1)})


def frame(bars: Bars) -> pd.DataFrame:
    """Two honest columns."""
    close = pd.Series(np.array(bars.close), pd.Index(bars.closed_at, name="decided_at"))
    moves = close.pct_change()
    return pd.DataFrame({"move": moves, "momentum": close.pct_change(8)})


def features(data: Data) -> pd.DataFrame:
    return pd.concat({s: frame(bars) for s, bars in data.panel.items()}, names=["symbol"])


def labels(data: Data) -> LabelTable:
    return LABEL.compute(data.panel)


def folds(features: FeatureTable, labels: LabelTable) -> list[Fold]:
    splitter = SPLITTERS.parse({"split": "walk_forward", "folds": 3})
    return splitter.split(
        labels.decisions, labels.all_known_at, ~np.isnan(features.values.sum(axis=1))
    )


def fit(
    data: Data,
    features: FeatureTable,
    labels: LabelTable,
    folds: Sequence[Fold],
    number: int,
    *,
    scaled_on: Any = None,
    weighed_on: Any = None,
) -> Fit:
    """A scaler and a weight for each column, on rows of choice; by default those to train on."""
    fold = folds[number]
    every = np.isfinite(features.values).all(axis=1) & np.isfinite(labels.values[:, 0])
    rows = {"all": np.flatnonzero(every), "test": fold.test[every[fold.test]]}
    scaled, weighed = rows.get(scaled_on, fold.train), rows.get(weighed_on, fold.train)
    mean, scale = features.values[scaled].mean(axis=0), features.values[scaled].std(axis=0)
    X = (features.values - mean) / scale
    beta = (X[weighed] * labels.values[weighed]).mean(axis=0)
    through = labels.all_known_at[fold.train].max()
    stages = [
        Stage("scaler", {"mean": mean, "scale": scale}, trained_through=through),
        Stage("member", {"beta": beta}, trained_through=through),
    ]
    return Fit(stages, (X[fold.test] * beta).sum(axis=1))


HONEST = Pipeline(features, labels, folds, fit)


def leaks(data: Data = DATA, **parts: Any) -> list[Leak]:
    """What is found in the honest pipeline with other parts."""
    return list(hunt(replace(HONEST, **parts), data))


def places(data: Data = DATA, **parts: Any) -> set[tuple[str, str]]:
    """Stage and column of each leak."""
    return {(leak.stage, leak.column) for leak in leaks(data, **parts)}
