"""`barstack export` as people and scripts meet it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from barstack import Study
from barstack.cli import main

StudyFile = Callable[..., Path]


@pytest.fixture
def export(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Call the command in this process: exit code, output, errors."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["barstack", "export", *map(str, arguments)])
        capsys.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


Export = Callable[..., tuple[int, str, str]]


def test_a_study_is_written_fold_by_fold(
    export: Export, tmp_path: Path, study_file: StudyFile
) -> None:
    file, out = study_file(tmp_path, weights="uniqueness", scaler="robust"), tmp_path / "sets"
    arguments = (file, "--out", out, "--runs", tmp_path / "runs")
    code, shown, said = export(*arguments)
    assert code == 0, said
    assert "fold_2" in shown
    assert max(map(len, shown.splitlines()[:-1])) <= 80
    again = json.loads(export(*arguments, "--scaled", "--json")[1])
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
    export: Export, tmp_path: Path, study_file: StudyFile
) -> None:
    file, out = study_file(tmp_path, split="chronological"), tmp_path / "sets"
    code, _, said = export(file, "--out", out, "--runs", tmp_path / "runs")
    assert code == 0, said
    assert {each.name for each in out.iterdir()} == {
        *("train.parquet", "validation.parquet", "test.parquet", "dataset.json")
    }


def test_labels_are_those_fitted_for_each_fold(
    export: Export, tmp_path: Path, study_file: StudyFile
) -> None:
    """Thresholds learned from a fold's own training rows: other folds, other classes."""
    label = {"label": "three_class_quantiles", "horizons": [4]}
    file = study_file(tmp_path, label=label, members=["lightgbm"])
    out = tmp_path / "sets"
    code, _, said = export(file, "--out", out, "--runs", tmp_path / "runs")
    assert code == 0, said
    trained = [pl.read_parquet(out / f"fold_{k}" / "train.parquet") for k in range(3)]
    first, last = trained[0], trained[-1]
    joined = first.join(last, on="decided_at", suffix="_later")
    assert (joined["label_4bars"] != joined["label_4bars_later"]).any()
    np.testing.assert_array_equal(joined["label_return_4bars"], joined["label_return_4bars_later"])


def test_what_is_wrong_is_one_sentence(
    export: Export, tmp_path: Path, study_file: StudyFile
) -> None:
    file = study_file(tmp_path)
    code, _, said = export(file, "--out", tmp_path / "bars", "--runs", tmp_path / "runs")
    assert code == 2
    assert "something else than an earlier export" in " ".join(said.split())
    assert (tmp_path / "bars" / "WALK.parquet").is_file()
    assert not (tmp_path / "runs").exists(), "it computed before it looked"
    code, _, said = export(tmp_path / "none.yaml", "--out", tmp_path / "sets")
    assert code == 2
    assert "There is no study file" in said
    assert export(file)[0] == 2  # --out is missing
