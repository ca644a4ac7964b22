"""Contract tests of models; a registered model is checked by all of them.

A check that cannot hold for a model is listed in its `exempt`, with the reason.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Floats, Rows
from barstack.core.errors import BarstackError
from barstack.core.forecast import Task
from barstack.core.times import KnownAt
from barstack.datasets import Dataset
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS, LabelTable, regime_labels
from barstack.models import FittedModel, Model, train, update
from barstack.models.regimes import RegimeDetector

from ._bars import walk
from ._expect import expect, same

_FEATURES = ("log_return", "rsi", "body", "realized_volatility", "session_progress")
_HORIZONS = (2, 5)


def small_dataset(task: Task, bars: int = 600, seed: int = 0) -> Dataset:
    """A dataset of two symbols whose returns depend a little on one feature.

    That of a detector of regimes is of its own features: `regime_dataset`.

    >>> small_dataset("direction", bars=100).target.columns
    ('p_up_2bars', 'p_up_5bars')
    """
    panel = _panel(bars, seed)
    features = FeatureSet(features=tuple(Feature(feature=name) for name in _FEATURES))
    table = features.compute(panel)
    labels = LABELS.parse({"label": task, "horizons": _HORIZONS})
    plain = labels.compute(panel)
    body = np.nan_to_num(table.values[:, _FEATURES.index("body")])
    returns = plain.returns + 0.015 * body[:, None]
    return Dataset(table, replace(plain, values=_encoded(returns, task), returns=returns))


def regime_dataset(detector: RegimeDetector, bars: int = 600, seed: int = 0) -> Dataset:
    """The same two symbols by the features of a detector of regimes.

    >>> import barstack as bs
    >>> regime_dataset(bs.RegimeRules(), bars=100).target.columns[0]
    'p_bull_trend_now'
    """
    table = detector.feature_set.compute(_panel(bars, seed))
    return Dataset(table, regime_labels(table.decisions))


def _panel(bars: int, seed: int) -> dict[str, Bars]:
    return {name: walk(bars, seed=seed + i, symbol=name) for i, name in enumerate("AB")}


def _encoded(returns: Floats, task: Task) -> Floats:
    if task in ("return", "quantiles"):
        return returns
    threshold = 0.001 if task == "three_class" else 0.0
    up, down = returns > threshold, returns < -threshold
    values = 1.0 + up - down if task == "three_class" else up.astype(float)
    return np.where(np.isnan(returns), np.nan, values)


def training_rows(dataset: Dataset, share: float = 0.7) -> Rows:
    """The earliest rows whose labels are known, in time order.

    >>> dataset = small_dataset("return", bars=100)
    >>> len(training_rows(dataset)), len(dataset.decisions)
    (105, 200)
    """
    known = ~np.isnat(dataset.labels.all_known_at) & dataset.usable
    rows = np.flatnonzero(known)
    rows = rows[np.argsort(dataset.decisions.decided_at[rows], kind="stable")]
    return rows[: int(share * len(rows))]


def check_seed_repeats(model: Model, dataset: Dataset) -> None:
    """Equal seeds give equal forecasts, to the bit."""
    rows = training_rows(dataset)
    one, two = (train(model, dataset, rows, seed=3) for _ in range(2))
    np.testing.assert_array_equal(_forecasts(one, dataset), _forecasts(two, dataset))


def check_saves_and_loads(model: Model, dataset: Dataset) -> None:
    """What is loaded forecasts as what was saved, to the bit, and knows what it has seen."""
    fitted = train(model, dataset, training_rows(dataset), seed=3)
    with tempfile.TemporaryDirectory() as folder:
        fitted.save(Path(folder) / "model")
        loaded = FittedModel.load(Path(folder) / "model")
    np.testing.assert_array_equal(_forecasts(loaded, dataset), _forecasts(fitted, dataset))
    same(loaded.trained_through, fitted.trained_through, "trained_through of what is loaded")
    same(loaded.model, model, "The model of what is loaded")


def check_refuses_bad_input(model: Model, dataset: Dataset) -> None:
    """NaN, missing or shuffled columns, wrong types and too short a history get a sentence."""
    fitted = train(model, dataset, training_rows(dataset), seed=3)
    table = dataset.features
    rows = _predictable(model, dataset)
    holed = table.values.copy()
    holed[rows[-1], -1] = np.nan
    bad = {
        "not a number": replace(table, values=holed),
        "another order": replace(table, columns=table.columns[::-1]),
        "a column too few": replace(table, columns=table.columns[1:], values=table.values[:, 1:]),
        "float32": replace(table, values=table.values.astype(np.float32)),
    }
    for what, features in bad.items():
        refused = False
        try:
            fitted.predict(features, rows)
        except BarstackError:
            refused = True
        expect(refused, f"{model} forecasts from features with {what}.")


def check_sees_only_its_rows(model: Model, dataset: Dataset) -> None:
    """Features and labels of rows it was not given change nothing it learns."""
    rows = training_rows(dataset)
    last = dataset.decisions.decided_at[rows].max()
    later = dataset.decisions.decided_at > last
    rng = np.random.default_rng(9)
    values, labels = dataset.features.values.copy(), dataset.labels.values.copy()
    values[later] = rng.normal(1e3, 1e3, values[later].shape)
    labels[later] = rng.integers(0, 2, labels[later].shape)
    spoilt = Dataset(
        replace(dataset.features, values=values), replace(dataset.labels, values=labels)
    )
    clean_fit = train(model, dataset, rows, seed=3)
    spoilt_fit = train(model, spoilt, rows, seed=3)
    np.testing.assert_array_equal(
        _forecasts(spoilt_fit, dataset),
        _forecasts(clean_fit, dataset),
        err_msg=f"{model} has learned from rows it was not given",
    )


def check_counts_what_it_stops_by(model: Model, dataset: Dataset) -> None:
    """`trained_through` covers every row given, those for early stopping included."""
    rows = training_rows(dataset)
    known_at = KnownAt(dataset.labels.all_known_at[rows])
    through = train(model, dataset, rows, seed=3).trained_through
    same(through, known_at.max(), "trained_through")


def check_rows_stand_alone(model: Model, dataset: Dataset) -> None:
    """A row's forecast does not depend on which other rows are asked for."""
    fitted = train(model, dataset, training_rows(dataset), seed=3)
    rows = _predictable(model, dataset)
    together = fitted.predict(dataset.features, rows)
    alone = np.concatenate([fitted.predict(dataset.features, rows[i : i + 1]) for i in range(20)])
    tolerance = 1e-5 * float(together.std())
    np.testing.assert_allclose(alone, together[:20], rtol=0, atol=tolerance)


def check_forecasts_fit_the_task(model: Model, dataset: Dataset) -> None:
    """Finite values of the right shape: probabilities that sum to one, quantiles that rise."""
    fitted = train(model, dataset, training_rows(dataset), seed=3)
    values = _forecasts(fitted, dataset)
    target = dataset.target
    same(values.shape[1:], (len(target.horizons), len(target.outputs)), "The shape of a forecast")
    expect(np.isfinite(values).all(), f"{model} forecasts numbers that are not finite.")
    if target.levels:
        expect((np.diff(values, axis=2) >= 0).all(), f"Quantiles of {model} cross.")
    if target.n_classes:
        expect(
            ((values >= 0) & (values <= 1)).all(),
            f"{model} forecasts probabilities outside 0 to 1.",
        )
    if target.n_classes and len(target.outputs) > 1:
        np.testing.assert_allclose(values.sum(axis=2), 1.0, atol=1e-6)


def check_learns_a_plain_signal(model: Model, dataset: Dataset) -> None:
    """Out of sample its forecasts correlate with a strong linear signal."""
    fitted = train(model, dataset, training_rows(dataset), seed=3)
    rows = _predictable(model, dataset)
    rows = rows[dataset.decisions.decided_at[rows] > fitted.trained_through]
    rows = rows[~np.isnat(dataset.labels.all_known_at[rows])]
    forecast = fitted.forecast(dataset.features, rows)
    for horizon in range(len(dataset.target.horizons)):
        got = np.corrcoef(forecast.signal[:, horizon], dataset.labels.returns[rows, horizon])[0, 1]
        expect(got > 0.05, f"{model} correlates {got:.3f} with a signal it should find.")


def check_weights_count(model: Model, dataset: Dataset) -> None:
    """Heavier weights of rising rows raise forecasts; equal weights change nothing."""
    rows = training_rows(dataset)
    plain = train(model, dataset, rows, seed=3)
    alike = train(model, replace(dataset, weights=_RisesWeigh(1.0)), rows, seed=3)
    rising = train(model, replace(dataset, weights=_RisesWeigh(9.0)), rows, seed=3)
    np.testing.assert_array_equal(_forecasts(alike, dataset), _forecasts(plain, dataset))
    queried = _predictable(model, dataset)
    higher, usual = (
        each.forecast(dataset.features, queried, "in_sample").signal for each in (rising, plain)
    )
    expect((higher.mean(axis=0) > usual.mean(axis=0)).all(), f"{model} ignores weights.")


def check_learns_on(model: Model, dataset: Dataset) -> None:
    """It learns further from new rows alone and moves its clock, or refuses with a way out."""
    rows = training_rows(dataset, 0.5)
    fitted = train(model, dataset, rows, seed=3)
    known_at = dataset.labels.all_known_at
    rest = np.setdiff1d(training_rows(dataset, 0.8), rows)
    rest = rest[known_at[rest] > fitted.trained_through]
    rest = rest[np.argsort(dataset.decisions.decided_at[rest], kind="stable")]
    if not model.updates:
        message = ""
        try:
            update(fitted, dataset, rest, seed=3)
        except BarstackError as error:
            message = str(error)
        expect("rain it again" in message, f"{model} gives no way out: {message!r}")
        return
    before = _forecasts(fitted, dataset)
    updated = update(fitted, dataset, rest, seed=3)
    after = _forecasts(updated, dataset)
    same(updated.trained_through, known_at[rest].max(), "trained_through of an updated model")
    np.testing.assert_array_equal(_forecasts(fitted, dataset), before)
    expect(not np.array_equal(after, before), f"{model} has learned nothing new.")
    labels = dataset.labels.values.copy()
    labels[np.setdiff1d(np.arange(len(labels)), rest)] = 1.0
    spoilt = replace(dataset, labels=replace(dataset.labels, values=labels))
    again = update(fitted, spoilt, rest, seed=3)
    np.testing.assert_array_equal(
        _forecasts(again, dataset), after, err_msg=f"{model} has seen labels of other rows"
    )
    with tempfile.TemporaryDirectory() as folder:
        updated.save(Path(folder) / "model")
        loaded = FittedModel.load(Path(folder) / "model")
    np.testing.assert_array_equal(_forecasts(loaded, dataset), after)
    same(loaded.trained_through, updated.trained_through, "trained_through of what is loaded")


class _RisesWeigh(NamedTuple):
    """Rows that rose over the first horizon count so many times as much as the others."""

    times: float

    def compute(self, labels: LabelTable, rows: Rows) -> Floats:
        weights = np.where(labels.returns[rows, 0] > 0.0, self.times, 1.0)
        return np.asarray(weights / weights.mean())


MODEL_CHECKS = (
    check_seed_repeats,
    check_saves_and_loads,
    check_refuses_bad_input,
    check_sees_only_its_rows,
    check_counts_what_it_stops_by,
    check_rows_stand_alone,
    check_forecasts_fit_the_task,
    check_learns_a_plain_signal,
    check_weights_count,
    check_learns_on,
)


def _predictable(model: Model, dataset: Dataset) -> Rows:
    return dataset.with_history(np.arange(len(dataset.decisions)), model.lookback_bars)


def _forecasts(fitted: FittedModel, dataset: Dataset) -> Floats:
    return fitted.predict(dataset.features, _predictable(fitted.model, dataset))
