"""Exports: what is in which file, and what is in none."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barstack.core.errors import ConfigError, DataError, StorageError
from barstack.datasets import Dataset, FittedScaler
from barstack.labels import SampleWeights
from barstack.splits import SPLITTERS, Fold
from barstack.testing import shared_steps, small_dataset

DATASET = small_dataset("return")
KNOWN_AT = DATASET.labels.all_known_at
PARTS = ("train", "validation", "test")


def folds_of(split: object, dataset: Dataset = DATASET) -> list[Fold]:
    splitter = SPLITTERS.parse(split)
    return splitter.split(dataset.decisions, KNOWN_AT, dataset.usable, memory_bars=20)


def read(folder: Path) -> dict[str, pl.DataFrame]:
    return {name: pl.read_parquet(folder / f"{name}.parquet") for name in PARTS}


def rows_of(table: pl.DataFrame) -> np.ndarray:
    """Which rows of the dataset a table holds."""
    place = {
        (str(symbol), moment): row
        for row, (symbol, moment) in enumerate(
            zip(DATASET.decisions.symbol, DATASET.decisions.decided_at.tolist(), strict=True)
        )
    }
    moments = table["decided_at"].dt.replace_time_zone(None).to_list()
    return np.array([place[key] for key in zip(table["symbol"], moments, strict=True)])


def test_a_single_cut_is_three_files(tmp_path: Path) -> None:
    content = DATASET.export(tmp_path / "cut", folds_of("chronological"))
    names = {file.name for file in (tmp_path / "cut").iterdir()}
    assert names == {"train.parquet", "validation.parquet", "test.parquet", "dataset.json"}
    assert json.loads((tmp_path / "cut" / "dataset.json").read_text()) == content
    tables = read(tmp_path / "cut")
    train, validation, test = (rows_of(tables[name]) for name in PARTS)
    assert shared_steps(DATASET.decisions, KNOWN_AT, train, validation) == 0
    assert shared_steps(DATASET.decisions, KNOWN_AT, validation, test) == 0
    assert KNOWN_AT[validation].max() <= DATASET.decisions.decided_at[test].min()
    assert content["fingerprint"] == DATASET.fingerprint
    assert [content["parts"][name]["rows"] for name in PARTS] == list(map(len, tables.values()))
    used = len(train) + len(validation) + len(test)
    assert content["parts"]["left_out"] == DATASET.usable.sum() - used > 0


def test_files_hold_every_feature_and_every_label(tmp_path: Path) -> None:
    DATASET.export(tmp_path / "cut", folds_of("chronological"))
    labels = DATASET.labels
    for table in read(tmp_path / "cut").values():
        rows = rows_of(table)
        assert table.schema["decided_at"] == pl.Datetime("us", "UTC")
        np.testing.assert_array_equal(
            table.select(DATASET.features.columns).to_numpy(), DATASET.features.values[rows]
        )
        for place, horizon in enumerate(("2bars", "5bars")):
            for name, column in (("label", labels.values), ("label_return", labels.returns)):
                np.testing.assert_array_equal(
                    table[f"{name}_{horizon}"].to_numpy(), column[rows, place]
                )
            known = table[f"known_at_{horizon}"].dt.replace_time_zone(None).to_numpy()
            np.testing.assert_array_equal(known, labels.known_at[rows, place])
    test = read(tmp_path / "cut")["test"]
    open_ = np.isnan(labels.values[rows_of(test), 1]).sum()
    assert test["label_5bars"].null_count() == open_ > 0
    assert test["label_5bars"].is_nan().sum() == 0


@pytest.mark.parametrize("split", ["walk_forward", "purged_kfold"])
def test_several_folds_are_a_folder_each(tmp_path: Path, split: str) -> None:
    folds = folds_of(split)
    content = DATASET.export(tmp_path / "out", folds)
    assert len(content["folds"]) == len(folds)
    for number, fold in enumerate(folds):
        folder = tmp_path / "out" / f"fold_{number}"
        train, validation, test = (rows_of(table) for table in read(folder).values())
        np.testing.assert_array_equal(test, fold.test)
        assert np.isin(np.concatenate([train, validation]), fold.train).all()
        assert KNOWN_AT[train].max() <= DATASET.decisions.decided_at[validation].min()
        for one, other in ((train, validation), (train, test), (validation, test)):
            assert shared_steps(DATASET.decisions, KNOWN_AT, one, other) == 0
        about = json.loads((folder / "dataset.json").read_text())
        assert about["parts"]["train"]["rows"] == len(train)


def test_scaled_features_are_those_of_models(tmp_path: Path) -> None:
    content = DATASET.export(tmp_path / "cut", folds_of("chronological"), scaled=True)
    tables = read(tmp_path / "cut")
    scaler = FittedScaler.from_json(content["scaler"], len(DATASET.features.columns))
    own = DATASET.fit_scaler(rows_of(tables["train"]))
    for name, learned in own.learned.items():
        np.testing.assert_array_equal(scaler.learned[name], learned)
    for table in tables.values():
        np.testing.assert_array_equal(
            table.select(DATASET.features.columns).to_numpy(),
            own.apply(DATASET.features.values[rows_of(table)]),
        )


def test_weights_are_of_training_and_validation(tmp_path: Path) -> None:
    weights = SampleWeights(by="return", oldest=0.5)
    replace(DATASET, weights=weights).export(tmp_path / "cut", folds_of("chronological"))
    tables = read(tmp_path / "cut")
    for name in ("train", "validation"):
        expected = weights.compute(DATASET.labels, rows_of(tables[name]))
        np.testing.assert_array_equal(tables[name]["weight"].to_numpy(), expected)
    assert (tables["test"]["weight"] == 1.0).all()


def test_rows_without_a_label_are_in_no_file(tmp_path: Path) -> None:
    eligible = np.arange(len(DATASET.decisions)) % 3 > 0
    folds = folds_of("walk_forward")  # as cut before a fitted label says what it cannot label
    replace(DATASET, labels=replace(DATASET.labels, eligible=eligible)).export(
        tmp_path / "out", folds
    )
    for number in range(len(folds)):
        for table in read(tmp_path / "out" / f"fold_{number}").values():
            assert eligible[rows_of(table)].all()


def test_an_earlier_export_gives_way_and_nothing_else_does(tmp_path: Path) -> None:
    DATASET.export(tmp_path / "out", folds_of("walk_forward"))
    DATASET.export(tmp_path / "out", folds_of("chronological"))
    assert not (tmp_path / "out" / "fold_0").exists()
    other = tmp_path / "mine"
    other.mkdir()
    DATASET.export(other, folds_of("chronological"))  # empty: nothing is lost
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "thesis.txt").write_text("three years")
    for taken in (tmp_path / "kept", tmp_path / "kept" / "thesis.txt"):
        with pytest.raises(ConfigError, match="something else than an earlier export"):
            DATASET.export(taken, folds_of("chronological"))
    assert (tmp_path / "kept" / "thesis.txt").read_text() == "three years"


def test_an_export_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folds = folds_of("walk_forward")
    written: list[Path] = []

    def full_disk(table: pl.DataFrame, file: Path, **_: object) -> None:
        written.append(file)
        if len(written) == 5:
            raise OSError(28, "No space left on device")
        file.write_bytes(b"")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full_disk)
    with pytest.raises(StorageError, match="No space left"):
        DATASET.export(tmp_path / "out", folds)
    assert not list(tmp_path.iterdir())


def test_a_feature_called_as_a_label_is_refused(tmp_path: Path) -> None:
    columns = ("label_2bars", *DATASET.features.columns[1:])
    dataset = replace(DATASET, features=replace(DATASET.features, columns=columns))
    with pytest.raises(ConfigError, match="Features label_2bars are called as columns"):
        dataset.export(tmp_path / "out", folds_of("chronological"))


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no fold"):
        DATASET.export(tmp_path / "out", [])
    first, second = folds_of("chronological")
    with pytest.raises(DataError, match="There is no row for validation"):
        DATASET.export(tmp_path / "out", [replace(first, test=second.test[:3]), second])
