"""Models of many folds at once are those of each fold by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model

from barstack.core.arrays import Rows
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Target
from barstack.core.times import DecidedAt, KnownAt
from barstack.datasets import Dataset, RankGaussScaler, RobustScaler, StandardScaler
from barstack.features import FeatureTable
from barstack.labels import LabelTable, SampleWeights
from barstack.models import MODELS, FittedModel, FoldTrainer, Model, train, train_folds
from barstack.models.classical._fold_moments import FoldMoments, MomentFits
from barstack.models.classical._moments import Moments
from barstack.splits import SPLITTERS
from barstack.testing import small_dataset, training_rows

MINUTE = np.timedelta64(60_000_000, "us")
MODELS_OF_MOMENTS = [
    MODELS.parse({"model": "ridge", "penalty": 0.01}),
    MODELS.parse({"model": "ridge", "penalty": 3.0}),
    MODELS.parse({"model": "elastic_net", "penalty": 0.02}),
    MODELS.parse({"model": "elastic_net", "penalty": 0.05, "l1_share": 0.9}),
]


def made_up(
    rng: np.random.Generator, n_rows: int, n_columns: int, tail: float = 3.0, symbols: int = 2
) -> Dataset:
    """Columns of all sizes with wild values, some drifting, and three horizons known later."""
    each = n_rows // symbols
    moments = np.datetime64("2024-01-01", "us") + np.arange(each) * MINUTE
    decisions = Decisions.concatenate({f"S{i}": DecidedAt(moments) for i in range(symbols)})
    values = rng.standard_t(tail, (len(decisions), n_columns))
    values += np.linspace(0.0, 1.0, len(decisions))[:, None] * rng.normal(size=n_columns) * 3.0
    mixed = values[:, rng.integers(n_columns)][:, None] * rng.normal(size=n_columns)
    values = (values + mixed + 10.0 * rng.normal(size=n_columns)) * 10.0 ** rng.uniform(
        -5, 5, n_columns
    )
    values[: rng.integers(1, 20), rng.integers(n_columns)] = np.nan
    horizons = np.array([1, 4, 9])
    known_at = decisions.decided_at[:, None] + horizons * MINUTE
    known_at[decisions.decided_at >= moments[each - 9]] = np.datetime64("NaT")
    y = 1e-3 * rng.standard_t(4.0, (len(decisions), 3)) * [1.0, 2.0, 5.0]
    y += 1e-4 * np.nan_to_num(values[:, :1] / np.nanstd(values[:, 0]))
    y[np.isnat(known_at)] = np.nan
    labels = LabelTable(
        decisions,
        Target("return", ("1", "4", "9")),
        y,
        KnownAt(known_at),
        y,
        np.ones(len(y), bool),
        close=100.0 * np.exp(1e-3 * rng.standard_t(4.0, len(decisions))),
    )
    names = tuple(f"x{place}" for place in range(n_columns))
    return Dataset(FeatureTable(decisions, names, values), labels)


def folds_of(dataset: Dataset, split: dict[str, Any]) -> list[Rows]:
    known_at = dataset.labels.all_known_at
    folds = SPLITTERS.parse(split).split(dataset.decisions, known_at, dataset.usable)
    return [fold.train for fold in folds]


def assert_same(one: FittedModel, two: FittedModel, atol: float = 1e-10) -> None:
    """Coefficients to `atol` of the largest; scales to 1e-12; all that is no number the same."""
    largest = max(np.abs(one.learned.weights).max(), np.abs(one.learned.intercept).max())
    for a, b in zip(one.learned[:2], two.learned[:2], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol * largest)
    for name, learned in one.scaler.learned.items():
        scale = one.scaler.learned.get("scale", np.ones(len(learned)))
        away = np.abs(learned - two.scaler.learned[name]).T
        assert (away <= 1e-12 * (scale + np.abs(learned).T)).all()
    np.testing.assert_array_equal(one.y_scale, two.y_scale)
    np.testing.assert_array_equal(one.fit_rows, two.fit_rows)
    np.testing.assert_array_equal(one.stop_rows, two.stop_rows)
    assert one.trained_through == two.trained_through
    for name in ("model", "target", "columns", "max_gap"):
        assert getattr(one, name) == getattr(two, name)


def assert_as_alone(
    models: Sequence[Model],
    dataset: Dataset,
    folds: Sequence[Rows],
    disjoint_from: Sequence[Rows] | None = None,
) -> None:
    together = train_folds(models, dataset, folds, 0, disjoint_from)
    for number, fitted in enumerate(together):
        apart = None if disjoint_from is None else disjoint_from[number]
        for model, own in zip(models, fitted, strict=True):
            assert_same(train(model, dataset, folds[number], 0, apart), own)


def shares(dataset: Dataset, folds: Sequence[Rows]) -> FoldMoments:
    """What folds share; fails where each would be fitted by itself, which proves nothing."""
    trainer = FoldTrainer(dataset, folds)
    trainer.train(MODELS_OF_MOMENTS[0], 0, 0)
    fits = trainer.shared(MomentFits)
    assert isinstance(fits, MomentFits)
    assert fits.moments is not None
    return fits.moments


SPLITS = [
    {"split": "combinatorial_purged", "groups": 5, "tested": 2, "embargo": 7},
    {"split": "purged_kfold", "folds": 4, "embargo": 30},
    {"split": "walk_forward", "folds": 5},
    {"split": "walk_forward", "folds": 4, "train_times": 200, "embargo": 11},
]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    columns=st.integers(1, 12),
    tail=st.sampled_from([2.1, 3.0, 30.0]),
    symbols=st.integers(1, 3),
    split=st.sampled_from(SPLITS),
    clip=st.sampled_from([2.5, 8.0]),
    by=st.sampled_from(["uniform", "uniqueness", "return"]),
)
def test_every_fold_is_as_fitted_alone(
    seed: int, columns: int, tail: float, symbols: int, split: Any, clip: float, by: Any
) -> None:
    rng = np.random.default_rng(seed)
    dataset = made_up(rng, 1500, columns, tail, symbols)
    dataset = replace(dataset, scaler=StandardScaler(clip=clip), weights=SampleWeights(by=by))
    assert_as_alone(MODELS_OF_MOMENTS, dataset, folds_of(dataset, split))


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: split["split"])
@pytest.mark.parametrize("scaler", [StandardScaler(clip=3.0), RobustScaler(clip=3.0)], ids=str)
def test_clipped_rows_are_added_by_themselves(scaler: Any, split: Any) -> None:
    dataset = replace(made_up(np.random.default_rng(1), 3000, 8), scaler=scaler)
    folds = folds_of(dataset, split)
    moments = shares(dataset, folds)
    assert 0.01 * len(moments.blocks.rows) < len(moments.sums.separate)
    assert_as_alone(MODELS_OF_MOMENTS, dataset, folds)


def test_a_wild_print_costs_no_digit() -> None:
    """A value so large that a sum with it in it would keep nothing of the others."""
    dataset = made_up(np.random.default_rng(2), 3000, 6, tail=30.0)
    dataset.features.values[1000, 2] *= 1e9
    folds = folds_of(dataset, SPLITS[0])
    shares(dataset, folds)
    assert_as_alone(MODELS_OF_MOMENTS, dataset, folds)


def test_uniqueness_is_shared_but_for_rows_near_the_edges() -> None:
    dataset = made_up(np.random.default_rng(3), 3000, 5, tail=30.0)
    dataset = replace(dataset, weights=SampleWeights(by="uniqueness"))
    folds = folds_of(dataset, SPLITS[0])
    moments = shares(dataset, folds)
    assert len(moments.sums.separate) < 0.2 * len(moments.blocks.rows)
    assert np.ptp(moments.weights.share[moments.blocks.member]) > 0.0
    assert_as_alone(MODELS_OF_MOMENTS, dataset, folds)


@pytest.mark.parametrize("weight", ["zero stretch", "random", "fading"])
def test_any_weights_are_those_of_each_fold(weight: str) -> None:
    rng = np.random.default_rng(4)
    dataset = made_up(rng, 1600, 4, tail=30.0)
    by_row = np.ones(len(dataset.decisions))
    if weight == "zero stretch":
        by_row[200:900] = 0.0
    weights = _Given(by_row if weight != "random" else rng.random(len(by_row)))
    faded = SampleWeights(oldest=0.2)
    dataset = replace(dataset, weights=faded if weight == "fading" else weights)
    assert_as_alone(MODELS_OF_MOMENTS, dataset, folds_of(dataset, SPLITS[0]))


class _Given:
    """Weights by row, not brought to a mean of 1."""

    def __init__(self, by_row: np.ndarray) -> None:
        self.by_row = by_row

    def compute(self, labels: LabelTable, rows: Rows) -> np.ndarray:
        return self.by_row[rows]


@pytest.mark.parametrize("kind", ["constant", "constant in a fold", "far away", "label"])
def test_columns_that_hardly_differ(kind: str) -> None:
    """Exact where rounding of a mean does not tell; where it does, folds are fitted alone."""
    dataset = made_up(np.random.default_rng(5), 2000, 5, tail=30.0, symbols=1)
    folds = folds_of(dataset, SPLITS[2])
    if kind == "constant":
        dataset.features.values[:, 1] = 1e9 / 3.0
    elif kind == "constant in a fold":
        dataset.features.values[30 : folds[0].max() + 1, 1] = 0.1
    elif kind == "far away":
        dataset.features.values[:, 1] += 1e5 * np.nanstd(dataset.features.values[:, 1])
    else:
        dataset.labels.values[: folds[0].max() + 1, 1] = 0.25
    moments = shares(dataset, folds)
    assert moments.spread.settled.all() == (kind != "far away")
    assert_as_alone(MODELS_OF_MOMENTS, dataset, folds)


def test_what_rounding_would_tell_in_is_fitted_alone() -> None:
    """Repeated features and no penalty to choose between them: the very bits of `train`."""
    dataset = made_up(np.random.default_rng(6), 2000, 4, tail=30.0)
    dataset.features.values[:, 3] = 2.0 * dataset.features.values[:, 1]
    models = [
        MODELS.parse({"model": "ridge", "penalty": 0.0}),
        MODELS.parse({"model": "elastic_net", "penalty": 0.01, "l1_share": 1.0}),
    ]
    folds = folds_of(dataset, SPLITS[0])
    shares(dataset, folds)
    for rows, fitted in zip(folds, train_folds(models, dataset, folds, 0), strict=True):
        for model, own in zip(models, fitted, strict=True):
            alone = train(model, dataset, rows, 0)
            np.testing.assert_array_equal(own.learned.weights, alone.learned.weights)
            np.testing.assert_array_equal(own.learned.intercept, alone.learned.intercept)


def test_folds_with_nothing_in_common_are_fitted_alone() -> None:
    rng = np.random.default_rng(7)
    dataset = made_up(rng, 600, 3)
    usable = training_rows(dataset, 1.0)
    scattered = [np.sort(rng.choice(usable, 200, replace=False)) for _ in range(6)]
    twice = [np.sort(rng.choice(usable, 300)), usable]
    for folds in (scattered, twice, [usable]):
        assert_as_alone(MODELS_OF_MOMENTS, dataset, folds)
    ranked = replace(dataset, scaler=RankGaussScaler())
    assert_as_alone(MODELS_OF_MOMENTS, ranked, folds_of(ranked, SPLITS[0]))


def test_rows_to_stay_apart_from_do_so() -> None:
    dataset = made_up(np.random.default_rng(8), 1500, 4)
    folds = folds_of(dataset, SPLITS[0])
    apart = [rows[::7] for rows in folds]
    assert_as_alone(MODELS_OF_MOMENTS, dataset, folds, apart)


def test_other_models_are_trained_fold_by_fold_with_their_seeds() -> None:
    dataset = small_dataset("return")
    rows = training_rows(dataset)
    folds = [rows[:200], rows]
    forest = MODELS.parse({"model": "extra_trees", "trees": 3})
    seeds: list[tuple[Model, int]] = []

    def seed(model: Model, fold: int) -> int:
        seeds.append((model, fold))
        return 10 + fold

    models = [forest, MODELS_OF_MOMENTS[0]]
    for fold, (own, _) in enumerate(train_folds(models, dataset, folds, seed)):
        alone = train(forest, dataset, folds[fold], 10 + fold)
        said = [each.predict(dataset.features, rows) for each in (own, alone)]
        np.testing.assert_array_equal(said[0], said[1])
    assert seeds == [(model, fold) for fold in range(2) for model in models]


def test_refusals_are_those_of_train() -> None:
    ridge, dataset = MODELS_OF_MOMENTS[0], made_up(np.random.default_rng(9), 600, 3)
    folds = folds_of(dataset, SPLITS[0])
    with pytest.raises(DataError, match="too few to train on"):
        next(train_folds([ridge], dataset, [*folds, folds[0][:1]], 0))
    still_open = np.append(folds[0], len(dataset.decisions) - 1)
    with pytest.raises(DataError, match="still open"):
        list(train_folds([ridge], dataset, [*folds, still_open], 0))
    with pytest.raises(ConfigError, match="not direction"):
        next(train_folds([ridge], small_dataset("direction"), folds, 0))


@pytest.mark.parametrize("l1_share", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("penalty", [1e-3, 0.02, 0.3, 3.0])
def test_an_elastic_net_is_that_of_sklearn_on_correlated_features(
    penalty: float, l1_share: float
) -> None:
    rng = np.random.default_rng(10)
    X = rng.normal(size=(400, 4)) @ rng.normal(size=(4, 30)) + 0.2 * rng.normal(size=(400, 30))
    y, weight = X[:, :3].sum(axis=1) + rng.normal(size=400), rng.uniform(0.1, 3.0, 400)
    X = (X - np.average(X, axis=0, weights=weight)) / X.std(axis=0)
    y = (y - np.average(y, weights=weight)) / y.std()
    share = weight / weight.sum()
    moments = Moments(
        X.T @ (share[:, None] * X), X.T @ (share * y)[:, None], np.zeros(30), np.zeros(1)
    )
    model = MODELS.parse({"model": "elastic_net", "penalty": penalty, "l1_share": l1_share})
    ours = model.solve(moments).weights[:, 0]  # type: ignore[attr-defined]  # of MomentModel
    slopes = moments.cross[:, 0] - moments.gram @ ours - penalty * (1.0 - l1_share) * ours
    kept = ours != 0.0
    l1 = penalty * l1_share
    np.testing.assert_allclose(slopes[kept], l1 * np.sign(ours[kept]), atol=1e-13)
    assert (np.abs(slopes[~kept]) <= l1 + 1e-13).all()
    if l1_share > 0.0:  # theirs does without an L1 penalty only very slowly
        net = linear_model.ElasticNet(
            alpha=penalty, l1_ratio=l1_share, tol=1e-15, max_iter=1_000_000, fit_intercept=False
        )
        net.fit(X, y, weight)
        np.testing.assert_allclose(ours, net.coef_, rtol=0, atol=1e-6)
        assert (kept == (net.coef_ != 0.0)).mean() > 0.9


def test_too_few_rounds_are_warned_of() -> None:
    dataset = small_dataset("return")
    model = MODELS.parse({"model": "elastic_net", "penalty": 1e-3, "rounds": 1})
    with pytest.warns(UserWarning, match="still moves after 1 rounds"):
        train(model, dataset, training_rows(dataset), 0)
