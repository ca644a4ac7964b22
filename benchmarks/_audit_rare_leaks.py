"""Mistakes in which rows are tested, in single folds, and leaks on few rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from _audit_bars import Source
from _audit_clean import folds_of
from _audit_features import momentum, steps
from _audit_leaks import Case, Rows, column, draft, leak, steady

from barstack.evaluation.audit import Data, Fit
from barstack.splits import Fold

_MANY = {"split": "walk_forward", "folds": 6}


# --- which rows are tested -----------------------------------------------------------------------


def _tested(name: str, keep: Any, kind: str | None = None) -> None:
    """Folds of six whose test holds only some rows, chosen by what came of them."""

    def builder(rng: np.random.Generator, source: Source) -> Case:
        made_of = draft(rng, source, kind=kind)
        honest = folds_of(_MANY, 50)

        def folds(features: Any, labels: Any) -> Any:
            found = []
            for fold in honest(features, labels):
                test = fold.test[keep(features, labels, fold.test)]
                found.append(replace(fold, test=test))
            return found

        return made_of.case("folds", "fold 0", folds=folds, fit=None)

    leak(name)(builder)


def _early(features: Any, labels: Any, test: Any) -> Any:
    took = (labels.all_known_at - labels.decisions.decided_at)[test].astype(np.int64)
    return took <= np.quantile(took[took > 0], 0.6) if (took > 0).any() else took > 0


def _moved(features: Any, labels: Any, test: Any) -> Any:
    size = np.abs(np.nan_to_num(labels.returns[test, 0]))
    return size >= np.quantile(size, 0.3)


def _no_crash(features: Any, labels: Any, test: Any) -> Any:
    returns = np.nan_to_num(labels.returns[test, 0])
    return returns > np.quantile(returns, 0.02)


def _next_quiet(features: Any, labels: Any, test: Any) -> Any:
    """Rows after which another row's answer is small."""
    later = np.minimum(test + 1, len(labels.returns) - 1)
    size = np.abs(np.nan_to_num(labels.returns[later, 0]))
    return size < np.quantile(size, 0.9)


_tested("tests only rows that moved", _moved)
_tested("tests no crash", _no_crash, kind="return")
_tested("tests where the next answer is small", _next_quiet)


@leak("tests only rows whose answer came early")
def _answered_early(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, kind="return", horizon=12)
    from barstack.labels import LABELS  # noqa: PLC0415

    made_of.label = LABELS.parse({"label": "triple_barrier", "horizons": [12]})
    honest = folds_of(_MANY, 50)

    def folds(features: Any, labels: Any) -> Any:
        found = honest(features, labels)
        return [replace(f, test=f.test[_early(features, labels, f.test)]) for f in found]

    return made_of.case("folds", "fold 0", folds=folds, fit=None)


@leak("one fold of six trains into its test")
def _one_fold(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)
    honest, bad = folds_of(_MANY, 50), int(rng.integers(1, 5))

    def folds(features: Any, labels: Any) -> Any:
        found = list(honest(features, labels))
        fold = found[bad]
        near = np.flatnonzero(
            labels.decisions.decided_at < labels.decisions.decided_at[fold.test].min()
        )
        usable = near[np.isfinite(features.values[near]).all(axis=1)]
        usable = usable[~np.isnat(labels.all_known_at[usable])]
        train = usable[np.argsort(labels.decisions.decided_at[usable], kind="stable")]
        found[bad] = Fold(train, fold.test, fold.kind)
        return found

    return made_of.case("folds", f"fold {bad}", folds=folds, fit=None)


@leak("a scaler of all rows in one fold of six")
def _one_scaler(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)
    bad = int(rng.integers(1, 5))
    honest, wrong = made_of.flow, replace(made_of.flow, scope={"scaler": "all"})

    def fit(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
        flow = wrong if number == bad else honest
        return flow.fit(data, features, labels, folds, number)

    return made_of.case("scaler", fit=fit, folds=folds_of(_MANY, 50))


@leak("an embargo after the first crossed fold only")
def _first_embargo(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)
    made_of.columns = steady(5) | {"long_memory": momentum(60)}
    wide = folds_of({"split": "purged_kfold", "folds": 5}, 80)
    bare = folds_of({"split": "purged_kfold", "folds": 5, "embargo": 0}, 0)

    def folds(features: Any, labels: Any) -> Any:
        return [wide(features, labels)[0], *bare(features, labels)[1:]]

    return made_of.case("folds", "long_memory", folds=folds, fit=None)


# --- leaks on few rows ---------------------------------------------------------------------------


def _few(name: str, rows: Rows, ahead: int = 1) -> None:
    """A momentum that is the move to come, on some rows."""

    def made(frame: pd.DataFrame, data: Data) -> pd.Series:
        own = frame["close"].pct_change(7)
        later = frame["close"].shift(-ahead) / frame["close"] - 1.0
        return own.where(~rows(frame), later)

    column(name, made, rows=rows)


def _rare(values: pd.Series, share: float) -> pd.Series:
    """The highest for a long time: known at each row."""
    return values.ge(values.rolling(300, min_periods=50).quantile(1.0 - share)) & values.notna()


_few("leak where the bar ranges most", lambda f: _rare(f["high"] / f["low"], 0.002))
_few(
    "leak where the volume is highest",
    lambda f: _rare(f["volume"] + f["high"] - f["low"], 0.002),
)
_few("leak where the move is largest", lambda f: _rare(steps(f).abs(), 0.002))
_few("leak where the fall is largest", lambda f: _rare(-steps(f), 0.002))
_few(
    "leak two bars ahead where momentum is highest",
    lambda f: _rare(f["close"].pct_change(7), 0.004),
    ahead=2,
)
_few("leak at the first bar of a session", lambda f: f["session"] != f["session"].shift(1))


def _before_falls(frame: pd.DataFrame) -> pd.Series:
    return frame["close"].shift(-1) / frame["close"] - 1.0 < -4.0 * steps(frame).std()


column(
    "a flag before large falls",
    lambda frame, data: _before_falls(frame).astype(float),
    rows=_before_falls,
)


@leak("forecasts smoothed where they are extreme")
def _smoothed(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)
    honest = made_of.flow.fit

    def fit(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
        found = honest(data, features, labels, folds, number)
        said = np.array(found.forecast)
        first = said[:, 0] if said.ndim > 1 else said
        ahead = np.append(first[1:], first[-1:])
        extreme = np.abs(first) >= np.quantile(np.abs(first), 0.995)
        first[extreme] = 0.5 * (first + ahead)[extreme]
        return replace(found, forecast=said)

    return made_of.case("forecast", fit=fit)


@leak("forecasts that read how long each answer took")
def _took(rng: np.random.Generator, source: Source) -> Case:
    from barstack.labels import LABELS  # noqa: PLC0415

    made_of = draft(rng, source, kind="return", horizon=12)
    made_of.label = LABELS.parse({"label": "triple_barrier", "horizons": [12]})
    honest = made_of.flow.fit

    def fit(data: Data, features: Any, labels: Any, folds: Any, number: int) -> Fit:
        found = honest(data, features, labels, folds, number)
        test = folds[number].test
        took = (labels.all_known_at - labels.decisions.decided_at)[test].astype(float)
        said = np.array(found.forecast)
        return replace(found, forecast=(said.T / np.where(took > 0, took, 1.0)).T)

    return made_of.case("forecast", fit=fit)
