"""Bars, studies and a finished run that several rooms' tests share."""

from __future__ import annotations

import gc
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from barstack import Run, run
from barstack.bars import Bars
from barstack.cli import main
from barstack.testing import walk

SHARED_DATA = Path(__file__).parents[1] / ".." / "shared" / "data"
StudyFile = Callable[..., Path]


def pytest_collection_finish() -> None:
    """Exempt what is loaded by now from garbage collection, which is a third of the time else."""
    gc.collect()
    gc.freeze()


class Called:
    """What a call of the command line left."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Barstack = Callable[..., Called]


@pytest.fixture
def barstack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Barstack:
    """Call the command line in this process: 80 columns, nobody at a terminal, an own catalog.

    It must end with exit code `code`, or with whichever where that is None.
    """
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("BARSTACK_CATALOG", str(tmp_path / "catalog"))
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def call(*arguments: object, code: int | None = None) -> Called:
        monkeypatch.setattr(sys, "argv", ["barstack", *map(str, arguments)])
        capsys.readouterr()
        ended: Any = 0
        try:
            main()
        except SystemExit as leaving:
            ended = leaving.code or 0
        printed = capsys.readouterr()
        assert code in (None, ended), printed.err
        return Called(ended, printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real bars."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real bars are not here: {SHARED_DATA.resolve()}")
    return SHARED_DATA


def table_of(bars: Bars) -> pl.DataFrame:
    """Bars as the table that a file of them holds."""
    columns: dict[str, Any] = {"timestamp": bars.opened_at}
    columns |= {name: bars.records[name] for name in ("open", "high", "low", "close", "volume")}
    return pl.DataFrame(columns).with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))


@pytest.fixture(scope="session")
def table() -> Callable[[Bars], pl.DataFrame]:
    return table_of


def write_study(folder: Path, name: str = "study.yaml", n_bars: int = 400, **changes: Any) -> Path:
    """A small study file beside its bars; `changes` replace whole keys."""
    data = folder / "bars"
    if not data.is_dir():
        data.mkdir(parents=True)
        table_of(walk(n_bars)).write_parquet(data / "WALK.parquet")
    study: dict[str, Any] = {
        "bars": {"provider": "files", "path": "bars"},
        "features": ["rsi", "body"],
        "label": {"label": "return", "horizons": [1, 4]},
        "split": {"split": "walk_forward", "folds": 3},
        "members": {"ridge": {}, "strong": {"model": "ridge", "penalty": 10.0}},
        "ensembles": ["nnls", "average"],
    }
    file = folder / name
    file.write_text(yaml.safe_dump(study | changes, sort_keys=False))
    return file


@pytest.fixture(scope="session")
def study_file() -> StudyFile:
    return write_study


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of a small study of one symbol; for reading only."""
    folder = tmp_path_factory.mktemp("finished")
    return run(write_study(folder), runs=folder / "runs")


@pytest.fixture(scope="session")
def two_symbols(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of two symbols; for reading only."""
    folder = tmp_path_factory.mktemp("two")
    file = write_study(folder, members=["ridge"])
    table_of(walk(400, seed=1, symbol="OTHER")).write_parquet(folder / "bars" / "OTHER.parquet")
    return run(file, runs=folder / "runs")


def series_tables(n_rows: int = 400) -> dict[str, pl.DataFrame]:
    """News about two symbols and a macro figure, over the days of `walk`; some at a bar's close."""
    rng = np.random.default_rng(5)
    closes = walk(1400).closed_at
    spread = closes[0] + rng.integers(-86_400, 130 * 86_400, n_rows).astype("timedelta64[s]")
    times = np.unique(np.where(rng.random(n_rows) < 0.3, rng.choice(closes, n_rows), spread))
    known_at = pl.Series("known_at", times).dt.replace_time_zone("UTC")
    symbol = pl.Series("symbol", rng.choice(["OTHER", "WALK"], len(times)))
    news = pl.DataFrame([known_at, symbol, pl.Series("mood", rng.normal(size=len(times)))])
    macro = pl.DataFrame([known_at, pl.Series("rate", rng.normal(size=len(times)).cumsum())])
    return {"news": news, "macro": macro[::20]}


def write_series_study(folder: Path, **changes: Any) -> Path:
    """A study of two symbols with two series, and all its files."""
    tables = series_tables()
    series = {
        "news": {"path": "news.parquet", "columns": ["mood"], "max_age": "1d", "fill": 0.0},
        "macro": {"path": "macro.csv", "columns": ["rate"], "per_symbol": False, "age": True},
    }
    file = write_study(folder, **({"members": ["ridge"], "series": series} | changes))
    table_of(walk(400, seed=1, symbol="OTHER")).write_parquet(folder / "bars" / "OTHER.parquet")
    tables["news"].write_parquet(folder / "news.parquet")
    tables["macro"].write_csv(folder / "macro.csv")
    return file


@pytest.fixture(scope="session")
def series_study() -> StudyFile:
    return write_series_study


@pytest.fixture(scope="session")
def with_series(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of two symbols with two series; for reading only."""
    folder = tmp_path_factory.mktemp("series")
    return run(write_series_study(folder), runs=folder / "runs")
