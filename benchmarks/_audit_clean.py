"""Honest pipelines of great variety: whatever the audit says of them is a false alarm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from _audit_bars import Source
from _audit_features import Column, draw, table
from _audit_flow import STAGES, Flow
from sklearn.model_selection import TimeSeriesSplit

from barstack.core.errors import DataError
from barstack.datasets import RobustScaler
from barstack.evaluation.audit import Data, Fit, Pipeline, Stage
from barstack.evaluation.audit._pipeline import read, read_folds
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS
from barstack.splits import SPLITTERS, memory_bars

_FORGETFUL = ("momentum", "volatility", "trend", "distance", "rsi", "lag", "range", "busy", "hour")


def draw_label(rng: np.random.Generator, horizon: int | None = None) -> Any:
    horizon = horizon or int(rng.integers(1, 13))
    kinds: list[dict[str, Any]] = [
        {"label": "return", "horizons": [horizon]},
        {"label": "return", "horizons": [1, horizon + 1]},
        {"label": "direction", "horizons": [horizon]},
        {"label": "three_class", "horizons": [horizon], "threshold_bps": 5.0},
        {"label": "triple_barrier", "horizons": [horizon + 2]},
    ]
    return LABELS.parse(kinds[int(rng.integers(len(kinds)))])


def draw_split(rng: np.random.Generator) -> Any:
    kinds: list[dict[str, Any]] = [
        {"split": "walk_forward", "folds": int(rng.integers(2, 5))},
        {"split": "walk_forward", "folds": 3, "embargo": 5},
        {"split": "chronological"},
        {"split": "purged_kfold", "folds": 3},
        {"split": "combinatorial_purged", "groups": 4, "tested": 2},
    ]
    return kinds[int(rng.integers(len(kinds)))]


def features_of(columns: dict[str, Column]) -> Callable[[Data], pd.DataFrame]:
    return lambda data: table(data, columns)


_OWN = (
    *("atr", "body", "bollinger_position", "day_of_week_sin", "log_return", "rsi", "aroon"),
    *("autocorrelation", "close_location", "cmo", "di_difference", "bar_gap", "chaikin_money_flow"),
)


def own_features(rng: np.random.Generator) -> FeatureSet:
    """Some of barstack's own features, one of them of longer bars."""
    names = rng.choice(_OWN, 5, replace=False)
    return FeatureSet(features=tuple(Feature(feature=str(name)) for name in names))


def folds_of(split: dict[str, Any], memory_bars: int) -> Callable[[Any, Any], Any]:
    splitter = SPLITTERS.parse(split)

    def folds(features: Any, labels: Any) -> Any:
        usable = np.isfinite(features.values).any(axis=1) & labels.eligible
        return splitter.split(
            labels.decisions, labels.all_known_at, usable, memory_bars=memory_bars
        )

    return folds


def series_split(gap: int | None = None) -> Callable[[Any, Any], Any]:
    """scikit-learn's, on one symbol, by default with the gap that the labels ask for."""

    def folds(features: Any, labels: Any) -> Any:
        decided, known = labels.decisions.decided_at, labels.all_known_at
        answered = np.flatnonzero(~np.isnat(known))
        needed = int((np.searchsorted(decided, known[answered]) - answered).max())
        split = TimeSeriesSplit(3, gap=needed if gap is None else gap)
        return [(train[~np.isnat(known[train])], test) for train, test in split.split(decided)]

    return folds


def barrier_fit(flow: Flow, until: str = "test") -> Callable[..., Fit]:
    """A flow behind a stage that reads bars themselves: the width of barriers."""

    def fit(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
        begins = labels.decisions.decided_at[folds[number].test].min()
        widths = []
        for bars in data.panel.values():
            close = bars.close[bars.closed_at <= begins] if until == "test" else bars.close
            widths.append(float(np.std(np.diff(np.log(close)))))
        first = Stage("barriers", {"widths": np.array(widths)})
        done = flow.fit(data, features, labels, folds, number)
        return Fit([first, *done.stages], done.forecast)

    return fit


def label_fit(flow: Flow, label: Any) -> Callable[..., Fit]:
    """A flow behind a label of barstack's that is fitted, and a scaler of barstack's."""

    def fit(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
        train = folds[number].train
        fitted = label.fit(data.panel, train)
        numbers = {"thresholds": np.array(fitted.threshold_bps)}
        through = labels.all_known_at[train].max()
        scaler = RobustScaler().learn(features.values, train)
        own = fitted.compute(data.panel)
        done = flow.fit(data, features, own, folds, number)
        first = [Stage("label", numbers, trained_through=through), Stage("robust scaler", scaler)]
        return Fit([*first, *done.stages], done.forecast)

    return fit


def clean(rng: np.random.Generator, source: Source) -> tuple[Pipeline, Data, str]:
    """One of many, with a few words on what it is made of."""
    while True:
        pipeline, data, about = _draw(rng, source)
        try:
            features, labels = read(pipeline, data)
            folds = read_folds(pipeline, features, labels)
            for number in range(len(folds)):
                assert pipeline.fit is not None
                pipeline.fit(data, features, labels, folds, number)
        except (DataError, ValueError):  # too few rows for these folds, stages and this memory
            continue
        return pipeline, data, about


def _draw(rng: np.random.Generator, source: Source) -> tuple[Pipeline, Data, str]:
    data = source.draw(rng, daily=True, rows=int(rng.integers(1000, 1800)))
    split = draw_split(rng)
    crossed = split["split"] in ("purged_kfold", "combinatorial_purged")
    kept = [*rng.choice(STAGES[:10], int(rng.integers(3, 9)), replace=False)]
    flow = Flow(stages=(*dict.fromkeys(["imputer", "scaler", *kept]), "member", *STAGES[11:]))
    features: Callable[[Data], Any]
    if rng.random() < 0.3:
        own = own_features(rng)
        memory, about = memory_bars(own, data.panel), "barstack"
        features = lambda data: own.compute(data.panel)  # noqa: E731
    else:
        columns = draw(rng, data)
        if crossed:
            columns = {n: c for n, c in columns.items() if n.startswith(_FORGETFUL)}
        lengths = [int(name.rpartition("_")[2]) for name in columns if name[-1].isdigit()]
        memory, features, about = 5 * max(lengths), features_of(columns), "pandas"
    label = draw_label(rng)
    folds = folds_of(split, memory)
    if len(data.panel) == 1 and rng.random() < 0.2:
        folds, split, crossed = series_split(), {"split": "TimeSeriesSplit with a gap"}, False
    fit: Callable[..., Fit] = flow.fit
    if not crossed and rng.random() < 0.3:
        fit = barrier_fit(flow)
    elif label.target.task == "return" and rng.random() < 0.7:
        quantiles = {"label": "three_class_quantiles", "horizons": list(label.horizons)}
        fit = label_fit(flow, LABELS.parse(quantiles))
    pipeline = Pipeline(features, lambda data: label.compute(data.panel), folds, fit)
    words = (about, type(label).__name__, str(label.horizons), split["split"], *data.panel)
    return pipeline, data, " ".join(words)
