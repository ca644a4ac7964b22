"""Scalers against scikit-learn's, and what they promise by themselves."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn import preprocessing

from barstack.core.errors import ArtifactError, ConfigError
from barstack.datasets import (
    SCALERS,
    FittedScaler,
    RankGaussScaler,
    RobustScaler,
    Scaler,
    StandardScaler,
)
from barstack.models import MODELS, train
from barstack.testing import small_dataset, training_rows

RNG = np.random.default_rng(3)
# Far from one scale: thin tails, fat tails, few distinct values, a large mean, a tiny spread.
TRAINED = np.column_stack(
    [
        RNG.normal(50.0, 3.0, 5000),
        RNG.standard_t(3, 5000) * 1e-4,
        RNG.integers(0, 5, 5000).astype(float),
        RNG.lognormal(size=5000),
        1e6 + RNG.random(5000),
    ]
)
LATER = np.vstack([TRAINED[::7] * 1.01, TRAINED[:50] + 0.3])
ALL = [SCALERS.get(name)() for name in SCALERS.names()]


def test_there_are_three() -> None:
    assert SCALERS.names() == ["rank_gauss", "robust", "standard"]


@pytest.mark.parametrize("values", [TRAINED, LATER], ids=["trained", "later"])
def test_standard_is_that_of_sklearn(values: np.ndarray) -> None:
    oracle = preprocessing.StandardScaler().fit(TRAINED)
    ours = StandardScaler(clip=1e9).fit(TRAINED).apply(values)
    np.testing.assert_allclose(ours, oracle.transform(values), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("values", [TRAINED, LATER], ids=["trained", "later"])
def test_robust_is_that_of_sklearn(values: np.ndarray) -> None:
    oracle = preprocessing.RobustScaler().fit(TRAINED)
    ours = RobustScaler(clip=1e9).fit(TRAINED).apply(values)
    np.testing.assert_allclose(ours, oracle.transform(values), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("values", [TRAINED, LATER], ids=["trained", "later"])
def test_rank_gauss_is_that_of_sklearn(values: np.ndarray) -> None:
    """Within 1e-6, but at the ends, where scikit-learn takes all that equals an end for outside."""
    oracle = preprocessing.QuantileTransformer(
        n_quantiles=1001, output_distribution="normal", subsample=None
    ).fit(TRAINED)
    ours, theirs = RankGaussScaler().fit(TRAINED).apply(values), oracle.transform(values)
    low, high = TRAINED.min(axis=0), TRAINED.max(axis=0)
    inside = (values > low + 1e-7) & (values < high - 1e-7)
    assert inside.mean() > 0.6
    np.testing.assert_allclose(ours[inside], theirs[inside], rtol=0, atol=1e-6)
    beyond = (values < low) | (values > high)
    np.testing.assert_allclose(ours[beyond], theirs[beyond], rtol=0, atol=1e-6)


def test_rank_gauss_gives_the_middle_of_their_ranks_to_equal_values() -> None:
    flags = (RNG.random((2000, 1)) < 0.3).astype(float)
    share = flags.mean()
    fitted = RankGaussScaler().fit(flags)
    from scipy.stats import norm  # noqa: PLC0415

    low, high = fitted.apply(np.array([[0.0], [1.0]])).ravel()
    assert low == pytest.approx(norm.ppf((1 - share) / 2), abs=5e-3)
    assert high == pytest.approx(norm.ppf(1 - share / 2), abs=5e-3)


def test_rank_gauss_keeps_no_more_than_its_knots() -> None:
    assert RankGaussScaler().fit(TRAINED).learned["quantiles"].shape == (5, 1001)
    assert RankGaussScaler(knots=11).fit(TRAINED).learned["quantiles"].shape == (5, 11)
    assert RankGaussScaler().fit(TRAINED[:3]).learned["quantiles"].shape == (5, 3)


@pytest.mark.parametrize("scaler", ALL, ids=lambda each: each.registered_as[1])
def test_what_stands_out_is_bounded_and_what_never_changes_is_nothing(scaler: Scaler) -> None:
    values = TRAINED.copy()
    values[:, 2] = 7.0
    fitted = scaler.fit(values)
    np.testing.assert_array_equal(fitted.apply(values)[:, 2], 0.0)
    assert np.abs(fitted.apply(values + 1e12)).max() <= 8.0


@pytest.mark.parametrize("scaler", ALL, ids=lambda each: each.registered_as[1])
def test_learned_values_are_plain_data(scaler: Scaler) -> None:
    fitted = scaler.fit(TRAINED)
    again = FittedScaler.from_json(json.loads(json.dumps(fitted.to_json())), 5)
    np.testing.assert_array_equal(again.apply(LATER), fitted.apply(LATER))
    assert again.scaler == scaler


@pytest.mark.parametrize("scaler", ALL, ids=lambda each: each.registered_as[1])
def test_many_rows_are_learned_from_in_parts(
    scaler: Scaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scaler.fit(TRAINED)
    monkeypatch.setattr("barstack.datasets._history._VALUES_AT_ONCE", 5 * 700)
    parted = scaler.fit(TRAINED)
    for name, learned in whole.learned.items():
        np.testing.assert_allclose(parted.learned[name], learned, rtol=1e-12)


@pytest.mark.parametrize(
    "spoil",
    [
        {"scaler": {"scaler": "unheard_of"}},
        {"scaler": {"scaler": "standard", "clip": -1.0}},
        {"learned": {}},
        {"learned": {"centre": [0.0] * 4, "scale": [1.0] * 4}},
        {"learned": {"centre": ["a"] * 5, "scale": [1.0] * 5}},
        {"learned": {"centre": 0.0, "scale": 1.0}},
    ],
    ids=str,
)
def test_a_stored_scaler_that_does_not_fit_is_refused(spoil: dict[str, object]) -> None:
    content = StandardScaler().fit(TRAINED).to_json() | spoil
    with pytest.raises(ArtifactError):
        FittedScaler.from_json(content, 5)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'robust'"):
        SCALERS.parse("robst")
    with pytest.raises(ConfigError, match="knots"):
        RankGaussScaler(knots=1)


@pytest.mark.parametrize("name", SCALERS.names())
def test_training_uses_the_scaler_of_the_dataset(name: str) -> None:
    dataset = replace(small_dataset("return"), scaler=SCALERS.parse(name))
    rows = training_rows(dataset)
    fitted = train(MODELS.get("ridge")(), dataset, rows, seed=0)
    assert fitted.scaler.scaler == dataset.scaler
    for key, learned in dataset.fit_scaler(rows).learned.items():
        np.testing.assert_array_equal(fitted.scaler.learned[key], learned)
