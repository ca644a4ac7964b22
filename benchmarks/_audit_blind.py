"""Pipelines that do not read what they are handed: the audit must say that it cannot see."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _audit_bars import Source
from _audit_features import table
from _audit_leaks import Draft, draft

from barstack.evaluation.audit import Data, Fit, Pipeline, Stage

Builder = Callable[[np.random.Generator, Source], tuple[Pipeline, Data]]
BLIND: dict[str, Builder] = {}


def blind(name: str) -> Callable[[Callable[[Draft], dict[str, Any]]], Any]:
    """Enter what makes parts of a draft blind."""

    def enter(parts: Callable[[Draft], dict[str, Any]]) -> Any:
        def builder(rng: np.random.Generator, source: Source) -> tuple[Pipeline, Data]:
            made_of = draft(rng, source, symbols=int(rng.integers(1, 3)))
            return made_of.case("", **parts(made_of)).pipeline, made_of.data

        BLIND[name] = builder
        return parts

    return enter


def _whole(made_of: Draft) -> pd.DataFrame:
    return table(made_of.data, made_of.columns)


@blind("a notebook's table of features, whatever the bars")
def _notebook(made_of: Draft) -> dict[str, Any]:
    whole = _whole(made_of)
    return {"features": lambda data: whole}


@blind("features looked up by date")
def _by_date(made_of: Draft) -> dict[str, Any]:
    whole = _whole(made_of)

    def features(data: Data) -> pd.DataFrame:
        own = {s: whole.loc[s].reindex(bars.closed_at) for s, bars in data.panel.items()}
        return pd.concat(own, names=["symbol", "decided_at"])

    return {"features": features}


@blind("features looked up by place")
def _by_place(made_of: Draft) -> dict[str, Any]:
    whole = _whole(made_of)

    def features(data: Data) -> pd.DataFrame:
        own = {
            s: pd.DataFrame(
                whole.loc[s].to_numpy()[: len(bars)],
                index=pd.Index(bars.closed_at, name="decided_at"),
                columns=whole.columns,
            )
            for s, bars in data.panel.items()
        }
        return pd.concat(own, names=["symbol"])

    return {"features": features}


@blind("one column of a notebook among honest ones")
def _one_column(made_of: Draft) -> dict[str, Any]:
    ahead = {
        s: pd.Series(np.append(np.diff(bars.close), 0.0), bars.closed_at)
        for s, bars in made_of.data.panel.items()
    }
    noisy = {s: each + each.std() * 3 * np.sin(np.arange(len(each))) for s, each in ahead.items()}

    def features(data: Data) -> pd.DataFrame:
        found = table(data, made_of.columns)
        found["vendor"] = np.concatenate(
            [noisy[s].reindex(bars.closed_at).to_numpy() for s, bars in data.panel.items()]
        )
        return found

    return {"features": features}


@blind("features that are memoised")
def _memoised(made_of: Draft) -> dict[str, Any]:
    kept: dict[tuple[str, ...], pd.DataFrame] = {}

    def features(data: Data) -> pd.DataFrame:
        key = tuple(sorted(data.panel))
        if key not in kept:
            kept[key] = table(data, made_of.columns)
        return kept[key]

    return {"features": features}


@blind("features from a cached file")
def _cached(made_of: Draft) -> dict[str, Any]:
    file = Path(tempfile.mkdtemp(prefix="barstack-audit-")) / "features.parquet"

    def features(data: Data) -> pd.DataFrame:
        if not file.is_file():
            table(data, made_of.columns).to_parquet(file)
        return pd.read_parquet(file)

    return {"features": features}


@blind("labels of a notebook")
def _labels(made_of: Draft) -> dict[str, Any]:
    whole = made_of.label.compute(made_of.data.panel)
    return {"labels": lambda data: whole}


@blind("features and labels of a notebook")
def _both(made_of: Draft) -> dict[str, Any]:
    parts: dict[str, Any] = _notebook(made_of)
    parts.update(_labels(made_of))
    return parts


@blind("a fit on a notebook's arrays")
def _fit_arrays(made_of: Draft) -> dict[str, Any]:
    X = np.nan_to_num(_whole(made_of).to_numpy())
    y = np.nan_to_num(made_of.label.compute(made_of.data.panel).values[:, 0])

    def fit(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
        fold = folds[number]
        beta = X[fold.train].T @ y[fold.train] / len(fold.train)
        return Fit([Stage("member", {"beta": beta})], X[fold.test] @ beta)

    return {"fit": fit}


@blind("a fit that is memoised by the fold's number")
def _fit_memoised(made_of: Draft) -> dict[str, Any]:
    kept: dict[int, Fit] = {}

    def fit(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
        if number not in kept:
            kept[number] = made_of.flow.fit(data, features, labels, folds, number)
        return kept[number]

    return {"fit": fit}


@blind("forecasts from a cached file")
def _fit_file(made_of: Draft) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="barstack-audit-"))
    honest = made_of.flow.fit

    def fit(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
        file = folder / f"{number}.npy"
        if not file.is_file():
            np.save(file, np.array(honest(data, features, labels, folds, number).forecast))
        return Fit([], np.load(file))

    return {"fit": fit}


@blind("a model of a notebook behind an honest scaler")
def _fit_dates(made_of: Draft) -> dict[str, Any]:
    days = np.random.default_rng(0).normal(size=60_000)

    def fit(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
        found = made_of.flow.fit(data, features, labels, folds, number)
        at = features.decisions.decided_at[folds[number].test].astype("datetime64[D]").astype(int)
        return Fit(found.stages, (np.array(found.forecast).T + days[at]).T)

    return {"fit": fit}
