"""Exports: what is in which file, and what is in none."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barstack.core.errors import ConfigError, DataError, StorageError
from barstack.core.times import KnownAt
from barstack.datasets import Dataset, FittedScaler, RobustScaler, export, parts_of
from barstack.labels import SampleWeights
from barstack.splits import SPLITTERS, Fold
from barstack.testing import shared_steps, small_dataset

DATASET = small_dataset("return")
KNOWN_AT = DATASET.labels.all_known_at
PARTS = ("train", "validation", "test")
CHRONOLOGICAL = SPLITTERS.parse("chronological")


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
    content = export(DATASET, tmp_path / "cut", folds_of("chronological"), CHRONOLOGICAL)
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


@pytest.mark.parametrize("embargo", [7, "5h"])
def test_a_single_cut_keeps_its_embargo_before_the_test(embargo: int | str) -> None:
    splitter = SPLITTERS.parse({"split": "chronological", "embargo": embargo})
    folds = folds_of(splitter.content())
    (parts,) = parts_of(DATASET, folds, splitter)
    decided_at = DATASET.decisions.decided_at
    times = np.unique(decided_at[DATASET.usable])
    for before, after in ((parts.train, parts.validation), (parts.validation, parts.test)):
        begins = decided_at[after].min()
        if isinstance(embargo, int):
            latest = times[np.searchsorted(times, begins) - embargo]
        else:
            latest = begins - np.timedelta64(5, "h")
        assert KNOWN_AT[before].max() <= latest
    without = parts_of(DATASET, folds, CHRONOLOGICAL)[0]
    assert len(parts.validation) < len(without.validation)


def test_rows_before_a_test_are_not_chosen_by_what_came_of_them() -> None:
    """Of a fitted label those stay that are known in time at the latest, however soon each is."""
    decided_at = DATASET.decisions.decided_at
    latest = KnownAt(decided_at + np.timedelta64(3, "D"))
    latest[np.isnat(KNOWN_AT)] = np.datetime64("NaT")
    fitted = replace(DATASET, labels=replace(DATASET.labels, latest=latest))
    folds = CHRONOLOGICAL.split(DATASET.decisions, latest, DATASET.usable)
    (parts,) = parts_of(fitted, folds, CHRONOLOGICAL)
    assert latest[parts.validation].max() <= decided_at[parts.test].min()
    early = decided_at[parts.validation].max()
    asked = folds[0].test[decided_at[folds[0].test] <= early]
    np.testing.assert_array_equal(parts.validation, asked)  # all of them, whatever their outcome
    (own,) = parts_of(fitted, folds[:1])
    assert latest[own.train].max() <= decided_at[own.validation].min()


def test_two_folds_far_apart_are_no_single_cut() -> None:
    """Their embargo leaves the first test out of the second training, as that of a cut is."""
    splitter = SPLITTERS.parse({"split": "walk_forward", "folds": 2, "embargo": 200})
    folds = folds_of(splitter.content())
    decided_at = DATASET.decisions.decided_at
    assert KNOWN_AT[folds[1].train].max() <= decided_at[folds[0].test].min()
    assert len(parts_of(DATASET, folds, splitter)) == len(parts_of(DATASET, folds)) == 2


def test_files_hold_every_feature_and_every_label(tmp_path: Path) -> None:
    export(DATASET, tmp_path / "cut", folds_of("chronological"), CHRONOLOGICAL)
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
    content = export(DATASET, tmp_path / "out", folds)
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
    content = export(
        DATASET, tmp_path / "cut", folds_of("chronological"), CHRONOLOGICAL, scaled=True
    )
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
    export(
        replace(DATASET, weights=weights),
        tmp_path / "cut",
        folds_of("chronological"),
        CHRONOLOGICAL,
    )
    tables = read(tmp_path / "cut")
    for name in ("train", "validation"):
        expected = weights.compute(DATASET.labels, rows_of(tables[name]))
        np.testing.assert_array_equal(tables[name]["weight"].to_numpy(), expected)
    assert (tables["test"]["weight"] == 1.0).all()


def test_rows_without_a_label_are_in_no_file(tmp_path: Path) -> None:
    eligible = np.arange(len(DATASET.decisions)) % 3 > 0
    folds = folds_of("walk_forward")  # as cut before a fitted label says what it cannot label
    export(
        replace(DATASET, labels=replace(DATASET.labels, eligible=eligible)), tmp_path / "out", folds
    )
    for number in range(len(folds)):
        for table in read(tmp_path / "out" / f"fold_{number}").values():
            assert eligible[rows_of(table)].all()


def test_an_earlier_export_gives_way_and_nothing_else_does(tmp_path: Path) -> None:
    export(DATASET, tmp_path / "out", folds_of("walk_forward"))
    export(DATASET, tmp_path / "out", folds_of("chronological"), CHRONOLOGICAL)
    assert not (tmp_path / "out" / "fold_0").exists()
    other = tmp_path / "mine"
    other.mkdir()
    export(DATASET, other, folds_of("chronological"), CHRONOLOGICAL)  # empty: nothing is lost
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "thesis.txt").write_text("three years")
    for taken in (tmp_path / "kept", tmp_path / "kept" / "thesis.txt"):
        with pytest.raises(ConfigError, match="something else than an earlier export"):
            export(DATASET, taken, folds_of("chronological"), CHRONOLOGICAL)
    assert (tmp_path / "kept" / "thesis.txt").read_text() == "three years"


@pytest.mark.parametrize(
    "about", ["{}", "[1]", "no json", '{"format": 1}', '{"fingerprint": "ab"}', '{"format": 99}']
)
def test_another_dataset_json_is_no_export(tmp_path: Path, about: str) -> None:
    (tmp_path / "dataset.json").write_text(about)
    with pytest.raises(ConfigError, match=r"something else than an earlier export.*dataset\.json"):
        export(DATASET, tmp_path, folds_of("chronological"), CHRONOLOGICAL)
    assert (tmp_path / "dataset.json").read_text() == about


@pytest.mark.parametrize("split", ["chronological", "walk_forward"])
@pytest.mark.parametrize("own", ["thesis.txt", "fold_0/thesis.txt", "fold_9/train.parquet"])
def test_files_beside_an_earlier_export_are_kept(tmp_path: Path, split: str, own: str) -> None:
    folder, folds = tmp_path / "out", folds_of(split)
    export(DATASET, folder, folds, SPLITTERS.parse(split))
    (folder / own).parent.mkdir(exist_ok=True)
    (folder / own).write_text("three years")
    with pytest.raises(ConfigError, match=f"which would be lost: {own}"):
        export(DATASET, folder, folds, SPLITTERS.parse(split))
    assert (folder / own).read_text() == "three years"


def test_what_an_export_depends_on_stands_beside_the_fingerprint(tmp_path: Path) -> None:
    weights = SampleWeights(by="uniqueness", oldest=0.5)
    dataset = replace(DATASET, weights=weights, scaler=RobustScaler(clip=3.0), max_gap="9d")
    content = export(dataset, tmp_path / "out", folds_of("chronological"), CHRONOLOGICAL)
    assert SampleWeights(**content["weights"]) == weights
    assert content["scaler"]["scaler"] == RobustScaler(clip=3.0).content()
    assert content["max_gap"] == "9d"


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
        export(DATASET, tmp_path / "out", folds)
    assert not list(tmp_path.iterdir())


def test_a_feature_called_as_a_label_is_refused(tmp_path: Path) -> None:
    columns = ("label_2bars", *DATASET.features.columns[1:])
    dataset = replace(DATASET, features=replace(DATASET.features, columns=columns))
    with pytest.raises(ConfigError, match="Features label_2bars are called as columns"):
        export(dataset, tmp_path / "out", folds_of("chronological"), CHRONOLOGICAL)


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no fold"):
        export(DATASET, tmp_path / "out", [])
    first, second = folds_of("chronological")
    with pytest.raises(DataError, match="There is no row for validation"):
        export(
            DATASET, tmp_path / "out", [replace(first, test=second.test[:3]), second], CHRONOLOGICAL
        )
    with pytest.raises(ConfigError, match="1 folds are not those of a single cut"):
        export(DATASET, tmp_path / "out", [first], CHRONOLOGICAL)
