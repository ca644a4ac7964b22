"""Bars, studies and a finished run that several rooms' tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from barstack import Run, run
from barstack.bars import Bars
from barstack.testing import walk

SHARED_DATA = Path(__file__).parents[1] / ".." / "shared" / "data"
StudyFile = Callable[..., Path]


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
