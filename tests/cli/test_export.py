"""`barstack export` as people and scripts meet it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.conftest import Barstack

from barstack import Study
from barstack.labels import LABELS

StudyFile = Callable[..., Path]


def test_a_study_is_written_fold_by_fold(
    barstack: Barstack, tmp_path: Path, study_file: StudyFile
) -> None:
    file, out = study_file(tmp_path, weights="uniqueness", scaler="robust"), tmp_path / "sets"
    arguments = ("export", file, "--out", out, "--runs", tmp_path / "runs")
    shown = barstack(*arguments, code=0).out
    assert "fold_2" in shown
    assert max(map(len, shown.splitlines()[:-1])) <= 80
    again = barstack(*arguments, "--scaled", "--json").json
    assert again["scaled"] is True
    assert [each["folder"] for each in again["folds"]] == ["fold_0", "fold_1", "fold_2"]
    for each in again["folds"]:
        about = json.loads((out / each["folder"] / "dataset.json").read_text())
        assert about["scaler"]["scaler"]["scaler"] == "robust"
        for name in ("train", "validation", "test"):
            table = pl.read_parquet(out / each["folder"] / f"{name}.parquet")
            assert len(table) == each[name]["rows"] > 0
            assert table.columns == [
                *("symbol", "decided_at", "rsi_14", "body"),
                *("label_1bars", "label_return_1bars", "known_at_1bars"),
                *("label_4bars", "label_return_4bars", "known_at_4bars", "weight"),
            ]
        train = pl.read_parquet(out / each["folder"] / "train.parquet")
        assert np.ptp(train["weight"].to_numpy()) > 0
        assert np.median(train["rsi_14"].to_numpy()) == pytest.approx(0.0, abs=1e-12)
    top = json.loads((out / "dataset.json").read_text())
    assert Study(**top["study"]) == Study.from_yaml(file)


def test_a_single_cut_needs_no_folders(
    barstack: Barstack, tmp_path: Path, study_file: StudyFile
) -> None:
    file, out = study_file(tmp_path, split="chronological"), tmp_path / "sets"
    barstack("export", file, "--out", out, "--runs", tmp_path / "runs", code=0)
    assert {each.name for each in out.iterdir()} == {
        *("train.parquet", "validation.parquet", "test.parquet", "dataset.json")
    }


def test_labels_are_those_fitted_for_each_fold(
    barstack: Barstack, tmp_path: Path, study_file: StudyFile
) -> None:
    """Thresholds learned from a fold's own training rows: other folds, other classes."""
    label = {"label": "three_class_quantiles", "horizons": [4]}
    file = study_file(tmp_path, label=label, members=["lightgbm"])
    out = tmp_path / "sets"
    barstack("export", file, "--out", out, "--runs", tmp_path / "runs", code=0)
    trained = [pl.read_parquet(out / f"fold_{k}" / "train.parquet") for k in range(3)]
    first, last = trained[0], trained[-1]
    joined = first.join(last, on="decided_at", suffix="_later")
    assert (joined["label_4bars"] != joined["label_4bars_later"]).any()
    np.testing.assert_array_equal(joined["label_return_4bars"], joined["label_return_4bars_later"])
    facts = [json.loads((out / f"fold_{k}" / "dataset.json").read_text()) for k in (0, 2)]
    first_label, last_label = (each["label"] for each in facts)
    assert first_label != last_label  # each with its own thresholds
    assert not LABELS.parse(first_label).fitted


def test_what_is_wrong_is_one_sentence(
    barstack: Barstack, tmp_path: Path, study_file: StudyFile
) -> None:
    file = study_file(tmp_path)
    message = barstack(
        "export", file, "--out", tmp_path / "bars", "--runs", tmp_path / "runs", code=2
    ).err
    assert "something else than an earlier export" in " ".join(message.split())
    assert (tmp_path / "bars" / "WALK.parquet").is_file()
    assert not (tmp_path / "runs").exists(), "it computed before it looked"
    message = barstack("export", tmp_path / "none.yaml", "--out", tmp_path / "sets", code=2).err
    assert "There is no study file" in message
    barstack("export", file, code=2)  # --out is missing
