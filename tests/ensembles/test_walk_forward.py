"""Ensembles learn from earlier folds only, and from out-of-fold forecasts only."""

from dataclasses import replace

import numpy as np
import pytest

from barstack.core.errors import ConfigError
from barstack.core.forecast import Forecast, concatenate
from barstack.core.times import TrainedThrough
from barstack.datasets import Dataset
from barstack.ensembles import ENSEMBLES, align, fit_known, walk_forward
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
STACK = ENSEMBLES.parse("stack")


def test_forecasts_are_forward_and_begin_with_the_second_fold() -> None:
    aligned = align(MEMBERS)
    forecasts, fitted = walk_forward(STACK, aligned, DATASET.labels)
    assert forecasts.forecast.kind == "forward"
    assert sorted(fitted) == sorted(set(forecasts.fold.tolist())) == [1, 2, 3, 4, 5]
    assert (forecasts.forecast.trained_through <= forecasts.forecast.decisions.decided_at).all()


def test_later_answers_change_no_earlier_forecast() -> None:
    aligned = align(MEMBERS)
    whole, _ = walk_forward(STACK, aligned, DATASET.labels)
    cut = np.sort(np.unique(DATASET.decisions.decided_at))[500]
    later = DATASET.labels.known_at > cut
    values = np.where(later, 99.0, DATASET.labels.values)
    spoilt, _ = walk_forward(STACK, aligned, replace(DATASET.labels, values=values))
    before = whole.forecast.decisions.decided_at <= cut
    changed = whole.forecast.values != spoilt.forecast.values
    assert not changed[before].any()
    assert changed[~before].any()


def test_a_stack_favours_who_forecast_well() -> None:
    rng = np.random.default_rng(1)
    good = MEMBERS["ridge"]
    returns = DATASET.labels.values[DATASET.labels.decisions.find(good.forecast.decisions)]
    known = np.nan_to_num(returns)[:, :, None]
    oracle = replace(good.forecast, values=0.5 * known)
    noise = replace(good.forecast, values=0.01 * rng.normal(size=known.shape))
    members = {"oracle": OutOfFold(oracle, good.fold), "noise": OutOfFold(noise, good.fold)}
    weights = fit_known(STACK, align(members), DATASET.labels).weights(DATASET.target)
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
    aligned = align(MEMBERS)
    fitted = fit_known(STACK, aligned, DATASET.labels)
    known_at = DATASET.labels.all_known_at
    assert fitted.trained_through == known_at[~np.isnat(known_at)].max()
    assert fitted.trained_through >= through.max()
