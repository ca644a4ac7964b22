"""The three questions of serving: which models there are, what one is, what it says of a row."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.conftest import Barstack

from barstack import Models, Run, load
from barstack.core.errors import ConfigError, DataError, LeakError
from barstack.forecasting import Manifest, verified_manifest
from barstack.testing import walk


@pytest.fixture
def folder(tmp_path: Path, finished: Run, two_symbols: Run) -> Path:
    """A run of WALK, and an artifact of WALK and OTHER."""
    shutil.copytree(finished.folder, tmp_path / "first")
    shutil.copytree(two_symbols.folder / "artifact", tmp_path / "second")
    return tmp_path


def test_an_artifact_without_its_manifest_is_listed_as_damaged(folder: Path) -> None:
    (folder / "second" / "manifest.json").unlink()
    (folder / "first" / "artifact" / "manifest.json").unlink()
    first, second = Models(folder).list_available_models()
    assert "it has no manifest.json" in first["error"]
    assert "it has no manifest.json" in second["error"]


def test_bytes_are_read_again_only_where_files_have_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def verified(path: Path) -> Manifest:
        read.append(path)
        return verified_manifest(path)

    monkeypatch.setattr("barstack.forecasting._models.verified_manifest", verified)
    models = Models(folder)
    models.list_available_models()
    models.list_available_models()
    assert len(read) == 2
    with (folder / "second" / "ensembles" / "nnls" / "weights.json").open("a") as file:
        file.write(" ")
    assert "SHA-256 differs" in models.list_available_models()[1]["error"]


def test_models_of_several_bar_lengths_want_to_be_told_apart(
    tmp_path: Path, finished: Run, row: tuple[dict[str, float], dict[str, Any]]
) -> None:
    for name in ("hourly", "daily"):
        shutil.copytree(finished.folder / "artifact", tmp_path / name)
    manifest = json.loads((tmp_path / "daily" / "manifest.json").read_text())
    manifest["bars"]["length_us"] *= 24
    reseal(tmp_path / "daily", manifest)
    models = Models(tmp_path)
    bars = sorted(each["bar"] for each in models.list_available_models())
    with pytest.raises(ConfigError, match=rf"bars of {', '.join(bars)}\. Say which: bar="):
        models.get_model_info("WALK")
    with pytest.raises(ConfigError, match=r"none for 5min\. Say which"):
        models.predict_numeric_returns("WALK", row[0], bar="5min")
    own = next(each["bar"] for each in models.list_available_models() if each["model"] == "hourly")
    assert models.predict_numeric_returns("WALK", row[0], bar=own)["model"] == "hourly"


@pytest.fixture(scope="module")
def row(finished: Run) -> tuple[dict[str, float], dict[str, Any]]:
    """Features of the newest of later bars, and what a batch forecasts from them."""
    predictor, bars = load(finished.folder), walk(600)
    values = predictor.trained.features.compute(bars).values[-1]
    batch = {name: each.values[-1, :, 0] for name, each in predictor.forecasts(bars).items()}
    return dict(zip(predictor.trained.features.columns, values.tolist(), strict=True)), batch


def test_models_are_listed_with_what_they_are_for(folder: Path) -> None:
    first, second = Models(folder).list_available_models()
    assert (first["model"], first["tickers"]) == ("first", ["WALK"])
    assert (first["task"], first["horizons"]) == ("return", ["1bars", "4bars"])
    assert (first["members"], first["ensemble"]["ensemble"]) == (["ridge", "strong"], "nnls")
    assert (second["model"], second["tickers"]) == ("second", ["OTHER", "WALK"])


def test_a_run_and_an_artifact_are_folders_of_one(finished: Run) -> None:
    for place in (finished.folder, finished.folder / "artifact"):
        (only,) = Models(place).list_available_models()
        assert only["tickers"] == ["WALK"]


def test_steps_of_the_hidden_store_are_no_models(tmp_path: Path, finished: Run) -> None:
    shutil.copytree(finished.folder, tmp_path / "run")
    (tmp_path / ".store" / "artifact" / "0a1b").mkdir(parents=True)
    (only,) = Models(tmp_path).list_available_models()
    assert only["model"] == "run"


def test_a_damaged_model_is_listed_as_such_and_not_asked(folder: Path) -> None:
    with (folder / "second" / "ensembles" / "nnls" / "weights.json").open("a") as file:
        file.write(" ")
    models = Models(folder)
    assert models.get_model_info("WALK")["damaged"] == ["second"]  # or it could be the newer one
    damaged = models.list_available_models()[1]
    assert damaged.keys() == {"model", "error"}
    assert "SHA-256 differs" in damaged["error"]
    with pytest.raises(ConfigError, match=r"trained on 'OTHER'.*WALK.*1 artifact\(s\) there are"):
        models.get_model_info("OTHER")


def test_info_says_what_a_row_must_hold(folder: Path, finished: Run) -> None:
    info = Models(folder).get_model_info("OTHER")
    predictor = load(folder / "second")
    assert info["columns"] == list(predictor.trained.features.columns)
    assert info["lookback_bars"] == 1
    assert info["weights"].keys() == {"1bars", "4bars"}
    assert info["verdict"]["edge"] in ("none", "unproven", "supported")
    json.dumps(info, allow_nan=False)


def test_the_latest_trained_answers(tmp_path: Path, finished: Run) -> None:
    shutil.copytree(finished.folder / "artifact", tmp_path / "b_old")
    shutil.copytree(finished.folder / "artifact", tmp_path / "a_new")
    manifest = json.loads((tmp_path / "b_old" / "manifest.json").read_text())
    manifest["trained_through"] = "2020-01-01T00:00:00"
    reseal(tmp_path / "b_old", manifest)
    assert Models(tmp_path).get_model_info("WALK")["model"] == "a_new"


def reseal(folder: Path, manifest: dict[str, Any]) -> None:
    from hashlib import sha256  # noqa: PLC0415

    text = json.dumps(manifest)
    (folder / "manifest.json").write_text(text)
    (folder / "manifest.sha256").write_text(sha256(text.encode()).hexdigest() + "\n")


@pytest.mark.parametrize(
    "form",
    [
        dict,
        lambda row: dict(reversed(row.items())),
        pd.Series,
        lambda row: pd.DataFrame([row]),
        lambda row: pl.DataFrame([row]),
        lambda row: [row],
        lambda row: list(row.values()),
        lambda row: np.array(list(row.values())),
        lambda row: np.array([list(row.values())] * 3),
    ],
)
def test_a_row_is_answered_as_in_a_batch(
    finished: Run, row: tuple[dict[str, float], dict[str, Any]], form: Callable[..., Any]
) -> None:
    answer = Models(finished.folder).predict_numeric_returns("WALK", form(row[0]))
    assert list(answer["ensemble"]) == ["1bars", "4bars"]
    said = answer["members"] | {"nnls": answer["ensemble"]}
    assert said.keys() == row[1].keys()
    for name, values in row[1].items():
        np.testing.assert_allclose(list(said[name].values()), values, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row | {"rsi_13": 1.0}, "Unknown feature 'rsi_13'. Did you mean 'rsi_14'"),
        (lambda row: {"rsi_14": row["rsi_14"]}, "1 of 2 features are missing, 'body' first"),
        (lambda row: row | {"rsi_14": float("nan")}, "'rsi_14' is nan"),
        (lambda row: row | {"rsi_14": float("inf")}, "'rsi_14' is inf"),
        (lambda row: row | {"rsi_14": None}, "'rsi_14' is nan"),
        (lambda row: row | {"rsi_14": "much"}, "'rsi_14' holds 'much', which is not a number"),
        (
            lambda row: pd.Series([1.0, 2.0, 3.0], ["rsi_14", "body", "rsi_14"]),
            "'rsi_14' is there twice",
        ),
        (lambda row: [1.0, 2.0, 3.0], r"shape \(3,\) does not hold rows of 2 features"),
        (lambda row: np.zeros((2, 2, 2)), "does not hold rows of 2"),
        (lambda row: {}, "2 of 2 features are missing"),
        (lambda row: [], r"shape \(0,\) does not hold rows"),
        (lambda row: np.zeros((0, 2)), "latest 1 rows of features, and 0 is given"),
    ],
)
def test_a_row_that_is_not_what_was_trained_on(
    finished: Run,
    row: tuple[dict[str, float], dict[str, Any]],
    change: Callable[..., Any],
    said: str,
) -> None:
    with pytest.raises(DataError, match=said):
        Models(finished.folder).predict_numeric_returns("WALK", change(row[0]))


def test_a_ticker_that_no_model_knows(finished: Run) -> None:
    with pytest.raises(ConfigError, match=r"trained on 'WLAK'\. Did you mean 'WALK'"):
        Models(finished.folder).predict_numeric_returns("WLAK", {})
    with pytest.raises(ConfigError, match="There is no folder"):
        Models("nowhere").list_available_models()


def test_a_row_from_the_training_is_refused_where_its_time_is_given(
    finished: Run, row: tuple[dict[str, float], dict[str, Any]]
) -> None:
    models = Models(finished.folder)
    through = load(finished.folder).trained.trained_through.astype(datetime).replace(tzinfo=UTC)
    models.predict_numeric_returns("WALK", row[0], decided_at=through)
    with pytest.raises(LeakError, match="has seen what followed"):
        models.predict_numeric_returns("WALK", row[0], decided_at=through - timedelta(seconds=1))
    with pytest.raises(DataError, match="no timezone: "):
        models.predict_numeric_returns("WALK", row[0], decided_at=datetime(2030, 1, 1))


def test_the_command_line_lists_and_tells(barstack: Barstack, folder: Path) -> None:
    listed = barstack("artifacts", "list", folder, "--json").json
    assert [each["model"] for each in listed["artifacts"]] == ["first", "second"]
    assert barstack("artifacts", "info", "OTHER", folder, "--json").json["model"] == "second"
    assert "lookback_bars" in barstack("artifacts", "info", "WALK", folder).out
