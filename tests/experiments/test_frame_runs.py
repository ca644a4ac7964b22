"""Runs of frames: the same study has one id and one result, however it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import yaml
from tests.conftest import table_of

import barstack as bs
from barstack.bars.sources import keep_frame
from barstack.core.errors import ConfigError, DataError
from barstack.core.progress import Progress
from barstack.testing import walk

TABLE = table_of(walk(400))
CLOCK: dict[str, Any] = {"symbol": "WALK", "calendar": "24/7", "stamp": "open"}
STUDY: dict[str, Any] = {
    "features": ["rsi", "body"],
    "label": {"label": "return", "horizons": [1, 4]},
    "split": {"split": "walk_forward", "folds": 3},
    "members": ["ridge"],
}


class Noted(Progress):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def framed(runs: Path) -> bs.Run:
    return bs.run(TABLE, runs=runs, **CLOCK, **STUDY)


def verdict_of(run: bs.Run) -> bs.Verdict:
    """Without the head of the ledger, which holds when its rows were entered."""
    return replace(run.verdict, ledger="")


def test_one_id_and_one_result_from_frame_classes_and_yaml(framed: bs.Run, runs: Path) -> None:
    kept = keep_frame(TABLE, runs=runs, **CLOCK)
    of_classes = bs.Study(
        bars=kept,
        features=[bs.Feature(feature="rsi"), "body"],
        label=bs.Return([1, 4]),
        split=bs.WalkForward(folds=3),
        members={"ridge": bs.Ridge()},
    )
    by_hand = runs / "by_hand.yaml"
    by_hand.write_text(yaml.safe_dump({"bars": kept.content(), **STUDY}))
    found = {
        "classes": bs.run(of_classes, runs=runs / "classes"),
        "words": bs.run(bs.Study(bars=kept, **STUDY), runs=runs),
        "written": bs.run(framed.folder / "study.yaml", runs=runs),
        "by hand": bs.run(by_hand, runs=runs / "by hand"),
        "provided": bs.run(kept, runs=runs, **STUDY),
    }
    for way, run in found.items():
        assert run.id == framed.id, way
        assert verdict_of(run) == verdict_of(framed), way
        assert run.evaluation.to_json() == framed.evaluation.to_json(), way
    elsewhere = bs.run(TABLE, runs=runs / "elsewhere", **CLOCK, **STUDY)
    assert elsewhere.id == framed.id
    assert verdict_of(elsewhere) == verdict_of(framed)


def test_files_of_the_same_bars_have_the_same_forecasts(framed: bs.Run, runs: Path) -> None:
    """The provider is part of a run's id; what it is the same bars of is not computed again."""
    (runs / "bars").mkdir()
    TABLE.write_parquet(runs / "bars" / "WALK.parquet")
    file = runs / "study.yaml"
    file.write_text(yaml.safe_dump({"bars": {"provider": "files", "path": "bars"}, **STUDY}))
    of_files = bs.run(file, runs=runs)
    assert of_files.id != framed.id
    assert of_files.evaluation.to_json() == framed.evaluation.to_json()
    assert of_files.verdict == framed.verdict
    made = {step.name for step in of_files.steps if step.how == "made"}
    computed = {"features", "labels", "split", "member ridge", "ensemble nnls", "evaluation"}
    assert made.isdisjoint(computed)


def test_new_frames_are_forecast_as_bars_are(framed: bs.Run) -> None:
    longer = walk(420)
    expected = bs.load(framed.folder).predict(longer)
    forms = {
        "polars": table_of(longer),
        "bars": longer,
        "mapping": {"WALK": table_of(longer)},
        "long": table_of(longer).with_columns(ticker=pl.lit("WALK")),
        "titled": table_of(longer).rename(str.title),
    }
    for form, frame in forms.items():
        found = framed.predict(frame)
        pd.testing.assert_frame_equal(found, expected, obj=form)
    assert len(expected) == 21
    with pytest.raises(ConfigError, match="Rename the column that holds close to 'close'"):
        framed.predict(table_of(longer).rename({"close": "adjusted close"}))


def test_further_frames_are_read_as_the_first(runs: Path) -> None:
    """Other columns of prices, a format of times, a column of symbols: as the study's own had."""
    odd = {"open": "o2", "high": "h2", "low": "l2", "close": "c2"}

    def foreign(n_bars: int) -> pl.DataFrame:
        table = table_of(walk(n_bars))
        day_first = table["timestamp"].dt.strftime("%d/%m/%Y %H:%M")
        twice = [(pl.col(name) * 2.0).alias(other) for name, other in odd.items()]
        return table.with_columns(*twice).with_columns(timestamp=day_first, paper=pl.lit("WALK"))

    own = {name: value for name, value in CLOCK.items() if name != "symbol"}
    reading: dict[str, Any] = {"columns": odd, "timezone": "UTC", "symbol_column": "paper"}
    run = bs.run(foreign(400), runs=runs, time_format="%d/%m/%Y %H:%M", **reading, **own, **STUDY)
    doubled = table_of(walk(420)).with_columns(pl.col(*odd) * 2.0)
    expected = bs.load(run.folder).predict(doubled)
    pd.testing.assert_frame_equal(run.predict(foreign(420)), expected)
    again = bs.run(run.folder / "study.yaml", runs=runs)
    pd.testing.assert_frame_equal(again.predict(foreign(420)), expected)
    with pytest.raises(ConfigError, match="no column 'o2', from which the study read its open"):
        run.predict(table_of(walk(420)))


def test_how_a_frame_was_laid_out_is_no_part_of_its_identity(runs: Path) -> None:
    titled = keep_frame(TABLE.rename(str.title), runs=runs, **CLOCK)
    plain = keep_frame(TABLE, runs=runs, **CLOCK)
    assert titled.layout != plain.layout
    assert titled.id == plain.id


def test_frames_of_a_resampled_study_are_resampled(runs: Path) -> None:
    run = bs.run(TABLE, runs=runs, resample="1h", **CLOCK, **STUDY)
    longer = table_of(walk(420))
    hourly, half_hourly, four_hourly = (
        keep_frame(longer, runs=runs, resample=length, **CLOCK).load()
        for length in ("1h", None, "4h")
    )
    expected = bs.load(run.folder).predict(hourly)
    assert {closed.minute for closed in expected["decided_at"]} == {0}
    pd.testing.assert_frame_equal(run.predict(longer), expected)
    pd.testing.assert_frame_equal(run.predict(half_hourly), expected)
    with pytest.raises(ConfigError, match="are 4h long; the artifact was trained on 1h"):
        run.predict(four_hourly)


def test_a_symbol_beside_a_frame(framed: bs.Run) -> None:
    new = table_of(walk(420))
    named = new.with_columns(ticker=pl.lit("SPY"))
    for frame in (named, {"SPY": new}):
        with pytest.raises(ConfigError, match="names its symbols itself: SPY"):
            framed.predict(frame, symbol="WALK")
    with pytest.raises(ConfigError, match=r"bars of WALK, and not of SPY\. Leave"):
        framed.predict(walk(420), symbol="SPY")
    calls: list[Callable[[], Any]] = [
        lambda: framed.predict(named),
        lambda: framed.predict(named, symbol="SPY"),
        lambda: framed.predict(new, symbol="SPY"),
    ]
    for call in calls:
        with pytest.warns(UserWarning, match="SPY: not among the symbols it was trained") as caught:
            found = call()
        assert {*found["symbol"]} == {"SPY"}
        assert {Path(each.filename).name for each in caught} == {Path(__file__).name}
    halves = new.with_columns(kind=pl.Series(["A", "B"] * 210))
    with pytest.raises(DataError, match=r"has A, B in column 'kind'.* a mapping of frames"):
        framed.predict(halves)


def test_one_horizon_without_a_list(runs: Path) -> None:
    one = bs.Study(bars="sample", horizons="1d", preset="quick")
    assert one == bs.Study(bars="sample", horizons=["1d"], preset="quick")
    assert one == bs.Study(
        bars="sample", label={"label": "return", "horizons": "1d"}, preset="quick"
    )
    odd: list[Any] = [3.5, {"1h"}, {"1h": 1}]
    for horizons in odd:
        with pytest.raises(ConfigError, match=r"Cannot read horizons from .* Write one, such as"):
            bs.run(TABLE, runs=runs, horizons=horizons, **CLOCK)
    with pytest.raises(ConfigError, match="daily"):
        bs.run(TABLE, runs=runs, horizons="daily", **CLOCK)


def test_a_frame_that_names_no_symbol_of_a_run_of_several(two_symbols: bs.Run) -> None:
    with pytest.raises(ConfigError, match=r"names no symbol, and this run is of OTHER, WALK"):
        two_symbols.predict(TABLE)


def test_what_was_taken_is_said(runs: Path) -> None:
    progress = Noted()
    own = {name: value for name, value in CLOCK.items() if name != "symbol"}
    run = bs.run(TABLE, runs=runs, progress=progress, **own, **STUDY)
    assert run.artifact.bars.symbols == ("unnamed",)
    chosen = [str(each) for each in run.chosen]
    assert progress.notes[: len(chosen)] == chosen
    assert progress.notes[0] == "symbol: unnamed. The frame names none; give symbol= to name it."
    assert progress.notes[1].startswith("bar: 30min. ")


def test_what_a_run_refuses(runs: Path) -> None:
    with pytest.raises(ConfigError, match="Say how far ahead to forecast"):
        bs.run(TABLE, runs=runs, **CLOCK)
    with pytest.raises(ConfigError, match=r"Unknown key study\.cost_pbs\. Did you mean 'cost_bps'"):
        bs.run(TABLE, runs=runs, horizons=[1], cost_pbs=1.0, **CLOCK)
    with pytest.raises(ConfigError, match=r"A study says its own horizons, calendar\. Write it"):
        bs.run("study.yaml", horizons=[1], calendar="XNYS")
    with pytest.raises(DataError, match="the frame is a int; give a pandas or polars DataFrame"):
        bs.run(3, runs=runs, horizons=[1])


def test_a_frame_changed_afterwards_changes_no_run(runs: Path) -> None:
    frame = pd.DataFrame({name: TABLE[name].to_numpy() for name in TABLE.columns[1:]})
    frame = frame.set_axis(pd.DatetimeIndex(TABLE["timestamp"].to_numpy()).tz_localize("UTC"))
    kept = keep_frame(frame, runs=runs, **CLOCK)
    before = kept.load()["WALK"].close.copy()
    frame["close"] = 1.0
    np.testing.assert_array_equal(kept.load()["WALK"].close, before)


def test_frames_for_a_run_of_files_are_read_as_its_files(runs: Path) -> None:
    """Two columns of closes: the study's files take the second."""

    def foreign(n_bars: int) -> pl.DataFrame:
        return table_of(walk(n_bars)).with_columns(last=pl.col("close"), close=pl.col("open"))

    folder = runs / "foreign"
    folder.mkdir()
    foreign(400).write_parquet(folder / "WALK.parquet")
    bars = bs.FileProvider(path=str(folder), columns={"close": "last"})
    run = bs.run(bs.Study(bars=bars, **STUDY), runs=runs)
    expected = bs.load(run.folder).predict(table_of(walk(420)))
    pd.testing.assert_frame_equal(run.predict(foreign(420)), expected)
    with pytest.raises(ConfigError, match="no column 'last', from which the study read its close"):
        run.predict(table_of(walk(420)))


@pytest.mark.parametrize("keep", [2, 4, 13])
def test_longer_bars_are_not_forecast_as_the_short_ones(framed: bs.Run, keep: int) -> None:
    longer = table_of(walk(1200))[::keep]
    for model in (framed, bs.load(framed.folder)):
        with pytest.raises(DataError, match="longer_bars"):
            model.predict(longer)


def test_an_artifact_says_which_columns_it_reads(framed: bs.Run) -> None:
    renamed = table_of(walk(420)).rename({"close": "last"})
    with pytest.raises(DataError, match=r"no column 'close', only .*rename the columns"):
        bs.load(framed.folder).predict(renamed)


@pytest.mark.parametrize("name", ["permno", "firm"])
@pytest.mark.parametrize("pair", [(1, 2), ("X", "Y")])
def test_forecasts_are_of_one_instrument(framed: bs.Run, name: str, pair: Any) -> None:
    glued = walk(420).to_frame()
    glued[name] = [pair[0]] * 380 + [pair[1]] * 40
    with pytest.raises(DataError, match=f"in column '{name}', which is not read"):
        bs.load(framed.folder).predict(glued)


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_an_index_of_counts_since_1970_holds_times(unit: int, runs: Path) -> None:
    frame = walk(400).to_frame()
    counts = frame["timestamp"].dt.as_unit("us").astype("int64") // unit
    frame = frame.drop(columns="timestamp").set_index(pd.Index(counts))
    found, expected = (keep_frame(each, runs=runs, **CLOCK) for each in (frame, TABLE))
    assert found.bars_sha256 == expected.bars_sha256


def test_what_a_frame_cannot_hold(runs: Path) -> None:
    infinite = TABLE.with_columns(high=pl.lit(float("inf")))
    with pytest.raises(DataError, match="no finite high"):
        keep_frame(infinite, runs=runs, **CLOCK)
    periods = walk(400).to_frame().set_index("timestamp").tz_localize(None).to_period("30min")
    with pytest.raises(DataError, match="holds periods"):
        keep_frame(periods, runs=runs, **CLOCK)
