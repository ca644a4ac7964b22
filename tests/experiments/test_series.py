"""A study with series: what is made again when they change, and what its members learn of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from barstack import Run, Study, run
from barstack.core.errors import ConfigError, DataError, LeakError
from barstack.testing import walk

StudyFile = Callable[..., Path]


def made(done: Run) -> set[str]:
    """Steps that were made; bars and series are read afresh each time."""
    return {step.name for step in done.steps if step.how == "made"} - {"bars", "series"}


@pytest.fixture
def first(tmp_path: Path, with_series: Run) -> Path:
    """A folder with the study, its files and its runs, to change as a test likes."""
    shutil.copytree(with_series.folder.parents[1], tmp_path / "work")
    return tmp_path / "work"


def again(folder: Path) -> Run:
    return run(folder / "study.yaml", runs=folder / "runs")


def test_members_are_given_the_columns(with_series: Run) -> None:
    columns = ("rsi_14", "body", "macro.rate", "macro.age_hours", "news.mood")
    assert with_series.artifact.features.columns == columns
    assert with_series.artifact.members["ridge"].columns == columns
    assert set(with_series.series) == {"news", "macro"}


def test_a_second_run_makes_nothing(first: Path, with_series: Run) -> None:
    second = again(first)
    assert made(second) == set()
    assert second.id == with_series.id
    data_id = second.artifact.provenance.data_sha256
    assert data_id is not None
    assert second.id == second.study.run_id(data_id)
    assert second.evaluation == with_series.evaluation


def change_first_mood(folder: Path) -> None:
    table = pl.read_parquet(folder / "news.parquet")
    moods = table["mood"].to_list()
    moods[0] += 1e-9
    table.with_columns(mood=pl.Series(moods)).write_parquet(folder / "news.parquet")


def correct_a_row(folder: Path) -> None:
    table = pl.read_csv(folder / "macro.csv")
    pl.concat([table, table[:1].with_columns(known_at=pl.lit("2026-01-08T10:00:00Z"))]).write_csv(
        folder / "macro.csv"
    )


@pytest.mark.parametrize("change", [change_first_mood, correct_a_row])
def test_a_changed_series_changes_the_run(
    first: Path, with_series: Run, change: Callable[[Path], None]
) -> None:
    change(first)
    other = again(first)
    assert other.id != with_series.id
    assert other.study.id == with_series.study.id
    # What is made of the bars alone is kept.
    assert {"features", "split", "member ridge", "ensemble nnls", "artifact"} <= made(other)
    assert "labels" not in made(other)


def test_the_same_rows_in_another_order_and_file_are_the_same(
    first: Path, with_series: Run
) -> None:
    table = pl.read_parquet(first / "news.parquet").reverse()
    table.with_columns(more=pl.lit("left alone")).write_csv(first / "other.csv")
    (first / "news.parquet").unlink()
    text = (first / "study.yaml").read_text().replace("news.parquet", "other.csv")
    (first / "study.yaml").write_text(text)
    other = again(first)
    assert made(other) <= {"artifact", "tables"}  # which tell where they came from
    assert other.evaluation == with_series.evaluation


def test_how_a_series_holds_is_another_trial(first: Path, with_series: Run) -> None:
    text = (first / "study.yaml").read_text()
    (first / "study.yaml").write_text(text.replace("max_age: 1d", "max_age: 2d"))
    other = again(first)
    assert {"features", "member ridge"} <= made(other)
    # A member and two ensembles at two horizons.
    assert other.verdict.trials == with_series.verdict.trials + 6


def test_a_study_without_series_is_the_study_it_was(tmp_path: Path, study_file: StudyFile) -> None:
    """Its id has not changed since before there were series."""
    study = Study.from_yaml(study_file(tmp_path))
    *_, fields = study.identity()
    assert "series" not in fields
    assert study.series == {}


def test_a_study_with_series_survives_its_text(first: Path, with_series: Run) -> None:
    (first / "again.yaml").write_text(with_series.study.to_yaml())
    study = Study.from_yaml(first / "again.yaml")
    assert study == with_series.study
    assert study.series["news"].max_age == "1d"


def test_the_report_names_the_series(with_series: Run) -> None:
    page = (with_series.folder / "report.html").read_text()
    assert "listed by hand, series news, series macro" in page


def test_news_that_tells_the_future_is_learned(tmp_path: Path, series_study: StudyFile) -> None:
    """Planted in a random walk: what the next bar will do, known at the close before it.

    With the news known one bar later it tells what has been, and nothing is left to learn. The
    audit finds the first too good to be true, and what is run all the same is no evidence.
    """
    scores, edges = {}, {}
    for delay, allowed in ((0, "planted"), (1, "")):
        folder = tmp_path / str(delay)
        label = {"label": "return", "horizons": [1]}
        file = series_study(folder, label=label)
        tables = []
        for seed, symbol in ((0, "WALK"), (1, "OTHER")):
            bars = walk(400, seed=seed, symbol=symbol)
            move = bars.close[1:] / bars.close[:-1] - 1.0
            known_at = bars.closed_at[delay : delay + len(move)]
            table = pl.DataFrame({"known_at": known_at, "mood": move})
            zone = pl.col("known_at").dt.replace_time_zone("UTC")
            tables.append(table.with_columns(zone, symbol=pl.lit(symbol)))
        pl.concat(tables).write_parquet(folder / "news.parquet")
        if allowed:
            with pytest.raises(LeakError, match=r"'news\.mood' is the return 1 bar later"):
                run(file, runs=folder / "runs")
            file.write_text(f"{file.read_text()}\nallow_leaks: {allowed}\n")
        done = run(file, runs=folder / "runs")
        edges[delay] = done.verdict
        board = done.leaderboard()
        scores[delay] = float(board.loc[board["name"] == "ridge", "ic"].iloc[0])
    assert edges[0].edge == "unproven"
    assert "the audit found" in edges[0].sentence
    assert scores[0] > 0.9
    assert abs(scores[1]) < 0.25


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"news": {"columns": ["mood"]}}, ConfigError, r"news.*path is missing"),
    ({"news": {"path": "news.parquet"}}, ConfigError, r"columns is missing"),
    ({"news": "news.parquet"}, ConfigError, r"study\.series\.news"),
    ({"ne.ws": {"path": "x.csv", "columns": ["mood"]}}, ConfigError, r"Series name 'ne\.ws'"),
    ({"news": {"path": "news.parquet", "columns": ["mood"], "maxage": "1d"}}, ConfigError,
     r"Did you mean 'max_age'"),
    ({"news": {"path": "nowhere.csv", "columns": ["mood"]}}, DataError,
     r"nowhere\.csv is not a \.parquet or \.csv file .*start at the study file's folder"),
    ({"news": {"path": "news.parquet", "columns": ["mod"]}}, DataError,
     r"series news \(news\.parquet\) has no column 'mod'\. Did you mean 'mood'"),
    ({"news": {"path": "macro.csv", "columns": ["rate"]}}, DataError, r"no column 'symbol'"),
    ({"news": {"path": "one.csv", "columns": ["mood"]}}, DataError,
     r"Series news has no value for WALK, whose bars end"),
    ({"news": {"path": "late.csv", "columns": ["mood"], "fill": 0}}, DataError,
     r"Series news has no value for OTHER, .* before its first at 2027"),
    ({"news": {"path": "stale.csv", "columns": ["mood"], "max_age": "1s"}}, DataError,
     r"OTHER has 400 bars, all within the warm-up of feature 'news\.mood'"),
]  # fmt: skip


@pytest.mark.parametrize(("series", "error", "said"), BAD)
def test_series_that_cannot_be_used(
    tmp_path: Path, series_study: StudyFile, series: Any, error: type[Exception], said: str
) -> None:
    file = series_study(tmp_path, series=series)
    rows = {
        "one": [("2026-01-06T10:00Z", "OTHER", 1.0)],
        "late": [("2027-01-06T10:00Z", symbol, 1.0) for symbol in ("OTHER", "WALK")],
        "stale": [("2026-01-06T10:00Z", symbol, 1.0) for symbol in ("OTHER", "WALK")],
    }
    for name, each in rows.items():
        table = pl.DataFrame(each, schema=["known_at", "symbol", "mood"], orient="row")
        table.write_csv(tmp_path / f"{name}.csv")
    with pytest.raises(error, match=said):
        run(file, runs=tmp_path / "runs")


def test_rows_without_a_value_are_not_used(tmp_path: Path, series_study: StudyFile) -> None:
    """Without `fill`, no member is asked at a decision of which the series says nothing."""
    file = series_study(tmp_path)
    content = yaml.safe_load(file.read_text())
    content["series"]["news"] = {"path": "news.parquet", "columns": ["mood"], "max_age": "6h"}
    file.write_text(yaml.safe_dump(content))
    done = run(file, runs=tmp_path / "runs")
    features = done.artifact.features.compute(done.bars, done.series)
    unknown = np.isnan(features.values[:, features.columns.index("news.mood")])
    assert 0.05 < unknown[features.decisions.decided_at > np.datetime64("2026-01-10")].mean() < 0.8
    forecasts = done.artifact.members["ridge"]
    with pytest.raises(DataError, match=r"Feature 'news\.mood' of .* is nan"):
        forecasts.predict(features, np.flatnonzero(unknown)[-1:])
