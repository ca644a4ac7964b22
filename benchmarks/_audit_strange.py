"""Honest pipelines of an odd kind, which an audit may take for something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from _audit_bars import Source
from _audit_clean import folds_of
from _audit_features import Column, momentum, steps, table, trend, volatility
from _audit_leaks import Draft, draft
from scipy.signal import fftconvolve, lfilter

from barstack.evaluation.audit import Data, Fit, Pipeline, Stage
from barstack.labels import LABELS

Builder = Callable[[np.random.Generator, Source], tuple[Pipeline, Data]]
STRANGE: dict[str, Builder] = {}


def _enter(name: str, change: Callable[[Draft, np.random.Generator], dict[str, Any]]) -> None:
    def builder(rng: np.random.Generator, source: Source) -> tuple[Pipeline, Data]:
        made_of = draft(rng, source)
        made_of.columns = {"momentum": momentum(9), "volatility": volatility(12), "trend": trend(8)}
        parts = change(made_of, rng)
        return made_of.case("", **parts).pipeline, made_of.data

    STRANGE[name] = builder


def _column(name: str, made: Column) -> None:
    """One more column beside plain ones."""

    def change(made_of: Draft, rng: np.random.Generator) -> dict[str, Any]:
        made_of.columns["odd"] = made
        return {}

    _enter(name, change)


def _only(name: str, columns: dict[str, Column]) -> None:
    """Nothing but these columns."""

    def change(made_of: Draft, rng: np.random.Generator) -> dict[str, Any]:
        made_of.columns = columns
        return {"fit": None}

    _enter(name, change)


def _times(frame: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(frame.index)


def _of(values: Any, frame: pd.DataFrame) -> pd.Series:
    return pd.Series(np.asarray(values, float), frame.index)


def _convolved(frame: pd.DataFrame, values: Any, length: int = 16) -> pd.Series:
    weights = np.exp(-np.arange(length) / 5.0)
    return _of(fftconvolve(np.nan_to_num(values), weights)[: len(frame)], frame)


_column("a causal filter by FFT of moves", lambda f, d: _convolved(f, steps(f)))
_column("a causal filter by FFT of prices", lambda f, d: _convolved(f, f["close"]).diff())
_column("a long causal filter by FFT", lambda f, d: _convolved(f, steps(f), 128))
_column("a recursive filter", lambda f, d: _of(lfilter([0.1], [1, -0.9], steps(f).fillna(0)), f))
_column("a constant", lambda f, d: _of(np.ones(len(f)), f))
_column("a constant of each symbol", lambda f, d: _of(np.full(len(f), len(d.panel)), f))
_column("the number of the row", lambda f, d: _of(np.arange(len(f)), f))
_column("bars since the session opened", lambda f, d: _of(f.groupby("session").cumcount(), f))
_column("the month", lambda f, d: _of(_times(f).month, f))
_column("the year", lambda f, d: _of(_times(f).year, f))
_column("days since 1970", lambda f, d: _of(_times(f).astype("int64") // 86_400_000_000, f))
_column(
    "the hour in New York",
    lambda f, d: _of(_times(f).tz_localize("UTC").tz_convert("America/New_York").hour, f),
)
_column("the last day of a month", lambda f, d: _of(_times(f).is_month_end, f))
_column(
    "a flag of large volume",
    lambda f, d: _of(f["volume"] > f["volume"].rolling(100, min_periods=20).quantile(0.99), f),
)
_column("a flag that never rises", lambda f, d: _of(f["close"] < 0, f))
_column(
    "seeded noise of each row",
    lambda f, d: _of(
        np.random.default_rng(7).normal(size=100_000)[: len(f)] * steps(f).fillna(0), f
    ),
)
_column("ranks of the last hundred moves", lambda f, d: steps(f).rolling(100).rank(pct=True))
_column("the record high so far", lambda f, d: f["close"] / f["close"].cummax() - 1.0)
_column(
    "bars since the record high", lambda f, d: _of(f.groupby(f["close"].cummax()).cumcount(), f)
)
_column("signs of moves", lambda f, d: np.sign(steps(f)))
_column("rounded prices", lambda f, d: f["close"].round(1))
_column("volume alone beside prices", lambda f, d: np.log1p(f["volume"]).diff())
_column("mostly missing", lambda f, d: steps(f).where(_of(np.arange(len(f)) % 3, f) > 0).ffill())
_column(
    "a median of the session so far",
    lambda f, d: (
        f["close"] / f.groupby("session")["close"].transform(lambda own: own.expanding().median())
        - 1.0
    ),
)
_only(
    "features of volume alone",
    {
        "busy": lambda f, d: np.log1p(f["volume"]).diff(),
        "busier": lambda f, d: np.log1p(f["volume"]).rolling(9).mean(),
    },
)
_only(
    "features of the calendar alone",
    {
        "hour": lambda f, d: _of(_times(f).hour + _times(f).minute / 60, f),
        "weekday": lambda f, d: _of(_times(f).dayofweek, f),
    },
)
_only(
    "features of ranges alone",
    {
        "range": lambda f, d: f["high"] / f["low"] - 1.0,
        "ranges": lambda f, d: (f["high"] / f["low"] - 1.0).rolling(5).mean(),
    },
)


def _constant_labels(made_of: Draft, rng: np.random.Generator) -> dict[str, Any]:
    def labels(data: Data) -> Any:
        found = made_of.label.compute(data.panel)
        level = np.where(np.isnan(found.values), np.nan, 1.0)
        return replace(found, values=level, returns=level)

    return {"labels": labels, "fit": None}


def _zero(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
    return Fit([], np.zeros(len(folds[number].test)))


def _rule(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
    fold, scale = folds[number], np.nanstd(features.values[folds[number].train], axis=0)
    return Fit([Stage("scale", {"scale": scale})], features.values[fold.test, 0] / scale[0])


def _seeded(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
    fold, rng = folds[number], np.random.default_rng(3)
    rows = fold.train[rng.random(len(fold.train)) < 0.5]
    beta = (features.values[rows] * labels.values[rows, :1]).mean(axis=0)
    return Fit([Stage("member", {"beta": beta})], (features.values[fold.test] * beta).sum(axis=1))


def _past(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
    """Smooths its forecasts over rows tested before."""
    found = _seeded(data, features, labels, folds, number)
    said = pd.Series(np.asarray(found.forecast))
    code = labels.decisions.symbol_code[folds[number].test]
    return replace(
        found, forecast=said.groupby(code).transform(lambda own: own.ewm(span=5).mean()).to_numpy()
    )


_enter("labels that never differ", _constant_labels)
_enter("a fit that forecasts nothing", lambda made_of, rng: {"fit": _zero})
_enter("a rule that learns a scale alone", lambda made_of, rng: {"fit": _rule})
_enter("a fit on rows drawn by a seed", lambda made_of, rng: {"fit": _seeded})
_enter(
    "forecasts smoothed over the past",
    lambda made_of, rng: {
        "fit": _past,
        "folds": folds_of({"split": "walk_forward", "folds": 3}, 50),
    },
)


def _volatility_label(made_of: Draft, rng: np.random.Generator) -> dict[str, Any]:
    label = LABELS.parse({"label": "return", "horizons": [1]})

    def labels(data: Data) -> Any:
        found = label.compute(data.panel)
        return replace(found, values=np.abs(found.values))

    return {"labels": labels}


_enter("the size of the next move as label", _volatility_label)


def unseeded(rng: np.random.Generator, source: Source) -> tuple[Pipeline, Data]:
    """Noise without a seed: not a leak, and not to be proved anything about."""
    made_of = draft(rng, source)

    def features(data: Data) -> pd.DataFrame:
        found = table(data, made_of.columns)
        found["noise"] = np.random.default_rng().normal(size=len(found))
        return found

    return made_of.case("", features=features).pipeline, made_of.data
