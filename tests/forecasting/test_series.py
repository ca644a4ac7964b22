"""An artifact that was trained with series: asked in batch and in a stream, and wrongly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.conftest import Barstack, series_tables, table_of

from barstack import Predictor, Run, load
from barstack.bars import Bars
from barstack.core.errors import ArtifactError, ConfigError, DataError, LeakError
from barstack.forecasting import Stream
from barstack.testing import walk

TABLES = series_tables()
NEWER = {"OTHER": walk(700, seed=1, symbol="OTHER"), "WALK": walk(700)}
WARM = 450  # bars of history; the study had 400
ALREADY = NEWER["WALK"].closed_at[WARM - 1].astype("datetime64[us]").item()


@pytest.fixture(scope="module")
def predictor(with_series: Run) -> Predictor:
    return load(with_series.folder)


def moment(bars: Bars, row: int) -> datetime:
    found: datetime = bars.closed_at[row].item()
    return found


def known_by(moment: datetime) -> dict[str, pl.DataFrame]:
    naive = pl.col("known_at").dt.replace_time_zone(None)
    return {name: table.filter(naive <= moment) for name, table in TABLES.items()}


def later_rows(moment: datetime) -> list[tuple[datetime, str, dict[str, Any]]]:
    return [
        (row["known_at"].replace(tzinfo=None), name, row)
        for name, table in TABLES.items()
        for row in table.iter_rows(named=True)
        if row["known_at"].replace(tzinfo=None) > moment
    ]


@pytest.mark.parametrize("symbol", ["OTHER", "WALK"])
def test_stream_equals_batch(predictor: Predictor, symbol: str) -> None:
    """Bars and rows in the order in which they became known: features to the bit."""
    bars = NEWER[symbol]
    batch = predictor.forecasts(NEWER, series=TABLES)["nnls"]
    own = batch.take(batch.decisions.symbol == symbol)
    features = predictor.trained.features.compute(bars, TABLES).values
    stream = predictor.stream(bars[:WARM], series=known_by(ALREADY))
    rows, live = sorted(later_rows(ALREADY), key=lambda each: each[0]), []
    assert len(rows) > 50
    for place in range(WARM, len(bars)):
        while rows and rows[0][0] <= moment(bars, place):
            _, name, row = rows.pop(0)
            stream.know(name, row)
        forecast = stream.update(bars[place : place + 1])
        assert forecast is not None
        assert stream.features[-1].tobytes() == features[place].tobytes()
        live.append(forecast.values[0])
    expected = own.values[-len(live) :]
    assert np.abs(np.array(live) - expected).max() <= 1e-5 * expected.std()


def test_all_known_beforehand_or_row_by_row_is_the_same(predictor: Predictor) -> None:
    """A stream that is handed the future of a series uses none of it before its time."""
    bars = NEWER["WALK"]
    one = predictor.stream(bars[:WARM], series=TABLES)
    other = predictor.stream(bars[:WARM], series=known_by(ALREADY))
    for _, name, row in later_rows(ALREADY):  # long before their time, in any order
        other.know(name, row)
    for place in range(WARM, WARM + 60):
        one.update(bars[place : place + 1])
        other.update(bars[place : place + 1])
        assert one.features.tobytes() == other.features.tobytes()


def test_a_restored_stream_knows_what_was_known(predictor: Predictor, tmp_path: Path) -> None:
    bars = NEWER["WALK"]
    predictor.trained.save(tmp_path / "artifact")
    loaded = load(tmp_path / "artifact")
    one = loaded.stream(bars[:WARM], series=known_by(ALREADY))
    for _, name, row in later_rows(ALREADY):
        one.know(name, row)
    one.update(bars[WARM : WARM + 1])
    one.snapshot(tmp_path / "state")
    other = loaded.restore(tmp_path / "state")
    assert isinstance(other, Stream)
    for place in range(WARM + 1, WARM + 60):
        expected, found = (each.update(bars[place : place + 1]) for each in (one, other))
        assert expected is not None
        assert found is not None
        np.testing.assert_array_equal(found.values, expected.values)
        assert one.features.tobytes() == other.features.tobytes()


def test_what_was_known_later_changes_no_forecast(predictor: Predictor) -> None:
    whole = predictor.predict(NEWER, series=TABLES)
    cut = predictor.predict(NEWER, series=known_by(moment(NEWER["WALK"], 500)))
    early = whole["decided_at"] <= moment(NEWER["WALK"], 500).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert early.sum() >= 100
    assert whole[early].equals(cut[early])
    assert not whole.equals(cut)


def test_tables_frames_and_what_the_run_kept_are_the_same(
    predictor: Predictor, with_series: Run
) -> None:
    frames = {name: table.to_pandas() for name, table in TABLES.items()}
    expected = predictor.predict(NEWER, series=TABLES)
    assert predictor.predict(NEWER, series=frames).equals(expected)
    assert predictor.predict(NEWER, series=with_series.series).equals(expected)


def test_saved_and_loaded_it_knows_how_to_read(predictor: Predictor, tmp_path: Path) -> None:
    predictor.trained.save(tmp_path / "again")
    again = load(tmp_path / "again")
    assert again.trained.features == predictor.trained.features
    assert again.trained.features.series["news"].max_age == "1d"
    expected = predictor.predict(NEWER, series=TABLES)
    assert again.predict(NEWER, series=TABLES).equals(expected)
    assert set(again.provenance.series or {}) == {"macro", "news"}


def test_an_artifact_of_before_there_were_series(finished: Run, tmp_path: Path) -> None:
    """Its manifest says nothing of them; it is read, and asked as ever."""
    from tests.forecasting.test_artifact import reseal  # noqa: PLC0415

    finished.artifact.save(tmp_path / "old")
    reseal(tmp_path / "old", lambda manifest: manifest["features"].pop("series"))
    old, new = load(tmp_path / "old"), load(finished.folder)
    bars = walk(500)
    assert old.predict(bars).equals(new.predict(bars))


def test_series_changed_in_the_manifest(predictor: Predictor, tmp_path: Path) -> None:
    from tests.forecasting.test_artifact import reseal  # noqa: PLC0415

    predictor.trained.save(tmp_path / "again")

    def change(manifest: dict[str, Any]) -> None:
        manifest["features"]["series"]["news"]["max_age"] = "2d"

    reseal(tmp_path / "again", change)
    with pytest.raises(ArtifactError, match="features whose formula has changed"):
        load(tmp_path / "again")


@pytest.mark.parametrize("ask", ["predict", "forecasts", "stream"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, r"Series 'macro' \(rate\) is missing\. Give it as series=\{'macro': table\}"),
        ({"macro": TABLES["macro"]}, r"Series 'news' \(mood\) is missing"),
        (
            TABLES | {"nws": TABLES["news"]},
            r"no series 'nws' in the features\. Did you mean 'news'",
        ),
    ],
)
def test_a_series_missing_or_too_many(
    predictor: Predictor, ask: str, given: Mapping[str, Any] | None, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        getattr(predictor, ask)(NEWER["WALK"], series=given)


def test_tables_that_are_not_those_of_training(predictor: Predictor) -> None:
    for change, said in (
        (TABLES["news"].drop("symbol"), "series news has no column 'symbol'"),
        (TABLES["news"].rename({"mood": "md"}), "no column 'mood'"),
        (TABLES["news"].rename({"known_at": "date"}), "no column 'known_at'"),
    ):
        with pytest.raises(DataError, match=said):
            predictor.predict(NEWER, series=TABLES | {"news": change})


def test_series_of_another_time(predictor: Predictor) -> None:
    late = TABLES["macro"].with_columns(pl.col("known_at").dt.offset_by("10y"))
    with pytest.raises(DataError, match=r"macro has no value for OTHER, .* its first at 2036"):
        predictor.predict(NEWER, series=TABLES | {"macro": late})
    with pytest.raises(LeakError, match="has seen what followed"):
        predictor.predict(NEWER["WALK"][:300], series=TABLES)


def test_a_row_that_came_too_late(predictor: Predictor) -> None:
    bars = NEWER["WALK"]
    stream = predictor.stream(bars[:WARM], series=known_by(ALREADY))
    row = {"known_at": moment(bars, WARM - 1).isoformat() + "Z", "rate": 1.0}
    with pytest.raises(DataError, match=r"was made without it\. Give as known_at the"):
        stream.know("macro", row)
    stream.know("macro", row | {"known_at": moment(bars, WARM).isoformat() + "Z"})
    assert stream.update(bars[WARM : WARM + 1]) is not None
    assert stream.features[-1][2] == 1.0


def test_nothing_is_forecast_where_a_series_says_nothing(predictor: Predictor) -> None:
    bars = NEWER["WALK"]
    nothing = {name: table[:0] for name, table in TABLES.items()}
    stream = predictor.stream(bars[:WARM], series=nothing)
    assert stream.update(bars[WARM : WARM + 1]) is None
    soon = {"known_at": moment(bars, WARM + 1).isoformat() + "Z"}
    stream.know("macro", soon | {"rate": 1.0})
    stream.know("news", soon | {"symbol": "OTHER", "mood": 1.0})  # the series has begun: 0 fills
    assert stream.update(bars[WARM + 1 : WARM + 2]) is not None
    assert stream.features[-1][-1] == 0.0


def test_the_command_line(
    with_series: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, barstack: Barstack
) -> None:
    for name, table in TABLES.items():
        table.write_csv(tmp_path / f"{name}.csv")
    (tmp_path / "bars").mkdir()
    for name, bars in NEWER.items():
        table_of(bars).write_parquet(tmp_path / "bars" / f"{name}.parquet")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        done = barstack("predict", with_series.folder, "bars", *arguments)
        return done.code, done.out, " ".join(done.err.split())

    both = ["--series", "news=news.csv", "--series", "macro=macro.csv"]
    code, out, err = call(*both, "--json")
    assert code == 0, err
    expected = load(with_series.folder).predict(NEWER, series=TABLES)
    assert [each["return_1bars"] for each in json.loads(out)["forecasts"]] == [
        *expected["return_1bars"]
    ]
    assert call(*both)[1].startswith("OTHER at 2026-")
    for arguments, said in (
        (both[:2], "ConfigError Series 'macro' (rate) is missing."),
        (
            ["--series", "nws=news.csv"],
            "Cannot use --series nws=news.csv. Write NAME=FILE, once for each series. Did",
        ),
        (["--series", "news"], "Cannot use --series news. Write NAME=FILE, once"),
        (both + both[:2], "Cannot use --series news=news.csv. Write NAME=FILE, once"),
        (["--series", "news=none.csv"], "DataError none.csv is not a .parquet or .csv file"),
    ):
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert said in err
