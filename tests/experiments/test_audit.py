"""The audit of a study: mistakes planted in labels, splits, scalers and models of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from barstack import Study, run
from barstack.bars import Bars
from barstack.core.errors import LeakError
from barstack.core.horizon import Horizon
from barstack.core.times import KnownAt
from barstack.datasets import SCALERS, StandardScaler
from barstack.ensembles import ENSEMBLES
from barstack.ensembles.average import Average
from barstack.evaluation.audit import Data
from barstack.experiments import Engine, audit, run_study
from barstack.experiments._pipeline import Recipe, pipeline_of
from barstack.labels import LABELS, ForwardReturn
from barstack.models import MODELS
from barstack.models.classical._fold_moments import MomentFits
from barstack.models.classical.ridge import Ridge
from barstack.splits import SPLITTERS, Fold, WalkForward
from barstack.tracking import SqliteStore


class KnownAtOnce(ForwardReturn):
    """Says that it is known an hour before it is."""

    def outcome(self, bars: Bars, horizon: Horizon) -> Any:
        found = super().outcome(bars, horizon)
        early = found.known_at - np.timedelta64(1, "h")
        return found._replace(known_at=KnownAt(early))


class Unpurged(WalkForward):
    """Trains on everything decided before the test."""

    def split(self, decisions: Any, known_at: Any, usable: Any = None, **others: Any) -> Any:
        folds = []
        for fold in super().split(decisions, known_at, usable, **others):
            begins = decisions.decided_at[fold.test].min()
            train = np.flatnonzero((decisions.decided_at < begins) & ~np.isnat(known_at) & usable)
            folds.append(Fold(train, fold.test, fold.kind))
        return folds


class OfTheBatch(StandardScaler):
    """Centres what it is asked by itself."""

    def apply(self, values: Any, learned: Any) -> Any:
        own = super().apply(values, learned)
        return own - own.mean(axis=0)


class NextRow(Ridge):
    """Gives the forecast of the row after each."""

    def predict(self, learned: Any, inputs: Any, target: Any) -> Any:
        own = super().predict(learned, inputs, target)
        return np.concatenate([own[1:], own[-1:]])


class Remembers(Ridge):
    """Adds the mean label that the fit before it has seen."""

    before: ClassVar[list[float]] = [0.0]

    def fit(self, train: Any, stop: Any, target: Any, seed: int) -> Any:
        learned = super().fit(train, stop, target, seed)
        self.before.append(float(train.y.mean()))
        return learned._replace(intercept=learned.intercept + self.before[-2])


class Smooths(Average):
    """Averages each forecast with its neighbours'."""

    def predict(self, learned: Any, stacked: Any) -> Any:
        own = super().predict(learned, stacked)
        return (own + np.concatenate([own[1:], own[-1:]])) / 2.0


MISTAKES: list[tuple[Any, type, dict[str, Any], str, str]] = [
    (LABELS, KnownAtOnce, {"label": {"label": "KnownAtOnce", "horizons": [3]}}, "labels", "3bars"),
    (SPLITTERS, Unpurged, {"split": "Unpurged"}, "folds", "fold 0"),
    (SCALERS, OfTheBatch, {"scaler": "OfTheBatch"}, "forecast", "forecast"),
    (MODELS, NextRow, {"members": {"ridge": "NextRow"}}, "forecast", "forecast"),
    (MODELS, Remembers, {"members": {"ridge": "Remembers"}}, "member ridge", "forecasts of its"),
    (ENSEMBLES, Smooths, {"ensembles": ["Smooths"]}, "forecast", "forecast"),
]


@pytest.mark.parametrize(
    ("registry", "planted", "change", "stage", "column"), MISTAKES, ids=lambda item: str(item)[:40]
)
def test_a_planted_mistake_is_located(
    registry: Any,
    planted: type,
    change: dict[str, Any],
    stage: str,
    column: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = planted.__name__
    monkeypatch.setattr(planted, "registered_as", (registry.kind, name))
    monkeypatch.setitem(registry._entries, name, planted)
    study: dict[str, Any] = {
        "bars": {"provider": "sample", "start": "2026-03-01"},
        "features": ["rsi", "body"],
        "label": {"label": "return", "horizons": [3]},
        "split": {"split": "walk_forward", "folds": 3},
        "members": ["ridge"],
    }
    found = audit(Study(**(study | change)))
    assert found[0].stage == stage
    assert found[0].column.startswith(column)
    assert found[0].mend.endswith(".")


def test_early_stopping_by_rows_that_overlap_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def unpurged(decisions: Any, known_at: Any, rows: Any, share: float = 0.15) -> Any:
        return rows[: int(len(rows) * 0.85)], rows[int(len(rows) * 0.85) :]

    monkeypatch.setattr("barstack.models.training._train.early_stop_split", unpurged)
    study: dict[str, Any] = {
        "bars": {"provider": "sample", "start": "2026-03-01"},
        "features": ["rsi", "body"],
        "label": {"label": "return", "horizons": [6]},
        "split": {"split": "walk_forward", "folds": 3},
        "members": ["lightgbm"],
    }
    found = audit(Study(**study))
    assert [(each.stage, each.column) for each in found] == [
        ("member lightgbm", "the rows it stops early by")
    ]


@pytest.mark.parametrize("overnight", [True, False])
def test_the_audit_looks_at_the_folds_that_are_run(overnight: bool, tmp_path: Path) -> None:
    study = Study(
        bars={"provider": "sample", "start": "2026-03-01"},
        features=["rsi", "body"],
        label={"label": "three_class_quantiles", "horizons": [6], "overnight": overnight},
        split={"split": "walk_forward", "folds": 3},
        members=["lightgbm"],
    )
    panel = study.bars.load(tmp_path)
    pipeline = pipeline_of(Recipe.of(study), next(iter(panel.values())).length_us)
    assert pipeline.folds is not None
    data = Data(panel)
    looked_at = pipeline.folds(pipeline.features(data), pipeline.labels(data))
    run_study(study, folder=tmp_path, runs=tmp_path / "runs")
    of_run = Engine(study, tmp_path / "runs", tmp_path).value("split")
    for audited, fold in zip(looked_at, of_run, strict=True):
        np.testing.assert_array_equal(audited.train, fold.train)
        np.testing.assert_array_equal(audited.test, fold.test)
    assert audit(study) == []


def test_what_the_short_audit_finds_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Unpurged, "registered_as", ("split", "Unpurged"))
    monkeypatch.setitem(SPLITTERS._entries, "Unpurged", Unpurged)
    file = tmp_path / "study.yaml"
    file.write_text(
        "bars: {provider: sample, start: 2026-03-01}\nfeatures: [rsi, body]\n"
        "label: {label: return, horizons: [3]}\nmembers: [ridge]\nsplit: Unpurged\n"
    )
    with pytest.raises(LeakError, match=r"(?s)Fold 0 tests .*No forecast was kept.*allow_leaks"):
        run(file, runs=tmp_path / "runs")
    assert not list((tmp_path / "runs" / ".store").glob("member*"))
    store = SqliteStore(tmp_path / "runs")
    assert not store.keys()
    assert not store.trials()


@pytest.mark.parametrize(
    "label",
    [
        {"label": "three_class_quantiles", "horizons": [4]},
        {"label": "genetic_barriers", "horizons": [8], "candidates": 80},
        {"label": "triple_barrier", "horizons": [8]},
        {"label": "three_class_volatility", "horizons": ["1session"], "overnight": False},
    ],
    ids=lambda label: label["label"],
)
def test_honest_labels_are_left_alone(label: dict[str, Any]) -> None:
    study = Study(
        bars={"provider": "sample", "start": "2026-01-01"},
        features=["rsi", "body", "log_return"],
        label=label,
        split={"split": "walk_forward", "folds": 3},
        members=["lightgbm"],
        scaler="rank_gauss",
        weights="uniqueness",
    )
    assert audit(study) == []


LINEAR: dict[str, Any] = {
    "bars": {"provider": "sample", "start": "2026-02-15"},
    "features": ["rsi", "body"],
    "label": {"label": "return", "horizons": [1, 4]},
    "split": {"split": "walk_forward", "folds": 3},
}


def test_sums_that_folds_share_are_no_leak() -> None:
    assert audit(Study(**LINEAR, members=["ridge", "elastic_net"])) == []


class NextFold(MomentFits):
    """Fits each fold on the rows of the next."""

    def fit(self, model: Any, fold: int) -> Any:
        return super().fit(model, min(fold + 1, len(self.rows) - 1))


def test_a_fold_that_is_fitted_on_the_rows_of_the_next_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through the very sums that a run shares between folds."""
    monkeypatch.setattr(Ridge, "fold_fits", property(lambda model: NextFold))
    leaks = audit(Study(**LINEAR, members=["ridge"]))
    assert {leak.stage for leak in leaks} & {"scaler of ridge", "member ridge"}
