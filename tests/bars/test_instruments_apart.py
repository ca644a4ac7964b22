"""Bars of several instruments are never read as one series, however they are told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from barstack.bars.sources import keep_frame
from barstack.bars.sources.files import FileProvider
from barstack.core.errors import DataError
from barstack.testing import walk

WHOLE: pd.DataFrame = walk(200).to_frame()
CLOCK: dict[str, Any] = {"calendar": "24/7", "stamp": "open"}


def in_turn(name: str, first: Any, second: Any) -> pd.DataFrame:
    """One instrument until row 120, then another."""
    return WHOLE.assign(**{name: [first] * 120 + [second] * 80})


def at_once(name: str, first: Any, second: Any) -> pd.DataFrame:
    """Two instruments side by side, rows sorted by time."""
    both = pd.concat([WHOLE.assign(**{name: first}), WHOLE.assign(**{name: second})])
    return both.sort_values("timestamp", kind="stable", ignore_index=True)


@pytest.mark.parametrize("shape", [in_turn, at_once])
@pytest.mark.parametrize("numbers", [(10107, 14593), (14593, 10107)])
def test_numbers_of_a_database_are_symbols(shape: Any, numbers: Any, tmp_path: Path) -> None:
    panel = keep_frame(shape("PERMNO", *numbers), runs=tmp_path, **CLOCK).load()
    assert list(panel) == ["10107", "14593"]
    expected = {True: (120, 80), False: (200, 200)}[shape is in_turn]
    assert tuple(len(panel[str(each)]) for each in numbers) == expected


def test_one_number_is_a_column_like_others(tmp_path: Path) -> None:
    kept = keep_frame(WHOLE.assign(permno=10107), runs=tmp_path, symbol="A", **CLOCK)
    assert list(kept.load()) == ["A"]


@pytest.mark.parametrize("pair", [(1, 2), (1.0, 2.0), ("X", "Y")])
@pytest.mark.parametrize("name", ["firm", "contract_id", "fund"])
def test_numbers_that_identify_by_their_name(name: str, pair: Any, tmp_path: Path) -> None:
    for shape in (in_turn, at_once):
        with pytest.raises(DataError, match=f"in column '{name}', which is not read"):
            keep_frame(shape(name, *pair), runs=tmp_path, **CLOCK)


def test_numbers_that_tell_repeated_times_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 1, 2 in column 'series', which is not read"):
        keep_frame(at_once("series", 1, 2), runs=tmp_path, **CLOCK)


def test_numbers_that_count_something_are_let_alone(tmp_path: Path) -> None:
    frame = WHOLE.assign(hour=WHOLE["timestamp"].dt.hour, trades=range(200), year=2026)
    assert len(keep_frame(frame, runs=tmp_path, **CLOCK).load()["unnamed"]) == 200


def test_floats_that_name_symbols_are_whole_numbers(tmp_path: Path) -> None:
    kept = keep_frame(in_turn("firm", 1.0, 2.0), symbol_column="firm", runs=tmp_path, **CLOCK)
    assert list(kept.load()) == ["1", "2"]


@pytest.mark.parametrize("pair", [(1, 2), ("X", "Y")])
@pytest.mark.parametrize("name", ["permno", "firm", "symbol"])
def test_files(name: str, pair: Any, tmp_path: Path) -> None:
    in_turn(name, *pair).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=f"in column '{name}', which is not read"):
        FileProvider(path="a.csv", calendar="24/7").load(tmp_path)
    panel = FileProvider(path="a.csv", calendar="24/7", symbol_column=name).load(tmp_path)
    assert [len(each) for each in panel.values()] == [120, 80]
