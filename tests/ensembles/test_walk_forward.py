"""Ensembles learn from earlier folds only, and from out-of-fold forecasts only."""

from dataclasses import replace

import numpy as np
import pytest
from tests.online import Discounted, Losses

from barstack.core.errors import ConfigError
from barstack.core.forecast import Forecast, concatenate
from barstack.core.times import TrainedThrough
from barstack.datasets import Dataset
from barstack.ensembles import (
    ENSEMBLES,
    FittedEnsemble,
    Stacked,
    align,
    fit_known,
    walk_forward,
)
from barstack.models import MODELS, train
from barstack.splits import SPLITTERS, Fold
from barstack.testing import small_dataset
from barstack.tracking import OutOfFold

DATASET: Dataset = small_dataset("return", bars=700)


def out_of_fold(dataset: Dataset, model: str, split: str = "walk_forward") -> OutOfFold:
    folds = SPLITTERS.parse(split).split(
        dataset.decisions, dataset.labels.all_known_at, dataset.usable, memory_bars=20
    )
    parts = [_forecast(dataset, model, fold) for fold in folds]
    number = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return OutOfFold(concatenate(parts), number)


def _forecast(dataset: Dataset, model: str, fold: Fold) -> Forecast:
    fitted = train(MODELS.parse(model), dataset, fold.train, seed=0)
    return fitted.forecast(dataset.features, fold.test, fold.kind)


MEMBERS = {name: out_of_fold(DATASET, name) for name in ("ridge", "lightgbm")}
NNLS = ENSEMBLES.parse("nnls")


def test_forecasts_are_forward_and_begin_with_the_second_fold() -> None:
    forecasts, fitted = walk_forward(NNLS, align(MEMBERS, DATASET.labels))
    assert forecasts.forecast.kind == "forward"
    assert sorted(fitted) == sorted(set(forecasts.fold.tolist())) == [1, 2, 3, 4, 5]
    assert (forecasts.forecast.trained_through <= forecasts.forecast.decisions.decided_at).all()


def test_later_answers_change_no_earlier_forecast() -> None:
    whole, _ = walk_forward(NNLS, align(MEMBERS, DATASET.labels))
    cut = np.sort(np.unique(DATASET.decisions.decided_at))[500]
    later = DATASET.labels.known_at > cut
    values = np.where(later, 99.0, DATASET.labels.values)
    spoilt, _ = walk_forward(NNLS, align(MEMBERS, replace(DATASET.labels, values=values)))
    before = whole.forecast.decisions.decided_at <= cut
    changed = whole.forecast.values != spoilt.forecast.values
    assert not changed[before].any()
    assert changed[~before].any()


def test_an_ensemble_that_learns_on_is_updated_by_known_labels_alone() -> None:
    stacked = align(MEMBERS, DATASET.labels)
    found, fitted = walk_forward(Discounted(), stacked)
    forecast = found.forecast
    assert (forecast.trained_through <= forecast.decisions.decided_at).all()
    last = found.fold == 5
    assert len(np.unique(forecast.trained_through[last])) > 50  # it went on within the fold
    fixed = fitted[5].predict(stacked.take(np.flatnonzero(stacked.fold == 5)))
    assert (fixed != forecast.values[last]).any()
    # Each forecast is that of an ensemble fitted on all that was known at its decision.
    for row in np.flatnonzero(last)[::23]:
        now = forecast.decisions.take(np.array([row]))
        known = stacked.known_by(now.decided_at[0])
        (place,) = stacked.decisions.find(now)
        afresh = FittedEnsemble.fit(Discounted(), known)
        expected = afresh.predict(stacked.take(np.array([place])))[0]
        np.testing.assert_allclose(forecast.values[row], expected, rtol=1e-9)


def test_later_labels_change_no_earlier_forecast_of_one_that_learns_on() -> None:
    whole, _ = walk_forward(Discounted(), align(MEMBERS, DATASET.labels))
    cut = np.sort(np.unique(DATASET.decisions.decided_at))[500]
    later = DATASET.labels.known_at > cut
    labels = replace(DATASET.labels, values=np.where(later, 99.0, DATASET.labels.values))
    spoilt, _ = walk_forward(Discounted(), align(MEMBERS, labels))
    before = whole.forecast.decisions.decided_at <= cut
    changed = whole.forecast.values != spoilt.forecast.values
    assert not changed[before].any()
    assert changed[~before].any()


def test_ensembles_are_members_of_the_next_layer() -> None:
    """The layer above is fitted on rows that no layer below was fitted on."""
    stacked = align(MEMBERS, DATASET.labels)
    below = {name: walk_forward(ENSEMBLES.parse(name), stacked)[0] for name in ("average", "nnls")}
    layer = align(below | MEMBERS, DATASET.labels)
    assert layer.fold is not None
    assert layer.trained_through is not None
    assert sorted(set(layer.fold.tolist())) == [1, 2, 3, 4, 5]
    found, fitted = walk_forward(NNLS, layer)
    assert sorted(fitted) == [2, 3, 4, 5]
    forecast = found.forecast
    assert (forecast.trained_through <= forecast.decisions.decided_at).all()
    # Each row that it is fitted on was forecast by ensembles that had not seen its label.
    assert (layer.trained_through <= layer.decisions.decided_at).all()
    assert not (layer.all_known_at <= layer.trained_through).any()


def test_seeds_follow_from_study_ensemble_and_fold() -> None:
    seeds = []

    class Notes(Discounted):
        def fit(self, stacked: Stacked) -> Losses:
            seeds.append(stacked.seed)
            return super().fit(stacked)

    stacked = align(MEMBERS, DATASET.labels)
    for seed in (0, 0, 1):
        walk_forward(Notes(), stacked, seed=seed)
        fit_known(Notes(), stacked, seed=seed)
    assert seeds[:6] == seeds[6:12]
    assert len({*seeds}) == 12


def test_context_that_an_ensemble_needs_is_aligned_or_missed() -> None:
    class Gated(Discounted):
        @property
        def needs(self) -> tuple[str, ...]:
            return ("features",)

    table = DATASET.features
    with pytest.raises(ConfigError, match="needs 'features' of each decision"):
        fit_known(Gated(), align(MEMBERS, DATASET.labels))
    stacked = align(MEMBERS, DATASET.labels, context={"features": (table.decisions, table.values)})
    rows = table.decisions.find(stacked.decisions)
    np.testing.assert_array_equal(stacked.context["features"], table.values[rows])
    fit_known(Gated(), stacked)


def test_members_of_another_split_are_refused() -> None:
    other = OutOfFold(MEMBERS["ridge"].forecast, MEMBERS["ridge"].fold // 2)
    with pytest.raises(ConfigError, match="in other folds than 'lightgbm'"):
        align({"lightgbm": MEMBERS["lightgbm"], "ridge": other})


def test_a_stack_favours_who_forecast_well() -> None:
    rng = np.random.default_rng(1)
    good = MEMBERS["ridge"]
    returns = DATASET.labels.values[DATASET.labels.decisions.find(good.forecast.decisions)]
    known = np.nan_to_num(returns)[:, :, None]
    oracle = replace(good.forecast, values=0.5 * known)
    noise = replace(good.forecast, values=0.01 * rng.normal(size=known.shape))
    members = {"oracle": OutOfFold(oracle, good.fold), "noise": OutOfFold(noise, good.fold)}
    weights = fit_known(NNLS, align(members, DATASET.labels)).weights(DATASET.target)
    for by_member in weights.values():
        assert by_member["oracle"] > 1.5
        assert by_member["noise"] < 0.1


def test_members_may_cover_different_rows() -> None:
    ridge = MEMBERS["ridge"]
    fewer = OutOfFold(
        ridge.forecast.take(np.arange(len(ridge.forecast)) % 3 > 0),
        ridge.fold[np.arange(len(ridge.forecast)) % 3 > 0],
    )
    aligned = align({"all": MEMBERS["lightgbm"], "fewer": fewer})
    assert len(aligned.decisions) == len(fewer.forecast)
    shared = ridge.forecast.decisions.find(aligned.decisions)
    np.testing.assert_array_equal(aligned.member(1), ridge.forecast.values[shared])


def test_crossed_forecasts_are_for_no_verdict() -> None:
    crossed = out_of_fold(DATASET, "ridge", "purged_kfold")
    assert crossed.forecast.kind == "crossed"
    # Trained on both sides: its models have seen labels from after the decisions.
    assert (crossed.forecast.trained_through > crossed.forecast.decisions.decided_at).any()
    with pytest.raises(ConfigError, match=r"crossed forecasts.*walk_forward or chronological"):
        align({"ridge": crossed})


def test_an_ensemble_is_trained_through_what_its_members_are() -> None:
    ridge = MEMBERS["ridge"].forecast
    through = TrainedThrough(ridge.trained_through.copy())
    fitted = fit_known(NNLS, align(MEMBERS, DATASET.labels))
    known_at = DATASET.labels.all_known_at
    assert fitted.trained_through == known_at[~np.isnat(known_at)].max()
    assert fitted.trained_through >= through.max()
