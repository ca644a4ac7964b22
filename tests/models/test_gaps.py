"""Fitted models and gaps: what they were trained across, and what they refuse."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from barstack.core.errors import ArtifactError, DataError
from barstack.core.times import DecidedAt
from barstack.datasets import Dataset
from barstack.features import FeatureTable
from barstack.models import MODELS, FittedModel, train
from barstack.testing import small_dataset, training_rows

DATASET = small_dataset("return")
LSTM = MODELS.parse({"model": "lstm", "lookback": 12, "epochs": 1, "hidden": 4})


def later_by(days: int, from_row: int) -> FeatureTable:
    """The features, with the decisions of the first symbol from a row on moved into the future."""
    decisions = DATASET.decisions
    late = (np.arange(len(decisions)) >= from_row) & (decisions.symbol_code == 0)
    moved = decisions.decided_at + late * np.timedelta64(days * 86_400_000_000, "us")
    return replace(DATASET.features, decisions=replace(decisions, decided_at=moved))


@pytest.fixture(scope="module")
def fitted() -> FittedModel:
    return train(LSTM, DATASET, training_rows(DATASET), seed=0)


def test_a_window_over_a_gap_is_refused_with_the_way_out(fitted: FittedModel) -> None:
    table = later_by(days=9, from_row=500)
    said = (
        r"A forecast for A at .* looks back 12 bars, over a gap from 2026-03-04 15:30 UTC to "
        r"2026-03-13 16:00 UTC, and the model was trained across none longer than 5d\. Wait until "
        r"12 bars follow the gap \(4 do\), or train with a larger max_gap\."
    )
    with pytest.raises(DataError, match=said):
        fitted.predict(table, np.array([499, 503]))
    asked = np.array([499, 511])
    np.testing.assert_array_equal(
        fitted.predict(table, asked), fitted.predict(DATASET.features, asked)
    )


def test_a_model_of_the_newest_bar_minds_no_gap() -> None:
    ridge = train(MODELS.get("ridge")(), DATASET, training_rows(DATASET), seed=0)
    assert len(ridge.predict(later_by(days=9, from_row=500), np.array([500]))) == 1


def test_the_first_trouble_back_is_the_one_named(fitted: FittedModel) -> None:
    table = DATASET.features
    values = table.values.copy()
    values[497, 1] = np.nan
    with pytest.raises(DataError, match=r"Feature 'rsi_14' of A at .* is nan"):
        fitted.predict(replace(table, values=values), np.array([500]))
    with pytest.raises(DataError, match=r"needs 12 bars up to it and has 5"):
        fitted.predict(_tail(table, 5), np.array([4]))


def _tail(table: FeatureTable, count: int) -> FeatureTable:
    rows = np.arange(500 - count, 500)
    return FeatureTable(table.decisions.take(rows), table.columns, table.values[rows])


def test_the_limit_is_saved_with_the_model(tmp_path: Path) -> None:
    wide = replace(DATASET, max_gap="2w")
    fitted = train(LSTM, wide, training_rows(wide), seed=0)
    fitted.save(tmp_path / "model")
    loaded = FittedModel.load(tmp_path / "model")
    assert loaded.max_gap == "2w"
    table, asked = later_by(days=9, from_row=500), np.array([503])
    np.testing.assert_array_equal(loaded.predict(table, asked), fitted.predict(table, asked))


def test_too_few_rows_for_gaps_say_so() -> None:
    """Bars of a week lie further apart than the usual limit: no window at all."""
    decisions = DATASET.decisions
    weekly = replace(
        decisions,
        decided_at=DecidedAt(
            decisions.decided_at
            + (np.arange(len(decisions)) - decisions.first_row) * np.timedelta64(7, "D")
        ),
    )
    dataset = Dataset(
        replace(DATASET.features, decisions=weekly), replace(DATASET.labels, decisions=weekly)
    )
    with pytest.raises(DataError, match=r"gaps longer than 5d lie within .* Give a larger max_gap"):
        train(LSTM, dataset, training_rows(DATASET), seed=0)


@pytest.mark.parametrize(
    "spoil", [{"format": 1}, {"format": None}, {"scaler": {}}, {"scaler": None}]
)
def test_what_does_not_fit_is_refused(
    spoil: dict[str, object], fitted: FittedModel, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "model")
    file = tmp_path / "model" / "fitted.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | spoil))
    with pytest.raises(ArtifactError):
        FittedModel.load(tmp_path / "model")


def test_a_model_of_an_earlier_format_is_refused(fitted: FittedModel, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    file = tmp_path / "model" / "fitted.json"
    content = json.loads(file.read_text())
    del content["format"], content["scaler"]
    file.write_text(json.dumps(content | {"mean": [0.0] * 5, "scale": [1.0] * 5}))
    with pytest.raises(ArtifactError, match="has format None, this barstack reads 2"):
        FittedModel.load(tmp_path / "model")
