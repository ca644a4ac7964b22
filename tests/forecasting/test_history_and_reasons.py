"""Live bars are checked as a study's, and no forecast is missing without a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import yaml
from tests.conftest import Barstack, StudyFile, table_of

from barstack import Predictor, Run, load, run
from barstack.bars import Bars
from barstack.core.errors import DataError
from barstack.features import TOLERANCE, Feature, FeatureSet, history_bars
from barstack.testing import walk


@pytest.fixture(scope="module")
def predictor(finished: Run) -> Predictor:
    return load(finished.folder)


def mapping(bars: Bars, row: int) -> dict[str, Any]:
    values = bars.records[row]
    opened = pd.Timestamp(int(values["opened_at"]), unit="us", tz="UTC")
    names = ("open", "high", "low", "close", "volume")
    return {"timestamp": opened} | {name: float(values[name]) for name in names}


def scaled(bars: Bars, factor: float) -> Bars:
    records = bars.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name] *= factor
    return Bars(bars.symbol, bars.length_us, records)


@pytest.mark.parametrize(
    "feature",
    [{"feature": "rsi"}, {"feature": "ema_distance"}, {"feature": "sma_distance"},
     {"feature": "rsi", "timeframe": "2h"}, {"feature": "adx", "timeframe": "1d"}],
)  # fmt: skip
def test_from_so_many_bars_on_features_are_those_of_all_history(feature: dict[str, str]) -> None:
    features = FeatureSet(features=[Feature(**feature)])
    bars = walk(bars=8000)
    needed = history_bars(features, bars)
    whole = features.compute(bars).values
    for end in (8000, 7511, 6423):
        few = features.compute(bars[end - 2 * needed : end]).values[-1]
        assert np.abs(few - whole[end - 1]).max() <= 2 * TOLERANCE * np.nanstd(whole)
    if "sma" not in feature["feature"]:  # and far fewer are not enough
        short = features.compute(bars[8000 - needed // 4 :]).values[-1]
        assert not np.abs(short - whole[-1]).max() <= TOLERANCE * np.nanstd(whole)


def test_a_longer_timeframe_needs_many_times_its_window() -> None:
    """Wilder's average forgets by 1/14 with each of its bars: 187 of them to a millionth."""
    bars = walk(bars=12_000)
    own = history_bars(FeatureSet(features=[Feature(feature="rsi")]), bars)
    daily = history_bars(FeatureSet(features=[Feature(feature="rsi", timeframe="1d")]), bars)
    assert 150 <= own <= 250
    assert daily > 8 * own


def test_few_bars_are_told(predictor: Predictor) -> None:
    bars = walk(1400)
    trained = predictor.trained
    assert 100 < trained.history_bars <= 400
    predictor.predict(bars)  # goes back as far as the training's
    with pytest.warns(UserWarning, match=r"of WALK lead up to a forecast, and its features need"):
        predictor.predict(bars[-60:])
    stream = predictor.stream(bars[-60:-1])
    with pytest.warns(UserWarning, match=f"need {trained.history_bars} to forget"):
        assert stream.update(bars[-1:]) is not None


def test_every_missing_forecast_has_a_reason(predictor: Predictor) -> None:
    bars = walk(1400)
    stream = predictor.stream()
    assert stream.update(bars[:1]) is None
    assert "before" in str(stream.why)
    assert "through which the artifact was trained" in str(stream.why)
    stream = predictor.stream(bars[600:601])
    assert stream.update(bars[601:602]) is None
    assert "have no value yet, rsi_14 first" in str(stream.why)
    stream = predictor.stream(bars[:-3])
    assert stream.update(bars[-3:-2]) is not None
    assert stream.why is None
    late = mapping(bars, -2)
    with pytest.raises(DataError, match="off the grid"):
        stream.update(late | {"timestamp": late["timestamp"] + pd.Timedelta("47min")})
    with pytest.raises(DataError, match="stream is of WALK, the bar is of OTHER"):
        stream.update(late | {"symbol": "OTHER"})
    with pytest.raises(DataError, match="lies in the year 2262"):
        stream.update(late | {"timestamp": pd.Timestamp("2262-01-05T10:00Z")})
    impossible = bars[-2:-1].records.copy()
    impossible["high"] = np.inf
    with pytest.raises(DataError, match=r"cannot be: .*high inf"):
        stream.update(Bars("WALK", bars.length_us, impossible))
    assert stream.update(late | {"symbol": "WALK"}) is not None
    assert stream.verdict == predictor.verdict != "not given"


def test_outside_the_sessions(tmp_path: Path, study_file: StudyFile) -> None:
    file = study_file(tmp_path)
    study = yaml.safe_load(file.read_text())
    study["bars"] |= {"calendar": "XNYS"}
    study["members"] = ["ridge"]
    file.write_text(yaml.safe_dump(study))
    predictor = load(run(file, runs=tmp_path / "runs").folder)
    bars = walk(420)
    stream = predictor.stream(bars)
    night = mapping(bars, -1) | {"timestamp": pd.Timestamp("2026-11-02T03:00Z")}
    assert stream.update(night) is None
    assert "outside the regular sessions of calendar XNYS" in str(stream.why)
    ahead = pytest.warns(UserWarning, match="which lies ahead")
    with ahead, pytest.raises(DataError, match="sessions of XNYS are known"):
        stream.update(night | {"timestamp": pd.Timestamp("2062-11-02T15:00Z")})


def test_bars_that_a_study_refuses_are_refused(predictor: Predictor) -> None:
    bars = walk(1400)
    split = Bars(
        "WALK",
        bars.length_us,
        np.concatenate([bars[:1300].records, scaled(bars[1300:], 0.5).records]),
    )
    for ask in (predictor.predict, predictor.stream):
        with pytest.raises(DataError, match="split"):
            ask(split)
    stream = predictor.stream(split[:1290])
    refused = []
    for row in range(1290, 1350):
        try:
            stream.update(split[row : row + 1])
        except DataError as error:
            refused.append(str(error))
    assert "split" in refused[0]


def test_the_command_says_the_verdict_and_reads_the_file_it_is_given(
    finished: Run, tmp_path: Path, barstack: Barstack
) -> None:
    table = pl.DataFrame(table_of(walk(1400)))
    table.write_parquet(tmp_path / "WALK.parquet")
    (tmp_path / "one").mkdir()
    table.write_parquet(tmp_path / "one" / "WALK[1].parquet")
    scaled_table = table.with_columns(pl.col("open", "high", "low", "close") * 1.5)
    scaled_table.write_parquet(tmp_path / "one" / "WALK1.parquet")
    said = barstack("predict", finished.folder, tmp_path / "WALK.parquet", code=0).out
    assert "(no edge" in said or "(edge supported)" in said
    rows = barstack("predict", finished.folder, tmp_path / "WALK.parquet", "--json", code=0).json
    assert {row["verdict"] for row in rows["forecasts"]} == {finished.verdict.edge}
    odd = tmp_path / "one" / "WALK[1].parquet"
    found = barstack("predict", finished.folder, odd, "--symbol", "WALK", "--json", code=0).json
    assert found == rows
    gone = barstack("predict", finished.folder, tmp_path / "one" / "W*.parquet", code=2)
    assert "neither a file nor a folder" in gone.err
