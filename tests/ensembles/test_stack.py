"""The meta-learner is trained on what no layer has seen, and counts for what it has shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barstack.core.errors import ArtifactError, ConfigError
from barstack.core.forecast import Task
from barstack.ensembles import ENSEMBLES, Ensemble, Stacked, fit_known
from barstack.ensembles._meta_rows import forward_folds, meta_dataset
from barstack.testing import small_stacked

METAS: list[tuple[str, Task]] = [
    ("ridge", "return"),
    ("elastic_net", "return"),
    ("lightgbm", "return"),
    ("xgboost", "direction"),
    ("catboost", "three_class"),
    ("hist_gradient_boosting", "direction"),
    ("random_forest", "return"),
    ("logistic", "three_class"),
]


def stack(meta: Any = None, **settings: Any) -> Ensemble:
    content = {"ensemble": "stack", **settings} | ({"meta": meta} if meta else {})
    return ENSEMBLES.parse(content)


def loss(forecasts: np.ndarray, stacked: Stacked) -> float:
    """Squared error, or Brier score, at the first horizon."""
    assert stacked.y is not None
    y = stacked.y[:, 0]
    wanted = y[:, None] if forecasts.shape[2] == 1 else (y[:, None] == np.arange(3)).astype(float)
    return float(((forecasts[:, 0] - wanted) ** 2).sum(axis=1).mean())


def halves(task: Task, rows: int = 2_000) -> tuple[Stacked, Stacked]:
    """Rows to fit on, all of them known before those to judge by."""
    stacked = small_stacked(task, rows)
    early, late = np.arange(rows // 2), np.arange(rows // 2, rows)
    fitted = stacked.take(early)
    return fitted.known_by(stacked.decisions.decided_at[late[0]]), stacked.take(late)


@pytest.mark.parametrize(("meta", "task"), METAS)
def test_any_model_combines_and_is_the_same_row_by_row_and_saved(
    meta: str, task: Task, tmp_path: Path
) -> None:
    early, late = halves(task)
    ensemble = stack(meta, pass_through=True)
    fitted = fit_known(ensemble, early)
    given = late.without_outcomes()
    found = fitted.predict(given)
    equal = fit_known(ENSEMBLES.parse("average"), early).predict(given)
    assert loss(found, late) < loss(equal, late)
    alone = [fitted.predict(given.take(np.array([row]))) for row in range(20)]
    np.testing.assert_array_equal(np.concatenate(alone), found[:20])
    fitted.save(tmp_path / "saved")
    loaded = ensemble.load(tmp_path / "saved")
    np.testing.assert_array_equal(ensemble.predict(loaded, given), found)


def test_what_it_is_trained_on_is_known_before_what_it_is_judged_by() -> None:
    stacked = small_stacked("return")
    assert stacked.known_at is not None
    judged = []
    for before, test in forward_folds(stacked, 1, 4):
        begins = stacked.decisions.decided_at[test].min()
        assert (stacked.known_at[before, 1] <= begins).all()
        assert (stacked.decisions.decided_at[before] < begins).all()
        judged.append(test)
    together = np.concatenate(judged)
    assert (np.diff(together) > 0).all()
    assert together[-1] == len(stacked) - 1


def test_rows_of_its_early_stopping_come_later_and_are_purged() -> None:
    stacked = small_stacked("direction")
    learned = stack("lightgbm", folds=0).fit(stacked)
    fitted = learned.parts[1].fitted
    dataset, _ = meta_dataset(stacked.forecasts[:, :, 1, 0], ("a", "b", "c", "d"), stacked, 1)
    known_at, decided_at = dataset.labels.all_known_at, dataset.decisions.decided_at
    assert len(fitted.stop_rows)
    assert known_at[fitted.fit_rows].max() <= decided_at[fitted.stop_rows].min()
    seen = np.concatenate([fitted.fit_rows, fitted.stop_rows])
    assert fitted.trained_through == known_at[seen].max()


def test_a_row_of_its_dataset_holds_its_own_forecasts_and_label() -> None:
    stacked = small_stacked("return")
    columns = stacked.forecasts[:, :, 0, 0]
    dataset, place = meta_dataset(columns, ("a", "b", "c", "d"), stacked, 0)
    assert stacked.y is not None
    np.testing.assert_array_equal(dataset.features.values[place], columns)
    np.testing.assert_array_equal(dataset.labels.values[place, 0], stacked.y[:, 0])
    np.testing.assert_array_equal(dataset.decisions.symbol[place], stacked.decisions.symbol)
    assert (np.diff(dataset.decisions.symbol_code) >= 0).all()


@pytest.mark.parametrize("meta", ["lightgbm", "knn"])
def test_where_nothing_can_be_learned_it_stays_near_equal_weights(meta: str) -> None:
    """Unlike the meta-learner alone, whose forecasts of noise cost what they vary."""
    shares, alone, judged = [], [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        early, late = (
            replace(each, forecasts=0.01 * rng.normal(size=each.forecasts.shape))
            for each in halves("return")
        )
        fitted = fit_known(stack(meta), early)
        shares += [part.weights[0] for part in fitted.learned.parts]
        nothing = loss(np.zeros((len(late), 1, 1)), late)
        equal = loss(late.forecasts.mean(axis=1), late)
        judged.append((loss(fitted.predict(late), late) - equal) / nothing)
        found = fit_known(stack(meta, folds=0), early).predict(late)
        alone.append(loss(found, late) / nothing - 1.0)
    assert np.mean(judged) < 0.5 * np.mean(alone)
    assert np.mean(shares) < 0.5


@pytest.mark.parametrize("task", ["return", "direction", "quantiles"])
def test_shares_never_add_up_to_more_than_one(task: Task) -> None:
    """However much larger the outcomes are than the forecasts."""
    stacked = small_stacked(task, rows=300)
    if task == "return":
        stacked = replace(stacked, forecasts=stacked.forecasts / 5.0)
    for part in stack().fit(stacked).parts:
        assert (part.weights >= 0.0).all()
        assert part.weights.sum() <= 1.0 + 1e-9


def test_too_few_rows_to_judge_it_lead_to_equal_weights() -> None:
    stacked = small_stacked("return", rows=12)
    learned = stack("lightgbm").fit(stacked)
    found = stack("lightgbm").predict(learned, stacked.without_outcomes())
    np.testing.assert_allclose(found, stacked.forecasts.mean(axis=1))


def test_features_and_regimes_are_columns() -> None:
    stacked = small_stacked("return")
    regimes = np.full((len(stacked), 6), 1.0 / 6.0)
    given = replace(stacked, context={**stacked.context, "regimes": regimes})
    ensemble = stack("ridge", pass_through=True, regimes=True)
    assert ensemble.needs == ("features", "regimes")
    fitted = ensemble.fit(given).parts[0].fitted
    assert len(fitted.columns) == 4 + 2 + 6
    with pytest.raises(ConfigError, match="needs 'regimes' of each decision"):
        fit_known(ensemble, replace(stacked, context={"features": stacked.context["features"]}))


def test_of_many_members_it_looks_at_the_best() -> None:
    stacked = small_stacked("return")
    learned = stack("ridge", most=2).fit(stacked)
    assert learned.parts[0].members.tolist() == [0, 1]


def test_rows_without_weight_are_not_learned_from() -> None:
    stacked = small_stacked("return")
    assert stacked.y is not None
    odd = np.arange(len(stacked)) % 2 == 1
    spoilt = np.where(odd[:, None], -5.0 * stacked.y, stacked.y)
    weighted = replace(stacked, y=spoilt, sample_weight=np.where(odd, 0.0, 2.0))
    ensemble = stack("ridge", folds=0)
    given = stacked.without_outcomes()
    found = ensemble.predict(ensemble.fit(weighted), given)[:, 0, 0]
    honest = ensemble.predict(ensemble.fit(stacked), given)[:, 0, 0]
    assert np.corrcoef(found, honest)[0, 1] > 0.9


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gru looks back .* bars, and an ensemble is given"):
        stack("gru")
    assert stack("ridge").tasks == ("return",)
    assert stack("logistic").packages == ("scikit-learn",)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"n_members": 1}, "members are out of order"),
        ({"parts": []}, "parts"),
        ({"n_members": 1e12}, "n_members"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    ensemble, stacked = stack("ridge"), small_stacked("return")
    ensemble.save(ensemble.fit(stacked), tmp_path)
    file = tmp_path / "stack.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ArtifactError, match=why):
        ensemble.load(tmp_path)


def test_another_meta_learner_in_its_files_is_refused(tmp_path: Path) -> None:
    stacked = small_stacked("return")
    stack("ridge").save(stack("ridge").fit(stacked), tmp_path)
    with pytest.raises(ArtifactError, match="a meta-learner of another kind"):
        stack("elastic_net").load(tmp_path)
