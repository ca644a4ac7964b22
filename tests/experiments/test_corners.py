"""Studies at the edge of what a model can be trained on or asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.conftest import StudyFile, table_of

from barstack.core.errors import DataError
from barstack.core.progress import Progress
from barstack.experiments import Study, run_study
from barstack.testing import walk

TREES = {"model": "lightgbm", "trees": 5}


class Notes(Progress):
    """Keeps what is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []

    def note(self, text: str) -> None:
        self.noted.append(text)


@pytest.mark.parametrize("late", [0.55, 0.75])
def test_a_ticker_that_lists_late_waits_until_it_has_been_trained_on(
    tmp_path: Path, study_file: StudyFile, late: float
) -> None:
    file = study_file(tmp_path, members={"own": {"model": "per_ticker", "of": TREES}, "ridge": {}})
    other = walk(400, seed=1, symbol="OTHER")[int(late * 400) :]
    table_of(other).write_parquet(tmp_path / "bars" / "OTHER.parquet")
    notes = Notes()
    run = run_study(Study.from_yaml(file), folder=tmp_path, runs=tmp_path / "runs", progress=notes)
    files = (tmp_path / "runs" / ".store" / "member").glob("*/facts.json")
    waiting = [
        fit["untrained"]["OTHER"]
        for each in files
        for fit in json.loads(each.read_text())
        if fit.get("untrained")
    ]
    said = [each for each in notes.noted if each.startswith("per_ticker")]
    assert len(said) == len(waiting) > 0
    # Folds are fitted side by side, so that either may be reported first.
    reported = sorted(text.partition(": ")[2].partition(",")[0] for text in said)
    assert reported == sorted(f"{count} of OTHER not forecast" for count in waiting)
    assert set(run.artifact.members["own"].learned.own) == {"WALK", "OTHER"}


def test_a_model_of_windows_without_a_full_one_is_told_what_to_do(
    tmp_path: Path, study_file: StudyFile
) -> None:
    """Bars without a gap to train on, then one missing in every twenty."""
    file = study_file(
        tmp_path,
        members={"tcn": {"lookback": 24, "epochs": 1}, "ridge": {}},
        split={"split": "chronological"},
        max_gap="30min",
    )
    n_bars = 600
    times = np.datetime64("2026-01-05", "us") + np.arange(n_bars) * np.timedelta64(30, "m")
    whole = table_of(walk(n_bars)).with_columns(
        timestamp=pl.Series(times).dt.replace_time_zone("UTC")
    )
    number = np.arange(n_bars)
    kept = (number < 0.6 * n_bars) | (number % 20 != 7)
    whole.filter(kept).write_parquet(tmp_path / "bars" / "WALK.parquet")
    with pytest.raises(DataError, match=r"tcn looks back 24 bars, and none of .* larger max_gap"):
        run_study(Study.from_yaml(file), folder=tmp_path, runs=tmp_path / "runs")
